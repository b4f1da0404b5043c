"""The HTML page: one self-contained file, no script, nothing loaded from outside, data escaped."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from shiftlab.reporting._sections import (
    Section,
    fixed_text,
    number_text,
    percent_text,
    pvalue_text,
)

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["ROW_LIMIT", "render_page"]

#: Longest table on the page; the JSON document is complete.
ROW_LIMIT = 40


def render_page(
    report: dict[str, Any], sections: Sequence[Section], *, heading: str, subtitle: str
) -> str:
    """Render a report.

    Parameters
    ----------
    report : dict
        The JSON document of the report; the page shows its numbers.
    sections : sequence of Section
        In the order of the page; their figures are embedded.
    heading, subtitle : str
        Title of the page and the line below it.

    Returns
    -------
    str
        A complete HTML document.
    """
    # The style sheet is the one text that is inserted unescaped besides the figures; both are ours.
    style = _environment().policies["shiftlab.style"]
    page = _environment().get_template("page.html.j2")
    return page.render(
        report=report,
        sections=sections,
        heading=heading,
        subtitle=subtitle,
        style=style,
        limit=ROW_LIMIT,
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("shiftlab.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number_text
    environment.filters["fixed"] = fixed_text
    environment.filters["percent"] = percent_text
    environment.filters["pvalue"] = pvalue_text
    environment.filters["svg"] = Markup
    style = files("shiftlab.reporting").joinpath("templates/style.css").read_text("utf-8")
    environment.policies["shiftlab.style"] = Markup(style)  # noqa: S704 - a file of this package
    return environment
