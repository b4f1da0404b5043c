"""The page of a causal discovery: the graph, what changes, and the case for each edge."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from shiftlab._core.names import join_names
from shiftlab._core.results import to_plain
from shiftlab.discovery import BootstrapSupport, DiscoveryResult, DrivingForce
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, figure_to_svg

__all__ = ["DiscoveryReport", "discovery_report"]

#: Driving forces drawn on the page; all are in the document.
MAX_FORCES = 12


@dataclass(frozen=True, repr=False)
class DiscoveryReport(Document):
    """A finished report of a causal discovery.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import CDNOD
    >>> from shiftlab.reporting import discovery_report
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(8), 40)
    >>> x = rng.normal(size=8)[site] + rng.normal(size=320)
    >>> model = CDNOD("fisher_z").fit(np.column_stack([x, x + rng.normal(size=320)]),
    ...                               environment=site)
    >>> discovery_report(model.result_).to_dict()["graph"]["n_edges"]
    1
    """

    schema: ClassVar[str] = "shiftlab.discovery_report/1"
    heading: ClassVar[str] = "What causes what, and what changes?"
    stem: ClassVar[str] = "discovery"
    optional: ClassVar[tuple[str, ...]] = ("forces", "support")


def discovery_report(
    result: DiscoveryResult,
    *,
    support: BootstrapSupport | None = None,
    source: Source | None = None,
    n_rows: int | None = None,
) -> DiscoveryReport:
    """Write up a causal discovery as a page and a document.

    Parameters
    ----------
    result : DiscoveryResult
        ``result_`` of a fitted `shiftlab.discovery.CDNOD`.
    support : BootstrapSupport, optional
        ``support_`` of a fitted `shiftlab.discovery.BootstrapDiscovery`.
    source : Source, optional
        File, hash and command for the provenance.
    n_rows : int, optional
        Rows of the table, for the provenance.

    Returns
    -------
    DiscoveryReport

    Raises
    ------
    InputError
        If a figure cannot be drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.discovery import CDNOD
    >>> from shiftlab.reporting import discovery_report
    >>> data = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = CDNOD("fisher_z").fit(data, environment=np.repeat(["a", "b"], 100))
    >>> discovery_report(model.result_).findings[0]
    'No two variables depend on each other.'
    """
    started = datetime.now(UTC)
    sections = [_graph_section(result)]
    if support is not None:
        sections.append(_support_section(support))
    if result.driving_forces:
        sections.append(_forces_section(result.driving_forces))
    sections.append(_tests_section(result))
    sections.append(
        provenance_section(
            source=to_plain(source or Source(name="table")),
            options=dict(result.options),
            rows={"read": n_rows, "used": n_rows, "set_aside": []},
            started=started,
            seconds={"tests": result.seconds},
        )
    )
    return DiscoveryReport(tuple(sections))


def _graph_section(result: DiscoveryResult) -> Section:
    edges = result.graph.edges
    data: dict[str, Any] = {
        "environment": result.environment,
        "n_variables": len(result.graph.nodes),
        "n_edges": len(edges),
        "n_directed": sum(edge.is_directed for edge in edges),
        "changing": list(result.changing),
        "graph": result.graph.to_dict(),
        "augmented": result.augmented.to_dict(),
        "invariance": result.invariance.to_dict(),
        "edges": [reason.to_dict() for reason in result.edges],
        "conflicts": list(result.conflicts),
        "merged": dict(result.merged),
        "constant": list(result.constant),
        "notes": list(result.notes),
    }
    figures = {"graph": figure_to_svg(result.plot)}
    return Section("graph", "The graph", to_plain(data), _findings(data), figures)


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    if not data["n_edges"]:
        first = "No two variables depend on each other."
    else:
        first = (
            f"{data['n_edges']} edges between {data['n_variables']} variables, "
            f"{data['n_directed']} of them with a direction."
        )
    changing = data["changing"]
    if changing:
        second = (
            f"The mechanism of {len(changing)} of {data['n_variables']} variables changes with "
            f"{data['environment']}: {join_names(changing, 8)}."
        )
    else:
        second = f"No mechanism was found to change with {data['environment']}."
    return (first, second, *data["notes"])


def _support_section(support: BootstrapSupport) -> Section:
    data = {
        "n_resamples": support.n_resamples,
        "resampling": support.resampling,
        "pairs": [pair.to_dict() for pair in support.pairs],
        "changing": dict(support.changing),
    }
    figures = {"support": figure_to_svg(support.plot)}
    return Section("support", "How stable is it", to_plain(data), (), figures)


def _forces_section(forces: tuple[DrivingForce, ...]) -> Section:
    shown = forces[:MAX_FORCES]
    figures = {f"force_{k}": figure_to_svg(force.plot) for k, force in enumerate(shown)}
    data = {"forces": [force.to_dict() for force in forces], "n_shown": len(shown)}
    return Section("forces", "How mechanisms move", to_plain(data), (), figures)


def _tests_section(result: DiscoveryResult) -> Section:
    data = {
        "n_tests": result.n_tests,
        "seconds": round(result.seconds, 3),
        "tests_by_size": {str(size): n for size, n in result.tests_by_size.items()},
        "alpha": result.options["alpha"],
        "ci_test": result.options["ci_test"],
        "separating_sets": [list(item) for item in result.separating_sets],
        "test_paths": [list(item) for item in result.test_paths],
    }
    figures = {"tests": figure_to_svg(result.plot_tests)} if result.test_paths else {}
    return Section("tests", "The tests behind it", to_plain(data), (), figures)
