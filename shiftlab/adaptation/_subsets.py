"""All subsets of the covariates: their pooled least-squares fits and their risk everywhere."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab.adaptation._encode import Encoder
from shiftlab.adaptation._gram import Moments
from shiftlab.exceptions import InputError

__all__ = [
    "MOST_ENUMERATED",
    "SINGULAR",
    "candidate_sets",
    "full_enumeration",
    "leave_one_out_risks",
    "portfolio",
    "search_sets",
    "solve_subsets",
    "to_columns",
]

#: Variables up to which all subsets are enumerated.
MOST_ENUMERATED = 15
#: Eigenvalue of the pooled correlation matrix below which columns count as collinear.
SINGULAR = 1e-8
BLOCK = 2**22


def full_enumeration(n_variables: int, always: np.ndarray, never: np.ndarray) -> np.ndarray:
    """Return all subsets as a boolean array, small ones first, that contain and avoid the given."""
    free = np.flatnonzero(~always & ~never)
    bits = (np.arange(2 ** len(free))[:, None] >> np.arange(len(free))) & 1
    sets = np.tile(always, (len(bits), 1))
    sets[:, free] = bits.astype(bool)
    order = np.lexsort((np.arange(len(sets)), sets.sum(axis=1)))
    return np.asarray(sets[order])


def candidate_sets(
    candidates: Any, encoder: Encoder, always: np.ndarray, never: np.ndarray
) -> np.ndarray | None:
    """Read the candidates as a boolean array of shape (K, variables); None asks for a search."""
    n_free = int((~always & ~never).sum())
    if (always & never).any():
        both = [n for n, b in zip(encoder.names, always & never, strict=True) if b]
        raise InputError(f"always_include and never_include both name {both}.")
    if isinstance(candidates, str):
        if candidates == "all" and n_free > MOST_ENUMERATED:
            raise InputError(
                f"candidates='all' means 2^{n_free} subsets; at most 2^{MOST_ENUMERATED} are "
                "enumerated. Use candidates='auto', which searches, or name causes and exclusions."
            )
        if candidates not in ("all", "auto"):
            raise InputError(
                f"candidates must be 'auto', 'all' or a list of sets, found {candidates!r}."
            )
        if n_free > MOST_ENUMERATED:
            return None
        return full_enumeration(len(always), always, never)
    return _named_sets(candidates, encoder, always, never)


def _named_sets(
    candidates: Iterable[Any], encoder: Encoder, always: np.ndarray, never: np.ndarray
) -> np.ndarray:
    rows = [encoder.positions(names, "candidates") | always for names in candidates]
    rows.append(~never)  # the pooled model is always among them
    sets = np.unique(np.array([row & ~never for row in rows]), axis=0)
    return np.asarray(sets[np.lexsort((*sets.T[::-1], sets.sum(axis=1)))])


def solve_subsets(gram: np.ndarray, cross: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Least-squares coefficients of each subset of columns; zeros elsewhere.

    Parameters
    ----------
    gram, cross : ndarray of shape (q, q), (q,)
        Pooled moments of (1, x), x standardised.
    columns : ndarray of bool, shape (K, q)
        Columns of each subset, the intercept among them.

    Returns
    -------
    ndarray of shape (K, q)
    """
    q = len(cross)
    if np.linalg.eigvalsh(gram)[0] < SINGULAR:
        gram = gram + SINGULAR * np.diag([0.0] + [1.0] * (q - 1))
    coefficients = np.zeros(columns.shape)
    sizes = columns.sum(axis=1)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        index = np.nonzero(columns[chosen])[1].reshape(len(chosen), size)
        step = max(1, BLOCK // size**2)
        for start in range(0, len(chosen), step):
            at = index[start : start + step]
            solved = np.linalg.solve(gram[at[:, :, None], at[:, None, :]], cross[at][:, :, None])
            rows = chosen[start : start + step]
            coefficients[rows[:, None], at] = solved[:, :, 0]
    return coefficients


def leave_one_out_risks(
    moments: Moments, weight: np.ndarray, columns: np.ndarray, folds: Sequence[np.ndarray]
) -> np.ndarray:
    """Risk in each environment of fits to the environments outside its fold, shape (E, K)."""
    risks = np.empty((len(moments), len(columns)))
    total = weight.sum()
    gram_sum = np.einsum("e,eij->ij", weight, moments.gram)
    cross_sum = weight @ moments.cross
    for fold in folds:
        w = weight[fold]
        rest = total - w.sum()
        gram = (gram_sum - np.einsum("e,eij->ij", w, moments.gram[fold])) / rest
        cross = (cross_sum - w @ moments.cross[fold]) / rest
        risks[fold] = moments.take(fold).all_risks(solve_subsets(gram, cross, columns))
    return risks


def portfolio(risks: np.ndarray, size: int, keep: Sequence[int] = ()) -> np.ndarray:
    """Choose sets whose best member has the least summed risk, one after the other.

    Parameters
    ----------
    risks : ndarray of shape (E, K)
    size : int
        At most this many sets.
    keep : sequence of int
        Sets that are in from the start.

    Returns
    -------
    ndarray of int
        Indices of the chosen sets, sorted; the gain is submodular, so the greedy choice is within
        1 - 1/e of the best.
    """
    check_integer(size, "size")
    chosen = list(dict.fromkeys(keep)) or [int(risks.sum(axis=0).argmin())]
    best = risks[:, chosen].min(axis=1)
    while len(chosen) < size:
        totals = np.minimum(risks, best[:, None]).sum(axis=0)
        k = int(totals.argmin())
        if totals[k] >= best.sum() * (1 - 1e-12):
            break
        chosen.append(k)
        best = np.minimum(best, risks[:, k])
    return np.array(sorted(chosen))


def search_sets(
    moments: Moments,
    weight: np.ndarray,
    groups: np.ndarray,
    always: np.ndarray,
    never: np.ndarray,
    size: int,
) -> np.ndarray:
    """Find a portfolio among more subsets than can be enumerated.

    It starts from the pooled forward path and improves by adding, dropping or exchanging one
    variable of any member, until no neighbour lowers the summed risk of the best member.
    """
    gram, cross = moments.pooled(weight)
    sets = np.unique(
        np.vstack([_forward_path(gram, cross, groups, always, never), always, ~never]), axis=0
    )
    previous = np.inf
    for _ in range(20):
        risks = moments.all_risks(solve_subsets(gram, cross, to_columns(sets, groups)))
        keep = [_row(sets, ~never), _row(sets, always)]
        chosen = portfolio(risks, size, keep)
        total = risks[:, chosen].min(axis=1).sum()
        sets = sets[chosen]
        if total >= previous * (1 - 1e-6):
            break
        previous = total
        sets = np.unique(np.vstack([sets, _neighbours(sets, always, never)]), axis=0)
    return np.asarray(sets[np.lexsort((*sets.T[::-1], sets.sum(axis=1)))])


def to_columns(sets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Turn sets of variables into sets of columns, the intercept first."""
    return np.hstack([np.ones((len(sets), 1), dtype=bool), sets[:, groups]])


def _row(sets: np.ndarray, wanted: np.ndarray) -> int:
    return int(np.flatnonzero((sets == wanted).all(axis=1))[0])


def _forward_path(
    gram: np.ndarray, cross: np.ndarray, groups: np.ndarray, always: np.ndarray, never: np.ndarray
) -> np.ndarray:
    current, path = always.copy(), [always.copy()]
    while True:
        free = np.flatnonzero(~current & ~never)
        if not len(free):
            return np.array(path)
        tried = np.tile(current, (len(free), 1))
        tried[range(len(free)), free] = True
        fitted = solve_subsets(gram, cross, to_columns(tried, groups))
        losses = np.einsum("ki,ij,kj->k", fitted, gram, fitted) - 2 * fitted @ cross
        current = tried[losses.argmin()]
        path.append(current.copy())


def _neighbours(sets: np.ndarray, always: np.ndarray, never: np.ndarray) -> np.ndarray:
    free = np.flatnonzero(~always & ~never)
    flips = np.zeros((len(free), sets.shape[1]), dtype=bool)
    flips[range(len(free)), free] = True
    found = [sets ^ flip for flip in flips]
    if len(free) <= 40:
        found += [sets ^ flips[i] ^ flips[j] for i, j in combinations(range(len(free)), 2)][:400]
    return np.vstack(found)
