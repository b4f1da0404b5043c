"""Run cells: call the function, check what it returns, catch what it raises."""

import copy
import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.threads import single_threaded
from shiftlab.exceptions import InputError
from shiftlab.simulation._study_design import EXACT_INTEGER, cell_seed

__all__ = ["Batch", "CellRecord", "Value", "call_cell", "check_rows", "run_batch"]

Value: TypeAlias = float | str | None
SCALARS = (type(None), bool, int, float, complex, str, bytes)


@dataclass(frozen=True, slots=True)
class CellRecord:
    """What one cell gave.

    Attributes
    ----------
    scenario : str
        Key of the scenario.
    replicate : int
        Number of the replicate, from 0.
    columns : tuple of str
        Names of the outputs; empty if the cell failed.
    rows : tuple of tuple
        One value per column: a float, text or None.
    seconds : float
        Running time.
    error : tuple of str or None
        Type, message and traceback of the exception that ended the cell.
    """

    scenario: str
    replicate: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    seconds: float
    error: tuple[str, str, str] | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Identity of the cell."""
        return self.scenario, self.replicate


@dataclass(frozen=True)
class Batch:
    """Cells that one worker runs in one go.

    Attributes
    ----------
    function : callable
        The function of the study.
    seed_argument : str
        The parameter that receives the seed.
    entropy : str
        Entropy of the study.
    scenarios : dict
        From the key of a scenario to its values and the part of the key its seeds depend on.
    cells : tuple
        Pairs of scenario key and replicate.
    """

    function: Callable[..., Any]
    seed_argument: str
    entropy: str
    scenarios: dict[str, tuple[dict[str, Any], str]]
    cells: tuple[tuple[str, int], ...]


def run_batch(batch: Batch, limit: float = math.inf) -> tuple[list[CellRecord], bool]:
    """Run the cells of a batch in order, and begin none once `limit` seconds have passed.

    Returns
    -------
    records : list of CellRecord
        May be shorter than the batch.
    interrupted : bool
        Whether the user interrupted it.
    """
    records: list[CellRecord] = []
    start = time.perf_counter()
    with single_threaded():
        for key, replicate in batch.cells:
            try:
                records.append(_run_cell(batch, key, replicate))
            except KeyboardInterrupt:
                return records, True
            if time.perf_counter() - start > limit:
                break
    return records, False


def call_cell(batch: Batch, key: str, replicate: int) -> Any:
    """Call the function on one cell and return whatever it returns."""
    values, seed_key = batch.scenarios[key]
    # A copy of mutable levels: a function that changes its arguments must not reach the next cell.
    arguments = {k: v if isinstance(v, SCALARS) else copy.deepcopy(v) for k, v in values.items()}
    arguments[batch.seed_argument] = cell_seed(batch.entropy, seed_key, replicate)
    return batch.function(**arguments)


def _run_cell(batch: Batch, key: str, replicate: int) -> CellRecord:
    start = time.perf_counter()
    try:
        output = call_cell(batch, key, replicate)
        columns, rows = check_rows(output, batch.scenarios[key][0])
    except (Exception, SystemExit) as error:  # a study outlives whatever its function raises
        seconds = time.perf_counter() - start
        return CellRecord(key, replicate, (), (), seconds, _describe_error(error))
    return CellRecord(key, replicate, columns, rows, time.perf_counter() - start)


def _describe_error(error: BaseException) -> tuple[str, str, str]:
    try:
        message = str(error)
    except Exception:  # the exception's own code may fail as well
        message = "(the exception has no readable message)"
    text = "".join(traceback.format_exception(error))
    return type(error).__name__, _clean(message), _clean(text)


def _clean(text: str) -> str:
    # Lone surrogates (undecodable file names, say) cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode()


def check_rows(
    output: Any, factors: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    """Read the return value of the function as rows of floats and text.

    Parameters
    ----------
    output : mapping or sequence of mappings
        From names to numbers, booleans, text or None.
    factors : mapping
        The factors, whose names outputs may not take.

    Returns
    -------
    columns : tuple of str
    rows : tuple of tuple

    Raises
    ------
    InputError
        If the output has another form.
    """
    given = [output] if isinstance(output, Mapping) else output
    is_rows = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_rows or not all(isinstance(row, Mapping) for row in given):
        raise InputError(
            "The function must return a dictionary of numbers or a list of such dictionaries, "
            f"found {type(output).__name__}."
        )
    columns = tuple(dict.fromkeys(name for row in given for name in row))
    for name in columns:
        if not isinstance(name, str) or not name or name.startswith("_"):
            raise InputError(f"Outputs need names that do not start with '_', found {name!r}.")
        if name in factors or name in ("replicate", "row"):
            raise InputError(
                f"The function returned {name!r}, which is already a column of the table; "
                f"taken are the factors ({join_names(list(factors))}), 'replicate' and 'row'."
            )
    rows = tuple(tuple(_check_value(row.get(name), name) for name in columns) for row in given)
    return columns, rows


def _check_value(value: Any, name: str) -> Value:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, int):  # booleans too
        if abs(value) > EXACT_INTEGER:
            raise InputError(f"Output {name!r} is an integer beyond 2**53; return it as text.")
        return float(value)
    if hasattr(value, "item") and math.prod(getattr(value, "shape", (0,))) == 1:
        return _check_value(value.item(), name)  # a tensor with one element
    raise InputError(
        f"Output {name!r} is {type(value).__name__}; outputs are numbers, booleans, text or None."
    )
