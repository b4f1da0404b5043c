"""Turn a located file into a table of the library that the caller uses."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shiftlab._core.optional import import_optional, is_installed
from shiftlab.datasets._registry import Download, Entry
from shiftlab.exceptions import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["FRAME_KINDS", "FrameKind", "convert", "read_arrays", "read_csv"]

FrameKind: TypeAlias = Literal["pandas", "polars", "arrow"]
FRAME_KINDS = ("pandas", "polars", "arrow")


def read_csv(content: bytes, name: str, info: Entry, download: Download | None) -> "pd.DataFrame":
    """Read a CSV file under the missing-value conventions of its data set.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        File name; ``.gz`` means compressed.
    info : Entry
        The data set.
    download : Download or None
        How to prepare the table if the file is a downloaded original.
    """
    import pandas as pd

    frame = pd.read_csv(
        BytesIO(content),
        compression="gzip" if name.endswith(".gz") else None,
        na_values=list(info.na_values),
        keep_default_na=info.keep_default_na,
        header=None if download is not None and download.header else "infer",
        low_memory=False,
        names=list(download.header) if download is not None and download.header else None,
    )
    return frame if download is None else frame.drop(columns=list(download.drop))


def read_arrays(content: bytes) -> dict[str, "np.ndarray"]:
    """Read a NumPy archive; archives that would need pickle are refused by NumPy."""
    import numpy as np

    with np.load(BytesIO(content), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def convert(frame: "pd.DataFrame", kind: FrameKind) -> Any:
    """Hand a pandas table over to another library, missing cells as nulls."""
    if kind == "pandas":
        return frame
    pyarrow = import_optional("pyarrow", extra="parquet", purpose=f"as_frame={kind!r}")
    table = pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    if kind == "arrow":
        return table
    if not is_installed("polars"):
        raise MissingDependencyError(
            "as_frame='polars' needs the library 'polars', which is not installed. "
            "Install it with: pip install polars"
        )
    import narwhals.stable.v2 as nw

    return nw.from_native(table, eager_only=True).to_polars()
