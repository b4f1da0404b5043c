"""Row features whose means by environment carry a distance: sums of |differences| or squares.

Every metric is a norm of the difference of mean features. Cells of columns (or of random
projections) give Wasserstein, total variation and energy distances; random Fourier features give
the maximum mean discrepancy. Noise of a mean is drawn by random weights on the rows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shiftlab._core.frames import Table
from shiftlab._core.validation import Labels
from shiftlab.divergence._cells import cell_of_sorted, count_cells, cut_column, robust_spread
from shiftlab.divergence._content_order import content_order

__all__ = [
    "Features",
    "RowSample",
    "cell_features",
    "energy_features",
    "fourier_features",
    "sample_rows",
]

#: Standardised numbers are cut off here in row-level metrics, so that a heavy tail cannot decide.
ROW_LIMIT = 10.0
N_FREQUENCIES = 256
N_DIRECTIONS = 64
N_THRESHOLDS = 32


class RowSample(NamedTuple):
    """Rows drawn from each environment.

    `rows` holds indices into the table, environment after environment in the order of their
    content (`environments` holds that order); `positions` says for each environment code where its
    rows stand in `rows`.
    """

    rows: np.ndarray
    positions: tuple[np.ndarray, ...]
    environments: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Rows drawn from each environment."""
        return np.array([len(part) for part in self.positions])


