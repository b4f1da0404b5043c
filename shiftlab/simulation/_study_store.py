"""Where the records of a study are kept: in memory, or as parts in a directory.

A part is written to a temporary name, synchronised to disk and renamed, so a part either exists in
full or not at all. Parquet parts carry page checksums and JSON-lines parts a digest in their last
line; a part that fails its check is set aside and its cells are run again.
"""

import hashlib
import json
import math
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from shiftlab._core.optional import import_optional
from shiftlab.exceptions import InputError, InputWarning
from shiftlab.simulation._study_cells import CellRecord, Value

__all__ = ["DirectoryStore", "MemoryStore", "Store", "text_value"]

MANIFEST = "study.json"
PART_NAME = re.compile(r"part-(\d{8})-[0-9a-f]{8}\.(parquet|jsonl)")
FIXED = ("_scenario", "_replicate", "_row", "_seconds", "_error", "_message", "_traceback")


class Store(Protocol):
    """What a study needs from the place that keeps its records."""

    def load(self) -> dict[tuple[str, int], CellRecord]:
        """Return every record, by cell."""

    def append(self, records: Sequence[CellRecord]) -> None:
        """Keep further records for good."""


class MemoryStore:
    """Records in memory, for as long as the study object lives."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], CellRecord] = {}

    def load(self) -> dict[tuple[str, int], CellRecord]:
        """Return every record, by cell."""
        return dict(self._records)

    def append(self, records: Sequence[CellRecord]) -> None:
        """Keep further records."""
        merge_records(self._records, records)


class DirectoryStore:
    """Records as parts in a directory that one process at a time writes to.

    Parameters
    ----------
    directory : path
        Created when the first part is written.
    format : {"parquet", "jsonl"}
        Format of new parts; existing parts of either format are read.
    """

    def __init__(self, directory: str | os.PathLike[str], format: str) -> None:
        self.directory = Path(directory)
        self.format = format

    def manifest(self) -> dict[str, Any] | None:
        """Return the recorded definition of the study, None if there is none."""
        path = self.directory / MANIFEST
        if not path.exists():
            return None
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(
                f"directory: {MANIFEST} in {self.directory} is not readable as JSON. Restore it, "
                "or use a new directory."
            ) from error

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Record the definition of the study."""
        text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write(self.directory / MANIFEST, text.encode())

    def parts(self) -> list[Path]:
        """Return the parts, oldest first."""
        if not self.directory.is_dir():
            return []
        return sorted(p for p in self.directory.iterdir() if PART_NAME.fullmatch(p.name))

    def load(self, *, set_aside: bool = False) -> dict[tuple[str, int], CellRecord]:
        """Return every record, by cell; damaged parts are reported and left out.

        Parameters
        ----------
        set_aside : bool, default False
            Rename damaged parts so that they are not read again.
        """
        records: dict[tuple[str, int], CellRecord] = {}
        for path in self.parts():
            try:
                merge_records(records, _read_part(path))
            except _DAMAGE as error:
                warnings.warn(
                    f"The part {path.name} of the study in {self.directory} is damaged "
                    f"({type(error).__name__}); its cells count as not run.",
                    InputWarning,
                    stacklevel=4,
                )
                if set_aside:
                    path.rename(path.with_name(path.name + ".damaged"))
        return records

    def append(self, records: Sequence[CellRecord]) -> None:
        """Write a part."""
        number = max((int(p.name.split("-")[1]) for p in self.parts()), default=0) + 1
        name = f"part-{number:08d}-{uuid.uuid4().hex[:8]}.{self.format}"
        encode = _encode_parquet if self.format == "parquet" else _encode_jsonl
        self._write(self.directory / name, encode(records))

    def compact(self) -> None:
        """Rewrite all parts as one; a crash on the way loses nothing."""
        old = self.parts()
        records = self.load(set_aside=True)
        if len(old) > 1 and records:
            self.append(list(records.values()))
            for path in old:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete the parts and the manifest."""
        for path in [*self.parts(), self.directory / MANIFEST]:
            path.unlink(missing_ok=True)

    def check_format(self) -> None:
        """Fail now rather than after the first cells if Parquet cannot be written or read."""
        if self.format == "parquet" or any(p.suffix == ".parquet" for p in self.parts()):
            _pyarrow("pyarrow.parquet")

    def remove_unfinished(self) -> None:
        """Delete what a killed run was writing."""
        if self.directory.is_dir():
            for path in self.directory.glob(".unfinished-*"):
                path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        temporary = self.directory / f".unfinished-{uuid.uuid4().hex}"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if os.name == "posix":  # elsewhere a directory cannot be opened
            descriptor = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def merge_records(
    records: dict[tuple[str, int], CellRecord], further: Iterable[CellRecord]
) -> None:
    """Add records in place; a success stays, a failure gives way to a later record."""
    for record in further:
        present = records.get(record.key)
        if present is None or present.error is not None:
            records[record.key] = record


def text_value(value: Value) -> str | None:
    """Write a value of a column that holds text: numbers as Python shows them, NaN as missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, str) else repr(value)


