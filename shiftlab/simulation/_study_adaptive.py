"""Adaptive stopping: how many replicates each scenario needs for a target precision.

The number depends on the finished replicates only, so an adaptive study gives the same cells for
any number of workers and any interruption.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from shiftlab._core.validation import check_integer
from shiftlab.exceptions import InputError
from shiftlab.simulation._study_cells import CellRecord
from shiftlab.simulation._study_summary import adaptive_mcse

__all__ = ["check_targets", "next_replicates"]


def check_targets(
    target_mcse: Mapping[str, float] | None, max_replicates: int | None, n_replicates: int
) -> tuple[dict[str, float], int]:
    """Check the targets and the largest number of replicates.

    Raises
    ------
    InputError
        If a target is not positive, or `max_replicates` is given without targets or too small.
    """
    if target_mcse is None:
        if max_replicates is not None:
            raise InputError("max_replicates bounds the rounds of target_mcse, which is missing.")
        return {}, n_replicates
    if not isinstance(target_mcse, Mapping) or not target_mcse:
        raise InputError('target_mcse must be a dictionary such as {"rejected": 0.005}.')
    for name, target in target_mcse.items():
        is_number = isinstance(target, (int, float, np.number)) and not isinstance(target, bool)
        if not is_number or not 0 < target < math.inf:
            raise InputError(f"target_mcse[{name!r}] must be a positive number, found {target!r}.")
    limit = 10 * n_replicates if max_replicates is None else max_replicates
    check_integer(limit, "max_replicates", minimum=n_replicates)
    return dict(target_mcse), limit


def next_replicates(
    wanted: Mapping[str, int],
    records: Mapping[tuple[str, int], CellRecord],
    targets: Mapping[str, float],
    limit: int,
) -> dict[str, int]:
    """Return the number of replicates per scenario for the next round; equal ones end the study.

    A round at most doubles a scenario, because early standard errors are rough.

    Raises
    ------
    InputError
        If a target names no numeric output.
    """
    if not targets:
        return dict(wanted)
    grown = {}
    for scenario, n in wanted.items():
        finished = [records.get((scenario, r)) for r in range(n)]
        ratio = _worst_ratio([r for r in finished if r is not None], targets)
        needed = n if ratio <= 1 else max(n + 1, math.ceil(min(2.0, ratio**2) * n))
        grown[scenario] = min(limit, needed)
    return grown


def _worst_ratio(records: list[CellRecord], targets: Mapping[str, float]) -> float:
    returned = [record for record in records if record.error is None]
    ratios = [math.inf] if not returned else []
    for name, target in targets.items():
        for values in _samples(returned, name):
            ratios.append(adaptive_mcse(values) / target)
    return max(ratios, default=math.inf)


def _samples(records: list[CellRecord], name: str) -> list[np.ndarray]:
    samples: dict[tuple[Any, ...], list[float]] = {}
    for record in records:
        if name not in record.columns:
            raise InputError(
                f"target_mcse: the function returns no output {name!r}; it returns "
                f"{', '.join(map(repr, record.columns))}."
            )
        position = record.columns.index(name)
        for number, row in enumerate(record.rows):
            label = tuple(v for v in row if isinstance(v, str)) or (number,)
            value = row[position]
            if isinstance(value, str):
                raise InputError(f"target_mcse: the output {name!r} is text, not a number.")
            if value is not None and not math.isnan(value):
                samples.setdefault(label, []).append(value)
    return [np.array(values) for values in samples.values()]
