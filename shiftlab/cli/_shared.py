"""What the verbs share: options, columns by name, tables to read, folders and files to write."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "add_output",
    "add_reading",
    "check_columns",
    "existing_columns",
    "file_source",
    "lending_example",
    "make_folder",
    "read_named_table",
    "reference_groups",
    "split_columns",
    "write_text",
]


def add_reading(group: Any) -> None:
    """Add the options for reading files."""
    group.add_argument(
        "--missing", action="append", default=[], metavar="TEXT", help="cell that means missing"
    )
    group.add_argument("--encoding", default="utf-8", help="of a CSV file (default: utf-8)")


def add_output(parser: Any, quiet: str = "no progress bar, no summary") -> None:
    """Add the folder to write to, and how much is told meanwhile."""
    parser.add_argument("--out", default=".", metavar="DIR", help="folder to write to (default: .)")
    parser.add_argument("--quiet", action="store_true", help=quiet)
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")


def split_columns(words: Sequence[str], names: Sequence[str] = ()) -> list[str]:
    """Split words at commas, unless a word with commas is itself the name of a column."""
    chosen: list[str] = []
    for word in words:
        chosen += [word] if word in names else [part.strip() for part in word.split(",")]
    return list(dict.fromkeys(chosen))


def existing_columns(words: Sequence[str], names: Sequence[str], argument: str) -> list[str]:
    """Split words as `split_columns` does; each name must be that of a column."""
    chosen = split_columns(words, names)
    check_columns(chosen, names, argument)
    return chosen


def check_columns(wanted: Sequence[str], names: Sequence[str], argument: str) -> None:
    """Refuse names that the table does not have."""
    from shiftlab._core.names import missing_column_message
    from shiftlab.exceptions import ColumnNotFoundError

    for name in wanted:
        if name not in names:
            raise ColumnNotFoundError(missing_column_message(name, names, argument))


def reference_groups(words: Sequence[str]) -> dict[str, str]:
    """Read pairs COL=GROUP."""
    from shiftlab.exceptions import InputError

    for word in words:
        if "=" not in word:
            raise InputError(f"--reference-group: write COL=GROUP, found {word!r}.")
    pairs = (word.split("=", 1) for word in words)
    return {name.strip(): group.strip() for name, group in pairs}


def read_named_table(options: argparse.Namespace) -> "pd.DataFrame":
    """Read the file TABLE as the options of `add_reading` say."""
    from shiftlab._core.files import read_table
    from shiftlab.exceptions import InputError

    if options.table is None:
        raise InputError("name a table (CSV or Parquet), or try it with --example.")
    return read_table(options.table, missing=options.missing, encoding=options.encoding)


def file_source(path: str) -> dict[str, str]:
    """Describe a file for the provenance of a report."""
    from shiftlab._core.files import sha256_of_file

    return {"name": Path(path).name, "sha256": sha256_of_file(path), "sha256_of": "the file"}


def lending_example(options: argparse.Namespace) -> "tuple[pd.DataFrame, dict[str, str]]":
    """Return the simulated table of --example and its description."""
    from shiftlab.datasets import load_lending
    from shiftlab.exceptions import InputError

    if options.table is not None:
        raise InputError("--example brings its own table; leave TABLE out.")
    return load_lending().frame, {"name": "lending (simulated example)"}


def make_folder(out: str) -> Path:
    """Make the folder and see that it can be written to, before the long work."""
    from shiftlab.exceptions import InputError

    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"--out: cannot write to '{out}': {reason}.") from error
    if not os.access(out or ".", os.W_OK):
        raise InputError(f"--out: cannot write to '{out}': permission denied.")
    return Path(out)


def write_text(path: str, text: str) -> None:
    """Write a file, or standard output for ``-``."""
    from shiftlab.exceptions import InputError

    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"cannot write to '{path}': {error.strerror}.") from error
