"""How much of a model's loss of accuracy elsewhere is covariate shift, how much concept shift."""

from typing import Any

import numpy as np

from shiftlab._core.parallel import seeded_map
from shiftlab._core.progress import Progress
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab._core.validation import check_fraction, check_integer
from shiftlab.divergence._decomposition_inputs import (
    Inputs,
    Sample,
    draw_sample,
    read_inputs,
    sample_notes,
)
from shiftlab.divergence._decomposition_result import (
    EnvironmentLoss,
    ShiftDecomposition,
    sort_by_total,
)
from shiftlab.divergence._decomposition_steps import (
    Group,
    Settings,
    constant_loss,
    deal_groups,
    examine,
    home_losses,
)

__all__ = ["shift_decomposition"]


def shift_decomposition(
    table: Any,
    environment: Any,
    *,
    outcome: str,
    estimator: Any = None,
    task: str = "auto",
    reference: Any = None,
    exclude: Any = None,
    n_folds: int = 3,
    max_rows: int | None = 30_000,
    min_overlap: float = 0.05,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = False,
) -> ShiftDecomposition:
    """Split the change of a model's loss between environments into covariate and concept parts.

    For each environment ("here") a model is trained elsewhere ("home": all other environments, or
    `reference`), and its loss here is compared with its loss on held-out rows at home. The
    difference is the sum of three parts, taken through the covariates that home and here share:

    - `covariate_home`: the shared covariates are harder (or easier) than those at home;
    - `concept`: at equal covariates the outcome behaves differently here;
    - `covariate_here`: here there are covariates that home hardly has, harder (or easier) ones.

    A large concept part calls for new labels or new columns, a large covariate part for rows of
    the kind that home lacks or for reweighting.

    Parameters
    ----------
    table : data frame, mapping of columns, or Table of shape (n_rows, n_columns)
        Columns that are neither outcome, environment nor excluded are covariates; they may have
        missing cells and labels.
    environment : str, sequence of str, or array of shape (n_rows,)
        Column(s) or labels; at least two environments.
    outcome : str
        Column to predict. Rows without it are set aside and counted in the result.
    estimator : scikit-learn estimator, optional
        Fitted on standardised numbers, indicators of missing cells and of the 20 most frequent
        labels of each column. By default gradient boosted trees on the columns themselves (labels
        beyond the 100 most frequent of a column pooled).
    task : {"auto", "regression", "classification"}, default "auto"
        Regression is judged by squared error; classification by the Brier score (the squared error
        of the predicted probabilities: proper like the log loss, but bounded, so that intervals
        hold in small samples and one overconfident prediction does not decide). "auto" classifies
        labels, booleans and numbers with two values, unless `estimator` says otherwise.
    reference : label, optional
        The one home environment. It gets no row of its own in the result.
    exclude : str or sequence of str, optional
        Columns that are no covariates, for instance identifiers.
    n_folds : int, default 3
        Folds of every cross-fitted model.
    max_rows : int or None, default 30000
        Rows used in total, drawn at random in proportion to the environments, of which none is cut
        below 300 rows (or its equal share). None uses all.
    min_overlap : float, default 0.05
        Below this overlap (1: covariates distributed alike, 0: disjoint) the three parts are NaN;
        likewise below 30 effective rows on the shared covariates, on either side.
    confidence_level : float, default 0.95
        Of each interval by itself.
    random_state : None, int, SeedSequence, Generator or RandomState
        Seeds the draw of rows, the folds, and estimators whose `random_state` is None. With equal
        seeds the result depends neither on the order of the rows nor on the environments' names.
    n_jobs : int, optional
        Workers, as in joblib; the result does not depend on it.
    progress : bool or callable, default False
        As in `shiftlab`'s other long computations: True draws bars.

    Returns
    -------
    ShiftDecomposition

    Raises
    ------
    InputError
        If an argument is not as described, or no covariate is left.
    DegenerateDataError
        If the outcome is constant, is known in fewer than two environments, or home has fewer than
        50 rows.

    Notes
    -----
    Environments with fewer than 50 rows get their loss, but no parts; below 300 rows on either side
    the intervals of the parts are too narrow, which is noted. With more than 20
    environments they are put into 20 groups, and home is what lies outside the group.

    The paper weights the losses by a domain classifier. Here the weights are completed by models
    of the expected loss at home and here, all cross-fitted, in the efficient influence function of
    the three parts: errors of the classifier and of the loss models then enter as products and
    squares only (``tests/calibration`` measures the coverage that follows). The concept part
    becomes Robinson's coefficient of the loss on the domain given the covariates.
    Classifier and loss models each combine boosted trees and a regression on numbers, their
    squares and labels.

    Intervals take rows as independent draws from their environment and the home models as given:
    they are too narrow for autocorrelated rows, and say nothing about environments not seen.

    References
    ----------
    T. T. Cai, H. Namkoong and S. Yadlowsky (2023), "Diagnosing model performance under distribution
    shift", arXiv:2303.02011, equations of section 2. F. Li, K. L. Morgan and A. M. Zaslavsky
    (2018), "Balancing covariates via propensity score weighting", JASA 113, 390-400. P. M. Robinson
    (1988), "Root-N-consistent semiparametric regression", Econometrica 56, 931-954.

    Examples
    --------
    At site "b" the sign of the effect of x has changed, at "c" x is larger:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from shiftlab.divergence import shift_decomposition
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b", "c"], 300)
    >>> x = rng.normal(size=900) + (site == "c")
    >>> y = np.where(site == "b", -x, x) + rng.normal(size=900)
    >>> result = shift_decomposition(
    ...     {"x": x, "y": y, "site": site}, "site", outcome="y", reference="a",
    ...     estimator=LinearRegression(), random_state=0,
    ... )
    >>> [item.environment for item in result.environments]
    ['b', 'c']
    >>> result.environments[0].concept.low > 2
    True
    """
    settings = _settings(n_folds, min_overlap, confidence_level)
    if max_rows is not None:
        check_integer(max_rows, "max_rows", minimum=200)
    inputs = read_inputs(table, outcome, environment, exclude, estimator, task)
    code = None if reference is None else inputs.labels.index(reference)
    seeds = spawn_seeds(random_state, 3)
    sample = draw_sample(inputs, estimator, max_rows, seeds[0])
    groups = deal_groups(sample.position, sample.locate(code), n_folds, seeds[1])
    work = {"n_jobs": n_jobs, "progress": progress}
    environments = _examine_all(inputs, sample, groups, settings, seeds[2], work)
    return ShiftDecomposition(
        environment=inputs.labels.name,
        outcome=outcome,
        task=inputs.task,
        loss="Brier score" if sample.problem.n_classes else "squared error",
        reference=None if code is None else inputs.labels.categories[code],
        loss_constant=constant_loss(sample.problem, np.arange(len(sample.position))),
        confidence_level=settings.confidence_level,
        n_rows=inputs.n_rows,
        n_used=len(sample.position),
        n_without_outcome=inputs.n_rows - inputs.covariates.n_rows,
        covariates=inputs.covariates.names,
        environments=sort_by_total(environments),
        notes=tuple(sample_notes(inputs, sample, len(groups), reference)),
    )


