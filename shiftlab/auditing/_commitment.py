"""Commitment to a table and a draw from it that nobody can steer.

The auditee publishes the root of a Merkle tree over salted rows before it knows the beacon, a
public number of a later date. Root and beacon together seed the draw, so neither side chooses the
rows; each drawn row is then opened with the hashes on its way to the root. Subsampling attacks
become impossible; manipulation before the commitment remains.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.results import Result
from shiftlab.auditing._representativeness_result import RepresentativenessTest
from shiftlab.auditing._representativeness_rows import proof
from shiftlab.auditing._row_hashes import single_precision
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Commitment", "Opening", "commit_table", "commitment_test", "draw_rows", "open_rows"]

_SECRET_BYTES = 32
_ENCODER = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False, default=str
)


@dataclass(frozen=True)
class Commitment(Result):
    """What the auditee publishes.

    Attributes
    ----------
    root : str
        Root of the Merkle tree, hexadecimal.
    n_rows : int
        Number of rows committed to.
    columns : tuple of str
        Columns, in the order in which rows are written down.
    """

    root: str
    n_rows: int
    columns: tuple[str, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return one line."""
        import pandas as pd

        return pd.DataFrame([{"root": self.root, "n_rows": self.n_rows}])


@dataclass(frozen=True)
class Opening(Result):
    """Evidence that a row stood at a position when the table was committed to.

    Attributes
    ----------
    index : int
        Position of the row, from 0.
    salt : str
        Salt of the row, hexadecimal.
    path : tuple of str
        Hashes of the siblings on the way to the root.
    """

    index: int
    salt: str
    path: tuple[str, ...]


def commit_table(data: Any, *, secret: str | None = None) -> tuple[Commitment, str]:
    """Commit to the rows of a table, in their order.

    Parameters
    ----------
    data : data frame, mapping of columns or array
        The whole population, decisions included.
    secret : str, optional
        At least 32 hexadecimal digits from which the salts of the rows are derived; drawn from the
        operating system by default.

    Returns
    -------
    commitment : Commitment
        To be published before the beacon is known.
    secret : str
        To be kept: without it no row can be opened, with it rows could be guessed.

    Raises
    ------
    InputError
        If the table is none or the secret is too short.

    Examples
    --------
    >>> from shiftlab.auditing import commit_table
    >>> table = {"x": [1.5, 2.5, 4.0], "yhat": [0, 1, 1]}
    >>> commitment, secret = commit_table(table, secret="00" * 32)
    >>> commitment.root[:16], commitment.n_rows
    ('f174174f1f88a499', 3)
    """
    table = as_table(data, name="data")
    key = _read_secret(secrets.token_hex(_SECRET_BYTES) if secret is None else secret)
    root = _levels(_leaves(table, key))[-1][0]
    return Commitment(root.hex(), table.n_rows, table.names), key.hex()


def draw_rows(commitment: Commitment, beacon: str, m: int) -> np.ndarray:
    """Draw rows without replacement, by a seed from root and beacon.

    Parameters
    ----------
    commitment : Commitment
        Published before the beacon.
    beacon : str
        A public value that nobody could know at the time of the commitment, such as the pulse of a
        randomness beacon or the closing prices of a later day.
    m : int
        Rows to draw.

    Returns
    -------
    ndarray of int64, shape (m,)
        Positions, sorted.

    Raises
    ------
    InputError
        If more rows are asked for than there are, or the beacon is empty.

    Examples
    --------
    >>> from shiftlab.auditing import commit_table, draw_rows
    >>> commitment, _ = commit_table({"x": list(range(100))}, secret="00" * 32)
    >>> draw_rows(commitment, "pulse 1234567", 5).tolist()
    [2, 13, 38, 44, 71]
    """
    check_integer(m, "m")
    if m > commitment.n_rows:
        raise InputError(f"m: there are {commitment.n_rows} rows, {m} were asked for.")
    if not beacon.strip():
        raise InputError("beacon is empty: pass a public value from after the commitment.")
    digest = hashlib.sha256(f"{commitment.root}|{commitment.n_rows}|{beacon}".encode()).digest()
    return _choose(digest, commitment.n_rows, m)


def _choose(seed: bytes, n: int, m: int) -> np.ndarray:
    """Floyd's algorithm over SHA-256 in counter mode: anybody can redo it in any language."""
    numbers = _stream(seed)
    chosen: set[int] = set()
    for top in range(n - m, n):
        candidate = _below(numbers, top + 1)
        chosen.add(top if candidate in chosen else candidate)
    return np.array(sorted(chosen), dtype=np.int64)


def _stream(seed: bytes) -> Iterator[int]:
    counter = 0
    while True:
        block = hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
        yield int.from_bytes(block[:8], "big")
        counter += 1


def _below(numbers: Iterator[int], bound: int) -> int:
    """Draw a number below a bound; the few that would favour small ones are thrown away."""
    limit = (1 << 64) - (1 << 64) % bound
    for number in numbers:
        if number < limit:
            return number % bound
    raise AssertionError("the stream has no end")


