"""The page of a model that adapts: what it uses where, why, and whether it knows such places."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from shiftlab._core.names import join_names
from shiftlab._core.results import to_plain
from shiftlab.adaptation import (
    EnvironmentAdaptiveClassifier,
    EnvironmentAdaptiveRegressor,
    EnvironmentSummary,
    Identifiability,
    Selection,
    ShiftExplanation,
)
from shiftlab.reporting._document import Document
from shiftlab.reporting._options import Source
from shiftlab.reporting._provenance import provenance_section
from shiftlab.reporting._sections import Section, figure_to_svg, number_text, percent_text

__all__ = ["AdaptationReport", "adaptation_report"]

#: Deviations of each environment on the page; all are in the document.
MOST_DEVIATIONS = 4


@dataclass(frozen=True, repr=False)
class AdaptationReport(Document):
    """A finished report on a model that adapts, and on new environments.

    Attributes
    ----------
    sections : tuple of Section
        In reading order; each carries its data, findings and figures.

    Examples
    --------
    >>> from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments
    >>> from shiftlab.reporting import adaptation_report
    >>> train = simulate_environments("hidden_cause", 30, n_rows=40, random_state=0)
    >>> model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
    >>> model = model.fit(train.X, train.y, train.environment)
    >>> report = adaptation_report(model, train.X, train.environment, n_bootstrap=2)
    >>> [section.key for section in report.sections][:2]
    ['adaptation_strategies', 'adaptation_selection']
    """

    schema: ClassVar[str] = "shiftlab.adaptation_report/1"
    heading: ClassVar[str] = "What do new environments need?"
    stem: ClassVar[str] = "adaptation"


def adaptation_report(
    model: EnvironmentAdaptiveRegressor | EnvironmentAdaptiveClassifier,
    X: Any,
    environment: Any = None,
    *,
    n_bootstrap: int = 50,
    source: Source | None = None,
) -> AdaptationReport:
    """Write up a fitted model and new environments as a page and a document.

    Parameters
    ----------
    model : EnvironmentAdaptiveRegressor or EnvironmentAdaptiveClassifier
        Fitted.
    X : array or data frame of shape (n_rows, n_columns)
        Covariates of new environments; outcomes are not needed.
    environment : array of shape (n_rows,) or label, optional
        Environment of each row, if the model names no column.
    n_bootstrap : int, default 50
        Resamples of the rows of each environment behind the bootstrap frequency.
    source : Source, optional
        File, hash and command for the provenance.

    Returns
    -------
    AdaptationReport

    Raises
    ------
    InputError
        If X does not fit the model.

    Examples
    --------
    >>> from shiftlab.adaptation import EnvironmentAdaptiveRegressor, simulate_environments
    >>> from shiftlab.reporting import adaptation_report
    >>> train = simulate_environments("hidden_cause", 30, n_rows=40, random_state=0)
    >>> model = EnvironmentAdaptiveRegressor(strategy="select", outside="ignore")
    >>> model = model.fit(train.X, train.y, train.environment)
    >>> report = adaptation_report(model, train.X.head(80), n_bootstrap=2)
    >>> report.to_dict()["adaptation_selection"]["n_environments"]
    1
    """
    started = datetime.now(UTC)
    selection = model.select(X, environment, n_bootstrap=n_bootstrap)
    sections = (
        _strategy_section(model, model.identifiability()),
        _selection_section(selection),
        _space_section(selection, model.environment_summary(X, environment)),
        _shift_section(model.explain_shift(X, environment)),
        provenance_section(
            source=to_plain(source or Source(name="table")),
            options={k: _worded(v) for k, v in model.get_params(deep=False).items()},
            rows={"read": len(X), "used": len(X), "set_aside": []},
            started=started,
            seconds={},
        ),
    )
    return AdaptationReport(sections)


def _worded(value: Any) -> Any:
    """Keep plain options; name what is an object."""
    plain = value is None or isinstance(value, (str, int, float, bool, list, tuple))
    return to_plain(value) if plain else type(value).__name__


def _strategy_section(model: Any, found: Identifiability) -> Section:
    weights = sorted(model.strategy_weights_.items(), key=lambda item: -item[1])
    data = {
        "strategy": model.strategy_,
        "weights": [{"strategy": name, "weight": weight} for name, weight in weights],
        "guard_active": bool(model.guard_active_),
        "n_training": len(model.environments_),
        "variables": list(model.variables_),
        "regret": found.regret,
        "explained": found.explained,
        "recovered": found.recovered,
        "verdict": found.verdict,
        "strategies": found.to_frame().to_dict("records"),
    }
    first = found.verdict[0].upper() + found.verdict[1:] + "."
    figures = {"strategies": figure_to_svg(found.plot)} if len(data["strategies"]) > 1 else {}
    return Section("adaptation_strategies", "How it predicts", to_plain(data), (first,), figures)


def _selection_section(selection: Selection) -> Section:
    records = selection.to_frame().to_dict("records")
    sets = list(dict.fromkeys(record["covariates"] for record in records))
    unsure = [r["environment"] for r in records if (r["bootstrap_frequency"] or 0) < 0.8]
    data = {
        "n_environments": len(records),
        "n_sets": len(sets),
        "strategy": selection.strategy,
        "environments": records,
    }
    if len(records) == 1:
        chance = percent_text(to_plain(records[0]["probability"]))
        finding = f"The covariates that suit the batch: {sets[0]} (probability {chance})."
    else:
        finding = (
            f"{len(records)} environments need {len(sets)} different sets of covariates"
            if len(sets) > 1
            else f"All {len(records)} environments need the same covariates: {sets[0]}"
        ) + "."
    more = (f"The choice is unsure in {join_names(unsure, 6)}.",) if unsure else ()
    figures = {"map": figure_to_svg(selection.plot)}
    return Section(
        "adaptation_selection", "Which covariates, where", to_plain(data), (finding, *more), figures
    )


def _space_section(selection: Selection, summary: EnvironmentSummary) -> Section:
    records = selection.to_frame()
    outside = records.loc[records["outside"], "environment"].tolist()
    data = {
        "n_training": len(summary.training),
        "n_summaries": len(summary.names),
        "outside": outside,
        "environments": records[
            ["environment", "n_rows", "pvalue_outside", "outside", "fallback"]
        ].to_dict("records"),
        "summaries": summary.to_dict()["records"],
    }
    if outside:
        finding = f"Outside the training range: {join_names(outside, 8)}; predictions extrapolate."
    else:
        finding = "Every environment lies within the range of the training environments."
    figures = {"space": figure_to_svg(summary.plot)}
    return Section(
        "adaptation_space", "Are such environments known", to_plain(data), (finding,), figures
    )


def _shift_section(shift: ShiftExplanation) -> Section:
    frame = shift.to_frame()
    shown = frame.groupby("environment", sort=False).head(MOST_DEVIATIONS)
    largest = frame.iloc[int(frame["prediction_effect"].to_numpy().argmax())]
    data = {
        "deviations": frame.to_dict("records"),
        "shown": shown.to_dict("records"),
        "n_each": MOST_DEVIATIONS,
    }
    findings: tuple[str, ...] = ()
    if largest["prediction_effect"] > 0:
        findings = (
            f"What moves predictions most is {largest['summary']} in {largest['environment']}: "
            f"{number_text(float(largest['deviation']))} standard deviations from the mean of the "
            "training environments.",
        )
    figures = {"shift": figure_to_svg(shift.plot)}
    return Section("adaptation_shift", "What is unusual", to_plain(data), findings, figures)
