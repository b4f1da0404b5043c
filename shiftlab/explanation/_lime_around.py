"""LIME around the row: perturbations x + scale * s * z, shared by the rows of a block.

In standardised coordinates the draws, the distances and so the kernel weights are the same for
every row with the same categories. The ridge regression is then one linear operator, factored
once, and the slopes of all rows are one matrix product.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlab.explanation._explainer_buffers import query_table, rows_per_call
from shiftlab.explanation._explainer_encoding import Encoding
from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._lime_regression import LocalFit, LocalRegression, make_regression
from shiftlab.explanation._lime_settings import LimeSettings

__all__ = [
    "Draws",
    "by_pattern",
    "draw_numbers",
    "draw_ranks",
    "explain_around",
    "in_row_order",
    "make_draws",
    "per_unit",
    "predict_rows",
    "regression_of",
]

#: Share of the draws, over all categorical columns, that treats categories alike. A category of one
#: in a hundred would else rest on a handful of draws, and all rows that have it on their luck.
EVENLY = 0.2


@dataclass(frozen=True)
class Draws:
    """The random draws of one block; their first row is the explained row itself.

    Attributes
    ----------
    numbers, categories : tuple of int
        Free columns of numbers and of categories.
    z : ndarray of shape (S + 1, n_numbers)
        Standard normal draws.
    labels : ndarray of shape (S + 1, n_categories)
        Categories by training frequency; those of the first row are without meaning.
    importance : ndarray of shape (S + 1,)
        Factors of the kernel weights where rare categories were drawn more often than they occur.
    """

    numbers: list[int]
    categories: list[int]
    z: np.ndarray
    labels: np.ndarray
    importance: np.ndarray


def draw_numbers(
    n_samples: int, n_columns: int, variance_reduction: str, rng: np.random.Generator
) -> np.ndarray:
    """Draw standard normal perturbations, optionally in pairs and with exact moments."""
    if variance_reduction == "none":
        return rng.standard_normal((n_samples, n_columns))
    half = rng.standard_normal((n_samples // 2, n_columns))
    if variance_reduction == "whitened" and n_columns:
        factor = np.linalg.cholesky(half.T @ half / len(half))
        half = half @ np.linalg.inv(factor).T
    return np.concatenate([half, -half])


def draw_ranks(n_samples: int, variance_reduction: str, rng: np.random.Generator) -> np.ndarray:
    """Draw uniform numbers that choose categories, optionally one in each of n equal intervals.

    Each category then comes as often as its frequency says, to one draw: a rare one is neither
    absent by bad luck nor twice as common. Neighbouring intervals go to the two halves of an
    antithetic pair, which so nearly always agree in their category; slopes of numbers and effects
    of categories then do not disturb each other.
    """
    if variance_reduction == "none":
        return rng.random(n_samples)
    half = n_samples // 2
    strata = np.empty(2 * half)
    first = 2 * rng.permutation(half)
    strata[:half], strata[half:] = first, first + 1
    return (strata + rng.random()) / n_samples


def make_draws(settings: LimeSettings, reference: Reference, seed: np.random.SeedSequence) -> Draws:
    """Draw the perturbations of one block."""
    rng = np.random.default_rng(seed)
    categories = [j for j in settings.free if j in reference.levels]
    numbers = [j for j in settings.free if j not in reference.levels]
    n = settings.n_samples
    z = np.zeros((n + 1, len(numbers)))
    z[1:] = draw_numbers(n, len(numbers), settings.variance_reduction, rng)
    if reference.mixing is not None:
        z = z @ reference.mixing.T
    if reference.constant[numbers].any():
        z[:, reference.constant[numbers]] = 0.0  # what never varies is left alone
    labels, importance = np.full((n + 1, len(categories)), np.nan), np.ones(n + 1)
    if reference.together is not None and categories:
        ranks = draw_ranks(n, settings.variance_reduction, rng)
        labels[1:] = reference.together[(ranks * len(reference.together)).astype(np.intp)]
        return Draws(numbers, categories, z, labels, importance)
    for k, j in enumerate(categories):
        wanted = reference.frequencies[j]
        used = wanted
        if settings.variance_reduction != "none":
            used = _more_of_the_rare(wanted, EVENLY / len(categories))
        u = draw_ranks(n, settings.variance_reduction, rng)
        code = np.searchsorted(np.cumsum(used)[:-1], u, "right")
        labels[1:, k] = reference.levels[j][code]
        importance[1:] *= wanted[code] / used[code]
    return Draws(numbers, categories, z, labels, importance)


def _more_of_the_rare(frequencies: np.ndarray, evenly: float) -> np.ndarray:
    """Mix frequencies with even ones over the categories that occur."""
    occurs = frequencies > 0
    return np.asarray((1 - evenly) * frequencies + evenly * occurs / occurs.sum())


def by_pattern(rows: np.ndarray, draws: Draws) -> Iterator[np.ndarray]:
    """Yield the positions of the rows that agree in their categories and in what is missing."""
    missing = np.isnan(rows[:, draws.numbers])
    if not draws.categories and not missing.any():
        yield np.arange(len(rows))
        return
    pattern = np.column_stack([rows[:, draws.categories], missing])
    _, code = np.unique(pattern, axis=0, return_inverse=True)
    code = code.ravel()  # NumPy 2.0 gives the codes a second axis
    order = np.argsort(code, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def regression_of(
    draws: Draws, settings: LimeSettings, reference: Reference, row: np.ndarray
) -> LocalRegression:
    """Return the regression for all rows with the categories and missing numbers of `row`."""
    missing = np.isnan(row[draws.numbers])
    if missing.any():  # never perturbed in these rows
        draws = replace(draws, z=np.where(missing, 0.0, draws.z))
    same = draws.labels == row[draws.categories]
    same[0] = True
    design = np.column_stack([draws.z, same]) if draws.categories else draws.z
    distance = np.einsum("sj,sj->s", draws.z, draws.z)
    other = len(draws.categories) - same.sum(axis=1)
    # Distances in units of the perturbations: a smaller scale moves other categories away.
    squared = distance + other / settings.scale**2
    weights = draws.importance * np.exp(squared / (-2 * settings.kernel_width**2))
    ridge = settings.ridge
    if settings.kernel_width != settings.default_width or settings.scale != 1:
        usual = distance + other
        # A narrow kernel leaves less weight; the penalty keeps its size relative to it.
        ridge *= weights.sum() / (
            draws.importance @ np.exp(-usual / (2 * settings.default_width**2))
        )
    at_row = np.concatenate([np.zeros(len(draws.numbers)), np.ones(len(draws.categories))])
    linear = make_regression(design, at_row, weights, ridge, settings.n_pairs)
    if not settings.with_quadratic:
        return linear
    richer = np.column_stack([design, _products(design, len(draws.numbers))])
    at_row = np.concatenate([at_row, _products(at_row[None, :], len(draws.numbers))[0]])
    return replace(linear, quadratic=make_regression(richer, at_row, weights, ridge, 0))


def _products(design: np.ndarray, n_numbers: int) -> np.ndarray:
    """Return squares of the numbers, and products of all pairs of columns."""
    first, second = np.triu_indices(design.shape[1])
    keep = (first != second) | (first < n_numbers)  # the square of an indicator is itself
    return np.asarray(design[:, first[keep]] * design[:, second[keep]])


def explain_around(
    predict: Callable[[Any], np.ndarray],
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    rows: np.ndarray,
    prediction: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[LocalFit, float]:
    """Explain the rows of one block; slopes are per standard deviation.

    Returns
    -------
    fit : LocalFit
        Columns in the order: free numbers, free categories.
    effective_samples : float
        The smallest over the patterns of categories.
    """
    draws = make_draws(settings, reference, seed)
    step = np.zeros((len(draws.z) - 1, rows.shape[1]))
    step[:, draws.numbers] = draws.z[1:] * (settings.scale * reference.scale[draws.numbers])
    parts: list[tuple[np.ndarray, LocalFit]] = []
    effective = np.inf
    for members in by_pattern(rows, draws):
        regression = regression_of(draws, settings, reference, rows[members[0]])
        effective = min(effective, regression.effective_samples)
        size = max(1, rows_per_call(rows.shape[1]) // settings.n_samples)
        for start in range(0, len(members), size):
            chosen = members[start : start + size]
            responses = np.empty((len(chosen), len(draws.z)))
            responses[:, 0] = prediction[chosen]
            # The answers are copied: they may be a view of the queries, whose memory is used again.
            queries = _queries(rows[chosen], step, draws)
            answers = predict_rows(predict, encoding, settings, queries)
            responses[:, 1:] = answers.reshape(len(chosen), -1)
            del queries, answers
            fit = regression.fit(responses, with_variance=settings.standard_errors)
            parts.append((chosen, fit))
    return per_unit(in_row_order(parts), settings.scale, len(draws.numbers)), effective


def in_row_order(parts: list[tuple[np.ndarray, LocalFit]]) -> LocalFit:
    """Join fits of parts of the rows, given with their positions."""
    order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
    fields = zip(*(fit for _, fit in parts), strict=True)
    return LocalFit(*(np.concatenate(field)[order] for field in fields))


def per_unit(fit: LocalFit, scale: float, n_numbers: int) -> LocalFit:
    """Turn slopes per perturbation into slopes per standard deviation."""
    if scale == 1:
        return fit
    unit = np.ones(fit.coef.shape[1])
    unit[:n_numbers] = scale
    return fit._replace(coef=fit.coef / unit, variance=fit.variance / unit**2)


def _queries(rows: np.ndarray, step: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the perturbed rows, shape (n * S, d)."""
    (n, d), s = rows.shape, len(step)
    queries = query_table(n * s, d)
    cube = queries.reshape(n, s, d)
    np.add(rows[:, None, :], step, out=cube)
    for k, j in enumerate(draws.categories):
        cube[:, :, j] = draws.labels[1:, k]
    return queries


def predict_rows(
    predict: Callable[[Any], np.ndarray],
    encoding: Encoding,
    settings: LimeSettings,
    queries: np.ndarray,
) -> np.ndarray:
    """Recompute derived columns and ask the model, in parts that fit the cache."""
    for j, function in settings.derived.items():
        queries[:, j] = np.asarray(function(encoding.decode(queries)), dtype=np.float64)
    most = rows_per_call(queries.shape[1])
    if len(queries) <= most:
        return predict(encoding.decode(queries))
    starts = range(0, len(queries), most)
    return np.concatenate([predict(encoding.decode(queries[i : i + most])) for i in starts])
