"""The registry of data sets: what each file must be, what its columns mean, who may use it.

``registry.toml`` and the cards travel with the package; data files travel only where their licence
allows it. Nothing is read before the first call that needs it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from shiftlab._core.validation import check_option

__all__ = ["Download", "Entry", "FileEntry", "entry", "read_registry", "registry_root"]


@dataclass(frozen=True)
class Download:
    """Where the original of a file can be had, and what turns it into the registered table.

    Attributes
    ----------
    url : str
        Address of the original.
    sha256 : str
        Checksum of the original.
    drop : tuple of str
        Columns of the original that the table leaves out.
    header : tuple of str
        Names of the columns, where the original has no header line.
    """

    url: str
    sha256: str
    drop: tuple[str, ...] = ()
    header: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """Name of the original, as it is stored."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class FileEntry:
    """One file: its checksum and what a reader finds in it.

    Attributes
    ----------
    name : str
        File name inside the folder of the data set.
    sha256 : str
        Checksum of the file as it lies on disk.
    bytes : int
        Size on disk.
    rows, columns, missing : int
        Shape of the table and number of missing cells after the set's conventions are applied.
    download : Download or None
        Public original with a known checksum, if there is one.
    """

    name: str
    sha256: str
    bytes: int
    rows: int = 0
    columns: int = 0
    missing: int = 0
    download: Download | None = None


@dataclass(frozen=True)
class Entry:
    """One data set of the registry.

    Attributes
    ----------
    name : str
        Name used by `fetch`.
    title, version, folder, licence, source, citation : str
        Provenance; `folder` is the name of the folder that holds the files.
    packaged : bool
        Whether the files travel with the package.
    tables : mapping of str to str
        File of each table; the first is the default.
    extras : mapping of str to str
        File of each companion table.
    target, environment, decision : str or None
        Default columns; None where the set has no such column.
    sensitive_features : tuple of str
        Columns with protected attributes.
    na_values : tuple of str
        Texts that mark a missing cell.
    keep_default_na : bool
        Whether the reader's own marks of a missing cell apply as well.
    roles, columns : mapping of str to str
        Role and meaning of the columns that are not plain features or do not explain themselves.
    caveats : tuple of str
        What a user has to know before using the set.
    files : mapping of str to FileEntry
        Every file of the set.
    """

    name: str
    title: str
    version: str
    folder: str
    licence: str
    source: str
    citation: str
    tables: Mapping[str, str]
    files: Mapping[str, FileEntry]
    packaged: bool = False
    extras: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    environment: str | None = None
    decision: str | None = None
    sensitive_features: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ()
    keep_default_na: bool = True
    roles: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    def file_of(self, table: str | None) -> tuple[str, FileEntry]:
        """Return the name and file of a table; None takes the first table."""
        chosen = next(iter(self.tables)) if table is None else table
        check_option(chosen, tuple(self.tables), "table")
        return chosen, self.files[self.tables[chosen]]


def registry_root() -> Traversable:
    """Return the folder with the registry and the cards: in the wheel, or in the repository."""
    packaged = files("shiftlab.datasets").joinpath("_data")
    if packaged.joinpath("registry.toml").is_file():
        return packaged
    return Path(__file__).resolve().parents[2] / "datasets"


@cache
def read_registry() -> Mapping[str, Entry]:
    """Read ``registry.toml`` once per process."""
    text = registry_root().joinpath("registry.toml").read_text(encoding="utf-8")
    return {name: _entry(name, raw) for name, raw in tomllib.loads(text).items()}


def entry(name: str) -> Entry:
    """Look up one data set.

    Raises
    ------
    InputError
        If the registry has no such name.
    """
    registry = read_registry()
    check_option(name, tuple(registry), "name")
    return registry[name]


def _entry(name: str, raw: dict[str, Any]) -> Entry:
    raw = _tuples(raw)
    raw["files"] = {key: _file_entry(key, value) for key, value in raw["files"].items()}
    raw.setdefault("folder", name)
    return Entry(name=name, **raw)


def _file_entry(name: str, raw: dict[str, Any]) -> FileEntry:
    if "download" in raw:
        raw["download"] = Download(**_tuples(raw["download"]))
    return FileEntry(name=name, **raw)


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    """Freeze the lists of a TOML table."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
