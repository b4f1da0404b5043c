"""LIME whose perturbations do not depend on the row: around the mean, or by quartiles.

The model is asked once per block. What differs between rows is which perturbations resemble them,
and with that the design of the regression and its weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_encoding import Encoding
from shiftlab.explanation._lime_around import make_draws, predict_rows
from shiftlab.explanation._lime_reference import Reference
from shiftlab.explanation._lime_regression import LocalFit
from shiftlab.explanation._lime_settings import LimeSettings
from shiftlab.explanation._lime_strata import balanced_draws, interaction_noise

__all__ = ["explain_shared"]


@dataclass(frozen=True)
class _Pool:
    """Perturbations of one block: coordinates of numbers, labels or bins of the rest, responses.

    The importance, one number more for the row itself, multiplies the kernel weights. The noise is
    what balanced draws leave random of the responses, for the effect of each column.
    """

    z: np.ndarray
    labels: np.ndarray
    response: np.ndarray
    importance: np.ndarray
    n_pairs: int
    noise: np.ndarray | None = None


def explain_shared(
    predict: Callable[[Any], np.ndarray],
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    rows: np.ndarray,
    prediction: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[LocalFit, float]:
    """Explain the rows of one block.

    Returns
    -------
    fit : LocalFit
        Columns in the order: free numbers, free categories. In quartile mode numbers are bins.
    effective_samples : float
        The smallest over the rows.
    """
    by_bin = settings.mode == "quartile"
    categories = [j for j in settings.free if j in reference.levels]
    numbers = [j for j in settings.free if j not in reference.levels]
    make = _draw_quartiles if by_bin else _draw_around_mean
    pool = make(predict, encoding, settings, reference, seed)
    if not by_bin and np.isnan(rows[:, numbers]).any():
        raise InputError(
            "X has missing values, which mode='mean' does not take. Use mode='around' or "
            "'quartile', or impute before."
        )
    own_z = (rows[:, numbers] - reference.mean[numbers]) / reference.scale[numbers]
    own_labels = rows[:, categories]
    if by_bin:
        bins = [reference.quartiles[j].bins(rows[:, j]) for j in numbers]
        own_labels = np.column_stack([*bins, own_labels]) if bins else own_labels
        own_z = own_z[:, :0]
    fits, effective = [], np.inf
    solve = _RowSolver(pool, settings)
    for z, labels, value in zip(own_z, own_labels, prediction, strict=True):
        fit, samples = solve(z, labels, value)
        fits.append(fit)
        effective = min(effective, samples)
    return LocalFit(*(np.array(field) for field in zip(*fits, strict=True))), effective


def _draw_around_mean(
    predict: Callable[[Any], np.ndarray],
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    seed: np.random.SeedSequence,
) -> _Pool:
    draws = make_draws(settings, reference, seed)
    z, labels = draws.z[1:], draws.labels[1:]
    queries = np.tile(reference.mean, (len(z), 1))
    queries[:, draws.numbers] += z * reference.scale[draws.numbers]
    queries[:, draws.categories] = labels
    response = predict_rows(predict, encoding, settings, queries)
    importance = np.roll(draws.importance, -1)  # the row itself comes last here
    return _Pool(z, labels, response, importance, settings.n_pairs)


def _draw_quartiles(
    predict: Callable[[Any], np.ndarray],
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    seed: np.random.SeedSequence,
) -> _Pool:
    rng = np.random.default_rng(seed)
    n, balanced = settings.n_samples, settings.variance_reduction != "none"
    size = (n, len(settings.free))
    uniform = balanced_draws(*size, rng) if balanced else rng.random(size)
    queries = np.tile(reference.mean, (n, 1))
    categories = [j for j in settings.free if j in reference.levels]
    numbers = [j for j in settings.free if j not in reference.levels]
    labels = np.empty((n, len(settings.free)), dtype=np.float32)
    for k, j in enumerate(numbers):
        labels[:, k], queries[:, j] = reference.quartiles[j].at(uniform[:, k])
    for k, j in enumerate(categories, start=len(numbers)):
        cumulative = np.cumsum(reference.frequencies[j])[:-1]
        queries[:, j] = reference.levels[j][np.searchsorted(cumulative, uniform[:, k], "right")]
        labels[:, k] = queries[:, j]
    response = predict_rows(predict, encoding, settings, queries)
    noise = None
    if balanced and settings.standard_errors:
        noise = interaction_noise(response, uniform).astype(np.float32)
    return _Pool(np.empty((n, 0)), labels, response, np.ones(n + 1), 0, noise)


class _RowSolver:
    """Weighted ridge regressions over one pool, one row at a time."""

    def __init__(self, pool: _Pool, settings: LimeSettings) -> None:
        self._pool, self._settings = pool, settings
        n, n_z, n_labels = len(pool.response), pool.z.shape[1], pool.labels.shape[1]
        self._n_z, p = n_z, n_z + n_labels
        # Numbers, matches, one, response; the last line is the row itself. Matches are exact in
        # single precision, which halves the time of the products.
        dtype = np.float64 if n_z else np.float32
        self._design = np.ones((n + 1, p + 2), dtype=dtype)
        self._design[:-1, :n_z] = pool.z
        self._design[:-1, -1] = pool.response

    def __call__(
        self, z: np.ndarray, labels: np.ndarray, prediction: float
    ) -> tuple[LocalFit, float]:
        design, pool, p = self._design, self._pool, self._design.shape[1] - 2
        np.equal(pool.labels, labels, out=design[:-1, self._n_z : p], casting="unsafe")
        design[-1, : self._n_z], design[-1, -1] = z, prediction
        # The number of matches is exact in single precision.
        matches = design[:, self._n_z : p] @ np.ones(labels.size, dtype=design.dtype)
        distance = np.zeros(len(design)) if self._n_z else None
        if distance is not None:
            distance[:-1] = ((pool.z - z) ** 2).sum(axis=1)
        count = matches.astype(np.intp)
        weights = self._kernel(count, distance, self._settings.kernel_width)
        total, ridge = weights.sum(), self._settings.ridge
        if self._settings.kernel_width != self._settings.default_width:
            usual = self._kernel(count, distance, self._settings.default_width)
            ridge *= total / usual.sum()
        weights /= total
        return self._solve(design, weights, ridge / total), float(1 / (weights**2).sum())

    def _kernel(self, matches: np.ndarray, distance: np.ndarray | None, width: float) -> np.ndarray:
        n_labels = self._pool.labels.shape[1]
        by_matches = np.exp((np.arange(n_labels + 1) - n_labels) / (2 * width**2))
        weights = self._pool.importance * by_matches[matches]
        if distance is not None:
            weights *= np.exp(-distance / (2 * width**2))
        return np.asarray(weights)

    def _solve(self, design: np.ndarray, weights: np.ndarray, ridge: float) -> LocalFit:
        p = design.shape[1] - 2
        scaled = design * np.sqrt(weights)[:, None].astype(design.dtype)
        products = (scaled.T @ scaled).astype(np.float64)
        mean, mean_y = products[p, :p], products[p, -1]
        gram = products[:p, :p] - np.outer(mean, mean)
        cross = products[:p, -1] - mean * mean_y
        total = max(products[-1, -1] - mean_y**2, 0.0)
        inverse = np.linalg.inv(gram + ridge * np.eye(p))
        coef = inverse @ cross
        residual = max(total - 2 * coef @ cross + coef @ gram @ coef, 0.0)
        variance = np.full(p, np.nan)
        if self._settings.standard_errors:
            variance = self._variance(design, weights, mean, mean_y, coef, inverse)
        centre = mean_y + coef @ (design[-1, :p].astype(np.float64) - mean)
        return LocalFit(coef, centre, total, residual, variance, np.full((), np.nan))

    def _variance(
        self,
        design: np.ndarray,
        weights: np.ndarray,
        mean: np.ndarray,
        mean_y: float,
        coef: np.ndarray,
        inverse: np.ndarray,
    ) -> np.ndarray:
        p, h, noise = len(coef), self._pool.n_pairs, self._pool.noise
        deviations = design[:, :p] - mean.astype(design.dtype)
        if noise is not None:
            influence = (deviations[:-1] @ inverse.astype(design.dtype)) * noise
            return np.asarray(np.einsum("sj,sj,s->j", influence, influence, weights[:-1] ** 2))
        error = design[:, -1] - mean_y - (design[:, :p] @ coef - mean @ coef)
        influence = deviations * (weights * error)[:, None].astype(design.dtype)
        if h:
            influence = np.concatenate([influence[-1:], influence[:h] + influence[h:-1]])
        meat = (influence.T @ influence).astype(np.float64)
        n_draws = len(influence)
        variance = ((inverse @ meat) * inverse).sum(axis=1)
        return np.asarray(variance * n_draws / max(n_draws - p - 1, 1))
