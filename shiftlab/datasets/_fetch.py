"""The one mechanism behind every loader: locate, check, read, document."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from shiftlab._core.validation import check_option
from shiftlab.datasets._dataset import Dataset
from shiftlab.datasets._locate import DataHome, check_content, is_local, locate
from shiftlab.datasets._read import FRAME_KINDS, FrameKind, convert, read_arrays, read_csv
from shiftlab.datasets._registry import (
    Download,
    Entry,
    FileEntry,
    entry,
    read_registry,
    registry_root,
)
from shiftlab.datasets._truth import known_truth

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fetcher", "fetch", "fetcher", "list_datasets"]


@overload
def fetch(
    name: str,
    *,
    table: str | None = ...,
    data_home: DataHome = ...,
    as_frame: FrameKind = ...,
    return_X_y: Literal[False] = ...,
    verify: bool = ...,
) -> Dataset: ...
@overload
def fetch(
    name: str,
    *,
    table: str | None = ...,
    data_home: DataHome = ...,
    as_frame: FrameKind = ...,
    return_X_y: Literal[True],
    verify: bool = ...,
) -> tuple[Any, Any]: ...
def fetch(
    name: str,
    *,
    table: str | None = None,
    data_home: DataHome = None,
    as_frame: FrameKind = "pandas",
    return_X_y: bool = False,
    verify: bool = True,
) -> Dataset | tuple[Any, Any]:
    """Load a data set of the registry by name.

    A packaged set is read from the package. Any other is looked for in ``data_home``, then in the
    folder named by the environment variable ``SHIFTLAB_DATA``, then in the user's cache; all three
    hold one folder per data set. If it is in none of them and the registry knows a public original
    with its checksum, that is downloaded (extra ``data``) unless ``SHIFTLAB_OFFLINE=1`` is set.

    Parameters
    ----------
    name : str
        Name of the data set, see `list_datasets`.
    table : str, optional
        Which table of the set; the first one by default.
    data_home : path, optional
        Folder searched first; a download is stored there.
    as_frame : {"pandas", "polars", "arrow"}, default "pandas"
        Library of the returned tables.
    return_X_y : bool, default False
        Return ``(X, y)`` instead of the data set.
    verify : bool, default True
        Compare local files with the registered SHA-256 checksum. A file is read for that once per
        process as long as its size and modification time stay the same.

    Returns
    -------
    Dataset or tuple of (X, y)
        The table with its documentation; the pair if `return_X_y` is true.

    Raises
    ------
    DataNotFoundError
        If a file is not found or is not the registered one; the message names the file, its
        checksum, the folders searched and the source.
    InputError
        If the name, table or library is unknown, or ``(X, y)`` is asked of a set without target.

    Examples
    --------
    >>> from shiftlab.datasets import fetch
    >>> data = fetch("bike_sharing", table="day")  # doctest: +SKIP
    >>> data  # doctest: +SKIP
    Dataset 'bike_sharing' (day): 731 rows, 16 columns, target 'cnt', environment 'dteday'
    """
    check_option(as_frame, FRAME_KINDS, "as_frame")
    info = entry(name)
    chosen, file = info.file_of(table)

    def read(wanted: FileEntry) -> Any:
        return _read(info, wanted, data_home, verify)

    extras = {key: read(info.files[filename]) for key, filename in info.extras.items()}
    frame = read(file)
    if isinstance(frame, dict):
        frame, extras = _arrays_to_frame(frame), {**frame, **extras}
    data = _document(info, chosen, frame, extras, as_frame)
    return (data.X, data.y) if return_X_y else data


def _read(info: Entry, file: FileEntry, data_home: DataHome, verify: bool) -> Any:
    download: Download | None = None
    if info.packaged:
        content = registry_root().joinpath(info.folder, file.name).read_bytes()
        name = file.name
        check_content(info, file, content)
    else:
        path, download = locate(info, file, data_home=data_home, verify=verify)
        content, name = path.read_bytes(), path.name
    if name.endswith(".npz"):
        return read_arrays(content)
    if name.endswith(".json"):
        return content.decode("utf-8")
    return read_csv(content, name, info, download)


def _arrays_to_frame(arrays: dict[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    matrix = arrays["X"]
    frame = pd.DataFrame(matrix, columns=[f"x{i}" for i in range(matrix.shape[1])])
    return frame.assign(s=arrays["s"], yhat=arrays["yhat"])


def _document(
    info: Entry, table: str, frame: "pd.DataFrame", extras: dict[str, Any], as_frame: FrameKind
) -> Dataset:
    present = set(frame.columns)
    truth = known_truth(info.name, frame, extras)
    given = {key: value for key, value in extras.items() if not isinstance(value, str)}
    return Dataset(
        name=info.name,
        table=table,
        frame=convert(frame, as_frame),
        target=info.target,
        environment=info.environment,
        sensitive_features=info.sensitive_features,
        decision=info.decision,
        roles={column: _role(info, column) for column in frame.columns},
        columns={key: text for key, text in info.columns.items() if key in present},
        extras={
            key: convert(value, as_frame) if hasattr(value, "columns") else value
            for key, value in given.items()
        },
        truth=truth,
        description=read_card(info.name),
        licence=info.licence,
        source=info.source,
        citation=info.citation,
        version=info.version,
    )


def _role(info: Entry, column: str) -> str:
    named = {info.environment: "environment", info.decision: "decision", info.target: "target"}
    named |= dict.fromkeys(info.sensitive_features, "sensitive")
    return info.roles.get(column) or named.get(column) or "feature"


def read_card(name: str) -> str:
    """Return the card of a data set."""
    return registry_root().joinpath(name, "CARD.md").read_text(encoding="utf-8")


def list_datasets(data_home: DataHome = None) -> "pd.DataFrame":
    """List the tables of the registry and whether their files are at hand.

    Parameters
    ----------
    data_home : path, optional
        Folder searched before ``SHIFTLAB_DATA`` and the user's cache.

    Returns
    -------
    DataFrame
        One row per table: name, table, rows, columns, missing (cells), environment and target
        (columns), licence, local (the file or its original is on this machine) and download (a
        public original with known checksum is registered).

    Examples
    --------
    >>> from shiftlab.datasets import list_datasets
    >>> listed = list_datasets()
    >>> listed.loc[listed["name"] == "adult", ["rows", "columns"]].to_numpy().tolist()
    [[48842, 16]]
    """
    import pandas as pd

    rows = []
    for info in read_registry().values():
        for table, filename in info.tables.items():
            file = info.files[filename]
            rows.append(
                {
                    "name": info.name,
                    "table": table,
                    "rows": file.rows,
                    "columns": file.columns,
                    "missing": file.missing,
                    "environment": info.environment,
                    "target": info.target,
                    "licence": info.licence,
                    "local": is_local(info, file, data_home),
                    "download": file.download is not None,
                }
            )
    return pd.DataFrame(rows)


class Fetcher(Protocol):
    """A function that loads one data set; all of them take the same arguments."""

    __name__: str

    @overload
    def __call__(
        self,
        *,
        table: str | None = ...,
        data_home: DataHome = ...,
        as_frame: FrameKind = ...,
        return_X_y: Literal[False] = ...,
        verify: bool = ...,
    ) -> Dataset: ...
    @overload
    def __call__(
        self,
        *,
        table: str | None = ...,
        data_home: DataHome = ...,
        as_frame: FrameKind = ...,
        return_X_y: Literal[True],
        verify: bool = ...,
    ) -> tuple[Any, Any]: ...


def fetcher(described: Callable[[], None]) -> Fetcher:
    """Turn a described name (``fetch_adult``) into a loader of that data set.

    The function gives name, summary and example; signature and the sections that all loaders share
    come from `fetch`, so that they are written once.
    """
    dataset = described.__name__.split("_", 1)[1]

    def load(**options: Any) -> Any:
        return fetch(dataset, **options)

    signature = inspect.signature(fetch)
    own = [p for p in signature.parameters.values() if p.name != "name"]
    load.__name__ = load.__qualname__ = described.__name__
    load.__module__ = described.__module__
    load.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    load.__annotations__ = {p.name: p.annotation for p in own} | {"return": Dataset}
    load.__doc__ = _compose(inspect.getdoc(described) or "", inspect.getdoc(fetch) or "")
    return load


def _compose(own: str, shared: str) -> str:
    if not shared:  # python -OO strips docstrings
        return own
    summary, _, example = own.partition("Examples\n--------\n")
    start, end = shared.index("table : str"), shared.index("Examples\n--------\n")
    sections = f"Parameters\n----------\n{shared[start:end]}"
    return f"{summary}{sections}Examples\n--------\n{example}".rstrip() + "\n"
