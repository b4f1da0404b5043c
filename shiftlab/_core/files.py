"""Tables from files: CSV (plain or compressed) and Parquet, with errors a person can act on."""

import hashlib
import lzma
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # too long, or with a NUL
        raise InputError(f"'{str(path)[:80]}' cannot be the name of a file.") from error
    if not exists:
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
        frame = pd.read_parquet(path)
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be read: {_short(error)}") from error
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"'{path.name}' is not a valid Parquet file: {_short(error)}") from error
    # pandas stores a named index as columns; here they are columns again.
    named = [name for name in frame.index.names if name is not None]
    return frame.reset_index(named) if named else frame


def _read_csv(path: Path, missing: Sequence[str], encoding: str) -> "pd.DataFrame":
    import pandas as pd

    _check_packing(path)
    separator = "\t" if ".tsv" in path.name.lower() else _separator(path, encoding)
    try:
        _check_header(path, separator, encoding)
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
                **_exact_numbers(pd.__version__),
            )
    except pd.errors.EmptyDataError as error:
        raise InputError(f"'{path.name}' has no columns.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise InputError(
            f"'{path.name}' is not a valid CSV file: {_short(error)} "
            "Check that every row has the same number of fields and that quotes are closed."
        ) from error
    except UnicodeError as error:
        raise _encoding_error(path, encoding, error) from error
    except LookupError as error:
        raise InputError(f"encoding: Python knows no encoding {encoding!r}.") from error
    except ValueError as error:
        raise InputError(f"'{path.name}' cannot be read: {_short(error)}") from error
    except PermissionError as error:
        raise InputError(f"'{path.name}' cannot be read: permission denied.") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _packing_error(path) from error
    if frame.empty:
        raise InputError(f"'{path.name}' has a header but no rows.")
    return _read_decimal_commas(frame) if separator == ";" else frame


def _exact_numbers(version: str) -> dict[str, Any]:
    """Ask pandas before 3.1, whose default misses some numbers by the last bit, for exact ones."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _read_decimal_commas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Read "0,5" as a number in a file separated by semicolons, where that is the custom."""
    import pandas as pd

    for name in frame.columns[[not pd.api.types.is_numeric_dtype(t) for t in frame.dtypes]]:
        text = frame[name].dropna().astype(str)
        if len(text) and text.str.fullmatch(r"[-+]?\d+(,\d+)?").all():
            frame[name] = pd.to_numeric(frame[name].str.replace(",", ".", regex=False))
    return frame


def _check_packing(path: Path) -> None:
    """Check that a zip archive holds one file."""
    if not path.name.lower().endswith(".zip"):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            n_files = len(archive.namelist())
    except zipfile.BadZipFile as error:
        raise _packing_error(path) from error
    if n_files != 1:
        raise InputError(f"'{path.name}' holds {n_files} files; pack the table alone.")


def _check_header(path: Path, separator: str, encoding: str) -> None:
    """Refuse repeated names, which pandas would change without a word."""
    import pandas as pd

    header = pd.read_csv(
        path, sep=separator, encoding=encoding, header=None, nrows=1, dtype=str, index_col=False
    )
    names = header.iloc[0].dropna()
    repeated = names[names.duplicated()].unique().tolist()
    if repeated:
        raise InputError(f"'{path.name}' has repeated column names: {join_names(repeated)}.")


def _packing_error(path: Path) -> InputError:
    return InputError(
        f"'{path.name}' cannot be unpacked: it is damaged or not of the kind its ending says."
    )


def _separator(path: Path, encoding: str) -> str:
    """Tell commas, semicolons and tabs apart by the header line."""
    import pandas as pd

    try:
        header = pd.read_csv(
            path, sep="\x01", header=None, nrows=1, dtype=str, encoding=encoding, quoting=3
        )
    except (ValueError, LookupError, OSError, EOFError, lzma.LZMAError, zlib.error):
        return ","  # the full read meets the same trouble and reports it
    text = str(header.iloc[0, 0]) if header.size else ""
    counts = {mark: text.count(mark) for mark in (",", ";", "\t")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] > counts[","] else ","


def _encoding_error(path: Path, encoding: str, error: UnicodeError) -> InputError:
    where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
    return InputError(
        f"'{path.name}' is not {encoding} text{where}. Name its encoding, for "
        "instance --encoding latin-1 on the command line, or save the file as UTF-8."
    )


def _short(error: Exception) -> str:
    prefix = "Error tokenizing data. C error: "
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no reason"]
    text = next((line for line in lines if line.startswith(prefix)), lines[0])
    text = text.removeprefix(prefix)
    return text if text.endswith(".") else text + "."
