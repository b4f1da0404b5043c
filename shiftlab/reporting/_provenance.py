"""Last section of the report: where the numbers come from, so that somebody else can redo them."""

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from shiftlab import __version__
from shiftlab._core.results import to_plain
from shiftlab.reporting._sections import Section

__all__ = ["provenance_section", "table_fingerprint"]

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "narwhals", "POT")


def provenance_section(
    *,
    source: dict[str, Any],
    options: dict[str, Any],
    rows: dict[str, Any],
    started: datetime,
    seconds: dict[str, float],
) -> Section:
    """Record versions, command, seed, input, time and the rows used.

    Parameters
    ----------
    source : dict
        What was read: path or type, sha256, command.
    options : dict
        Every argument of the report.
    rows : dict
        Rows read, used, and set aside with the reason.
    started : datetime
        Start of the work, with a time zone.
    seconds : dict of str to float
        Wall time of each section.

    Returns
    -------
    Section
    """
    data = {
        "shiftlab": __version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "libraries": {name: version(name) for name in LIBRARIES},
        "source": source,
        "options": options,
        "rows": rows,
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": {key: round(value, 2) for key, value in seconds.items()},
    }
    return Section("provenance", "Provenance", to_plain(data))


def table_fingerprint(table: Any) -> str:
    """Return a SHA-256 over names, kinds, categories and all bytes of the values of a `Table`."""
    import hashlib

    import numpy as np

    digest = hashlib.sha256()
    for column in table:
        digest.update(repr((column.name, column.kind, column.categories)).encode())
        digest.update(np.ascontiguousarray(column.values).tobytes())
    return digest.hexdigest()
