"""Hiding small counts so that no arithmetic on what is shown brings them back.

A published table is a set of lines, each the sum of some finest cells (environment by combination
of features). A hidden line can be recovered by additions and subtractions exactly if its indicator
vector lies in the span of the indicators of the published lines. So after the usual complementary
rule within each table, lines are hidden until no small line lies in that span: margins, totals,
intersections and pooled tables are dealt with at once.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["hide_small"]

_TOLERANCE = 1e-9


def hide_small(
    members: Sequence[np.ndarray], sizes: np.ndarray, tables: np.ndarray, min_count: int
) -> np.ndarray:
    """Choose the lines to hide.

    Parameters
    ----------
    members : sequence of ndarray of int
        Finest cells that each line sums.
    sizes : ndarray of int, shape (n_lines,)
        Number of rows of each line.
    tables : ndarray of int, shape (n_lines,)
        Table of each line: lines of one table are disjoint and add up to a published total.
        -1 marks a total itself.
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
    for table in np.unique(tables[tables >= 0]):
        _complete(hidden, np.flatnonzero(tables == table), sizes, min_count)
    incidence = np.zeros((len(members), 1 + max(int(cells.max()) for cells in members)))
    for line, cells in enumerate(members):
        incidence[line, cells] = 1.0
    while len(victims := _exposing(incidence, small, hidden, sizes, tables)):
        hidden[victims] = True
    # What follows from the shown lines anyway need not be hidden.
    return hidden & (small | ~_follows(incidence, ~hidden))


def _follows(incidence: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Tell which lines are sums and differences of the shown ones."""
    if not shown.any():
        return np.zeros(len(incidence), dtype=bool)
    known, everything = incidence[shown].T, incidence.T
    weights = np.linalg.lstsq(known, everything, rcond=None)[0]
    return np.asarray(np.abs(known @ weights - everything).max(axis=0) < _TOLERANCE)


def _complete(hidden: np.ndarray, lines: np.ndarray, sizes: np.ndarray, min_count: int) -> None:
    """Hide more lines of a table until what is hidden is more than one line and not small."""
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
    tables: np.ndarray,
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
        order = np.lexsort((sizes[candidates], tables[candidates] < 0))
        victims.add(int(candidates[order[0]]))
    return np.array(sorted(victims), dtype=np.intp)