class _DamagedPartError(ValueError):
    """The part does not match its digest or has another layout."""


# pyarrow's own errors derive from ValueError, KeyError, TypeError or OSError.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError, NotImplementedError)


def _read_part(path: Path) -> list[CellRecord]:
    return _read_parquet(path) if path.suffix == ".parquet" else _read_jsonl(path)


def _encode_jsonl(records: Sequence[CellRecord]) -> bytes:
    lines = [
        json.dumps([r.scenario, r.replicate, r.columns, r.rows, r.seconds, r.error])
        for r in records
    ]
    body = ("\n".join(lines) + "\n").encode()
    return body + hashlib.sha256(body).hexdigest().encode()


def _read_jsonl(path: Path) -> list[CellRecord]:
    body, _, digest = path.read_bytes().rpartition(b"\n")
    body += b"\n"
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise _DamagedPartError(path.name)
    records = []
    for line in body.decode().splitlines():
        scenario, replicate, columns, rows, seconds, error = json.loads(line)
        values = tuple(tuple(row) for row in rows)
        found = None if error is None else (error[0], error[1], error[2])
        records.append(CellRecord(scenario, replicate, tuple(columns), values, seconds, found))
    return records


def _encode_parquet(records: Sequence[CellRecord]) -> bytes:
    pa = _pyarrow("pyarrow")
    fixed, names = _flatten(records)
    outputs: dict[str, list[Value]] = {name: [] for name in names}
    for record in records:
        position = {name: i for i, name in enumerate(record.columns)}
        for row in record.rows or ((None,) * len(record.columns),):
            for name, values in outputs.items():
                values.append(row[position[name]] if name in position else None)
    columns = dict(fixed)
    for name, values in outputs.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = pa.array([text_value(v) for v in values], type=pa.string())
        else:
            columns[name] = pa.array(values, type=pa.float64(), from_pandas=False)
    sink = pa.BufferOutputStream()
    _pyarrow("pyarrow.parquet").write_table(pa.table(columns), sink, write_page_checksum=True)
    return bytes(sink.getvalue())


def _flatten(records: Sequence[CellRecord]) -> tuple[dict[str, list[Any]], list[str]]:
    fixed: dict[str, list[Any]] = {name: [] for name in (*FIXED, "_columns")}
    names: dict[str, None] = {}
    for r in records:
        names.update(dict.fromkeys(r.columns))
        numbers = range(len(r.rows)) if r.rows else (-1,)  # -1: the cell has no rows
        entries = (r.scenario, r.replicate, 0, r.seconds, *(r.error or (None,) * 3))
        for number in numbers:
            for name, entry in zip(FIXED, entries, strict=True):
                fixed[name].append(number if name == "_row" else entry)
            fixed["_columns"].append(json.dumps(r.columns))
    return fixed, list(names)


def _read_parquet(path: Path) -> list[CellRecord]:
    parquet = _pyarrow("pyarrow.parquet")
    table = parquet.read_table(path, page_checksum_verification=True, partitioning=None)
    data = {name: table.column(name).to_pylist() for name in table.column_names}
    columns_of = {text: tuple(json.loads(text)) for text in set(data["_columns"])}
    rows: dict[tuple[str, int], list[tuple[Value, ...]]] = {}
    first: dict[tuple[str, int], int] = {}
    for i, key in enumerate(zip(data["_scenario"], data["_replicate"], strict=True)):
        first.setdefault(key, i)
        kept = rows.setdefault(key, [])
        if data["_row"][i] >= 0:
            kept.append(tuple(data[name][i] for name in columns_of[data["_columns"][i]]))
    records = []
    for key, i in first.items():
        error = tuple(data[name][i] for name in FIXED[4:]) if data["_error"][i] else None
        columns = columns_of[data["_columns"][i]]
        records.append(CellRecord(*key, columns, tuple(rows[key]), data["_seconds"][i], error))
    return records


def _pyarrow(module: str) -> Any:
    purpose = 'A study with format="parquet" (format="jsonl" works without it)'
    return import_optional(module, extra="parquet", purpose=purpose)