@dataclass(frozen=True)
class Features:
    """Mean features by environment and what is needed to draw their noise.

    Attributes
    ----------
    means : ndarray of shape (n_environments, n_features)
        NaN where an environment has no observed cell.
    weights : ndarray of shape (n_features,)
        Weight in the norm; not negative.
    power : int
        1: weighted sum of absolute differences; 2: weighted sum of squares.
    n_rows : ndarray of shape (n_environments, n_blocks)
        Rows behind the means of each block of features: those with an observed cell.
    codes : ndarray of shape (n_sampled, n_blocks), or None
        Feature switched on by each row in each block of cells (-1: missing).
    dense : ndarray of shape (n_sampled, n_features), or None
        The features themselves where they are not cells.
    sample : RowSample
        Which rows stand behind the noise.
    starts : ndarray
        First feature of each block of cells.
    cumulative : bool
        Whether the cells of a block are summed up from the left.
    """

    means: np.ndarray
    weights: np.ndarray
    power: int
    n_rows: np.ndarray
    sample: RowSample
    starts: np.ndarray
    codes: np.ndarray | None = None
    dense: np.ndarray | None = None
    cumulative: bool = False

    def noise(self, positions: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw centred normal vectors with the covariance of one row's features.

        Where cells are missing, each block has the covariance of one observed row, and two blocks
        are as dependent as their means over partly different rows.

        Parameters
        ----------
        positions : ndarray
            Sampled rows whose empirical covariance is used.
        n_draws : int
            Number of vectors.
        rng : Generator
            Source of the random weights.

        Returns
        -------
        ndarray of float32, shape (n_draws, n_features)
        """
        n = len(positions)
        weights = rng.standard_normal((n, n_draws), dtype=np.float32)
        weights -= weights.mean(axis=0)
        weights /= np.sqrt(n)
        if self.dense is not None:
            return weights.T @ self.dense[positions]
        return self._cell_noise(positions, weights)

    def _cell_noise(self, positions: np.ndarray, weights: np.ndarray) -> np.ndarray:
        from scipy.sparse import csr_array

        assert self.codes is not None  # noqa: S101
        codes = self.codes[positions]
        n = len(codes)
        row, block = np.nonzero(codes >= 0)
        feature = codes[row, block]
        size = len(self.weights)
        one_hot = csr_array((np.ones(len(row), np.float32), (feature, row)), shape=(size, n))
        totals = np.asarray(one_hot @ weights)
        counts = np.bincount(feature, minlength=size)
        ends = np.append(self.starts[1:], size)
        for start, end in zip(self.starts, ends, strict=True):
            observed = counts[start:end].sum()
            if observed:
                # The error of a mean over observed cells only (ratio estimator).
                part = totals[start:end]
                share = (counts[start:end] / observed).astype(np.float32)
                part -= share[:, None] * part.sum(axis=0)
                part *= np.float32(np.sqrt(n / observed))
                if self.cumulative:
                    np.cumsum(part, axis=0, out=part)
        return np.ascontiguousarray(totals.T)


def sample_rows(
    table: Table, labels: Labels, max_rows: int, seed: np.random.SeedSequence
) -> RowSample:
    """Choose at most `max_rows` rows of each environment, whatever the order of rows or labels."""
    environments, order = content_order(table, np.zeros(table.n_rows), labels.codes, len(labels))
    counts = labels.counts[environments]
    groups = np.split(order, np.cumsum(counts)[:-1])
    seeds = seed.spawn(len(groups))
    chosen = [
        np.random.default_rng(child).permutation(group)[:max_rows]
        if len(group) > max_rows
        else group
        for group, child in zip(groups, seeds, strict=True)
    ]
    ends = np.cumsum([len(group) for group in chosen])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    positions = [parts[i] for i in np.argsort(environments, kind="stable")]
    return RowSample(np.concatenate(chosen), tuple(positions), environments)


def cell_features(
    table: Table, labels: Labels, sample: RowSample, metric: str, max_cells: int
) -> Features:
    """Features of the per-column metrics: all rows count in the means.

    Parameters
    ----------
    table : Table
        Columns to average over.
    labels : Labels
        Environments.
    sample : RowSample
        Rows behind the noise.
    metric : {"wasserstein", "total_variation"}
    max_cells : int
        Cells per number.
    """
    means, weights, codes, n_rows, starts, offset = [], [], [], [], [], 0
    for column in table:
        cells = cut_column(column, max_cells)
        counts = count_cells(cells, labels).astype(float)
        if (counts.sum(axis=0) > 0).sum() < 2:
            continue
        with np.errstate(invalid="ignore"):
            share = counts / counts.sum(axis=1, keepdims=True)
        if metric == "wasserstein":
            share = np.cumsum(share, axis=1)
            observed = column.values[~np.isnan(column.values)]
            weights.append(np.append(np.diff(cells.values), 0.0) / robust_spread(observed))
        else:
            weights.append(np.full(cells.n_cells, 0.5))
        means.append(share)
        n_rows.append(counts.sum(axis=1))
        code = cells.codes[sample.rows]
        codes.append(np.where(code >= 0, code + offset, -1).astype(np.int32))
        starts.append(offset)
        offset += cells.n_cells
    if not means:
        return _no_features(labels, sample)
    return Features(
        np.hstack(means), np.concatenate(weights), 1, np.column_stack(n_rows), sample,
        np.array(starts), codes=np.column_stack(codes), cumulative=metric == "wasserstein",
    )  # fmt: skip


def fourier_features(table: Table, sample: RowSample, rng: np.random.Generator) -> Features:
    """Random Fourier features of a Gaussian kernel; bandwidth: median distance of sampled pairs."""
    numbers, codes = _row_values(table, sample.rows)
    bandwidth = _median_distance(numbers, codes, rng)
    phase = _project(numbers, codes, N_FREQUENCIES, rng) / bandwidth
    dense = np.hstack([np.cos(phase), np.sin(phase)]).astype(np.float32) / np.sqrt(N_FREQUENCIES)
    means = np.stack([dense[p].mean(axis=0, dtype=float) for p in sample.positions])
    ones = np.ones(dense.shape[1])
    return Features(means, ones, 2, sample.sizes[:, None], sample, np.array([0]), dense=dense)


def energy_features(table: Table, sample: RowSample, rng: np.random.Generator) -> Features:
    """Cells of random one-dimensional projections, whose squared differences sum to energy."""
    from scipy.special import gammaln

    numbers, codes = _row_values(table, sample.rows)
    size = numbers.shape[1] + sum(int(code.max()) + 1 for code in codes)
    n_directions = N_DIRECTIONS if size > 1 else 1
    projected = _project(numbers, codes, n_directions, rng, unit=True)
    # |x| = factor * mean over unit directions u of |u'x|.
    factor = np.sqrt(np.pi) * np.exp(gammaln((size + 1) / 2) - gammaln(size / 2))
    n_cells = N_THRESHOLDS if size > 1 else 512
    cut = [_cut_projection(projected[:, j], n_cells) for j in range(n_directions)]
    lengths = np.array([len(values) for _, values in cut])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    gaps = [np.append(np.diff(values), 0.0) for _, values in cut]
    weights = np.concatenate(gaps) * (2 * factor / n_directions)
    matrix = np.column_stack([code + start for (code, _), start in zip(cut, starts, strict=True)])
    means = np.stack(
        [_cumulative_shares(matrix[p], starts, lengths.sum()) for p in sample.positions]
    )
    return Features(
        means,
        weights,
        2,
        np.repeat(sample.sizes[:, None], n_directions, axis=1),
        sample,
        starts,
        codes=matrix.astype(np.int32),
        cumulative=True,
    )


def _no_features(labels: Labels, sample: RowSample) -> Features:
    """Stand in for a table whose columns are all constant: every distance is 0."""
    nothing = np.full((len(sample.rows), 1), -1, dtype=np.int32)
    zeros = np.zeros((len(labels), 1))
    n_rows = labels.counts[:, None]
    return Features(zeros, zeros[0], 1, n_rows, sample, np.array([0]), codes=nothing)


def _row_values(table: Table, sampled: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Standardised numbers (missing: the median) and category codes (missing: its own code)."""
    numbers, codes = [], []
    for column in table:
        values = column.values[sampled]
        if not column.is_number:
            codes.append(np.where(values < 0, len(column.categories), values).astype(np.intp))
            continue
        observed = column.values[~np.isnan(column.values)]
        spread = robust_spread(observed)
        if spread > 0:
            scaled = (values - np.median(observed)) / spread
            numbers.append(np.clip(np.nan_to_num(scaled, nan=0.0), -ROW_LIMIT, ROW_LIMIT))
    matrix = np.column_stack(numbers) if numbers else np.zeros((len(sampled), 0))
    return matrix, codes


def _project(
    numbers: np.ndarray,
    codes: list[np.ndarray],
    n_directions: int,
    rng: np.random.Generator,
    unit: bool = False,
) -> np.ndarray:
    """Project rows; a category is a one-hot vector scaled so that two categories differ by 1."""
    directions = rng.standard_normal((numbers.shape[1], n_directions))
    tables = [rng.standard_normal((int(code.max()) + 1, n_directions)) for code in codes]
    projected = numbers @ directions
    for code, table in zip(codes, tables, strict=True):
        projected += table[code] / np.sqrt(2)
    if not unit:
        return projected
    squares = (directions**2).sum(axis=0) + sum((table**2).sum(axis=0) for table in tables)
    return projected / np.sqrt(np.maximum(squares, 1e-300))


def _median_distance(
    numbers: np.ndarray, codes: list[np.ndarray], rng: np.random.Generator
) -> float:
    n = len(numbers) if not codes else len(codes[0])
    a, b = rng.integers(n, size=(2, 2000))
    squared = ((numbers[a] - numbers[b]) ** 2).sum(axis=1)
    squared += sum((code[a] != code[b]).astype(float) for code in codes)
    positive = squared[squared > 0]
    return float(np.sqrt(np.median(positive))) if len(positive) else 1.0


def _cut_projection(values: np.ndarray, max_cells: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, kind="stable")
    cell = cell_of_sorted(values[order], max_cells)
    codes = np.empty(len(values), dtype=np.int32)
    codes[order] = cell
    means = np.bincount(cell, weights=values[order]) / np.bincount(cell)
    return codes, means


def _cumulative_shares(codes: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    share = np.bincount(codes.ravel(), minlength=size) / len(codes)
    return np.cumsum(share) - np.repeat(np.arange(len(starts)), np.diff(np.append(starts, size)))
