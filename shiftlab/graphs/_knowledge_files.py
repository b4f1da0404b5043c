"""Knowledge from files: JSON, TOML, and the text format of Tetrad."""

import json
import re
from pathlib import Path
from typing import Any

from shiftlab.exceptions import InputError

__all__ = ["read_knowledge"]


def read_knowledge(path: Path) -> dict[str, Any]:
    """Return the statements of a file as a dictionary.

    Parameters
    ----------
    path : Path
        ``.json``, ``.toml``, or text in Tetrad's format.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"knowledge: cannot read '{path}': {reason}.") from error
    try:
        if path.suffix == ".toml":
            import tomllib

            return tomllib.loads(text)
        if path.suffix == ".json":
            document = json.loads(text)
            return document if isinstance(document, dict) else {"knowledge": document}
    except ValueError as error:
        raise InputError(f"knowledge: '{path}' is not valid {path.suffix[1:]}: {error}.") from error
    return _read_tetrad(text, path)


def _read_tetrad(text: str, path: Path) -> dict[str, Any]:
    """Read ``addtemporal``, ``forbiddirect`` and ``requiredirect``; a star closes a tier."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "/knowledge":
        raise InputError(
            f"knowledge: '{path}' is neither .json nor .toml nor a text that starts with "
            "'/knowledge'."
        )
    found: dict[str, list[Any]] = {"tiers": [], "closed_tiers": [], "required": [], "forbidden": []}
    section = ""
    for line in lines[1:]:
        if line in ("addtemporal", "forbiddirect", "requiredirect"):
            section = line
        elif section == "addtemporal":
            head, *names = line.split()
            number = re.fullmatch(r"\d+(\*?)", head)
            if number is None:
                raise InputError(f"knowledge: '{path}': {line!r} does not start with a tier.")
            if number[1]:
                found["closed_tiers"].append(len(found["tiers"]))
            found["tiers"].append(names)
        elif section and len(line.split()) == 2:
            found["forbidden" if section == "forbiddirect" else "required"].append(line.split())
        else:
            raise InputError(f"knowledge: '{path}': {line!r} cannot be read.")
    return found
