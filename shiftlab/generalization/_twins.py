"""Put counterfactual features back into a table of the caller's kind."""

from typing import Any

import numpy as np

from shiftlab._core.channels import split_channel

__all__ = ["rebuild"]


def rebuild(X: Any, twin: np.ndarray, sensitive: Any, environment: Any, to: Any) -> Any:
    """Return a copy of X with the covariates of the twins and the attributes of the other world."""
    import narwhals.stable.v2 as nw

    named = _listed(sensitive) + _listed(environment)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        names = list(frame.columns)
        attributes = [c if isinstance(c, str) else names[c] for c in _listed(sensitive)]
        rest = nw.from_native(split_channel(X, named, None, "X")[0], eager_only=True).columns
        columns = dict(zip(rest, twin.T, strict=True))
        columns |= {name: _column(to, i, len(twin)) for i, name in enumerate(attributes)}
        new = [
            nw.new_series(name, np.ascontiguousarray(values), backend=frame.implementation)
            if values.dtype != object
            else nw.new_series(name, values.tolist(), backend=frame.implementation)
            for name, values in columns.items()
        ]
        replaced = frame.with_columns(*new) if _has_plain_index(frame) else _by_position(frame, new)
        return replaced.select(names).to_native()
    if not named:
        return twin
    full = np.array(X, dtype=object if np.asarray(X).dtype == object else float)
    positions = [c % full.shape[1] for c in named]
    full[:, [j for j in range(full.shape[1]) if j not in positions]] = twin
    for i, c in enumerate(_listed(sensitive)):
        full[:, c] = _column(to, i, len(twin))
    return full


def _listed(columns: Any) -> list[Any]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)


def _column(to: Any, position: int, n_rows: int) -> np.ndarray:
    if isinstance(to, tuple):
        to = to[position]
    if np.ndim(to) == 0:
        return np.repeat(np.asarray(to), n_rows)
    if hasattr(to, "to_numpy"):
        to = to.to_numpy()
    values = np.asarray(to)
    return values[:, position] if values.ndim == 2 else values


def _has_plain_index(frame: Any) -> bool:
    native = frame.to_native()
    return not hasattr(native, "index") or not hasattr(native, "loc")


def _by_position(frame: Any, new: list[Any]) -> Any:
    """Replace columns of a pandas frame row by row, whatever its index."""
    import narwhals.stable.v2 as nw

    native = frame.to_native().copy()
    for series in new:
        native[series.name] = series.to_numpy()
    return nw.from_native(native, eager_only=True)