def open_rows(data: Any, secret: str, rows: Sequence[int] | np.ndarray) -> tuple[Opening, ...]:
    """Open drawn rows.

    Parameters
    ----------
    data : data frame, mapping of columns or array
        The table that was committed to.
    secret : str
        Secret of the commitment.
    rows : sequence of int
        Positions to open.

    Returns
    -------
    tuple of Opening

    Raises
    ------
    InputError
        If a position does not exist.

    Examples
    --------
    >>> from shiftlab.auditing import commit_table, open_rows
    >>> table = {"x": [1.5, 2.5, 4.0]}
    >>> _, secret = commit_table(table, secret="00" * 32)
    >>> len(open_rows(table, secret, [2])[0].path)
    2
    """
    table = as_table(data, name="data")
    key = _read_secret(secret)
    levels = _levels(_leaves(table, key))
    openings = []
    for row in np.asarray(rows).tolist():
        if not 0 <= row < table.n_rows:
            raise InputError(f"rows: there is no row {row} among {table.n_rows}.")
        path, place = [], row
        for level in levels[:-1]:
            path.append(level[min(place ^ 1, len(level) - 1)].hex())
            place //= 2
        openings.append(Opening(int(row), _salt(key, row).hex(), tuple(path)))
    return tuple(openings)


def commitment_test(
    sample: Any,
    openings: Sequence[Opening],
    commitment: Commitment,
    *,
    beacon: str | None = None,
) -> RepresentativenessTest:
    """Check that the rows of a sample are those that were committed to, and those drawn.

    Parameters
    ----------
    sample : data frame, mapping of columns or array
        The submitted rows, with the columns of the commitment.
    openings : sequence of Opening
        One per row, in the same order.
    commitment : Commitment
        What was published.
    beacon : str, optional
        Beacon of the draw; without it, only membership is checked.

    Returns
    -------
    RepresentativenessTest
        The statistic is the number of rows that do not open, repeat, or were not drawn.

    Raises
    ------
    InputError
        If there is not one opening per row, or columns are missing.

    Examples
    --------
    >>> from shiftlab.auditing import commit_table, commitment_test, draw_rows, open_rows
    >>> table = {"x": [1.5, 2.5, 4.0, 8.0], "yhat": [0, 1, 1, 0]}
    >>> commitment, secret = commit_table(table)
    >>> rows = draw_rows(commitment, "pulse 1234567", 2)
    >>> sample = {name: [column[i] for i in rows] for name, column in table.items()}
    >>> openings = open_rows(table, secret, rows)
    >>> print(commitment_test(sample, openings, commitment, beacon="pulse 1234567").statistic)
    0.0
    """
    table = as_table(sample, name="sample").select(commitment.columns)
    if len(openings) != table.n_rows:
        raise InputError(
            f"openings: there are {len(openings)}, and the sample has {table.n_rows} rows."
        )
    drawn = None
    if beacon is not None:
        drawn = set(draw_rows(commitment, beacon, min(table.n_rows, commitment.n_rows)).tolist())
    seen: set[int] = set()
    bad = 0
    for text, opening in zip(_row_texts(table), openings, strict=True):
        good = _opens(text, opening, commitment) and opening.index not in seen
        good = good and (drawn is None or opening.index in drawn)
        seen.add(opening.index)
        bad += not good
    return proof(
        "commitment",
        bad,
        "share of rows that were not committed to or not drawn",
        (table.n_rows, commitment.n_rows),
        "the root of a commitment and openings",
    )


def _opens(text: bytes, opening: Opening, commitment: Commitment) -> bool:
    if not 0 <= opening.index < commitment.n_rows:
        return False
    depth = max(commitment.n_rows - 1, 0).bit_length()
    try:
        node = _leaf(text, bytes.fromhex(opening.salt))
        siblings = [bytes.fromhex(step) for step in opening.path]
    except ValueError:
        return False
    if len(siblings) != depth:
        return False
    place = opening.index
    for sibling in siblings:
        node = _parent(sibling, node) if place % 2 else _parent(node, sibling)
        place //= 2
    return node.hex() == commitment.root


def _read_secret(secret: str) -> bytes:
    try:
        key = bytes.fromhex(secret.strip())
    except ValueError:
        key = b""
    if len(key) < _SECRET_BYTES // 2:
        raise InputError("secret must be hexadecimal text of at least 32 digits.")
    return key


def _leaves(table: Table, key: bytes) -> list[bytes]:
    return [_leaf(text, _salt(key, row)) for row, text in enumerate(_row_texts(table))]


def _salt(key: bytes, row: int) -> bytes:
    return hmac.new(key, row.to_bytes(8, "big"), hashlib.sha256).digest()[:16]


def _leaf(text: bytes, salt: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + salt + text).digest()


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """Tree from the leaves to the root; a node without a sibling is paired with itself."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = range(0, len(below), 2)
        levels.append([_parent(below[i], below[min(i + 1, len(below) - 1)]) for i in pairs])
    return levels


def _row_texts(table: Table) -> Iterator[bytes]:
    """Write each row as canonical JSON: a list of numbers, texts and nulls in column order."""
    columns = [_cells(column) for column in table]
    for cells in zip(*columns, strict=True):
        yield _ENCODER.encode(cells).encode("utf-8", "surrogatepass")


def _cells(column: Column) -> list[Any]:
    """Cells that do not depend on the format: single precision, whole numbers as such."""
    if not column.is_number:
        return [_plain(label) for label in column.labels().tolist()]
    values = column.values
    whole = values == np.floor(values)
    if not np.isfinite(values[~np.isnan(values)]).all():
        raise InputError(f"Column {column.name!r} has infinite values, which cannot be written.")
    single = single_precision(values)
    return [
        int(value) if is_whole and np.isfinite(value) else value if value == value else None
        for value, is_whole in zip(single.tolist(), whole.tolist(), strict=True)
    ]


def _plain(label: Any) -> Any:
    """Write truth values like the numbers that other formats make of them."""
    if isinstance(label, bool):
        return int(label)
    return label
