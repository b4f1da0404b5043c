"""What every report is: sections in reading order, one JSON document, one self-contained page."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from shiftlab._core.results import canonical_json
from shiftlab.reporting._page import render_page
from shiftlab.reporting._sections import Section

__all__ = ["Document"]


@dataclass(frozen=True, repr=False)
class Document:
    """Base of the reports; a child says what it is called and under which schema it is stored.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures. A section is rendered by
        the template of its key.
    """

    sections: tuple[Section, ...]

    schema: ClassVar[str]
    heading: ClassVar[str]
    #: Name of the files without their endings.
    stem: ClassVar[str] = "report"
    #: Sections that may be absent; the JSON document then holds None.
    optional: ClassVar[tuple[str, ...]] = ()

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """The sentences of the summary."""
        return tuple(finding for section in self.sections for finding in section.findings)

    @property
    def subject(self) -> str:
        """What the report is about: the name of its input."""
        return str(self.to_dict()["provenance"]["source"]["name"])

    @property
    def subtitle(self) -> str:
        """The line below the heading."""
        provenance = self.to_dict()["provenance"]
        parts = (self.subject, f"shiftlab {provenance['shiftlab']}", provenance["started"])
        return " · ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as JSON types; sections that were not asked for are None."""
        document: dict[str, Any] = {"schema": self.schema} | dict.fromkeys(self.optional)
        document |= {section.key: section.data for section in self.sections}
        document["findings"] = list(self.findings)
        return document

    def to_json(self, *, indent: int | None = 1) -> str:
        """Return canonical JSON: sorted keys, no NaN."""
        return canonical_json(self.to_dict(), indent=indent)

    def to_html(self) -> str:
        """Return one self-contained HTML page."""
        return render_page(
            self.to_dict(), self.sections, heading=self.heading, subtitle=self.subtitle
        )

    def write(self, folder: str | Path) -> tuple[Path, Path]:
        """Write the page and the document into a folder, which is made if needed.

        Parameters
        ----------
        folder : str or Path
            Where to write.

        Returns
        -------
        html, json : Path
            The two files.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        html, document = folder / f"{self.stem}.html", folder / f"{self.stem}.json"
        # The name of a file need not be valid text; then its odd bytes are spelt out.
        document.write_text(self.to_json() + "\n", encoding="utf-8", errors="backslashreplace")
        html.write_text(self.to_html(), encoding="utf-8", errors="backslashreplace")
        return html, document

    def __repr__(self) -> str:
        lines = "\n".join(f"  - {finding}" for finding in self.findings)
        return f"{type(self).__name__}\n{lines}"

    def _repr_html_(self) -> str:
        """Show the page inside a notebook, apart from the notebook's own styles."""
        from markupsafe import escape

        return (
            f'<iframe srcdoc="{escape(self.to_html())}" sandbox '
            'style="width:100%;height:720px;border:1px solid #d9e0e7"></iframe>'
        )
