"""The past as further variables: each variable again, some steps earlier."""

from dataclasses import replace

import numpy as np

from shiftlab._core.column_groups import Groups
from shiftlab._core.columns import Column
from shiftlab._core.frames import Table
from shiftlab.discovery._surrogate import Surrogate
from shiftlab.exceptions import DegenerateDataError

__all__ = ["add_lags", "with_past"]


def add_lags(table: Table, surrogate: Surrogate, lags: int) -> tuple[Table, Surrogate]:
    """Append the columns of earlier rows, within each environment.

    Along time rows are sorted by it; within a labelled environment they keep their order. Rows
    without a complete past are left out.

    Parameters
    ----------
    table : Table
        The variables.
    surrogate : Surrogate
        The environment of each row.
    lags : int
        How many steps back.

    Returns
    -------
    table : Table
        With columns such as ``x[t-1]``.
    surrogate : Surrogate
        Of the rows that are kept.
    """
    values = surrogate.column.values
    order = np.argsort(values, kind="stable")
    labels = np.zeros_like(values) if surrogate.kind == "time" else values[order]
    # Position inside the own environment: only rows with enough of them before are kept.
    starts = np.r_[0, np.flatnonzero(np.diff(labels)) + 1]
    lengths = np.diff(np.r_[starts, len(labels)])
    position = np.arange(len(labels)) - np.repeat(starts, lengths)
    kept = np.flatnonzero(position >= lags)
    if len(kept) == 0:
        raise DegenerateDataError(
            f"lags: no environment has more than {lags} rows, so no row has a complete past."
        )
    columns: list[Column] = [column.take(order[kept]) for column in table]
    for lag in range(1, lags + 1):
        for column in table:
            name = f"{column.name}[t-{lag}]"
            columns.append(replace(column.take(order[kept - lag]), name=name))
    return Table(tuple(columns), len(kept)), surrogate.take(order[kept])


def with_past(groups: Groups, lags: int) -> Groups:
    """Add the groups of the columns of earlier rows."""
    past = {
        f"{name}[t-{lag}]": tuple(f"{member}[t-{lag}]" for member in members)
        for lag in range(1, lags + 1)
        for name, members in groups.items()
    }
    return {**groups, **past}
