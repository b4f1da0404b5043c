"""LIME on whole tables: what it learned from the training data, and the rows block by block."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from shiftlab._core.names import join_names
from shiftlab._core.parallel import parallel_map
from shiftlab._core.progress import Progress
from shiftlab.exceptions import InputError
from shiftlab.explanation._explainer_blocks import (
    assign_blocks,
    block_seed,
    content_keys,
    rows_by_block,
)
from shiftlab.explanation._explainer_checks import predict_table
from shiftlab.explanation._explainer_encoding import Encoding, column_positions
from shiftlab.explanation._lime_around import explain_around
from shiftlab.explanation._lime_linear import explain_linear
from shiftlab.explanation._lime_reference import (
    Reference,
    learn_joint,
    learn_quartiles,
    learn_reference,
)
from shiftlab.explanation._lime_regression import LocalFit
from shiftlab.explanation._lime_settings import LimeSettings, read_settings
from shiftlab.explanation._lime_shared import explain_shared
from shiftlab.explanation._models import ModelFunction
from shiftlab.explanation._models_linear import LinearForm, linear_form

__all__ = ["LimeTable", "TableFit", "fit_table", "learn_table"]


@dataclass(frozen=True)
class LimeTable:
    """What LIME knows of its training data.

    Attributes
    ----------
    matrix : ndarray of shape (n, d)
        The training data.
    encoding : Encoding
        How tables become matrices.
    settings : LimeSettings
        Checked options.
    reference : Reference
        Of everybody.
    conditions : dict of (int, float) to Reference
        By column and level of `conditional_on`.
    kept : list of int
        Columns that get a value.
    """

    matrix: np.ndarray
    encoding: Encoding
    settings: LimeSettings
    reference: Reference
    conditions: dict[tuple[int, float], Reference]
    kept: list[int]

    def split(
        self, parts: list[tuple[int, np.ndarray]], matrix: np.ndarray, n_blocks: int
    ) -> list[tuple[int, Reference, np.ndarray]]:
        """Give each part of the rows its reference: that of its group, or that of everybody."""
        split = []
        for block, rows in parts:
            left = np.ones(len(rows), dtype=bool)
            for k, ((j, level), reference) in enumerate(self.conditions.items(), start=1):
                own = matrix[rows, j] == level
                if own.any():
                    split.append((block + k * n_blocks, reference, rows[own]))
                left &= ~own
            if left.any():
                split.append((block, self.reference, rows[left]))
        return split

    def per_overall_unit(self, fit: LocalFit, reference: Reference) -> LocalFit:
        """Turn slopes per standard deviation of a group into slopes per overall one."""
        if reference is self.reference:
            return fit
        numbers = [j for j in self.settings.free if j not in reference.levels]
        unit = np.ones(fit.coef.shape[1])
        unit[: len(numbers)] = (self.reference.scale / reference.scale)[numbers]
        return fit._replace(coef=fit.coef * unit, variance=fit.variance * unit**2)


class TableFit(NamedTuple):
    """Surrogates of all rows of a table, and what they were fitted to."""

    fit: LocalFit
    matrix: np.ndarray
    prediction: np.ndarray
    blocks: np.ndarray
    effective_samples: float


def learn_table(options: Mapping[str, Any], matrix: np.ndarray, encoding: Encoding) -> LimeTable:
    """Check the options of `LimeExplainer` and measure its training data."""
    names = encoding.names
    categorical = column_positions(options["categorical"], names, "categorical")
    condition = column_positions(options["conditional_on"], names, "conditional_on")
    categorical = sorted({*categorical, *encoding.coded, *condition})
    _check_no_missing(matrix[:, categorical], [names[j] for j in categorical])
    derived = {
        column_positions(c, names, "derived")[0]: f for c, f in (options["derived"] or {}).items()
    }
    frozen = column_positions(options["frozen"], names, "frozen")
    kept = [j for j in range(len(names)) if j not in derived]
    free = tuple(j for j in kept if j not in (*frozen, *condition))
    if not free:
        raise InputError("frozen: no column is left to perturb.")
    settings = read_settings(dict(options), len(kept), free, derived)
    reference = learn_reference(matrix, categorical)
    rows = {
        (j, level): matrix[matrix[:, j] == level]
        for j in condition
        for level in reference.levels[j]
    }
    conditions = {key: learn_reference(own, categorical, reference) for key, own in rows.items()}
    numbers = [j for j in free if j not in categorical]
    if settings.mode == "quartile":
        quartiles = {j: learn_quartiles(matrix[:, j]) for j in numbers}
        reference = replace(reference, quartiles=quartiles)
    if settings.mode == "joint":
        categories = [j for j in free if j in categorical]
        reference = learn_joint(reference, matrix, numbers, categories)
        conditions = {
            key: learn_joint(own, rows[key], numbers, categories) for key, own in conditions.items()
        }
    return LimeTable(matrix, encoding, settings, reference, conditions, kept)


def _check_no_missing(categories: np.ndarray, names: list[str]) -> None:
    missing = np.isnan(categories).any(axis=0)
    if missing.any():
        bad = [name for name, is_missing in zip(names, missing, strict=True) if is_missing]
        raise InputError(
            f"categorical: {join_names(bad)} has missing cells. Give them a category of their own."
        )


def fit_table(
    table: LimeTable,
    function: ModelFunction,
    X: Any,
    stratify: Any,
    *,
    seed: np.random.SeedSequence,
    n_blocks: int,
    n_jobs: int | None = None,
    progress: Progress = False,
    with_quadratic: bool = False,
) -> TableFit:
    """Fit the surrogates of all rows; `LimeExplainer.explain` lays them out.

    Parameters
    ----------
    table : LimeTable
        From the training data.
    function : ModelFunction
        The black box.
    X : array or data frame of shape (n_rows, n_columns)
        Rows to explain.
    stratify : array of shape (n_rows,) or (n_rows, k), optional
        Groups to deal out evenly over the blocks.
    seed : SeedSequence
        Of the draws.
    n_blocks, n_jobs, progress : int, int or None, bool or callable
        As in `LimeExplainer`.
    with_quadratic : bool, default False
        Whether to fit a surrogate with squares and products beside the linear one.
    """
    settings = replace(table.settings, with_quadratic=with_quadratic)
    matrix, encoding = table.encoding.encode(X)
    _check_no_missing(
        matrix[:, list(table.reference.levels)],
        [encoding.names[j] for j in table.reference.levels],
    )
    prediction = predict_table(function, encoding, matrix)
    keys = content_keys(matrix, seed)
    blocks = assign_blocks(keys, n_blocks, stratify)
    parts = table.split(rows_by_block(blocks, keys), matrix, n_blocks)
    form = None
    if settings.mode in ("around", "joint") and not settings.derived:
        form = linear_form(function, encoding, table.reference, matrix)
    tasks = [
        ((function, form), encoding, settings, reference, matrix[rows], prediction[rows],
         block_seed(seed, block))
        for block, reference, rows in parts
    ]  # fmt: skip
    found = parallel_map(
        _explain_block, tasks, n_jobs=n_jobs, progress=progress, description="blocks explained"
    )
    back = np.argsort(np.concatenate([rows for _, _, rows in parts]))
    fits = [
        table.per_overall_unit(fit, reference)
        for (fit, _), (_, reference, _) in zip(found, parts, strict=True)
    ]
    fit = LocalFit(*(np.concatenate(field)[back] for field in zip(*fits, strict=True)))
    effective = float(min(value for _, value in found))
    return TableFit(fit, matrix, prediction, blocks, effective)


def _explain_block(
    black_box: tuple[ModelFunction, LinearForm | None],
    encoding: Encoding,
    settings: LimeSettings,
    reference: Reference,
    rows: np.ndarray,
    prediction: np.ndarray,
    seed: np.random.SeedSequence,
) -> tuple[LocalFit, float]:
    """Explain one block in the way that fits the mode and the model."""
    function, form = black_box
    if form is not None:
        return explain_linear(form, settings, reference, rows, seed)
    if settings.mode in ("around", "joint"):
        return explain_around(function, encoding, settings, reference, rows, prediction, seed)
    return explain_shared(function, encoding, settings, reference, rows, prediction, seed)