def _examine_all(
    inputs: Inputs,
    sample: Sample,
    groups: list[Group],
    settings: Settings,
    seed: np.random.SeedSequence,
    work: dict[str, Any],
) -> list[EnvironmentLoss]:
    """Fit the home models, then look at the environments one by one."""
    problem, position = sample.problem, sample.position
    seeds = spawn_seeds(seed, 2)
    losses = home_losses(problem, groups, position, seeds[0], **work)
    pairs = [(i, member) for i, group in enumerate(groups) for member in group.members]
    tasks = [
        (problem, groups[i], np.flatnonzero(position == member), losses[i], settings)
        for i, member in pairs
    ]
    found = seeded_map(examine, tasks, random_state=seeds[1], description="environments", **work)
    codes = [int(sample.environments[member]) for _, member in pairs]
    return [
        EnvironmentLoss(
            environment=inputs.labels.categories[code],
            n_without_outcome=int(inputs.n_without_outcome[code]),
            **fields,
        )
        for code, fields in zip(codes, found, strict=True)
    ]


def _settings(n_folds: int, min_overlap: float, confidence_level: float) -> Settings:
    return Settings(
        check_integer(n_folds, "n_folds", minimum=2),
        check_fraction(min_overlap, "min_overlap"),
        check_fraction(confidence_level, "confidence_level"),
    )
