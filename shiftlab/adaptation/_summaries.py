"""Summaries of a batch of covariates: what is known of an environment before any label.

Everything is measured in units of the pooled training data, so summaries do not depend on the units
of the columns. Correlations are Fisher-transformed and standard deviations logged, which makes both
roughly normal with a spread that depends on the number of rows only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from shiftlab._core.checks import check_option
from shiftlab.exceptions import InputError

__all__ = ["KINDS", "SummaryKind", "SummarySpec", "parse_summary"]

SummaryKind: TypeAlias = str | Callable[[np.ndarray], np.ndarray] | Sequence[Any]
#: What each named summary consists of.
KINDS = {
    "means": ("means",),
    "moments": ("means", "spreads", "partial_correlations"),
    "correlations": ("means", "spreads", "correlations"),
    "paper": ("spreads", "correlations"),
    "quantiles": ("quantiles",),
    "missing": ("missing",),
}
PARTS = ("means", "spreads", "correlations", "partial_correlations", "quantiles", "missing")
#: Parts that follow from second moments alone.
FROM_MOMENTS = frozenset({"means", "spreads", "correlations", "partial_correlations"})
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
#: A standard deviation below this share of the pooled one is taken as this.
SMALLEST_SPREAD = 1e-3
LARGEST_CORRELATION = 0.999


def parse_summary(summary: Any) -> tuple[tuple[str, ...], tuple[Callable[..., Any], ...]]:
    """Return the parts that a summary consists of, and the functions among them."""
    given = [summary] if isinstance(summary, str) or callable(summary) else list(summary)
    parts: list[str] = []
    functions = []
    for item in given:
        if callable(item):
            functions.append(item)
        else:
            check_option(item, (*KINDS, *PARTS), "summary")
            parts += KINDS.get(item, (item,))
    return tuple(p for p in PARTS if p in parts), tuple(functions)


@dataclass(frozen=True)
class SummarySpec:
    """How a batch is summarised.

    Attributes
    ----------
    parts : tuple of str
        Named parts, in order.
    functions : tuple of callable
        Functions of the matrix of covariates that return numbers.
    numeric : ndarray of bool
        Columns of the matrix that are numbers (the others are categories, which have shares only).
    columns : tuple of str
        Names of the columns.
    variables : tuple of str
        Names of the variables, for rates of missing cells.
    """

    parts: tuple[str, ...]
    functions: tuple[Callable[..., Any], ...]
    numeric: np.ndarray
    columns: tuple[str, ...]
    variables: tuple[str, ...]

    @property
    def needs_rows(self) -> bool:
        """Whether second moments are not enough."""
        return bool(self.functions) or not FROM_MOMENTS.issuperset(self.parts)

    def names(self, extra: Sequence[int] = ()) -> tuple[str, ...]:
        """Names of the coordinates; `extra` holds how many each function returned."""
        numbers = [c for c, is_number in zip(self.columns, self.numeric, strict=True) if is_number]
        pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
        named = {
            "means": [
                f"mean({c})" if is_number else f"share({c})"
                for c, is_number in zip(self.columns, self.numeric, strict=True)
            ],
            "spreads": [f"sd({c})" for c in numbers],
            "correlations": [f"corr({a}, {b})" for a, b in pairs],
            "partial_correlations": [f"partial corr({a}, {b})" for a, b in pairs],
            "quantiles": [f"q{100 * level:.0f}({c})" for c in numbers for level in LEVELS],
            "missing": [f"missing({v})" for v in self.variables],
        }
        found = [name for part in self.parts for name in named[part]]
        for function, size in zip(self.functions, extra, strict=True):
            label = getattr(function, "__name__", "function")
            found += [label] if size == 1 else [f"{label}[{i}]" for i in range(size)]
        return tuple(found)

    def is_mean(self) -> np.ndarray:
        """Which coordinates are means or shares (functions are not listed)."""
        sizes = self._sizes()
        return (
            np.concatenate([np.full(sizes[p], p == "means") for p in self.parts] or [np.zeros(0)])
            > 0
        )

    def _sizes(self) -> dict[str, int]:
        m = int(self.numeric.sum())
        pairs = m * (m - 1) // 2
        return {
            "means": len(self.columns), "spreads": m, "correlations": pairs,
            "partial_correlations": pairs, "quantiles": m * len(LEVELS),
            "missing": len(self.variables),
        }  # fmt: skip

    def from_moments(self, n: np.ndarray, gram: np.ndarray) -> np.ndarray:
        """Summarise m batches from their numbers of rows and means of z z', z = (1, x)."""
        mean = gram[:, 0, 1:]
        numeric = np.flatnonzero(self.numeric)
        parts = {"means": mean}
        if {"spreads", "correlations", "partial_correlations"} & set(self.parts):
            second = gram[:, 1:, 1:] - mean[:, :, None] * mean[:, None, :]
            covariance = second[:, numeric[:, None], numeric]
            unbiased = np.where(n > 1, n / np.maximum(n - 1, 1), 0.0)
            parts |= _second_order(n, covariance * unbiased[:, None, None])
        found = [parts[p] for p in self.parts if p in parts]
        return np.hstack(found) if found else np.zeros((len(n), 0))

    def from_rows(
        self, X: np.ndarray, missing: np.ndarray | None, raw: np.ndarray
    ) -> tuple[np.ndarray, list[int]]:
        """Return what moments do not tell of a batch of rows; functions get the raw matrix."""
        values: list[np.ndarray] = [np.zeros(0)]
        if "quantiles" in self.parts:
            values.append(np.quantile(X[:, self.numeric], LEVELS, axis=0).T.ravel())
        if "missing" in self.parts:
            rates = np.zeros(len(self.variables)) if missing is None else missing.mean(axis=0)
            values.append(rates)
        sizes = []
        for function in self.functions:
            found = np.atleast_1d(np.asarray(function(raw), dtype=np.float64)).ravel()
            if not np.isfinite(found).all():
                raise InputError(
                    f"summary: {getattr(function, '__name__', 'the function')} returned a value "
                    "that is missing or infinite."
                )
            sizes.append(len(found))
            values.append(found)
        return np.concatenate(values), sizes

    def noise(self, within: np.ndarray) -> np.ndarray:
        """Return the sampling variance of each coordinate times the number of rows; 0 if not known.

        Parameters
        ----------
        within : ndarray of shape (n_columns,)
            Mean variance of each column inside an environment, in standard units.
        """
        sizes = self._sizes()
        number = within[self.numeric]
        known = {
            "means": within,
            "spreads": np.full(sizes["spreads"], 0.5),
            "correlations": np.ones(sizes["correlations"]),
            "partial_correlations": np.ones(sizes["partial_correlations"]),
            "quantiles": np.repeat(2.0 * number, len(LEVELS)),
            "missing": np.full(sizes["missing"], 0.1),
        }
        return np.concatenate([known[p] for p in self.parts] or [np.zeros(0)])

    def lost_rows(self) -> np.ndarray:
        """Rows that each coordinate uses up before it says anything."""
        sizes, m = self._sizes(), int(self.numeric.sum())
        used = {"means": 0, "spreads": 1, "correlations": 2, "partial_correlations": m,
                "quantiles": 0, "missing": 0}  # fmt: skip
        return np.concatenate([np.full(sizes[p], used[p]) for p in self.parts] or [np.zeros(0)])


def _second_order(n: np.ndarray, covariance: np.ndarray) -> dict[str, np.ndarray]:
    m = covariance.shape[1]
    each, above = np.arange(m), np.triu_indices(m, 1)
    variance = np.maximum(covariance[:, each, each], SMALLEST_SPREAD**2)
    plain = covariance.copy()
    plain[:, each, each] = variance
    alpha = np.minimum(0.3, m / np.maximum(n, m + 1))
    shrunk = (1 - alpha)[:, None, None] * covariance
    shrunk[:, each, each] = variance
    precision = np.linalg.inv(shrunk) if m else shrunk
    return {
        "spreads": np.log(np.sqrt(variance)),
        "correlations": _fisher(_scaled(plain)[:, above[0], above[1]]),
        "partial_correlations": _fisher(-_scaled(precision)[:, above[0], above[1]]),
    }


def _scaled(matrix: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.einsum("mii->mi", matrix))
    return np.asarray(matrix / (size[:, :, None] * size[:, None, :]))


def _fisher(correlation: np.ndarray) -> np.ndarray:
    return np.asarray(np.arctanh(np.clip(correlation, -LARGEST_CORRELATION, LARGEST_CORRELATION)))
