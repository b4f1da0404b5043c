"""Sliced Wasserstein distance: the mean over random directions of a distance on the line."""

from typing import Any

import numpy as np
from array_api_compat import device

from shiftlab._core.random import RandomState, as_generator
from shiftlab._core.validation import check_integer
from shiftlab.transport._one_dimensional import sorted_cost
from shiftlab.transport._samples import check_power, read_pair

__all__ = ["random_directions", "sliced_wasserstein"]

#: Bound on the projections held at once; more directions are worked off in blocks.
BLOCK_BYTES = 64 * 2**20


def sliced_wasserstein(
    x: Any,
    y: Any,
    n_projections: int = 100,
    *,
    p: float = 1,
    directions: Any = None,
    random_state: RandomState = None,
) -> float:
    r"""Return the sliced p-Wasserstein distance of two samples.

    .. math:: SW_p^p = \frac{1}{L} \sum_{l=1}^{L} W_p^p(\theta_l^\top x, \theta_l^\top y)

    A Monte-Carlo estimate: the standard error falls as one over the root of `n_projections`. With
    one column there is one direction and the value is exact.

    Parameters
    ----------
    x : array of shape (n_x, d)
        NumPy or torch. A torch tensor stays on its device.
    y : array of shape (n_y, d)
    n_projections : int, default 100
        Number of random directions; ignored if `directions` is given.
    p : float, default 1
        Power of the ground distance, at least 1.
    directions : array of shape (d, n_projections), optional
        Unit vectors to use instead of random ones.
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    float
        In the units of the columns; scale them first if they differ.

    Raises
    ------
    InputError
        If the columns differ, a value is missing or `p` is below 1.

    References
    ----------
    Bonneel, Rabin, Peyré and Pfister (2015), Sliced and Radon Wasserstein barycenters of measures.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.transport import sliced_wasserstein
    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> sliced_wasserstein(x, x, random_state=0)
    0.0
    >>> round(sliced_wasserstein(x, x + 2.0, 200, random_state=0), 1)
    1.7
    """
    p = check_power(p)
    x, y, xp = read_pair(x, y)
    if directions is None:
        directions = random_directions(x.shape[1], n_projections, random_state)
    directions = xp.asarray(directions, dtype=x.dtype, device=device(x))
    width = max(1, BLOCK_BYTES // (8 * (x.shape[0] + y.shape[0])))
    total = 0.0
    for start in range(0, directions.shape[1], width):
        block = directions[:, start : start + width]
        costs = sorted_cost(xp.sort(x @ block, axis=0), xp.sort(y @ block, axis=0), p, xp)
        total += float(xp.sum(costs))
    return float((total / directions.shape[1]) ** (1 / p))


def random_directions(
    n_features: int, n_projections: int = 100, random_state: RandomState = None
) -> np.ndarray:
    """Draw directions uniformly from the unit sphere.

    Parameters
    ----------
    n_features : int
        Dimension of the space; in dimension 1 there is one direction only.
    n_projections : int, default 100
    random_state : int, SeedSequence, Generator or RandomState, optional

    Returns
    -------
    ndarray of shape (n_features, n_projections)
        Unit vectors in columns.

    Raises
    ------
    InputError
        If a number is not a positive integer, or the seed is none.

    Examples
    --------
    >>> from shiftlab.transport import random_directions
    >>> (random_directions(3, 5, random_state=0) ** 2).sum(axis=0).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    check_integer(n_features, "n_features")
    check_integer(n_projections, "n_projections")
    if n_features == 1:
        return np.ones((1, 1))
    # One row of draws per direction: the first directions do not depend on how many follow.
    normal = as_generator(random_state).standard_normal((n_projections, n_features))
    return np.ascontiguousarray((normal / np.linalg.norm(normal, axis=1, keepdims=True)).T)
