"""Assemble the records of cells into the tables of a result."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab.simulation._study_cells import CellRecord
from shiftlab.simulation._study_design import Scenario
from shiftlab.simulation._study_result import StudyResult
from shiftlab.simulation._study_store import text_value

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_result"]


def build_result(
    name: str,
    factors: tuple[str, ...],
    cells: Sequence[tuple[Scenario, int]],
    records: Mapping[tuple[str, int], CellRecord],
) -> StudyResult:
    """Assemble the result of the given cells, in their order."""
    finished = [(s, records[s.key, r]) for s, r in cells if (s.key, r) in records]
    returned = [(s, r) for s, r in finished if r.error is None]
    failed = [(s, r) for s, r in finished if r.error is not None]
    failures = _cell_table(factors, failed)
    for i, column in enumerate(("error", "message", "traceback")):
        failures[column] = _object_series([r.error[i] if r.error else None for _, r in failed])
    timings = _cell_table(factors, finished)
    timings["seconds"] = np.array([r.seconds for _, r in finished], dtype=float)
    return StudyResult(
        name=name,
        factors=factors,
        n_cells=len(cells),
        n_done=len(returned),
        n_failed=len(failed),
        n_pending=len(cells) - len(finished),
        rows=_row_table(factors, returned),
        failures=failures,
        timings=timings,
    )


def _cell_table(
    factors: tuple[str, ...], cells: Sequence[tuple[Scenario, CellRecord]]
) -> "pd.DataFrame":
    import pandas as pd

    data: dict[str, Any] = {n: _level_series([s.shown[n] for s, _ in cells]) for n in factors}
    data["replicate"] = np.array([r.replicate for _, r in cells], dtype=np.int64)
    return pd.DataFrame(data)


def _row_table(
    factors: tuple[str, ...], cells: Sequence[tuple[Scenario, CellRecord]]
) -> "pd.DataFrame":
    lengths = [len(record.rows) for _, record in cells]
    names = list(dict.fromkeys(n for c in dict.fromkeys(r.columns for _, r in cells) for n in c))
    outputs: dict[str, list[Any]] = {name: [] for name in names}
    for _, record in cells:
        position = {name: i for i, name in enumerate(record.columns)}
        for name, values in outputs.items():
            i = position.get(name)
            values.extend([None] * len(record.rows) if i is None else [w[i] for w in record.rows])
    table = _cell_table(factors, cells)
    table = table.iloc[np.repeat(np.arange(len(cells)), lengths)].reset_index(drop=True)
    table["row"] = np.array([i for n in lengths for i in range(n)], dtype=np.int64)
    for name, values in outputs.items():
        table[name] = _output_series(values)
    return table


def _level_series(levels: list[Any]) -> Any:
    import pandas as pd

    if levels and all(isinstance(level, (int, float)) for level in levels):
        return pd.Series(levels)
    return _object_series(levels)


def _object_series(values: list[Any]) -> Any:
    import pandas as pd

    return pd.Series(values, dtype=object)


def _output_series(values: list[Any]) -> Any:
    if any(isinstance(value, str) for value in values):
        return _object_series([text_value(value) for value in values])
    return np.array([np.nan if value is None else value for value in values], dtype=float)
