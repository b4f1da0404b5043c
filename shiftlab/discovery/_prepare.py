"""From the caller's table to what the search works on.

Columns and rows are put into an order that follows from their content alone, so that the result
depends neither on the order of rows and columns nor on the names of environments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from shiftlab._core.column_groups import Groups, group_columns
from shiftlab._core.columns import Column
from shiftlab._core.frames import Table
from shiftlab._core.names import join_names
from shiftlab.discovery._surrogate import Surrogate
from shiftlab.exceptions import DegenerateDataError, DegenerateDataWarning, InputWarning

__all__ = ["Prepared", "prepare"]

#: Whole numbers with at most this many values may be codes.
FEW_VALUES = 10
#: A share of variance that is nothing but rounding.
ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the search works on.

    Attributes
    ----------
    table : Table
        Columns that vary, each once, in an order that follows from their content.
    nodes : dict of str to tuple of str
        The columns of each variable, in the order of `table`.
    surrogate : Surrogate
        Its rows in the order of `table`.
    names : tuple of str
        All variables in the caller's order but those merged into another.
    constant : tuple of str
        Variables without variation.
    merged : dict of str to str
        Columns that repeat another one, and which.
    warnings : tuple of Warning
        What the caller should hear.
    """

    table: Table
    nodes: dict[str, tuple[str, ...]]
    surrogate: Surrogate
    names: tuple[str, ...]
    constant: tuple[str, ...]
    merged: dict[str, str]
    warnings: tuple[Warning, ...]


def prepare(
    table: Table, surrogate: Surrogate, categorical: Sequence[str], groups: Groups
) -> Prepared:
    """Set constant and repeated columns aside and bring the rest into its own order.

    Parameters
    ----------
    table : Table
        The covariates.
    surrogate : Surrogate
        The environment of each row.
    categorical : sequence of str
        Columns to read as categories.
    groups : mapping of str to tuple of str
        Columns that form one variable together; these are not merged.

    Returns
    -------
    Prepared
    """
    table = table.with_kinds(dict.fromkeys(categorical, "categorical"))
    if table.n_rows < 4:
        raise DegenerateDataError(
            f"X has n_samples={table.n_rows} rows; at least 4 are needed for a single test."
        )
    notes: list[Warning] = _warn_codes(table, categorical)
    still = [c.name for c in table if _is_constant(c)]
    nodes = group_columns(table.names, groups)
    constant = tuple(node for node, members in nodes.items() if {*members} <= {*still})
    if constant:
        said = f"{join_names(constant)} does not vary; it is kept as an isolated variable."
        notes.append(DegenerateDataWarning(said))
    for node, members in nodes.items():
        if node not in constant and (idle := [name for name in members if name in still]):
            said = f"{join_names(idle)} does not vary and is left out of {node!r}."
            notes.append(DegenerateDataWarning(said))
    varying = table.drop(still)
    joined = {member for members in groups.values() for member in members}
    merged = _repeated(varying.drop([name for name in varying.names if name in joined]))
    for name, first in merged.items():
        said = (
            f"Column {name!r} repeats column {first!r} (same values up to scale, or the same "
            "groups); the two are treated as one variable."
        )
        notes.append(DegenerateDataWarning(said))
    kept = varying.drop(list(merged))
    notes += _warn_collinear(kept)
    if surrogate.is_constant:
        said = f"environment: {surrogate.name!r} is constant, so that no variable can change."
        notes.append(DegenerateDataWarning(said))
    columns = sorted(kept.columns, key=_content)
    order = _row_order(columns, surrogate)
    arranged = Table(tuple(c.take(order) for c in columns), table.n_rows)
    names = tuple(name for name in nodes if name not in merged)
    moved = _renumbered(surrogate.take(order))
    found = group_columns(arranged.names, groups)
    return Prepared(arranged, found, moved, names, constant, merged, tuple(notes))


def _is_constant(column: Column) -> bool:
    present = column.values[~column.missing]
    return len(present) == 0 or bool((present == present[0]).all())


