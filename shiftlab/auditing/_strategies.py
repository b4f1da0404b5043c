"""One door to every manipulation strategy, for auditors who test their own procedure."""

from collections.abc import Callable
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer, check_option
from shiftlab._core.random import RandomState, as_generator
from shiftlab.auditing._entropic_rows import check_target
from shiftlab.auditing._strategies_data import Manipulated, Source
from shiftlab.auditing._strategies_moving import gradient, match, replace_decisions
from shiftlab.auditing._strategies_result import ManipulatedSample
from shiftlab.auditing._strategies_sampling import (
    Draw,
    case_control_shares,
    draw_rows,
    entropic_shares,
    optimal_counts,
)
from shiftlab.auditing._strategies_stealth import stealthy_shares
from shiftlab.exceptions import InputError

__all__ = ["STRATEGIES", "manipulate"]

MOVING = ("replace", "match", "gradient", "gradient_columns")
SAMPLING = ("entropic", "stealthy", "case_control", "optimal")
#: Every strategy by name.
STRATEGIES = (*MOVING, *SAMPLING)


def manipulate(
    data: Any,
    target: float = 0.8,
    *,
    strategy: str,
    decision: str,
    sensitive_features: Any,
    n_samples: int | None = None,
    model: Any = None,
    pos_label: Any = None,
    scale: str = "standard",
    n_tries: int = 1,
    accept: Callable[[Any], bool] | None = None,
    random_state: RandomState = None,
) -> ManipulatedSample:
    """Make a sample that looks fair from data that are not, the way a dishonest auditee would.

    Use it to try an audit procedure. Every result is stamped as synthetic.

    Parameters
    ----------
    data : table of shape (n_rows, k)
        Covariates, decision and sensitive features.
    target : float, default 0.8
        Ratio of the lowest to the highest selection rate that the sample should show.
    strategy : str
        Strategies that change rows. "replace": other decision or group, as few rows as possible.
        "match": rows become their nearest rows in another group or with another decision.
        "gradient": rows cross the decision boundary of `model`. "gradient_columns": the same, and
        every column keeps to its observed values. Strategies that pick genuine rows. "entropic":
        cells reweighted at the smallest divergence. "case_control": shares of groups and of
        favourable decisions kept, rates drawn together. "stealthy": the same shares, rows chosen
        so that the covariates hardly move. "optimal": the counts of the cells chosen, not drawn,
        so that tests on the cells see as little as possible.
    decision : str
        Column with the decision.
    sensitive_features : str or sequence of str
        Columns with the sensitive features; the groups of several are their intersections.
    n_samples : int, optional
        Size of the sample that is handed in. Strategies that pick rows need it; the others draw
        from the manipulated rows, or return all of them without it.
    model : object, optional
        What decides, for the gradient strategies; see `wasserstein_projection`. It is asked with
        the columns that it was fitted on, or, if it does not name them, with all but the decision
        and the sensitive features.
    pos_label : object, optional
        The favourable decision; 1 by default.
    scale : {"standard", "none"}, default "standard"
        Whether numeric columns are divided by their standard deviation before distances are taken.
    n_tries : int, default 1
        Samples drawn at most; the first that reaches the target and is accepted is handed in.
    accept : callable, optional
        Gets the table of a sample and tells whether the auditee would dare to hand it in, for
        instance because it passes the tests that the auditor is known to use.
    random_state : int, SeedSequence, Generator or None, default None
        Seed.

    Returns
    -------
    ManipulatedSample

    Raises
    ------
    ColumnNotFoundError
        If a named column does not exist.
    InputError
        If the target is not in (0, 1] or cannot be reached, a label is missing, or the sample is
        larger than the strategy can make.
    DegenerateDataError
        If a group has no rows or no decision is favourable.

    References
    ----------
    Lafargue et al. (2025), Exposing the illusion of fairness, arXiv 2507.20708. Fukuchi, Hara,
    Maehara (2020), Faking fairness via stealthily biased sampling, AAAI 34.

    Examples
    --------
    >>> from shiftlab.auditing import manipulate
    >>> from shiftlab.datasets import load_lending
    >>> loans = load_lending().frame
    >>> sample = manipulate(
    ...     loans, strategy="entropic", decision="approved", sensitive_features="sex",
    ...     n_samples=200, random_state=0,
    ... )
    >>> sample.stamp["synthetic"], len(sample.rows), bool(sample.changed.any())
    (True, 200, False)
    """
    check_option(strategy, STRATEGIES, "strategy")
    goal = check_target(target)
    source = Source.read(data, decision, sensitive_features, scale, pos_label)
    tries = check_integer(n_tries, "n_tries")
    if n_samples is not None:
        n_samples = check_integer(n_samples, "n_samples")
        if n_samples > source.n_rows:
            raise InputError(f"n_samples is {n_samples}, but data has {source.n_rows} rows.")
    rng = as_generator(random_state)
    draw_once = _drawer(source, strategy, goal, n_samples, model, rng)
    sample, attempt, accepted = _hand_in(source, draw_once, goal, tries, accept)
    before = source.counts.reshape(-1, 2)
    after = _counts(source, sample)
    return ManipulatedSample(
        data=sample.data,
        rows=sample.rows,
        changed=sample.changed,
        strategy=strategy,
        target=goal,
        value_before=_ratio(before),
        value_after=_ratio(after),
        groups=source.decisions.groups,
        counts_before=before,
        counts_after=after,
        cost=sample.cost,
        cost_name=sample.cost_name,
        n_tries=attempt,
        accepted=accepted,
        stamp={
            "synthetic": True,
            "what": "synthetic manipulation made by shiftlab to test an audit procedure",
            "strategy": strategy,
            "target": goal,
        },
    )


