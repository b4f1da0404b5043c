"""Counterfactuals: abduction (whose noise?), action (intervene), prediction (recompute)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from shiftlab._core.names import missing_column_message
from shiftlab.exceptions import ColumnNotFoundError, InputError
from shiftlab.simulation._mechanisms import Fixed
from shiftlab.simulation._model import StructuralModel
from shiftlab.simulation._node import Node, graph_of, intervened
from shiftlab.simulation._sampling import SimulatedData, evaluate
from shiftlab.simulation._spec import check_choice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["abduct", "counterfactual"]


def abduct(
    model: StructuralModel, frame: "pd.DataFrame", names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Infer the noise of the named variables; the work behind `StructuralModel.abduct`."""
    for name in names:
        check_choice(name, list(model.nodes), "nodes")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    order: list[np.ndarray] = []
    for nodes, rows in _environments(model, frame):
        order.append(rows)
        for name in names:
            found = _infer(name, nodes[name], frame, rows)
            parts[name].append(np.full(len(rows), np.nan) if found is None else found)
    back = np.argsort(np.concatenate(order))
    return {name: np.concatenate(blocks)[back] for name, blocks in parts.items()}


def counterfactual(
    model: StructuralModel, data: Any, interventions: Mapping[str, Any]
) -> "SimulatedData | pd.DataFrame":
    """Recompute rows under an intervention; the work behind `StructuralModel.counterfactual`."""
    simulated = isinstance(data, SimulatedData)
    frame = data.full if simulated else data
    for name, action in interventions.items():
        check_choice(name, list(model.nodes), "interventions")
        if np.ndim(action) and np.shape(action) != (len(frame),):
            raise InputError(
                f"interventions: {name!r} has shape {np.shape(action)}, expected one value or "
                f"({len(frame)},)."
            )
    blocks = []
    for nodes, rows in _environments(model, frame):
        noise = {k: v[rows] for k, v in data.noise.items()} if simulated else None
        actions = {k: np.asarray(v)[rows] if np.ndim(v) else v for k, v in interventions.items()}
        blocks.append((rows, _predict(nodes, actions, frame, rows, noise)))
    result = _write(frame, blocks)
    if not simulated:
        return result
    return replace(data, frame=result[[model.environment_name, *model.observed]], full=result)


def _predict(
    nodes: Mapping[str, Node],
    actions: Mapping[str, Any],
    frame: "pd.DataFrame",
    rows: np.ndarray,
    stored: Mapping[str, np.ndarray] | None,
) -> dict[str, np.ndarray]:
    """Return the variables that the intervention can move, for the rows of one environment."""
    given = {k: v for k, v in actions.items() if np.ndim(v)}
    # An array stands for a hard intervention as far as the graph is concerned.
    after = {**nodes, **{k: Node(Fixed(None)) for k in given}}
    after |= {k: intervened(nodes[k], v, k) for k, v in actions.items() if k not in given}
    graph = graph_of(after)
    if not nx.is_directed_acyclic_graph(graph):
        raise InputError("interventions: the graph has a cycle after the intervention.")
    touched = set(actions).union(*(nx.descendants(graph, name) for name in actions))
    order = [name for name in nx.topological_sort(graph) if name in touched]
    values = {**given}
    for parent in {p for name in order for p in after[name].parents} - touched:
        values[parent] = _column(frame, parent, rows)
    for name in order:
        if name in given:
            continue
        if stored is not None or isinstance(after[name].law, Fixed):
            noise = None if stored is None else stored[name]
            values |= evaluate(after, [name], {name: noise}, len(rows), values)
            continue
        noise = _infer(name, nodes[name], frame, rows)
        predicted = evaluate(after, [name], {name: noise}, len(rows), values)[name]
        # Where nothing moved, rounding in the inversion must not move the value either.
        still = after[name] == nodes[name]
        for parent in after[name].parents if still else ():
            still = still & (values[parent] == _column(frame, parent, rows))
        values[name] = np.where(still, _column(frame, name, rows), predicted)
    return {name: values[name] for name in order}


def _infer(name: str, node: Node, frame: "pd.DataFrame", rows: np.ndarray) -> np.ndarray | None:
    parents = {parent: _column(frame, parent, rows) for parent in node.parents}
    observed = _column(frame, name, rows)
    try:
        return node.law.infer_noise(parents, observed)
    except InputError as error:
        raise InputError(f"The noise of {name!r} cannot be inferred. {error}") from error


def _environments(
    model: StructuralModel, frame: "pd.DataFrame"
) -> Iterator[tuple[dict[str, Node], np.ndarray]]:
    """Yield the nodes and the row numbers of each environment in a table."""
    column = model.environment_name
    if column not in frame.columns:
        if len(model.environments) > 1:
            raise ColumnNotFoundError(missing_column_message(column, list(frame.columns), "data"))
        yield model.nodes_in(next(iter(model.environments))), np.arange(len(frame))
        return
    labels = frame[column]
    for label in labels.unique():
        yield model.nodes_in(label), np.flatnonzero(np.asarray(labels == label))


def _column(frame: "pd.DataFrame", name: str, rows: np.ndarray) -> np.ndarray:
    if name not in frame.columns:
        raise ColumnNotFoundError(
            f"data has no column {name!r}, which the counterfactual needs; if it is hidden, use "
            "the result of sample, which keeps it."
        )
    values = frame[name].iloc[rows]
    n_missing = int(values.isna().sum())
    if n_missing:
        raise InputError(
            f"data: column {name!r} has {n_missing} missing cell(s) that the counterfactual "
            "needs. Fill them or remove these rows first."
        )
    array = values.to_numpy()
    return array.astype(str) if array.dtype.kind not in "biuf" else array


def _write(
    frame: "pd.DataFrame", blocks: Sequence[tuple[np.ndarray, Mapping[str, np.ndarray]]]
) -> "pd.DataFrame":
    result = frame.copy()
    back = np.argsort(np.concatenate([rows for rows, _ in blocks]))
    every = {name for _, values in blocks for name in values if name in frame.columns}
    for name in every:
        parts = [values.get(name, frame[name].to_numpy()[rows]) for rows, values in blocks]
        result[name] = np.concatenate(parts)[back]
    return result
