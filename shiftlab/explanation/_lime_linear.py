"""LIME around the row for linear models: the surrogate is a smooth function of the margin alone.

A perturbation moves the margin m of a row by an amount u that is the same for every row of a block
(with the same categories). The responses are therefore link(m + u), and slopes, fit and error are
analytic functions of m and sums over u. The sums move to Chebyshev nodes of intervals of fixed
width once per block; many margins are interpolated in the same way. The work hardly grows with the
number of rows, and the result of a row does not depend on the others. The nearest singularities of
the logistic function lie at distance pi from the real line, which makes the interpolation exact to
about 1e-9.
"""

from collections.abc import Callable
from dataclasses import replace
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
#: The same for the moves of the perturbations.
NARROW, N_NARROW_NODES = 4.0, 20
#: Up to so many rows are evaluated one by one.
FEW_ROWS = 128


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
    mirrored = settings.n_pairs > 0 and not draws.categories
    parts: list[tuple[np.ndarray, LocalFit]] = []
    effective = np.inf
    for members in by_pattern(rows, draws):
        regression = regression_of(draws, settings, reference, rows[members[0]])
        effective = min(effective, regression.effective_samples)
        moves = _moves(form, draws, settings, reference, rows[members[0]])
        if not form.logistic:
            parts.append((members, _fit_identity(regression, moves, margin[members], settings)))
            continue
        fit = _fit_logistic(regression, moves, margin[members], settings, mirrored)
        parts.append((members, fit))
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


def _fit_logistic(
    regression: LocalRegression,
    moves: np.ndarray,
    margin: np.ndarray,
    settings: LimeSettings,
    mirrored: bool,
) -> LocalFit:
    from scipy.special import expit

    points, compressed = _compress(regression, moves, mirrored)

    def surrogates(margin: np.ndarray) -> np.ndarray:
        fit = compressed.fit(expit(margin[:, None] + points), with_variance=False)
        return np.column_stack([fit.coef, fit.centre, fit.total, fit.residual, fit.quadratic])

    def variances(margin: np.ndarray) -> np.ndarray:
        return regression.fit(expit(margin[:, None] + moves), with_variance=True).variance

    found = _along(margin, surrogates, N_NODES, FEW_ROWS)
    p = len(regression.mean)
    variance = np.full((len(margin), p), np.nan)
    if settings.standard_errors:
        variance = np.maximum(_along(margin, variances, N_VARIANCE_NODES, N_VARIANCE_NODES), 0.0)
    total, residual = np.maximum(found[:, p + 1], 0), np.maximum(found[:, p + 2], 0)
    return LocalFit(found[:, :p], found[:, p], total, residual, variance, found[:, p + 3])


def _along(
    margin: np.ndarray, function: Callable[[np.ndarray], np.ndarray], n_nodes: int, few: int
) -> np.ndarray:
    """Evaluate a function of the margin, at the nodes of intervals if there are many margins."""
    if len(margin) <= few:
        return function(margin)
    parts, order = [], []
    interval = np.floor(margin / WIDTH)
    for value in np.unique(interval):
        chosen = np.flatnonzero(interval == value)
        order.append(chosen)
        if len(chosen) <= n_nodes:
            parts.append(function(margin[chosen]))
            continue
        at = (value + (_chebyshev(n_nodes)[0] + 1) / 2) * WIDTH
        position = 2 * (margin[chosen] / WIDTH - value) - 1
        parts.append(_interpolation(position, n_nodes) @ function(at))
    return np.asarray(np.concatenate(parts)[np.argsort(np.concatenate(order))])


def _compress(
    regression: LocalRegression, moves: np.ndarray, mirrored: bool
) -> tuple[np.ndarray, LocalRegression]:
    """Move the weights of thousands of perturbations to a few nodes.

    All that the regression does with the responses is to sum them with weights. The responses are a
    smooth function of the move, so each is interpolated from nodes around it, and the weights of
    the perturbations go to the nodes once, for all rows. Mirrored: the second half of the
    perturbations is the first one with all signs changed.
    """
    p, quadratic = len(regression.mean), regression.quadratic
    columns, signs = [regression.weighted, regression.weights[:, None]], [-1.0] * p + [1.0]
    if quadratic is not None:
        columns.append(quadratic.weighted)
        signs += [-1.0] * p + [1.0] * (len(quadratic.mean) - p)
    every = np.concatenate(columns, axis=1)
    furthest = int(np.rint(np.abs(moves).max() / NARROW))
    if mirrored:
        half = slice(1, 1 + regression.n_pairs)
        table = _spread(moves[half], every[half], furthest)
        table = table + table[::-1] * signs + _spread(moves[:1], every[:1], furthest)
    else:
        table = _spread(moves, every, furthest)
    nodes = _chebyshev(N_NARROW_NODES)[0] / 2
    points = (np.arange(-furthest, furthest + 1)[:, None] + nodes) * NARROW
    if quadratic is not None:
        quadratic = replace(quadratic, weighted=table[:, p + 1 :])
    return points.ravel(), replace(
        regression, weighted=table[:, :p], weights=table[:, p], quadratic=quadratic
    )


def _spread(moves: np.ndarray, weights: np.ndarray, furthest: int) -> np.ndarray:
    """Return sums of weights at the nodes of intervals around multiples of their width."""
    position = moves / NARROW
    interval = np.rint(position)
    position = 2 * (position - interval)
    table = np.zeros((2 * furthest + 1, N_NARROW_NODES, weights.shape[1]))
    for i, value in enumerate(range(-furthest, furthest + 1)):
        chosen = np.flatnonzero(interval == value)
        if len(chosen):
            there = _interpolation(position[chosen], N_NARROW_NODES)
            np.matmul(there.T, weights[chosen], out=table[i])
    return table.reshape(-1, weights.shape[1])


@cache
def _chebyshev(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of the first kind on [-1, 1] and their barycentric weights."""
    angles = (2 * np.arange(n) + 1) * np.pi / (2 * n)
    return np.cos(angles), (-1.0) ** np.arange(n) * np.sin(angles)


def _interpolation(position: np.ndarray, n: int) -> np.ndarray:
    """Return the matrix that takes values at the nodes to values at the positions."""
    nodes, weights = _chebyshev(n)
    terms = position[:, None] - nodes
    on_node = terms == 0
    with np.errstate(divide="ignore"):
        np.divide(weights, terms, out=terms)
    if on_node.any():
        rows = on_node.any(axis=1)
        terms[rows] = on_node[rows]
    terms /= terms.sum(axis=1, keepdims=True)
    return terms
