"""Names of columns and labels as matplotlib shows them: literally, on one line, not too long."""

__all__ = ["plain_text"]


def plain_text(label: object, limit: int) -> str:
    """Shorten a label and keep matplotlib from reading dollar signs as mathematics."""
    text = " ".join(str(label).split())
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text.replace("$", r"\$")
