"""Tables from files: CSV (plain or compressed) and Parquet, with errors a person can act on."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlab._core.names import join_names
from shiftlab._core.optional import import_optional
from shiftlab.exceptions import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING_MARKS", "read_table", "sha256_of_file"]

#: Cells that mean "missing" in a CSV file. "None" is not among them: tables in the wild use it as a
#: category of its own ("no test was made").
MISSING_MARKS = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
CSV_SUFFIXES = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".tsv", ".tsv.gz", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")


def read_table(
    path: str | Path, *, missing: Sequence[str] = (), encoding: str = "utf-8"
) -> "pd.DataFrame":
    """Read a table from a CSV or Parquet file.

    Parameters
    ----------
    path : str or Path
        The file; its ending tells the format.
    missing : sequence of str, optional
        Further cells that mean "missing" in a CSV file, for instance ``["?"]``.
    encoding : str, default "utf-8"
        Encoding of a CSV file.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If the file does not exist, is empty, has an unknown ending, is no valid table, or is not
        in the stated encoding.
    MissingDependencyError
        For Parquet without pyarrow.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file '{path}'.{_similar_files(path)}")
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name a CSV or Parquet file.")
    if path.stat().st_size == 0:
        raise InputError(f"'{path}' is empty.")
    name = path.name.lower()
    if name.endswith(PARQUET_SUFFIXES):
        return _read_parquet(path)
    if name.endswith(CSV_SUFFIXES):
        return _read_csv(path, missing, encoding)
    raise InputError(
        f"'{path.name}' has an unknown ending. Readable are {', '.join(CSV_SUFFIXES)} and "
        f"{', '.join(PARQUET_SUFFIXES)}."
    )


def sha256_of_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal text."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _similar_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder '{path.parent}' either."
    names = sorted(p.name for p in path.parent.iterdir() if p.name.startswith(path.stem[:4]))
    return f" Did you mean one of {join_names(names)}?" if names else ""


def _read_parquet(path: Path) -> "pd.DataFrame":
    import_optional("pyarrow", extra="parquet", purpose="Reading Parquet files")
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"'{path.name}' is not a valid Parquet file: {error}") from error


def _read_csv(path: Path, missing: Sequence[str], encoding: str) -> "pd.DataFrame":
    import pandas as pd

    separator = "\t" if ".tsv" in path.name.lower() else _separator(path, encoding)
    try:
        with warnings.catch_warnings():
            # A header shorter than the rows would lose the last fields with a mere warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=separator,
                encoding=encoding,
                keep_default_na=False,
                na_values=[*MISSING_MARKS, *missing],
                low_memory=False,
                index_col=False,
            )
    except pd.errors.EmptyDataError as error:
        raise InputError(f"'{path.name}' has no columns.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise InputError(
            f"'{path.name}' is not a valid CSV file: {_short(error)} "
            "Check that every row has the same number of fields and that quotes are closed."
        ) from error
    except UnicodeDecodeError as error:
        raise _encoding_error(path, encoding, error) from error
    except LookupError as error:
        raise InputError(f"encoding: Python knows no encoding {encoding!r}.") from error
    except (OSError, EOFError) as error:
        raise InputError(
            f"'{path.name}' cannot be unpacked: it is damaged or not of the kind its ending says."
        ) from error
    if frame.empty:
        raise InputError(f"'{path.name}' has a header but no rows.")
    return frame


def _separator(path: Path, encoding: str) -> str:
    """Tell commas, semicolons and tabs apart by the header line."""
    import pandas as pd

    try:
        header = pd.read_csv(
            path, sep="\x01", header=None, nrows=1, dtype=str, encoding=encoding, quoting=3
        )
    except (ValueError, LookupError, OSError, EOFError):
        return ","  # the full read meets the same trouble and reports it
    text = str(header.iloc[0, 0]) if header.size else ""
    counts = {mark: text.count(mark) for mark in (",", ";", "\t")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] > counts[","] else ","


def _encoding_error(path: Path, encoding: str, error: UnicodeDecodeError) -> InputError:
    return InputError(
        f"'{path.name}' is not {encoding} text (byte {error.start}). Name its encoding, for "
        "instance --encoding latin-1 on the command line, or save the file as UTF-8."
    )


def _short(error: Exception) -> str:
    text = str(error).strip().splitlines()[-1].removeprefix("Error tokenizing data. C error: ")
    return text if text.endswith(".") else text + "."