def _warn_codes(table: Table, categorical: Sequence[str]) -> list[Warning]:
    coded = []
    for column in table:
        if column.kind != "numeric" or column.name in categorical:
            continue
        values = np.unique(column.values[~column.missing])
        whole = bool((values == np.round(values)).all())
        if whole and 3 <= len(values) <= FEW_VALUES and table.n_rows >= 5 * len(values):
            coded.append(column.name)
    if not coded:
        return []
    said = (
        f"{join_names(coded)}: whole numbers with few distinct values are read as numbers. If they "
        "are codes, name them in categorical_features."
    )
    return [InputWarning(said)]


def _repeated(table: Table) -> dict[str, str]:
    """Map each column that is a linear copy or a relabelling of an earlier one to that one."""
    first: dict[bytes, str] = {}
    merged: dict[str, str] = {}
    for column in table:
        key = _pattern(column)
        if key in first:
            merged[column.name] = first[key]
        else:
            first[key] = column.name
    return merged


def _pattern(column: Column) -> bytes:
    """Return bytes that are equal for columns with the same information, up to sign and scale."""
    if not column.is_number:
        codes = np.unique(column.values, return_index=True, return_inverse=True)
        firsts, inverse = codes[1], codes[2]
        rank = np.argsort(np.argsort(firsts))
        return b"c" + rank[inverse].astype(np.int32).tobytes()
    values = column.values - np.nanmean(column.values)
    largest = np.nanmax(np.abs(values))
    values = np.round(values / largest, 9) + 0.0
    nonzero = values[(values != 0) & ~np.isnan(values)]
    return b"n" + (values * np.sign(nonzero[0]) + 0.0).tobytes()


def _warn_collinear(table: Table) -> list[Warning]:
    numbers = [c for c in table if c.is_number]
    if len(numbers) < 3:
        return []
    data = np.column_stack([c.values for c in numbers])
    data = data[~np.isnan(data).any(axis=1)]
    if len(data) <= data.shape[1]:
        return []
    data = data - data.mean(axis=0)
    data = data / np.maximum(np.abs(data).max(axis=0), 1e-300)
    determined = []
    values, vectors = np.linalg.eigh(data.T @ data / len(data))
    for weights in vectors[:, values <= ROUNDING * values[-1]].T:
        involved = np.abs(weights) > 1e-4
        determined += [numbers[i].name for i in np.flatnonzero(involved)]
    names = [c.name for c in numbers if c.name in determined]
    if not names:
        return []
    said = (
        f"{join_names(names)} are linearly dependent: given the others each is known exactly, so "
        "that tests cannot tell which of them causes what. Leave one out."
    )
    return [DegenerateDataWarning(said)]


def _content(column: Column) -> tuple[bytes, str]:
    """Return a key that does not depend on the order of the rows."""
    if column.is_number:
        digest = sha256(np.sort(column.values).tobytes())
    else:
        counts = np.bincount(column.values + 1, minlength=len(column.categories) + 1)
        digest = sha256(repr(list(zip(column.categories, counts[1:], strict=True))).encode())
    return digest.digest(), column.name


def _row_order(columns: Sequence[Column], surrogate: Surrogate) -> np.ndarray:
    keys = [c.values for c in columns]
    if surrogate.kind == "time":
        keys.append(surrogate.column.values)
    if not keys:
        return np.arange(len(surrogate.column.values))
    return np.lexsort(keys[::-1])


def _renumbered(surrogate: Surrogate) -> Surrogate:
    """Give environments the numbers in which they first occur: their names play no part."""
    if surrogate.kind == "time":
        return surrogate
    column = surrogate.column
    present, first, inverse = np.unique(column.values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    codes = np.argsort(order)[inverse].astype(np.int32)
    labels = tuple(column.categories[present[i]] for i in order)
    return Surrogate(Column(column.name, "categorical", codes, labels), "categorical")
