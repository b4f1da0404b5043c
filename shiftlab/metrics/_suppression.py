"""Hiding small counts so that no arithmetic on what is shown brings them back.

A published table is a set of lines, each the sum of some finest cells (environment by combination
of features). A hidden line can be recovered by additions and subtractions exactly if its indicator
vector lies in the span of the indicators of the published lines. So after the usual complementary
rule in every sum (a total and its groups, a margin and its intersections, all environments and
each), lines are hidden until no small line lies in that span.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["hide_small"]

_TOLERANCE = 1e-9


def hide_small(
    members: Sequence[np.ndarray],
    sizes: np.ndarray,
    is_total: np.ndarray,
    covers: Sequence[np.ndarray],
    min_count: int,
) -> np.ndarray:
    """Choose the lines to hide.

    Parameters
    ----------
    members : sequence of ndarray of int
        Finest cells that each line sums.
    sizes : ndarray of int, shape (n_lines,)
        Number of rows of each line.
    is_total : ndarray of bool, shape (n_lines,)
        Lines that are hidden last.
    covers : sequence of ndarray of int
        Sets of lines that share no cell, such as the groups of one table.
    min_count : int
        Lines with fewer rows are hidden.

    Returns
    -------
    ndarray of bool, shape (n_lines,)

    Notes
    -----
    What the guarantee leaves out: bounds (a hidden count is not negative and not above its margin)
    and knowledge from elsewhere still narrow a hidden count down.

    References
    ----------
    Cox, L. H. (1980). Suppression methodology and statistical disclosure control. Journal of the
    American Statistical Association 75, 377-385.
    """
    small = (sizes > 0) & (sizes < min_count)
    hidden = small.copy()
    if not small.any():
        return hidden
    sums = _known_sums(members, sizes, covers)
    before = -1
    while before != (before := int(hidden.sum())):
        for line, parts in sums:
            if not hidden[line]:
                _complete(hidden, parts, sizes, min_count)
    incidence = np.zeros((len(members), 1 + max(int(cells.max()) for cells in members)))
    for line, cells in enumerate(members):
        incidence[line, cells] = 1.0
    while len(victims := _exposing(incidence, small, hidden, sizes, is_total)):
        hidden[victims] = True
    # What follows from the shown lines anyway need not be hidden.
    return hidden & (small | ~_follows(incidence, hidden))


def _follows(incidence: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Tell which hidden lines are sums and differences of the shown ones."""
    single = ~hidden & (incidence.sum(axis=1) == 1)
    unknown = ~incidence[single].any(axis=0)
    reduced = incidence[:, unknown]
    coarse = reduced[~hidden & reduced.any(axis=1)].T
    wanted = reduced[hidden].T
    misfit = np.abs(wanted).max(axis=0, initial=0.0)
    if coarse.size and wanted.size:
        weights = np.linalg.lstsq(coarse, wanted, rcond=None)[0]
        misfit = np.abs(coarse @ weights - wanted).max(axis=0)
    follows = np.zeros(len(hidden), dtype=bool)
    follows[hidden] = misfit < _TOLERANCE
    return follows


def _known_sums(
    members: Sequence[np.ndarray], sizes: np.ndarray, covers: Sequence[np.ndarray]
) -> list[tuple[int, np.ndarray]]:
    """Find each line that is the sum of several lines of one cover."""
    n_cells = 1 + max(int(cells.max()) for cells in members)
    sums = []
    for cover in covers:
        owner = np.full(n_cells, -1)
        for line in cover:
            owner[members[line]] = line
        for line, cells in enumerate(members):
            if owner[cells[0]] in (-1, line):
                continue
            parts = np.unique(owner[cells])
            if len(parts) > 1 and parts[0] >= 0 and sizes[parts].sum() == sizes[line]:
                sums.append((line, parts))
    return sums


def _complete(hidden: np.ndarray, lines: np.ndarray, sizes: np.ndarray, min_count: int) -> None:
    """Hide more lines of a sum until what is hidden is more than one line and not small."""
    for line in lines[np.argsort(sizes[lines], kind="stable")]:
        own = lines[hidden[lines]]
        if len(own) == 0 or (len(own) > 1 and sizes[own].sum() >= min_count):
            return
        hidden[line] = True


def _exposing(
    incidence: np.ndarray,
    small: np.ndarray,
    hidden: np.ndarray,
    sizes: np.ndarray,
    is_total: np.ndarray,
) -> np.ndarray:
    """For each small line that can be recovered, one published line that takes part in it."""
    shown = np.flatnonzero(~hidden)
    # A finest cell that is shown is known: only the others remain as unknowns.
    single = shown[incidence[shown].sum(axis=1) == 1]
    unknown = ~incidence[single].any(axis=0)
    reduced = incidence[:, unknown]
    coarse = np.setdiff1d(shown, single)
    coarse = coarse[reduced[coarse].any(axis=1)]
    targets = np.flatnonzero(small & reduced.any(axis=1))
    if len(coarse) == 0:
        return np.empty(0, dtype=np.intp)
    weights = np.linalg.lstsq(reduced[coarse].T, reduced[targets].T, rcond=None)[0]
    misfit = np.abs(reduced[coarse].T @ weights - reduced[targets].T).max(axis=0)
    victims = set()
    for column in np.flatnonzero(misfit < _TOLERANCE):
        used = coarse[np.abs(weights[:, column]) > _TOLERANCE]
        touched = incidence[used].any(axis=0)
        cells = single[incidence[single][:, touched].any(axis=1)]
        candidates = np.concatenate([cells, used])
        # Totals last: without them a table says little.
        order = np.lexsort((sizes[candidates], is_total[candidates]))
        victims.add(int(candidates[order[0]]))
    return np.array(sorted(victims), dtype=np.intp)
