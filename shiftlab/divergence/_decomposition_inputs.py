"""From a table to what `shift_decomposition` computes with: checks, and the rows that are used."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlab._core.frames import Column, Table, as_table
from shiftlab._core.names import join_names
from shiftlab._core.validation import Labels, check_environment, check_option, split_columns
from shiftlab.divergence._content_order import content_order, draw_rows, share_rows
from shiftlab.divergence._crossfit import Problem, encode
from shiftlab.exceptions import DegenerateDataError, InputError

__all__ = ["Inputs", "Sample", "draw_sample", "read_inputs", "sample_notes"]

#: No environment is cut below this number of rows by `max_rows`, unless equal shares are smaller.
FLOOR = 300
MAX_CLASSES = 50


@dataclass(frozen=True)
class Inputs:
    """The table with its roles settled; rows without an outcome are gone.

    Attributes
    ----------
    covariates : Table
    outcome : Column
    labels : Labels
    task : str
    n_rows : int
        Rows of the original table.
    n_without_outcome : ndarray of int, shape (n_environments,)
    left_out : list
        Labels of environments without any known outcome.
    """

    covariates: Table
    outcome: Column
    labels: Labels
    task: str
    n_rows: int
    n_without_outcome: np.ndarray
    left_out: list[Any]


@dataclass(frozen=True)
class Sample:
    """The rows that are used, environment by environment, in random order inside each.

    Attributes
    ----------
    problem : Problem
    position : ndarray of int, shape (n_used,)
        Environment of each row, as a position in `environments`.
    environments : ndarray of int
        Codes of the environments in the order of their content.
    """

    problem: Problem
    position: np.ndarray
    environments: np.ndarray

    def locate(self, code: int | None) -> int | None:
        """Return the position of an environment's code."""
        return None if code is None else int(np.flatnonzero(self.environments == code)[0])


def read_inputs(
    data: Any, outcome: str, environment: Any, exclude: Any, estimator: Any, task: str
) -> Inputs:
    """Check the arguments that concern the table and settle the role of each column."""
    table = as_table(data, name="table")
    labels, used = check_environment(environment, table)
    column = _outcome(table, outcome, used)
    task = _task(column, estimator, task)
    covariates = table.drop([*dict.fromkeys([outcome, *used, *split_columns(exclude)])])
    if not covariates.columns:
        raise InputError(
            "table has no covariates: every column is the outcome, the environment or excluded."
        )
    known = ~column.missing
    without = np.bincount(labels.codes[~known], minlength=len(labels))
    present, codes = np.unique(labels.codes[known], return_inverse=True)
    if len(present) < 2:
        raise DegenerateDataError(
            f"outcome: {outcome!r} is known in {len(present)} environment(s), 2 are needed."
        )
    kept = Labels(labels.name, codes, tuple(labels.categories[i] for i in present))
    left_out = [c for i, c in enumerate(labels.categories) if i not in set(present.tolist())]
    return Inputs(
        covariates.take(known),
        column.take(known),
        kept,
        task,
        table.n_rows,
        without[present],
        left_out,
    )


def draw_sample(
    inputs: Inputs, estimator: Any, max_rows: int | None, seed: np.random.SeedSequence
) -> Sample:
    """Put the rows into the order of their content, draw those to use, encode them."""
    labels, n = inputs.labels, len(inputs.labels)
    environments, rows = content_order(inputs.covariates, inputs.outcome.values, labels.codes, n)
    counts = labels.counts[environments]
    keep = share_rows(counts, max_rows, FLOOR)
    rows = draw_rows(rows, counts, keep, seed.spawn(n))
    problem = _problem(
        inputs.covariates.take(rows), inputs.outcome.take(rows), inputs.task, estimator
    )
    return Sample(problem, np.repeat(np.arange(n), keep), environments)


def _outcome(table: Table, outcome: str, used: list[str]) -> Column:
    if not isinstance(outcome, str):
        raise InputError(f"outcome must be the name of a column, found {type(outcome).__name__}.")
    column = table[outcome]
    if outcome in used:
        raise InputError(f"outcome: {outcome!r} is the environment; name another column.")
    if column.kind == "datetime":
        raise InputError(f"outcome: {outcome!r} holds dates; give numbers or labels.")
    observed = column.values[~column.missing]
    if observed.size == 0 or observed.min() == observed.max():
        found = "one value only" if observed.size else "no known value"
        raise DegenerateDataError(
            f"outcome: {outcome!r} has {found}, so there is nothing to predict; "
            "name another column."
        )
    return column


def _task(column: Column, estimator: Any, task: str) -> str:
    from sklearn.base import is_classifier, is_regressor

    check_option(task, ("auto", "regression", "classification"), "task")
    n_values = len(np.unique(column.values[~column.missing]))
    if task == "auto":
        numbers = column.is_number and n_values > 2
        task = "regression" if numbers else "classification"
        if estimator is not None and is_classifier(estimator):
            task = "classification"
        elif estimator is not None and is_regressor(estimator) and column.kind != "categorical":
            task = "regression"
    if task == "regression" and column.kind == "categorical":
        raise InputError(f"outcome: {column.name!r} holds labels; task='regression' needs numbers.")
    if task == "classification" and n_values > MAX_CLASSES:
        raise InputError(
            f"outcome: {column.name!r} has {n_values} classes, at most {MAX_CLASSES} are "
            "supported; pool the rare ones, or use task='regression' for a number."
        )
    needed = "predict_proba" if task == "classification" else "predict"
    if estimator is not None and not (hasattr(estimator, "fit") and hasattr(estimator, needed)):
        raise InputError(
            f"estimator: {type(estimator).__name__} has no {needed}, which {task} of "
            f"{column.name!r} needs."
        )
    return task


def _problem(covariates: Table, outcome: Column, task: str, estimator: Any) -> Problem:
    encoded = encode(covariates)
    if task == "regression":
        return Problem(encoded, outcome.values.astype(np.float64), 0, estimator)
    present, codes = np.unique(outcome.values, return_inverse=True)
    return Problem(encoded, codes.astype(np.float64), max(2, len(present)), estimator)


def sample_notes(inputs: Inputs, sample: Sample, n_groups: int, reference: Any) -> list[str]:
    """Say what was done to the data."""
    notes = []
    n_known, n_used, n = inputs.covariates.n_rows, len(sample.position), len(inputs.labels)
    if inputs.left_out:
        notes.append(f"no known outcome in {join_names(inputs.left_out)}: left out")
    if n_known < inputs.n_rows:
        notes.append(f"{inputs.n_rows - n_known} rows without an outcome set aside")
    if n_used < n_known:
        notes.append(f"{n_used} of {n_known} rows drawn at random (max_rows)")
    if reference is None and n_groups < n:
        notes.append(
            f"{n} environments in {n_groups} groups: home is what lies outside the group of an "
            "environment"
        )
    return notes
