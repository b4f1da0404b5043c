"""Names of columns in messages: short lists, and the nearest name when one is misspelt."""

from collections.abc import Sequence
from difflib import get_close_matches

__all__ = ["join_names", "missing_column_message", "plot_text"]


def join_names(names: Sequence[object], limit: int = 6) -> str:
    """Quote names for a message, at most `limit` of them."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def missing_column_message(name: object, available: Sequence[str], argument: str = "") -> str:
    """Say that a column does not exist, and which one was probably meant."""
    near = get_close_matches(str(name).lower(), [a.lower() for a in available], n=1, cutoff=0.6)
    by_lower = {a.lower(): a for a in available}
    hint = (
        f"Did you mean {by_lower[near[0]]!r}?"
        if near
        else f"Its columns are: {join_names(available, 12)}."
    )
    subject = f"{argument}: the table" if argument else "The table"
    return f"{subject} has no column {name!r}. {hint}"


def plot_text(name: object, limit: int = 32) -> str:
    """Make a name fit for a figure: one line, not too long, printable, no mathematics."""
    text = "".join(mark if mark.isprintable() or mark.isspace() else "�" for mark in str(name))
    text = " ".join(text.split()) or "(empty)"
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    # matplotlib leaves labels that start with an underscore out of a legend.
    return (" " + text if text.startswith("_") else text).replace("$", r"\$")