def _hand_in(
    source: Source,
    draw_once: Callable[[], Manipulated],
    target: float,
    n_tries: int,
    accept: Callable[[Any], bool] | None,
) -> tuple[Manipulated, int, bool]:
    """Draw until a sample reaches the target and is accepted; else return the last."""
    attempt = 0
    while True:
        sample, attempt = draw_once(), attempt + 1
        reached = _ratio(_counts(source, sample)) >= target - 1e-12
        accepted = reached and (accept is None or bool(accept(sample.data)))
        if accepted or attempt == n_tries:
            return sample, attempt, accepted


def _drawer(
    source: Source,
    strategy: str,
    target: float,
    n_samples: int | None,
    model: Any,
    rng: np.random.Generator,
) -> Callable[[], Manipulated]:
    """Manipulate once, and return what draws samples from the manipulated rows."""
    if model is not None and not strategy.startswith("gradient"):
        raise InputError(f"model is not used by strategy={strategy!r}.")
    if strategy in MOVING:
        manipulated = _move(source, strategy, target, model, rng)
        if n_samples is None:
            return lambda: manipulated
        return lambda: manipulated.take(rng.choice(source.n_rows, n_samples, replace=False))
    if n_samples is None:
        raise InputError(f"strategy={strategy!r} picks rows: say how many with n_samples.")
    draw = _shares(source, strategy, target, n_samples)
    untouched = Manipulated(
        np.arange(source.n_rows),
        np.zeros(source.n_rows, dtype=bool),
        source.codes,
        source.selected,
        draw.cost,
        draw.cost_name,
        source.data,
    )
    return lambda: untouched.take(draw_rows(source, draw, n_samples, rng))


def _move(
    source: Source, strategy: str, target: float, model: Any, rng: np.random.Generator
) -> Manipulated:
    if strategy == "replace":
        return replace_decisions(source, target, rng)
    if strategy == "match":
        return match(source, target)
    return gradient(source, target, model, on_columns=strategy == "gradient_columns")


def _shares(source: Source, strategy: str, target: float, n_samples: int) -> Draw:
    if strategy == "entropic":
        return entropic_shares(source, target)
    if strategy == "optimal":
        return optimal_counts(source, target, n_samples)
    base = case_control_shares(source, target)
    return stealthy_shares(source, base, n_samples) if strategy == "stealthy" else base


def _counts(source: Source, sample: Manipulated) -> np.ndarray:
    counts = np.zeros((len(source.decisions.groups), 2), dtype=np.intp)
    np.add.at(counts, (sample.codes, sample.selected), 1)
    return counts


def _ratio(counts: np.ndarray) -> float:
    sizes = counts.sum(axis=1)
    rates = np.divide(counts[:, 1], sizes, out=np.zeros(len(counts)), where=sizes > 0)
    return float(rates.min() / rates.max()) if rates.max() > 0 else 0.0
