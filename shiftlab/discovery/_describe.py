"""From positions to names: the findings become a result that can be read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab.discovery._independent_changes import MOST_GRAPHS
from shiftlab.discovery._orient import Direction
from shiftlab.discovery._phases import Findings
from shiftlab.discovery._prepare import Prepared
from shiftlab.discovery._result import DiscoveryResult, EdgeReason
from shiftlab.graphs import Edge, MixedGraph
from shiftlab.graphs._marks import MARKS, directed

__all__ = ["describe"]

#: Below this p-value the mechanisms of the best graph still move together.
DEPENDENT = 0.01
RESTORED = "; separated in the search, but dependent given all causes found"


def describe(
    found: Findings, prepared: Prepared, root_name: str, options: dict[str, Any], notes: list[str]
) -> DiscoveryResult:
    """Build the result.

    Parameters
    ----------
    found : Findings
        In positions.
    prepared : Prepared
        Names and what was set aside.
    root_name : str
        Name of the environment's node.
    options : dict
        What was asked for.
    notes : list of str
        Said so far.
    """
    names = (*prepared.nodes, root_name)
    marks = found.orientation.marks
    order = {name: k for k, name in enumerate((*prepared.names, root_name))}
    edges = _edges(marks, names)
    before = [e for e in _edges(found.invariance, names) if root_name not in e[:2]]
    reasons = [_edge_reason(found, edge, names) for edge in edges]
    reasons.sort(key=lambda r: (order[r.source], order[r.target]))
    inside = [edge for edge in edges if root_name not in edge[:2]]
    changing = [names[v] for v in found.changing]
    forces = [
        replace(force, parents=tuple(sorted(force.parents, key=order.__getitem__)))
        for force in found.forces
    ]
    evidence = found.skeleton.evidence
    return DiscoveryResult(
        graph=MixedGraph(prepared.names, inside),
        augmented=MixedGraph((*prepared.names, root_name), edges),
        invariance=MixedGraph(prepared.names, before),
        environment=root_name,
        changing=tuple(sorted(changing, key=order.__getitem__)),
        edges=tuple(reasons),
        separating_sets=_by_pair(found.skeleton.separators, names, order, _named(names, order)),
        conflicts=tuple(_conflict(*item, names=names) for item in found.orientation.conflicts),
        driving_forces=tuple(sorted(forces, key=lambda force: order[force.variable])),
        test_paths=_by_pair(evidence, names, order, lambda e: tuple(e.path)),
        merged=prepared.merged,
        constant=prepared.constant,
        n_tests=found.tests.n_tests,
        tests_by_size=found.tests.tests_by_size,
        seconds=found.tests.seconds,
        options=options,
        notes=(
            *notes,
            *found.notes,
            *([found.tests.undefined] if found.tests.undefined else []),
            *_dependent_components(found, names),
            *_truncated_components(found, names),
        ),
    )


def _edges(marks: np.ndarray, names: Sequence[str]) -> list[Edge]:
    return [
        Edge(names[i], names[j], MARKS[marks[j, i] - 1], MARKS[marks[i, j] - 1])
        if not directed(marks)[j, i]
        else Edge(names[j], names[i])
        for i, j in np.argwhere(np.triu(marks > 0)).tolist()
    ]


def _named(names: Sequence[str], order: dict[str, int]) -> Any:
    def name_all(given: Sequence[int]) -> tuple[str, ...]:
        return tuple(sorted((names[k] for k in given), key=order.__getitem__))

    return name_all


def _by_pair(
    found: Mapping[tuple[int, int], Any], names: Sequence[str], order: dict[str, int], value: Any
) -> tuple[Any, ...]:
    rows = []
    for (i, j), item in found.items():
        a, b = sorted((names[i], names[j]), key=order.__getitem__)
        rows.append((a, b, value(item)))
    return tuple(sorted(rows, key=lambda row: (order[row[0]], order[row[1]])))


def _edge_reason(found: Findings, edge: Edge, names: Sequence[str]) -> EdgeReason:
    i, j = names.index(edge.source), names.index(edge.target)
    pair = (min(i, j), max(i, j))
    evidence = found.skeleton.evidence.get(pair)
    reason = found.orientation.reasons.get((i, j))
    tested = evidence is not None and evidence.n_tests > 0
    restored = pair in found.skeleton.restored
    return EdgeReason(
        source=edge.source,
        target=edge.target,
        edge=str(edge),
        pvalue=evidence.pvalue if evidence is not None and tested else None,
        given=tuple(names[k] for k in evidence.given) if evidence is not None else (),
        n_tests=evidence.n_tests if evidence is not None else 0,
        rule=reason.rule if reason else "",
        text=_sentence(reason, i, j, found, names) + (RESTORED if restored else ""),
        margin=reason.margin if reason else None,
        restored=restored,
    )


def _sentence(
    reason: Direction | None, i: int, j: int, found: Findings, names: Sequence[str]
) -> str:
    a, b = names[i], names[j]
    if reason is None:
        return _undecided(i, j, found)
    given = f" given {join_names([names[k] for k in reason.given])}" if reason.given else ""
    if reason.rule == "environment":
        return f"the mechanism of {b} differs between environments"
    if reason.rule == "invariance":
        separated = b if a in [names[k] for k in reason.given] else a
        return (
            f"{separated} is independent of the environment{given} (p = {reason.pvalue:.2g}), "
            f"{b if separated == a else a} changes with it"
        )
    if reason.rule == "collider":
        other = names[reason.other] if reason.other is not None else "?"
        return (
            f"{a} and {other} are independent{given} (p = {reason.pvalue:.2g}), but not given {b}"
        )
    if reason.rule == "independent change":
        return (
            f"in this direction the mechanisms move more independently, by {reason.margin:.1f} "
            "standard deviations"
        )
    if reason.rule == "knowledge":
        return "known beforehand"
    if reason.rule == "time":
        return "the past comes first"
    return f"follows from other directions ({reason.rule})"


def _undecided(i: int, j: int, found: Findings) -> str:
    for choice in found.choices:
        for edge in choice.edges:
            if {edge.cause, edge.effect} == {i, j}:
                return (
                    "no direction makes the mechanisms move clearly more independently "
                    f"(difference {edge.margin:.1f} standard deviations)"
                )
    return "both directions imply the same independences"


def _conflict(i: int, j: int, reason: Direction, *, names: Sequence[str]) -> str:
    return f"{names[i]} -> {names[j]} ({reason.rule})"


def _dependent_components(found: Findings, names: Sequence[str]) -> list[str]:
    return [
        f"The mechanisms of {join_names([names[v] for v in choice.nodes])} move together in every "
        f"direction (p = {choice.pvalue:.2g}): a common cause may drive them, and their directions "
        "are doubtful."
        for choice in found.choices
        if choice.pvalue < DEPENDENT
    ]


def _truncated_components(found: Findings, names: Sequence[str]) -> list[str]:
    return [
        f"{join_names([names[v] for v in choice.nodes])} can be directed in more than "
        f"{MOST_GRAPHS:,} ways, of which the first {MOST_GRAPHS:,} were compared."
        for choice in found.choices
        if choice.n_graphs >= MOST_GRAPHS
    ]
