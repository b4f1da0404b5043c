"""Parts of a report: plain data for the JSON, sentences for the summary, figures."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Section",
    "figure_to_svg",
    "fixed_text",
    "number_text",
    "percent_text",
    "pvalue_text",
]


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes
    ----------
    key : str
        Name in the JSON document and of the template.
    title : str
        Heading.
    data : dict
        JSON types only; the page shows these numbers and no others.
    findings : tuple of str
        Sentences for the summary on top of the page.
    figures : dict of str to str
        SVG documents by name.
    """

    key: str
    title: str
    data: dict[str, Any]
    findings: tuple[str, ...] = ()
    figures: dict[str, str] = field(default_factory=dict)


def figure_to_svg(draw: Callable[[], "Figure | Axes"]) -> str:
    """Draw a figure (or axes in one) and return it as an SVG element that refers to nothing else.

    Text stays text (small and searchable), and identifiers are derived from a fixed salt so that
    equal figures are equal bytes.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "shiftlab",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The text is set by the reader's fonts, not by those that matplotlib knows.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        figure: Any = draw().figure
        stream = StringIO()
        try:
            figure.savefig(stream, format="svg", metadata={"Date": None}, bbox_inches="tight")
        finally:
            plt.close(figure)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def number_text(value: float | int | None, digits: int = 3) -> str:
    """Write a number for a reader: thousands separated, `digits` significant figures."""
    if value is None or value != value:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    if abs(value) < 1e-4:
        return f"{value:.1e}"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
    return f"{rounded:.{decimals}f}"


def fixed_text(value: float | None, decimals: int = 3) -> str:
    """Write a number with a fixed number of decimals, for columns that are read downwards."""
    if value is None:
        return "–"
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def percent_text(value: float | None) -> str:
    """Write a share as a percentage with a sensible number of decimals."""
    if value is None:
        return "–"
    percent = 100 * value
    if percent == 0 or abs(percent) >= 10:
        return f"{percent:.0f}%"
    return f"{percent:.1f}%" if abs(percent) >= 0.1 else "< 0.1%"


def pvalue_text(value: float | None) -> str:
    """Write a p-value; very small ones as a bound."""
    if value is None:
        return "–"
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
