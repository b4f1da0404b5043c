"""Find a registered file: local folders first, then a download, every byte checked by SHA-256.

No folder is created before a download has something to store, and the network is touched only
where the registry knows both the address and the checksum of the original.
"""

import hashlib
import logging
import os
import sys
from pathlib import Path
from typing import TypeAlias

from shiftlab._core.files import sha256_of_file
from shiftlab._core.optional import import_optional
from shiftlab.datasets._registry import Download, Entry, FileEntry
from shiftlab.exceptions import DataNotFoundError

__all__ = [
    "DataHome",
    "check_content",
    "is_local",
    "is_offline",
    "locate",
    "search_folders",
    "user_cache",
]

DataHome: TypeAlias = str | os.PathLike[str] | None

logger = logging.getLogger("shiftlab")

DATA_VARIABLE = "SHIFTLAB_DATA"
OFFLINE_VARIABLE = "SHIFTLAB_OFFLINE"

#: Checksums already computed in this process, by path, modification time and size.
_checksums: dict[tuple[str, int, int], str] = {}


def user_cache() -> Path:
    """Return the folder of downloaded files on this platform, without creating it."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "shiftlab"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "shiftlab"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "shiftlab"


def is_offline() -> bool:
    """Tell whether the environment forbids downloads."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def search_folders(data_home: DataHome) -> tuple[Path, ...]:
    """Return the folders that may hold data sets, in the order of the search."""
    named = [data_home, os.environ.get(DATA_VARIABLE) or None]
    given = [Path(folder).expanduser() for folder in named if folder is not None]
    return tuple(dict.fromkeys([*given, user_cache()]))


def _find_local(info: Entry, filename: str, data_home: DataHome) -> Path | None:
    """Return the first local file of that name, unchecked, or None."""
    for folder in search_folders(data_home):
        path = folder / info.folder / filename
        if path.is_file():
            return path
    return None


def is_local(info: Entry, file: FileEntry, data_home: DataHome) -> bool:
    """Tell whether a file or its original is on this machine, without checking it."""
    if info.packaged or _find_local(info, file.name, data_home) is not None:
        return True
    original = file.download
    return original is not None and _find_local(info, original.filename, data_home) is not None


def locate(
    info: Entry,
    file: FileEntry,
    *,
    data_home: DataHome = None,
    verify: bool = True,
) -> tuple[Path, Download | None]:
    """Find a file of a data set, downloading its original if need be.

    Parameters
    ----------
    info : Entry
        The data set.
    file : FileEntry
        The file.
    data_home : path, optional
        Folder searched first; a download is stored there.
    verify : bool, default True
        Compare local files with the registered checksum. Downloads are always compared.

    Returns
    -------
    path : Path
        The file.
    download : Download or None
        None if the path is the registered file; otherwise the path is the original, still to be
        prepared as described there.

    Raises
    ------
    DataNotFoundError
        If the file is nowhere, may not be downloaded, or is not the registered one.
    """
    path = _find_local(info, file.name, data_home)
    if path is not None:
        if verify:
            _check(info, path, file.sha256)
        return path, None
    if file.download is None:
        raise DataNotFoundError(_absent(info, file, data_home))
    path = _find_local(info, file.download.filename, data_home)
    if path is not None:
        if verify:
            _check(info, path, file.download.sha256)
        return path, file.download
    if is_offline():
        reason = (
            f" It was not downloaded because {OFFLINE_VARIABLE} is set; unset it to allow that."
        )
        raise DataNotFoundError(_absent(info, file, data_home) + reason)
    return _download(info, file, file.download, data_home), file.download


def check_content(info: Entry, file: FileEntry, content: bytes) -> None:
    """Check a file of the package.

    Raises
    ------
    DataNotFoundError
        If the content is not what the registry says.
    """
    _compare(info, file.name, hashlib.sha256(content).hexdigest(), file.sha256)


def _absent(info: Entry, file: FileEntry, data_home: DataHome) -> str:
    folders = "; ".join(str(folder / info.folder) for folder in search_folders(data_home))
    message = (
        f"Data set {info.name!r}: the file {file.name!r} ({file.bytes:,} bytes, sha256 "
        f"{file.sha256}) was not found. Folders searched: {folders}. Put the file into one of "
        f"them, or name the folder that holds '{info.folder}/{file.name}' by data_home= or by the "
        f"environment variable {DATA_VARIABLE}. Source: {info.source}."
    )
    if file.download is None:
        return message
    original = file.download
    return (
        f"{message} The original is accepted in the same folders: {original.filename!r} (sha256 "
        f"{original.sha256}) from {original.url}."
    )


def _check(info: Entry, path: Path, expected: str) -> None:
    _compare(info, str(path), _sha256(path), expected, mend=", or pass verify=False to read it")


def _compare(info: Entry, where: str, found: str, expected: str, mend: str = "") -> None:
    if found != expected:
        raise DataNotFoundError(
            f"Data set {info.name!r}: {where} is not the registered file. Its sha256 is {found}, "
            f"expected {expected}. Replace the file{mend}."
        )


def _sha256(path: Path) -> str:
    stat = path.stat()
    key = (str(path.resolve()), stat.st_mtime_ns, stat.st_size)
    if key not in _checksums:
        _checksums[key] = sha256_of_file(path)
    return _checksums[key]


def _download(
    info: Entry,
    file: FileEntry,
    download: Download,
    data_home: DataHome,
) -> Path:
    pooch = import_optional("pooch", extra="data", purpose=f"Downloading data set {info.name!r}")
    root = user_cache() if data_home is None else Path(data_home).expanduser()
    logger.info("Downloading %s to %s", download.url, root / info.folder)
    pooch_logger = pooch.get_logger()
    level = pooch_logger.level
    pooch_logger.setLevel(logging.WARNING)  # it would print to the terminal
    try:
        stored = pooch.retrieve(
            url=download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=download.filename,
            path=root / info.folder,
        )
    except (OSError, ValueError) as error:
        # pooch reports a wrong checksum as ValueError and the network as OSError.
        raise DataNotFoundError(
            f"{_absent(info, file, data_home)} Downloading it failed: {error}"
        ) from error
    finally:
        pooch_logger.setLevel(level)
    return Path(stored)
