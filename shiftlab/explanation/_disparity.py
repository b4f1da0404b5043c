"""Are explanations equally faithful to every group? Gaps, intervals, tests, a noise floor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from shiftlab._core.checks import check_fraction, check_integer, check_option
from shiftlab._core.random import RandomState, as_seed_sequence
from shiftlab._core.results import Result, to_plain
from shiftlab._core.validation import Labels, check_weights
from shiftlab.exceptions import InputError, SmallSampleWarning
from shiftlab.explanation._disparity_tables import DisparityTables, build_tables
from shiftlab.explanation._explanation import Explanation
from shiftlab.explanation._fidelity_inputs import check_metrics, read_fidelity
from shiftlab.explanation._fidelity_metrics import metric_info
from shiftlab.explanation._inference import block_codes, permute, resample

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ExplanationDisparity", "explanation_disparity"]

ADJUSTMENTS = ("holm", "max-t", "none")
#: Below these numbers of blocks and of rows in a group, intervals are rough.
FEW_BLOCKS, FEW_ROWS = 25, 10


@dataclass(frozen=True, eq=False)
class ExplanationDisparity(Result):
    """Fidelity of explanations by group, compared with inference.

    Attributes
    ----------
    groups : pandas.DataFrame
        ``metric, group, n, value, low, high``; the group None holds everybody.
    pairs : pandas.DataFrame
        ``metric, group, reference, difference, se, low, high, pvalue, pvalue_adjusted, margin,
        equivalence_pvalue``: value of the group minus that of the reference, signed.
    gaps : pandas.DataFrame
        ``metric, kind, value, low, high, null_mean, null_high, excess, pvalue, group,
        n_undefined``: absolute gaps beside what they would be without any disparity, which is not
        0. ``excess`` is the value minus ``null_mean``.
    name : str
        The sensitive features.
    method : str
        Explainer.
    n_blocks : int
        Blocks that were resampled; 0 if rows are independent.
    confidence_level : float
        Coverage of each interval.
    adjust : str
        Correction of p-values over all metrics and pairs.
    n_resamples : int
        Permutations, and bootstrap resamples.
    """

    groups: "pd.DataFrame"
    pairs: "pd.DataFrame"
    gaps: "pd.DataFrame"
    name: str
    method: str
    n_blocks: int
    confidence_level: float
    adjust: str
    n_resamples: int

    def __repr__(self) -> str:
        lines = [f"ExplanationDisparity by {self.name}, {self.method}"]
        for row in self.pairs.head(12).itertuples():
            lines.append(
                f"  {row.metric}: {row.group} - {row.reference} = {row.difference:+.4g} "
                f"[{row.low:+.4g}, {row.high:+.4g}], p = {row.pvalue_adjusted:.3g}"
            )
        if len(self.pairs) > 12:
            lines.append(f"  and {len(self.pairs) - 12} more pairs")
        return "\n".join(lines)

    def to_frame(self) -> "pd.DataFrame":
        """Return the signed differences of all pairs of groups."""
        return self.pairs.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as lists of records, and the settings."""
        tables = {
            key: [to_plain(record) for record in getattr(self, key).to_dict("records")]
            for key in ("groups", "pairs", "gaps")
        }
        names = ("name", "method", "n_blocks", "confidence_level", "adjust", "n_resamples")
        return {**tables, **{key: to_plain(getattr(self, key)) for key in names}}

    def plot(self, ax: "Axes | None" = None, *, metric: str | None = None) -> "Axes":
        """Draw the fidelity of each group with its interval.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure is made without it.
        metric : str, optional
            Which metric; the first one by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InputError
            If the metric was not computed.
        """
        from shiftlab.explanation._disparity_plots import plot_groups

        known = list(self.groups["metric"].unique())
        return plot_groups(self, check_option(metric or known[0], known, "metric"), ax)


