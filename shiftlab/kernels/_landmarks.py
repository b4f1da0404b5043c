"""Which rows a Nystroem factor compares all others with."""

import numpy as np

from shiftlab.backends import Array, array_namespace, cholesky_solve, eigh_psd, to_numpy
from shiftlab.kernels._factors import LandmarkFactor
from shiftlab.kernels._functions import Kernel

__all__ = ["choose_landmarks", "distinct_rows", "inverse_root", "take_rows"]

#: Eigenvalues of the landmarks' Gram matrix below this share of the largest are rounding.
RANK_TOLERANCE = 1e-10

#: Leverage scores are computed on at most so many candidate rows per landmark.
CANDIDATES_PER_LANDMARK = 20


def choose_landmarks(
    kernel: Kernel, x: Array, n_landmarks: int, how: str, generator: np.random.Generator
) -> Array:
    """Return landmarks: all distinct rows if they are few, otherwise chosen rows."""
    few = _few_distinct(x, n_landmarks, generator)
    if few is not None:
        return take_rows(x, few)
    if x.shape[1] == 1 and how == "spaced":
        return _spaced_rows(x, n_landmarks)
    if how == "leverage":
        return _leverage_rows(kernel, x, n_landmarks, generator)
    return _random_rows(x, n_landmarks, generator)


def distinct_rows(x: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the first occurrence of each distinct row, and how often it occurs."""
    codes = np.zeros(x.shape[0], dtype=np.int64)
    for column in to_numpy(x).T:
        values, inverse = np.unique(column, return_inverse=True)
        # Compressed after each column, so that the product of two counts cannot overflow.
        codes = np.unique(codes * len(values) + inverse, return_inverse=True)[1]
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    return first, counts


def inverse_root(gram: Array) -> Array:
    """Return P of shape (m, r) with ``P @ P.T`` the pseudo-inverse of a Gram matrix."""
    xp = array_namespace(gram)
    values, vectors = eigh_psd(gram, rtol=max(RANK_TOLERANCE, 10 * xp.finfo(gram.dtype).eps))
    return vectors / xp.sqrt(values)[None, :]


def take_rows(x: Array, indices: np.ndarray) -> Array:
    """Return the rows with the given indices, in the library of `x`."""
    xp = array_namespace(x)
    return xp.take(x, xp.asarray(indices, device=x.device), axis=0)


def _few_distinct(x: Array, n_landmarks: int, generator: np.random.Generator) -> np.ndarray | None:
    n_rows = x.shape[0]
    if n_rows > 4 * n_landmarks:
        probe = generator.choice(n_rows, 4 * n_landmarks, replace=False)
        if len(distinct_rows(take_rows(x, probe))[0]) > n_landmarks:
            return None
    first, _ = distinct_rows(x)
    return first if len(first) <= n_landmarks else None


def _spaced_rows(x: Array, n_landmarks: int) -> Array:
    """Space landmarks by equal steps of the summed square roots of the gaps between values.

    Their density is then the square root of that of the data: denser in the bulk than an even
    grid, denser in the tails than quantiles.
    """
    xp = array_namespace(x)
    values = xp.sort(x[:, 0])
    path = xp.cumulative_sum(xp.sqrt(values[1:] - values[:-1]), include_initial=True)
    chosen = values[:0]
    # Steps that fall into one wide gap give the same value; more steps then fill the others.
    for refinement in (1, 1.5, 2, 3, 4, 6, 8):
        n_steps = int(refinement * n_landmarks)
        steps = xp.linspace(0.0, float(path[-1]), n_steps, dtype=x.dtype, device=x.device)
        positions = xp.clip(xp.searchsorted(path, steps), max=x.shape[0] - 1)
        candidate = xp.unique_values(xp.take(values, positions, axis=0))
        if candidate.shape[0] > n_landmarks:
            break
        chosen = candidate
    return chosen[:, None]


def _random_rows(x: Array, n_landmarks: int, generator: np.random.Generator) -> Array:
    rows = take_rows(x, np.sort(generator.choice(x.shape[0], n_landmarks, replace=False)))
    return take_rows(rows, distinct_rows(rows)[0])


def _leverage_rows(
    kernel: Kernel, x: Array, n_landmarks: int, generator: np.random.Generator
) -> Array:
    """Sample by approximate ridge leverage scores, from a pilot with random landmarks."""
    n_candidates = min(x.shape[0], CANDIDATES_PER_LANDMARK * n_landmarks)
    candidates = take_rows(x, generator.choice(x.shape[0], n_candidates, replace=False))
    pilot = _random_rows(candidates, n_landmarks, generator)
    factor = LandmarkFactor(kernel, pilot, inverse_root(kernel(pilot)))
    features = factor.transform(candidates)
    xp = array_namespace(features)
    total = xp.matrix_transpose(features) @ features
    missed = xp.clip(kernel.diagonal(candidates) - xp.sum(features**2, axis=1), min=0.0)
    ridge = float(xp.sum(missed)) / n_landmarks + 1e-10 * float(xp.linalg.trace(total))
    identity = xp.eye(total.shape[0], dtype=total.dtype, device=total.device)
    solved = cholesky_solve(total + ridge * identity, xp.matrix_transpose(features))
    scores = xp.sum(features * xp.matrix_transpose(solved), axis=1) + missed / ridge
    weights = np.minimum(to_numpy(scores).astype(np.float64), 1.0) + 1e-12
    chosen = generator.choice(n_candidates, n_landmarks, replace=False, p=weights / weights.sum())
    rows = take_rows(candidates, np.sort(chosen))
    return take_rows(rows, distinct_rows(rows)[0])
