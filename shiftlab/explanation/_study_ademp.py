"""A study written up after ADEMP: aims, data, estimands, methods, performance; in Markdown."""

from typing import TYPE_CHECKING, Any

from shiftlab.exceptions import InputError
from shiftlab.explanation._fidelity_metrics import METRICS, SCORES

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.explanation._study_protocol import StudyProtocol
    from shiftlab.explanation._study_result import DisparityStudyResult

__all__ = ["ademp_parts", "write_ademp"]

ESTIMAND = (
    "For each metric: the fidelity of the explanations to the black box in each group of the test "
    "table, and their gap. The signed gap is positive where group 0 is explained worse than the "
    "others; the absolute gap is at least the noise of its estimate, so its expected value under "
    "groups without meaning is given beside it and subtracted in the excess gap. The target is "
    "the pipeline: data, black box and explainer are drawn anew in every replicate."
)
FORMULAS = (
    "Means over replicates with the Monte-Carlo standard error s / sqrt(R); standard deviations "
    "with s / sqrt(2 (R - 1)) (Morris, White and Crowther 2019, table 6)."
)


def ademp_parts(result: "DisparityStudyResult") -> list[tuple[str, list[str]]]:
    """Return the parts of the report: a heading and lines of Markdown each.

    Parameters
    ----------
    result : DisparityStudyResult
        A study with at least one finished cell.

    Returns
    -------
    list of (str, list of str)

    Raises
    ------
    InputError
        If nothing is finished.
    """
    protocol = result.protocol
    if result.study.n_done == 0:
        raise InputError("The study has no finished cell to report; run it first.")
    return [
        ("Aims", _aims(protocol)),
        ("Data-generating mechanisms", _mechanisms(result)),
        ("Estimands", [ESTIMAND, "", *_metric_lines(protocol)]),
        ("Methods", _methods(protocol)),
        ("Performance measures", [FORMULAS, "", *_performance(result)]),
        ("Failures", _failures(result)),
        ("Seeds and software", _software(result)),
    ]


def write_ademp(result: "DisparityStudyResult") -> str:
    """Write the report as one Markdown document; see `ademp_parts`."""
    lines = [f"# {result.protocol.name}", ""]
    for title, body in ademp_parts(result):
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def _aims(protocol: "StudyProtocol") -> list[str]:
    aims = list(
        dict.fromkeys(world.aim or type(world).__name__ for world in protocol.worlds.values())
    )
    return [
        "To measure how much less faithful explanations of a black box are for one group than for "
        f"the other under: {'; '.join(aims)}."
    ]


def _mechanisms(result: "DisparityStudyResult") -> list[str]:
    rows = result.to_frame()
    lines = []
    for label, world in result.protocol.worlds.items():
        lines += [f"World{f' {label!r}' if label else ''}: `{type(world).__name__}`.", ""]
        lines += ["```", *world.equations().splitlines(), "```", ""]
    levels = [
        f"- `{name}`: {', '.join(map(str, dict.fromkeys(rows[name])))}"
        for name in result.protocol.knobs
    ]
    return [*lines, *(["Varied:", "", *levels] if levels else ["Nothing is varied."])]


def _metric_lines(protocol: "StudyProtocol") -> list[str]:
    known = METRICS | SCORES
    return [f"- `{metric}`: {known[metric].label}" for metric in protocol.metrics]


def _methods(protocol: "StudyProtocol") -> list[str]:
    models = [f"- `{label}`: `{text}`" for label, text in protocol.models.items()]
    explainers = [f"- `{label}`: `{text}`" for label, text in protocol.explainers.items()]
    return ["Black boxes:", "", *models, "", "Explainers:", "", *explainers]


def _performance(result: "DisparityStudyResult") -> list[str]:
    measures = ["signed_gap", "mean_gap", "null_gap", *result.groups]
    table = result.summary(measures)
    table = table[table["statistic"] == "mean"]
    labels = [*result.factors, "metric"]
    header = [*labels, "replicates", *measures]
    rows = [_line(key, part, measures) for key, part in _groups(table, labels)]
    return [_cells(header), _cells(["---"] * len(header)), *rows]


def _groups(
    table: "pd.DataFrame", labels: list[str]
) -> list[tuple[tuple[Any, ...], "pd.DataFrame"]]:
    keys = list(zip(*(table[name] for name in labels), strict=True))
    found: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return [(key, table.iloc[rows]) for key, rows in found.items()]


def _line(key: tuple[Any, ...], part: "pd.DataFrame", measures: list[str]) -> str:
    found = dict(zip(part["measure"], zip(part["value"], part["mcse"], strict=True), strict=True))
    count = int(part["n_replicates"].max())
    shown = [_number(*found[measure]) for measure in measures]
    return _cells([*key, count, *shown])


def _number(value: float, mcse: float) -> str:
    if value != value:
        return "not defined"
    return f"{value:.4f}" + ("" if mcse != mcse else f" ({mcse:.4f})")


def _cells(values: Any) -> str:
    return "| " + " | ".join(str(v).replace("|", "\\|").replace("\n", " ") for v in values) + " |"


def _failures(result: "DisparityStudyResult") -> list[str]:
    study = result.study
    lines = [
        f"{study.n_done} of {study.n_cells} cells finished, {study.n_failed} failed, "
        f"{study.n_pending} have not been run."
    ]
    if study.n_failed:
        errors = result.errors()
        counts = errors.groupby(["error", "message"]).size().reset_index(name="cells")
        lines += ["", _cells(["error", "message", "cells"]), _cells(["---"] * 3)]
        lines += [_cells(row) for row in counts.itertuples(index=False)]
    missing = result.summary(["signed_gap"])["n_missing"].sum()
    if missing:
        lines += [
            "",
            f"{int(missing)} gaps are not defined (one label only in a group) and left out.",
        ]
    return lines


def _software(result: "DisparityStudyResult") -> list[str]:
    protocol = result.protocol
    versions = ", ".join(f"{name} {version}" for name, version in protocol.software().items())
    seconds = float(result.study.timings["seconds"].sum())
    return [
        f"Seed: {protocol.seed}. The seed of a cell is a hash of its content and of this seed; "
        "single cells can be run again with `replay`.",
        "",
        f"Software: {versions}. Computing time: {seconds:,.0f} s.",
    ]
