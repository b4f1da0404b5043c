"""Section on environments: how far apart each two are, beside what chance alone would give."""

from typing import TYPE_CHECKING, Any

from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import spawn_seeds
from shiftlab._core.results import to_plain
from shiftlab.reporting._options import CORRECTIONS, ReportOptions
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, figure_to_svg, number_text

if TYPE_CHECKING:
    from shiftlab._core.frames import Table
    from shiftlab.divergence import EnvironmentDistances

__all__ = ["distances_section"]

#: What each measure compares, in the order of the report; the first that applies is the headline.
MEASURES = {
    "energy": "Energy distance: rows as a whole, numbers and categories together",
    "mmd": "Maximum mean discrepancy (Gaussian kernel): rows as a whole",
    "wasserstein": "Wasserstein distance: numbers and dates, column by column",
    "total_variation": "Total variation: categories, column by column",
}
#: Pairs listed in the document, farthest first, and the largest matrix written out in it.
MAX_PAIRS, MAX_MATRIX = 200, 100
#: With more environments only the headline is drawn: a heat map of them all is a large picture.
MAX_DRAWN = 150


def distances_section(
    prepared: Prepared, settings: ReportOptions, progress: Progress = False
) -> Section:
    """Measure the distance between each two environments by every measure that applies.

    Parameters
    ----------
    prepared : Prepared
        The table as understood; covariates are compared.
    settings : ReportOptions
        Options of the report.
    progress : bool or callable, default False
        Who is told about finished steps.

    Returns
    -------
    Section
    """
    table = prepared.table.select(prepared.covariates)
    seeds = spawn_seeds(settings.random_state, len(MEASURES))
    tasks = [
        (table, prepared.environment, metric, settings, seed)
        for metric, seed in zip(MEASURES, seeds, strict=True)
        if _applies(metric, table)
    ]
    results = parallel_map(
        _measure, tasks, n_jobs=settings.n_jobs, progress=progress, description="measure"
    )
    measures = [_describe(result) for result in results]
    data = {
        "environment": prepared.environment.name,
        "n_resamples": settings.n_resamples,
        "alpha": settings.alpha,
        "measures": measures,
    }
    drawn = results if len(prepared.environment) <= MAX_DRAWN else results[:1]
    figures = {result.metric: figure_to_svg(result.plot) for result in drawn}
    return Section(
        "distances", "How far apart are the environments", to_plain(data), _findings(data), figures
    )


def _applies(metric: str, table: "Table") -> bool:
    if metric == "wasserstein":
        return any(column.is_number for column in table)
    if metric == "total_variation":
        return any(not column.is_number for column in table)
    return True


def _measure(
    table: "Table", environment: Any, metric: str, settings: ReportOptions, seed: Any
) -> "EnvironmentDistances":
    from shiftlab.divergence import environment_distances

    return environment_distances(
        table,
        environment,
        metric=metric,
        n_resamples=settings.n_resamples,
        alpha=settings.alpha,
        random_state=seed,
    )


def _describe(result: "EnvironmentDistances") -> dict[str, Any]:
    frame = result.to_frame()
    # The excess over the noise floor ranks: between small environments large distances are noise.
    frame = frame.assign(different=frame["pvalue_adjusted"] <= result.alpha)
    frame = frame.sort_values(["different", "excess"], ascending=False, kind="stable")
    pairs = frame.head(MAX_PAIRS).to_dict("records")
    for pair in pairs:
        pair["environment_a"] = str(pair["environment_a"])
        pair["environment_b"] = str(pair["environment_b"])
    tested = frame["pvalue_adjusted"].notna()
    return {
        "metric": result.metric,
        "description": MEASURES[result.metric],
        "null": result.null,
        "max_rows": result.max_rows,
        "correction_name": CORRECTIONS[result.correction],
        "columns": list(result.columns),
        "environments": [str(label) for label in result.environments],
        "n_pairs": len(frame),
        "n_tested": int(tested.sum()),
        "n_different": int(frame["different"].sum()),
        "median_distance": float(frame["distance"].median()),
        "median_noise_95": float(frame["noise_95"].median()),
        "pairs": pairs,
        "matrix": _matrix(result),
        "notes": list(result.notes),
    }


def _matrix(result: "EnvironmentDistances") -> list[list[float]] | None:
    """Return the whole matrix if it is small enough to be read by somebody."""
    if len(result.environments) > MAX_MATRIX:
        return None
    return result.distances.tolist()


def _findings(data: dict[str, Any]) -> tuple[str, ...]:
    headline = data["measures"][0]
    if not headline["n_tested"]:
        return ("No two environments have rows enough to test the distance between them.",)
    far = headline["pairs"][0]
    text = (
        f"{headline['n_different']:,} of the {headline['n_tested']:,} pairs of environments differ "
        f"by more than chance ({headline['metric']} distance, adjusted by "
        f"{headline['correction_name']})"
    )
    if not far["different"]:
        return (f"{text}.",)
    return (
        f"{text}. Farthest apart are {far['environment_a']} and {far['environment_b']}: "
        f"{number_text(far['distance'])}, where chance alone stays below "
        f"{number_text(far['noise_95'])} in 95% of cases.",
    )
