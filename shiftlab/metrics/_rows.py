"""From rows to counts: labels as small integers, then one pass in blocks over the combined codes.

Integer and boolean columns are never copied to 64 bits as a whole: a block of codes fits the
processor's cache, and nothing of the length of the data is allocated beyond one byte per row.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.validation import (
    Labels,
    check_binary,
    check_environment,
    check_length,
    check_sensitive_features,
)
from shiftlab.exceptions import InputError

__all__ = ["read_binary", "read_environment", "read_features", "tabulate"]

_BLOCK = 1 << 17
#: Largest dense table of cells; beyond it, only the combinations that occur are numbered.
_MAX_CELLS = 1 << 20
_MAX_RANGE = 1 << 16


def read_features(sensitive_features: Any, n_rows: int) -> list[Labels]:
    """Read sensitive features as labels with codes of the smallest integer type."""
    labels = _read_fast(sensitive_features, "sensitive_features")
    if labels is None:
        labels = check_sensitive_features(sensitive_features, n_rows=n_rows)[0]
    _check_names([label.name for label in labels])
    for label in labels:
        check_length(label.codes, n_rows, f"sensitive_features: {label.name!r}")
    return labels


def read_environment(environment: Any, n_rows: int) -> Labels:
    """Read the environment of each row; its labelling is called "environment"."""
    fast = _read_fast(environment, "environment")
    if fast is not None and len(fast) == 1:
        labels = fast[0]
    else:
        labels = check_environment(environment, n_rows=n_rows, minimum=1)[0]
    check_length(labels.codes, n_rows, "environment")
    return Labels("environment", labels.codes, labels.categories)


def read_binary(values: Any, name: str, pos_label: Any, n_rows: int | None = None) -> np.ndarray:
    """Read a decision or an outcome as zeros and ones of one byte each."""
    fast = _integer_labels(values, name)
    if fast is None:
        positive = check_binary(values, name, pos_label=pos_label)[0]
    else:
        positive = _positive(fast, name, pos_label)
    check_length(positive, n_rows, name)
    if len(positive) == 0:
        raise InputError(f"{name} has no rows.")
    return positive.view(np.uint8)


def tabulate(
    labels: Sequence[Labels],
    decisions: np.ndarray,
    outcomes: np.ndarray | None,
    weights: np.ndarray | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Count rows by combination of labels, outcome and decision.

    Returns
    -------
    keys : ndarray of shape (n_groups, n_labels)
        Codes of the combinations that occur.
    tables : list of ndarray, each of shape (n_groups, 1 or 2, 2)
        Numbers of rows and, with weights, sums of weights and of squared weights.
    """
    columns, sizes, combinations = _number_combinations(labels)
    tail = [values for values in (outcomes, decisions) if values is not None]
    columns, sizes = [*columns, *tail], [*sizes, *[2] * len(tail)]
    tables = _count_blocks(columns, sizes, weights)
    shape = (-1, len(tail), 2)
    tables = [table.reshape(shape if len(tail) == 2 else (-1, 1, 2)) for table in tables]
    occurs = tables[0].sum(axis=(1, 2)) > 0
    found = np.flatnonzero(occurs) if combinations is None else combinations[occurs]
    keys = np.stack(np.unravel_index(found, [len(label) for label in labels]), axis=1)
    return keys, [table[occurs] for table in tables]


def _number_combinations(
    labels: Sequence[Labels],
) -> tuple[list[np.ndarray], list[int], np.ndarray | None]:
    sizes = [len(label) for label in labels]
    if math.prod(sizes) <= _MAX_CELLS:
        return [label.codes for label in labels], sizes, None
    flat = np.ravel_multi_index(tuple(label.codes.astype(np.intp) for label in labels), sizes)
    combinations, codes = np.unique(flat, return_inverse=True)
    return [codes], [len(combinations)], combinations


def _count_blocks(
    columns: Sequence[np.ndarray], sizes: Sequence[int], weights: np.ndarray | None
) -> list[np.ndarray]:
    n_cells = math.prod(sizes)
    dtype = np.min_scalar_type(n_cells)
    tables: list[np.ndarray] = [np.zeros(n_cells, dtype=np.int64)]
    if weights is not None:
        tables += [np.zeros(n_cells), np.zeros(n_cells)]
    for start in range(0, len(columns[0]), _BLOCK):
        block = slice(start, start + _BLOCK)
        code = columns[0][block].astype(dtype)
        for column, size in zip(columns[1:], sizes[1:], strict=True):
            code *= dtype.type(size)
            code += column[block].astype(dtype, copy=False)
        tables[0] += np.bincount(code, minlength=n_cells)
        if weights is not None:
            part = weights[block]
            tables[1] += np.bincount(code, weights=part, minlength=n_cells)
            tables[2] += np.bincount(code, weights=part**2, minlength=n_cells)
    return tables


def _check_names(names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"sensitive_features: the name {join_names(repeated)} is used more than once. "
            "Pass a data frame or a mapping with distinct names."
        )
    if "environment" in names:
        raise InputError(
            "sensitive_features: a feature cannot be called 'environment', which is the name of "
            "the environment column in every result. Rename it."
        )


def _read_fast(values: Any, name: str) -> list[Labels] | None:
    """Read columns of integers or booleans without a detour; None if there is any other."""
    if isinstance(values, Mapping) or (hasattr(values, "columns") and hasattr(values, "shape")):
        keys = list(values) if isinstance(values, Mapping) else list(values.columns)
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
            return None
        columns = [(key, values[key]) for key in keys]
    else:
        label = getattr(values, "name", None)
        columns = [(label if isinstance(label, str) and label else name, values)]
    labels = [_integer_labels(column, key) for key, column in columns]
    return None if not labels or any(label is None for label in labels) else labels  # type: ignore[return-value]


def _integer_labels(values: Any, name: str) -> Labels | None:
    if hasattr(values, "to_numpy") and str(getattr(values, "dtype", "")).lower() in _PLAIN:
        values = values.to_numpy()
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "biu":
        return None
    if len(values) == 0:
        return None
    offsets: np.ndarray | None
    if values.dtype.kind == "b":
        offsets, base = values.view(np.uint8), 0
    else:
        base, top = int(values.min()), int(values.max())
        if top - base >= _MAX_RANGE:
            return None
        small = np.min_scalar_type(top - base)
        offsets = values if values.dtype == small and base == 0 else None
        if offsets is None:
            # Wraps around in the narrow type and comes out right, whatever the sign.
            offsets = values.astype(small) - np.array(base).astype(small)
    present = np.flatnonzero(_count_blocks([offsets], [int(offsets.max()) + 1], None)[0])
    if len(present) <= int(present[-1]):
        rank = np.zeros(int(present[-1]) + 1, dtype=np.min_scalar_type(len(present)))
        rank[present] = np.arange(len(present))
        offsets = rank[offsets]
    kind = bool if values.dtype.kind == "b" else int
    return Labels(name, offsets, tuple(kind(base + int(value)) for value in present))


_PLAIN = ("bool", "boolean", *(f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)))


def _positive(labels: Labels, name: str, pos_label: Any) -> np.ndarray:
    if pos_label is None and labels.categories in ((0, 1), (0,), (1,)):
        return (
            labels.codes == 1
            if len(labels) == 2
            else np.full(len(labels.codes), bool(labels.categories[0]))
        )
    # The rest of the rules, and their messages, have one home: try them on one row per label.
    probe = check_binary(np.array(labels.categories), name, pos_label=pos_label)[0]
    return probe[labels.codes]
