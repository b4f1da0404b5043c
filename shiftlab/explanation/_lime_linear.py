"""LIME around the row for linear models: the surrogate is a smooth function of the margin alone.

A perturbation moves the margin m of a row by an amount u that is the same for every row of a block
(with the same categories). The responses are therefore link(m + u), and slopes, fit and error are
analytic functions of m. They are evaluated at Chebyshev nodes of intervals of fixed width and
interpolated: the work does not grow with the number of rows, and the result of a row does not
depend on the others. The nearest singularities of the logistic function lie at distance pi from
the real line, which makes the interpolation exact to about 1e-9.
"""

from functools import cache

import numpy as np

from shiftlab.explanation._lime_around import (
    Draws,
    by_pattern,
    in_row_order,
    make_draws,
    per_unit,
    regression_of,
)
from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._lime_regression import LocalFit, LocalRegression
from shiftlab.explanation._lime_settings import LimeSettings
from shiftlab.explanation._models_linear import LinearForm

__all__ = ["explain_linear"]

#: Width of an interval of margins, its nodes, and those for the variance, which needs no digits.
WIDTH, N_NODES, N_VARIANCE_NODES = 8.0, 28, 12


def explain_linear(
    form: LinearForm,
    settings: LimeSettings,
    reference: Reference,
    rows: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[LocalFit, float]:
    """Explain the rows of one block; the same draws and the same result as by queries."""
    draws = make_draws(settings, reference, seed)
    margin = form.margin(rows, reference)
    parts: list[tuple[np.ndarray, LocalFit]] = []
    effective = np.inf
    for members in by_pattern(rows, draws.categories):
        regression = regression_of(draws, settings, reference, rows[members[0]])
        effective = min(effective, regression.effective_samples)
        moves = _moves(form, draws, settings, reference, rows[members[0]])
        if not form.logistic:
            parts.append((members, _fit_identity(regression, moves, margin[members], settings)))
            continue
        interval = np.floor(margin[members] / WIDTH)
        for value in np.unique(interval):
            chosen = members[interval == value]
            fit = _fit_interval(regression, moves, margin[chosen], value * WIDTH, settings)
            parts.append((chosen, fit))
    return per_unit(in_row_order(parts), settings.scale, len(draws.numbers)), effective


def _moves(
    form: LinearForm,
    draws: Draws,
    settings: LimeSettings,
    reference: Reference,
    row: np.ndarray,
) -> np.ndarray:
    """Return how far each perturbation moves the margin; 0 for the row itself."""
    slopes = form.coef[draws.numbers] * reference.scale[draws.numbers] * settings.scale
    moves = draws.z @ slopes
    for k, j in enumerate(draws.categories):
        levels, table = reference.levels[j], form.tables[j]
        own = table[np.searchsorted(levels, row[j])]
        moves[1:] += table[np.searchsorted(levels, draws.labels[1:, k])] - own
    return moves


def _fit_identity(
    regression: LocalRegression, moves: np.ndarray, margin: np.ndarray, settings: LimeSettings
) -> LocalFit:
    one = regression.fit(moves[None, :], with_variance=settings.standard_errors)
    n = len(margin)
    return LocalFit(
        np.repeat(one.coef, n, axis=0),
        one.centre + margin,
        np.repeat(one.total, n),
        np.repeat(one.residual, n),
        np.repeat(one.variance, n, axis=0),
        one.quadratic + margin,
    )


def _fit_interval(
    regression: LocalRegression,
    moves: np.ndarray,
    margin: np.ndarray,
    start: float,
    settings: LimeSettings,
) -> LocalFit:
    from scipy.special import expit

    with_variance = settings.standard_errors
    if len(margin) <= N_NODES:
        return regression.fit(expit(margin[:, None] + moves), with_variance=with_variance)
    position = 2 * (margin - start) / WIDTH - 1
    nodes, _ = _chebyshev(N_NODES)
    at = start + WIDTH * (nodes + 1) / 2
    fit = regression.fit(expit(at[:, None] + moves), with_variance=False)
    table = np.column_stack([fit.coef, fit.centre, fit.total, fit.residual, fit.quadratic])
    found = _interpolation(position, N_NODES) @ table
    variance = np.full(fit.coef[:1].shape, np.nan).repeat(len(margin), axis=0)
    if with_variance:
        few, _ = _chebyshev(N_VARIANCE_NODES)
        at = start + WIDTH * (few + 1) / 2
        there = regression.fit(expit(at[:, None] + moves), with_variance=True).variance
        variance = np.maximum(_interpolation(position, N_VARIANCE_NODES) @ there, 0.0)
    p = fit.coef.shape[1]
    total, residual = np.maximum(found[:, p + 1], 0), np.maximum(found[:, p + 2], 0)
    return LocalFit(found[:, :p], found[:, p], total, residual, variance, found[:, p + 3])


@cache
def _chebyshev(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of the first kind on [-1, 1] and their barycentric weights."""
    angles = (2 * np.arange(n) + 1) * np.pi / (2 * n)
    return np.cos(angles), (-1.0) ** np.arange(n) * np.sin(angles)


def _interpolation(position: np.ndarray, n: int) -> np.ndarray:
    """Return the matrix that takes values at the nodes to values at the positions."""
    nodes, weights = _chebyshev(n)
    distance = position[:, None] - nodes
    exact = distance == 0
    distance[exact] = 1.0
    terms = weights / distance
    on_node = exact.any(axis=1)
    terms[on_node] = exact[on_node]
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))
