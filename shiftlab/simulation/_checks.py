"""Checks of a structural causal model: names, shifts of rows, labels in indicator terms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from shiftlab._core.names import join_names
from shiftlab.exceptions import InputError
from shiftlab.simulation._discrete import Categorical
from shiftlab.simulation._functions import INTERCEPT, Function, Linear
from shiftlab.simulation._mechanisms import Additive
from shiftlab.simulation._node import Node
from shiftlab.simulation._noise import Discrete
from shiftlab.simulation._shifts import Missingness, Selection, Shift
from shiftlab.simulation._spec import Spec, check_choice

__all__ = ["as_shifts", "check_indicators", "check_names", "check_row_shifts"]

FORBIDDEN = (":", "^", "=", "$")


def check_names(nodes: Mapping[str, Node], environment_name: str) -> None:
    """Check that the names can be columns and terms."""
    if not nodes:
        raise InputError("nodes must name at least one variable.")
    for name, node in nodes.items():
        if not isinstance(node, Node):
            raise InputError(f"nodes: {name!r} must be a Node, found {type(node).__name__}.")
        if not isinstance(name, str) or not name or any(mark in name for mark in FORBIDDEN):
            raise InputError(
                f"nodes: {name!r} is no name: text without {join_names(FORBIDDEN)} is expected."
            )
    for reserved in (environment_name, INTERCEPT):
        if reserved in nodes:
            raise InputError(f"nodes: the name {reserved!r} is taken; rename the variable.")


def as_shifts(shifts: Any, label: Any) -> tuple[Shift, ...]:
    """Return the shifts of one environment as a tuple."""
    listed = (shifts,) if isinstance(shifts, Shift) else tuple(shifts)
    for shift in listed:
        if not isinstance(shift, Shift):
            raise InputError(
                f"environments: {label!r} holds a {type(shift).__name__}, expected a Shift."
            )
    return listed


def check_row_shifts(shifts: Sequence[Shift], label: Any, nodes: Mapping[str, Node]) -> None:
    """Check the variables that selections and missing cells name."""
    observed = [name for name, node in nodes.items() if not node.hidden]
    for shift in shifts:
        where = f"{type(shift).__name__} in {label!r}"
        read: tuple[str, ...] = ()
        if isinstance(shift, Selection):
            read = shift.law.parents
        elif isinstance(shift, Missingness):
            check_choice(shift.node, observed, where)
            read = shift.probability.parents if isinstance(shift.probability, Function) else ()
        for name in read:
            check_choice(name, list(nodes), where)


def check_indicators(nodes: Mapping[str, Node]) -> None:
    """Check that terms like ``"job=retired"`` name a label that the variable can have."""
    labels = {name: known for name, node in nodes.items() if (known := _labels(node))}
    for name, node in nodes.items():
        for function in _linear_parts(node.law):
            for factor in (f for term in function.coefficients for f in term.split(":")):
                variable, is_indicator, label = factor.partition("=")
                if is_indicator and variable in labels:
                    check_choice(label, labels[variable], f"{name!r}: labels of {variable!r}")


def _labels(node: Node) -> list[str]:
    """Return the labels that a node can take, as text; empty if they are not known."""
    if isinstance(node.law, Categorical):
        return [str(label) for label in node.law.scores]
    if isinstance(node.distribution, Discrete) and node.law == Additive():
        return [str(label) for label in node.distribution.probabilities]
    return []


def _linear_parts(part: Any) -> Iterator[Linear]:
    if isinstance(part, Linear):
        yield part
    elif isinstance(part, Spec):
        for f in fields(part):
            yield from _linear_parts(getattr(part, f.name))
    elif isinstance(part, Mapping):
        for item in part.values():
            yield from _linear_parts(item)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _linear_parts(item)
