"""Rows as points: what the distance between two rows of a table is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.checks import check_length, check_option
from shiftlab._core.frames import as_table
from shiftlab.exceptions import InputError

__all__ = ["SCALES", "Coordinates", "cell_steps", "read_coordinates"]

SCALES = ("standard", "none")


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Rows as points whose Euclidean distances are the distances between rows.

    Attributes
    ----------
    points : ndarray of float64, shape (n_rows, d)
    names : tuple of str
        Name of each coordinate; categories are written "column=label".
    scale : ndarray of shape (d,)
        What a column was divided by.
    discrete : ndarray of bool, shape (d,)
        Whether the column only takes the values observed: booleans, categories and integers.
    owner : ndarray of int, shape (d,)
        Position in the table of the column that each coordinate belongs to.
    """

    points: np.ndarray
    names: tuple[str, ...]
    scale: np.ndarray
    discrete: np.ndarray
    owner: np.ndarray


def read_coordinates(
    data: Any, n_rows: int, *, scale: str, leave_out: Sequence[str] = (), name: str = "X"
) -> Coordinates:
    """Read a table as points.

    Numbers are divided by their standard deviation (`scale="standard"`) or taken as they are; two
    different categories are at distance 1, and so are true and false.

    Raises
    ------
    InputError
        If a cell is missing or no column is left.
    """
    check_option(scale, SCALES, "scale")
    table = as_table(data)
    check_length(table, n_rows, name)
    parts: list[np.ndarray] = []
    names: list[str] = []
    scales: list[float] = []
    discrete: list[bool] = []
    owner: list[int] = []
    for position, column in enumerate(table):
        if column.name in leave_out:
            continue
        if column.missing.any():
            raise InputError(
                f"{name}: column {column.name!r} has {int(column.missing.sum())} missing value(s); "
                "a distance between rows needs all cells. Fill them, or leave the column out."
            )
        if column.is_number or column.kind == "boolean":
            deviation = float(column.values.std()) if scale == "standard" else 1.0
            size = deviation if column.is_number and deviation > 0 else 1.0
            parts.append(column.values / size)
            names.append(column.name)
            scales.append(size)
            discrete.append(column.integral or not column.is_number)
            owner.append(position)
        else:
            for code, label in enumerate(column.categories):
                parts.append((column.values == code) * np.sqrt(0.5))
                names.append(f"{column.name}={label}")
                scales.append(float(np.sqrt(2.0)))
                discrete.append(True)
                owner.append(position)
    if not parts:
        raise InputError(f"{name} has no column left that makes rows near or far.")
    points = np.column_stack(parts).astype(np.float64)
    return Coordinates(points, tuple(names), np.array(scales), np.array(discrete), np.array(owner))


def cell_steps(n_groups: int, group_cost: float, decision_cost: float) -> np.ndarray:
    """Return squared distances between cells (group, decision); shape (n_cells, n_cells)."""
    group, decision = np.divmod(np.arange(2 * n_groups), 2)
    other_group = (group[:, None] != group) * group_cost**2
    other_decision = (decision[:, None] != decision) * decision_cost**2
    return np.asarray(other_group + other_decision, dtype=np.float64)