def explanation_disparity(
    explanation: Any,
    sensitive_features: Any,
    *,
    prediction: Any = None,
    metrics: Sequence[str] | None = None,
    scores: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
    sample_weight: Any = None,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    adjust: str = "holm",
    equivalence_margin: float | Mapping[str, float] | None = None,
    random_state: RandomState = None,
) -> ExplanationDisparity:
    """Compare the fidelity of explanations between groups, with intervals and tests.

    Parameters
    ----------
    explanation : Explanation or array of shape (n_rows,)
        The explanations, or only what the surrogate says at each row. Only an `Explanation` knows
        which rows share random draws; without it rows count as independent.
    sensitive_features : array of shape (n_rows,) or (n_rows, k), or frame
        Groups; several features make intersectional groups.
    prediction : array of shape (n_rows,), optional
        What the black box says at each row; needed where an `Explanation` is not given.
    metrics : sequence of str, optional
        See `group_fidelity`. Metrics can disagree in sign: look at several.
    scores : mapping of str to array of shape (n_rows,), optional
        Further measures, one number per row.
    threshold : float, default 0.5
        From here on a prediction is a positive label.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows.
    n_resamples : int, default 999
        Bootstrap resamples and permutations.
    confidence_level : float, default 0.95
        Coverage of each interval.
    adjust : {"holm", "max-t", "none"}, default "holm"
        Correction of p-values over all metrics and pairs of groups. "max-t" uses how they depend on
        each other and rejects more.
    equivalence_margin : float or mapping of str to float, optional
        For all metrics or by metric: differences below it do not matter. Adds the p-value of the
        hypothesis that the difference is at least that large; a small one certifies its absence.
    random_state : int, SeedSequence, Generator or None, default None
        Seed of resamples and permutations.

    Returns
    -------
    ExplanationDisparity

    Raises
    ------
    InputError
        If lengths differ, a value is missing, there is one group only, or an option is unknown.

    Notes
    -----
    The target is this model explained by this explainer, over the population of the rows; see
    `refit_disparity` for the target "this pipeline". Standard errors are the larger one of two:
    from resampling blocks of rows that share random draws, and from resampling rows within groups;
    intervals use the t distribution of the number of blocks. p-values come from permuting labels
    within blocks, ``(1 + #) / (1 + n_resamples)``, of the difference divided by its standard error,
    which is calculated in the same way for permuted labels.
    A gap is no verdict on fairness: it says for whom the explanation says less about the model.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.explanation import LimeExplainer, explanation_disparity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2))
    >>> sex = np.where(rng.random(600) < 0.5, "f", "m")
    >>> explainer = LimeExplainer(n_samples=200, random_state=0).fit(X)
    >>> explanation = explainer.explain(lambda X: 1 / (1 + np.exp(-3 * X[:, 0])), X)
    >>> found = explanation_disparity(explanation, sex, metrics=["mae"], random_state=0)
    >>> bool(found.pairs["pvalue"][0] > 0.05)
    True
    """
    n_resamples = check_integer(n_resamples, "n_resamples", minimum=19)
    check_fraction(confidence_level, "confidence_level")
    check_option(adjust, ADJUSTMENTS, "adjust")
    data, groups = read_fidelity(
        explanation, sensitive_features, prediction, scores=scores, threshold=threshold
    )
    if len(groups) < 2:
        raise InputError(
            f"sensitive_features: {groups.name!r} has a single group; there is nothing to compare."
        )
    chosen = check_metrics(metrics, explanation, data)
    weights = check_weights(sample_weight, len(data.codes))
    weights = np.ones(len(data.codes)) if weights is None else weights
    is_explanation = isinstance(explanation, Explanation)
    blocks = block_codes(explanation.block) if is_explanation else None
    n_blocks = 0 if blocks is None else int(blocks.max()) + 1
    _warn_few(groups, n_blocks, blocks is not None)
    boot, perm = as_seed_sequence(random_state).spawn(2)
    spread = resample(chosen, data, weights, blocks, n_resamples, np.random.default_rng(boot))
    permuted = permute(chosen, data, weights, blocks, n_resamples, np.random.default_rng(perm))
    margins = _margins(equivalence_margin, chosen)
    better = {m: metric_info(m, data.scores).higher_is_better for m in chosen}
    tables = build_tables(
        DisparityTables(
            groups, spread, permuted, better, n_blocks, confidence_level, adjust, margins
        )
    )
    return ExplanationDisparity(
        *tables,
        groups.name,
        explanation.method if is_explanation else "surrogate",
        n_blocks,
        confidence_level,
        adjust,
        n_resamples,
    )


def _margins(
    margin: float | Mapping[str, float] | None, metrics: Sequence[str]
) -> dict[str, float]:
    given = margin if isinstance(margin, Mapping) else dict.fromkeys(metrics, margin)
    unknown = [name for name in given if name not in metrics]
    if unknown:
        raise InputError(f"equivalence_margin names {unknown[0]!r}, which is not computed.")
    for value in given.values():
        if value is not None and not value > 0:
            raise InputError(f"equivalence_margin must be positive, found {value!r}.")
    return {name: np.nan if given.get(name) is None else float(given[name]) for name in metrics}  # type: ignore[arg-type]


def _warn_few(groups: Labels, n_blocks: int, has_blocks: bool) -> None:
    if has_blocks and n_blocks < FEW_BLOCKS:
        warn(
            f"Only {n_blocks} block(s) of rows with draws of their own: intervals and tests are "
            f"rough. Use n_blocks={FEW_BLOCKS} or more, and enough rows to fill them.",
            SmallSampleWarning,
            stacklevel=3,
        )
    small = int((groups.counts < FEW_ROWS).sum())
    if small:
        warn(
            f"{small} of {len(groups)} groups have fewer than {FEW_ROWS} rows; their intervals are "
            "rough.",
            SmallSampleWarning,
            stacklevel=3,
        )
    if len(groups) > FEW_ROWS:
        n_pairs = len(list(combinations(range(len(groups)), 2)))
        warn(
            f"{len(groups)} groups make {n_pairs} pairs per metric; after correction only large "
            "differences can be found. Consider fewer groups.",
            SmallSampleWarning,
            stacklevel=3,
        )
