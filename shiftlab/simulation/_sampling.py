"""Draw tables from a structural causal model and keep the truth with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result
from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError
from shiftlab.simulation._model import StructuralModel
from shiftlab.simulation._node import Node
from shiftlab.simulation._shifts import Missingness, Selection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SimulatedData", "evaluate", "sample"]

MAX_BATCHES = 200

Columns = dict[str, np.ndarray]
NoiseColumns = dict[str, np.ndarray | None]


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedData(Result):
    """A sampled table with everything that an observer does not see.

    Attributes
    ----------
    frame : DataFrame
        What is observed: the environment column, then the variables that are not hidden.
    full : DataFrame
        The same rows with the hidden variables and without missing cells.
    noise : dict of str to ndarray
        Exogenous noise of each variable, one value per row (one per label for `Categorical`).
    changed : dict of label to tuple of str
        Variables that each environment changes, relative to the model's own mechanisms.
    model : StructuralModel
        The model that was sampled.

    Examples
    --------
    >>> from shiftlab.simulation import Linear, Node, StructuralModel
    >>> model = StructuralModel({"H": Node(hidden=True), "X": Node(Linear({"H": 1.0}))})
    >>> data = model.sample(5, random_state=0)
    >>> list(data.frame), list(data.full)
    (['environment', 'X'], ['environment', 'H', 'X'])
    >>> data
    SimulatedData with 5 rows in 1 environment: 1 observed and 1 hidden variable(s)
    """

    frame: "pd.DataFrame"
    full: "pd.DataFrame"
    noise: dict[str, np.ndarray]
    changed: dict[Any, tuple[str, ...]]
    model: StructuralModel

    @property
    def environment(self) -> np.ndarray:
        """Environment label of each row."""
        return np.asarray(self.full[self.model.environment_name])

    @property
    def graph(self) -> nx.DiGraph:
        """Causal graph over observed and hidden variables."""
        return self.model.graph()

    def to_frame(self) -> "pd.DataFrame":
        """Return the observed table."""
        return self.frame

    def to_dict(self) -> dict[str, Any]:
        """Return the truth behind the table, without its rows."""
        labels, counts = np.unique(self.environment.astype(str), return_counts=True)
        return {
            "n_rows": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
            "observed": list(self.model.observed),
            "hidden": list(self.model.hidden),
            "edges": sorted([a, b] for a, b in self.graph.edges),
            "changed": {str(label): list(names) for label, names in self.changed.items()},
            "model": self.model.to_dict(),
        }

    def counterfactual(self, interventions: Mapping[str, Any]) -> "SimulatedData":
        """Return the same rows under an intervention; see `StructuralModel.counterfactual`."""
        result: SimulatedData = self.model.counterfactual(self, interventions)
        return result

    def __repr__(self) -> str:
        k = len(self.changed)
        return (
            f"SimulatedData with {len(self.full)} rows in {k} environment{'s' * (k > 1)}: "
            f"{len(self.model.observed)} observed and {len(self.model.hidden)} hidden variable(s)"
        )


def sample(
    model: StructuralModel, n_rows: int | Mapping[Any, int], random_state: RandomState
) -> SimulatedData:
    """Draw a table; the work behind `StructuralModel.sample`."""
    sizes = _check_sizes(model, n_rows)
    root = as_seed_sequence(random_state)
    draws = {label: _draw(model, label, n, root) for label, n in sizes.items()}
    counts = [len(next(iter(values.values()))) for values, _ in draws.values()]
    labels = np.repeat(_label_array(list(draws)), counts)
    columns = {n: np.concatenate([v[n] for v, _ in draws.values()]) for n in model.nodes}
    noise = {n: _stack([u[n] for _, u in draws.values()], counts) for n in model.nodes}
    full = build_frame(model, labels, columns)
    frame = full[[model.environment_name, *model.observed]].copy()
    for label in draws:
        _remove_cells(model, label, frame, full, root)
    changed = {label: model.changed_variables(label) for label in draws}
    return SimulatedData(frame, full, noise, changed, model)


def evaluate(
    nodes: Mapping[str, Node],
    order: Sequence[str],
    noise: Mapping[str, Any],
    n_rows: int,
    given: Mapping[str, np.ndarray] | None = None,
) -> Columns:
    """Compute all variables from the noise, causes first; `given` columns are taken as they are."""
    values: Columns = dict(given or {})
    for name in order:
        if name in values:
            continue
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            result = nodes[name].law(values, noise[name])
        if result.shape not in ((), (n_rows,)):
            raise InputError(
                f"The mechanism of {name!r} returned shape {result.shape}, expected ({n_rows},)."
            )
        values[name] = result if result.shape else np.full(n_rows, result)
        _check_finite(name, values[name])
    return values


def build_frame(model: StructuralModel, labels: np.ndarray, columns: Columns) -> "pd.DataFrame":
    """Return the full table: environment, then all variables in the order of the model."""
    import pandas as pd

    environment = pd.Series(labels).infer_objects()
    return pd.DataFrame(
        {model.environment_name: environment, **{n: columns[n] for n in model.nodes}}
    )


def _draw(
    model: StructuralModel, label: Any, n_rows: int, root: np.random.SeedSequence
) -> tuple[Columns, NoiseColumns]:
    """Draw one environment, in as many batches of `n_rows` as its selections need."""
    nodes, order = model.nodes_in(label), model.order(label)
    selections = [s for s in model.environments[label] if isinstance(s, Selection)]
    refill = all(selection.refill for selection in selections)
    kept: list[tuple[Columns, NoiseColumns]] = []
    n_kept = 0
    for batch in range(MAX_BATCHES):
        noise = {
            name: node.law.draw_noise(
                _generator(root, "noise", label, name, batch), n_rows, node.distribution
            )
            for name, node in nodes.items()
        }
        values = evaluate(nodes, order, noise, n_rows)
        if not selections:
            return values, noise
        rngs = [_generator(root, "selection", label, i, batch) for i in range(len(selections))]
        mask = _selected(selections, values, n_rows, rngs)
        kept.append((_take(values, mask), _take(noise, mask)))
        n_kept += int(mask.sum())
        if n_kept >= n_rows or not refill:
            break
    _check_kept(label, n_kept, n_rows, refill)
    return _join(kept, n_rows)


def _selected(
    selections: Sequence[Selection],
    values: Columns,
    n_rows: int,
    rngs: Sequence[np.random.Generator],
) -> np.ndarray:
    mask = np.ones(n_rows, dtype=bool)
    for selection, rng in zip(selections, rngs, strict=True):
        drawn = selection.law.default_noise.draw(rng, n_rows)
        mask &= np.asarray(selection.law(values, drawn), dtype=bool)
    return mask


def _join(
    batches: Sequence[tuple[Columns, NoiseColumns]], n_rows: int
) -> tuple[Columns, NoiseColumns]:
    names = list(batches[0][0])
    sizes = [len(values[names[0]]) for values, _ in batches]
    joined = {n: np.concatenate([values[n] for values, _ in batches])[:n_rows] for n in names}
    noise: NoiseColumns = {n: _stack([u[n] for _, u in batches], sizes)[:n_rows] for n in names}
    return joined, noise


def _check_kept(label: Any, n_kept: int, n_rows: int, refill: bool) -> None:
    if n_kept == 0 or (refill and n_kept < n_rows):
        share = n_kept / (n_rows * (MAX_BATCHES if refill else 1))
        raise InputError(
            f"Selection in environment {label!r} keeps {share:.2%} of the rows: too few to fill "
            f"{n_rows} rows. Weaken the selection, or ask for more rows."
        )


def _remove_cells(
    model: StructuralModel,
    label: Any,
    frame: "pd.DataFrame",
    full: "pd.DataFrame",
    root: np.random.SeedSequence,
) -> None:
    shifts = [s for s in model.environments[label] if isinstance(s, Missingness)]
    if not shifts:
        return
    rows = np.flatnonzero(np.asarray(full[model.environment_name] == label))
    for i, shift in enumerate(shifts):
        values = {n: np.asarray(full[n])[rows] for n in model.nodes}
        uniform = _generator(root, "missing", label, shift.node, i).random(len(rows))
        column = frame[shift.node]
        if column.dtype.kind in "biu":
            frame[shift.node] = column.astype(float)
        frame.loc[frame.index[rows][shift.mask(values, uniform)], shift.node] = None


def _generator(root: np.random.SeedSequence, *key: Any) -> np.random.Generator:
    # A child per name, not per position: the seeds of existing nodes survive additions.
    digest = blake2b(repr(key).encode(), digest_size=16).digest()
    words = tuple(int(w) for w in np.frombuffer(digest, dtype="<u4"))
    seed = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *words))
    return np.random.default_rng(seed)


def _check_sizes(model: StructuralModel, n_rows: int | Mapping[Any, int]) -> dict[Any, int]:
    if not isinstance(n_rows, Mapping):
        n_rows = dict.fromkeys(model.environments, n_rows)
    if not n_rows:
        raise InputError("n_rows names no environment.")
    return {
        model.check_environment(label): check_integer(n, "n_rows") for label, n in n_rows.items()
    }


def _check_finite(name: str, column: np.ndarray) -> None:
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        n_bad = int((~np.isfinite(column)).sum())
        raise InputError(
            f"{name!r} has {n_bad} value(s) that are not finite: its mechanism overflows or is "
            "not defined there. Rescale its parents or choose a bounded function."
        )


def _label_array(labels: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def _take(columns: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    return {name: None if c is None else c[mask] for name, c in columns.items()}


def _stack(parts: Sequence[np.ndarray | None], counts: Sequence[int]) -> np.ndarray:
    """Join noise of several draws; NaN where a mechanism has none, or fewer labels than another."""
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    if not any(part is not None and part.ndim == 2 for part in parts):
        return np.concatenate(
            [np.full(n, np.nan) if p is None else p for p, n in zip(parts, counts, strict=True)]
        )
    grids = [None if part is None else part.reshape(len(part), -1) for part in parts]
    width = max(grid.shape[1] for grid in grids if grid is not None)
    joined = np.full((sum(counts), width), np.nan)
    ends = np.cumsum(counts)
    for grid, end, n in zip(grids, ends, counts, strict=True):
        if grid is not None:
            joined[end - n : end, : grid.shape[1]] = grid
    return joined
