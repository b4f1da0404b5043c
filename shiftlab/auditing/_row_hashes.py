"""Numbers of 64 bits for rows: equal rows have equal numbers, whatever the table's format.

Membership and multiplicity have no false alarms because equal rows always hash alike; two
different rows that collide (one chance in 10^19 per pair) could only hide a difference. Numbers
that are not whole are rounded to float32 first, so that a table survives being written as CSV or
as Parquet in single precision. This is no cryptographic hash: commitments use SHA-256.
"""

import hashlib
from typing import Any

import numpy as np

from shiftlab._core.columns import as_float
from shiftlab._core.frames import Column, Table

__all__ = ["hash_rows", "label_number", "single_precision"]

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def hash_rows(table: Table) -> np.ndarray:
    """Hash every row of a table; the order of the columns does not matter."""
    total = np.zeros(table.n_rows, dtype=np.uint64)
    for column in table:
        total += _mix(_column_bits(column) ^ _text_bits(column.name))
    return _mix(total)


def label_number(label: Any) -> float:
    """Read a label as a number if it is one; NaN otherwise."""
    if isinstance(label, (bool, np.bool_)):
        return float(label)
    try:
        return float(as_float(label)) if not isinstance(label, str) else float(label)
    except (TypeError, ValueError):
        return float("nan")


def _column_bits(column: Column) -> np.ndarray:
    if column.is_number:
        return _number_bits(column.values)
    lookup = np.empty(len(column.categories) + 1, dtype=np.uint64)
    for code, label in enumerate(column.categories):
        number = label_number(label)
        bits = _text_bits(str(label)) if number != number else _number_bits(np.array([number]))[0]
        lookup[code] = bits
    lookup[-1] = _MISSING
    return lookup[column.values]


def single_precision(values: np.ndarray) -> np.ndarray:
    """Round numbers that are not whole to float32, so that formats do not tell equal ones apart."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32).astype(np.float64)
    # Adding 0 turns -0 into 0.
    return np.where((values == np.floor(values)) | ~np.isfinite(single), values, single) + 0.0


def _number_bits(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), _MISSING, single_precision(values).view(np.uint64))


def _text_bits(text: str) -> np.uint64:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mix(bits: np.ndarray) -> np.ndarray:
    """Spread every input bit over all output bits (the finaliser of SplitMix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
