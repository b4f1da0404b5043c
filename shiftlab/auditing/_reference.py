"""The reference: what a sample is compared with, read once and kept in the form tests need.

Counts, hashes of rows, sorted columns and encoded rows are made once, in parts if the table does
not fit in memory; each further sample then costs milliseconds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftlab._core.checks import check_integer
from shiftlab._core.frames import Table
from shiftlab._core.names import join_names
from shiftlab._core.random import RandomState, spawn_seeds
from shiftlab.auditing._reference_moments import KeptRows
from shiftlab.auditing._reference_values import ValueCounts
from shiftlab.auditing._roles import Roles
from shiftlab.auditing._row_hashes import hash_rows
from shiftlab.exceptions import InputError
from shiftlab.metrics import GroupCounts

__all__ = ["Reference"]


class Reference:
    """A population, or an independent random sample of it, prepared for tests.

    Parameters
    ----------
    decision : str, optional
        Column with the decision; left out where only covariates are known.
    sensitive_features : str or sequence of str, optional
        Columns with the protected attributes.
    label : str, optional
        Column with the true outcome.
    row_id : str, optional
        Column that identifies rows.
    pos_label : object, optional
        The favourable decision; 1 by default.
    label_pos_label : object, optional
        The good outcome; 1 by default.
    ignore : sequence of str, optional
        Columns to leave aside.
    features_only : bool, default False
        Whether the reference is known without decisions: decision and outcome are then columns of
        samples only.
    n_frequencies : int, default 256
        Random frequencies per bandwidth for the kernel test.
    max_rows : int, default 200000
        Rows kept for the omnibus tests (sliced Wasserstein, kernel, Hotelling), drawn at random
        from a larger reference; the other tests use all rows.
    random_state : int, SeedSequence, Generator or None, default 0
        Seed of the frequencies and of the choice of those rows.

    Attributes
    ----------
    n_rows : int
        Rows read so far.
    counts : GroupCounts or None
        Decisions by group, or None where no decision or no sensitive feature is named.
    names : tuple of str
        Columns in use.

    Notes
    -----
    Columns keep their distinct values with counts, so that parts add up exactly.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import Reference
    >>> rng = np.random.default_rng(0)
    >>> table = {"x": rng.normal(size=500), "s": rng.integers(0, 2, 500)}
    >>> table["yhat"] = (table["x"] > 0).astype(int)
    >>> reference = Reference(decision="yhat", sensitive_features="s").fit(table)
    >>> reference
    Reference(500 rows, 3 columns, 2 groups of 's')
    """

    def __init__(
        self,
        *,
        decision: str | None = None,
        sensitive_features: str | Sequence[str] | None = None,
        label: str | None = None,
        row_id: str | None = None,
        pos_label: Any = None,
        label_pos_label: Any = None,
        ignore: Sequence[str] = (),
        features_only: bool = False,
        n_frequencies: int = 256,
        max_rows: int = 200_000,
        random_state: RandomState = 0,
    ) -> None:
        self.sample_roles = Roles.of(
            decision,
            sensitive_features,
            label=label,
            row_id=row_id,
            pos_label=pos_label,
            label_pos_label=label_pos_label,
            ignore=ignore,
        )
        self.features_only = features_only
        self.roles = self.sample_roles.without_decisions() if features_only else self.sample_roles
        self._n_frequencies = check_integer(n_frequencies, "n_frequencies")
        self._max_rows = check_integer(max_rows, "max_rows")
        self._seeds = spawn_seeds(random_state, 2)
        self._clear()

    def _clear(self) -> None:
        self.n_rows = 0
        self.counts: GroupCounts | None = None
        self.names: tuple[str, ...] = ()
        self._hashes: list[np.ndarray] = []
        self._ids: list[np.ndarray] = []
        self._values: dict[str, ValueCounts] = {}
        self._kept: KeptRows | None = None

    def __repr__(self) -> str:
        groups = f", {len(self.counts)} groups of {self.counts.feature!r}" if self.counts else ""
        return f"Reference({self.n_rows} rows, {len(self.names)} columns{groups})"

    def fit(self, data: Any) -> "Reference":
        """Read the whole reference, forgetting what was read before.

        Parameters
        ----------
        data : data frame, mapping of columns or array
            The rows.

        Returns
        -------
        Reference

        Raises
        ------
        InputError
            If a named column is missing, a sensitive cell is, an identifier repeats, or decisions
            do not have two values.
        """
        self._clear()
        return self._read(data, known=False)

    def partial_fit(self, data: Any) -> "Reference":
        """Read a further part of the reference.

        Parameters
        ----------
        data : data frame, mapping of columns or array
            Rows with the same columns as the parts before.

        Returns
        -------
        Reference

        Raises
        ------
        InputError
            If the columns differ from those of the first part.
        """
        return self._read(data, known=True)

    def _read(self, data: Any, *, known: bool) -> "Reference":
        table = self.roles.read(data, "reference")
        if self.names:
            self.check_schema(table, "a further part of the reference")
        counts = self.roles.count(table, known=known)
        features = self.roles.features(table)
        if self._kept is None:
            self.names = table.names
            self._kept = KeptRows(features, self._n_frequencies, self._max_rows, self._seeds)
        if counts is not None:
            self.counts = counts if self.counts is None else self.counts + counts
        self._hashes.append(np.sort(hash_rows(table)))
        if self.roles.row_id is not None:
            self._ids.append(hash_rows(table.select([self.roles.row_id])))
            self._check_ids()
        for column in self.roles.covariates(table):
            self._values.setdefault(column.name, ValueCounts()).add(column)
        self._kept.add(features)
        self.n_rows += table.n_rows
        return self

    def _check_ids(self) -> None:
        ids = self.id_hashes
        n_repeated = int((ids[1:] == ids[:-1]).sum())
        if n_repeated:
            raise InputError(
                f"row_id: {n_repeated} row(s) of the reference repeat an identifier. An identifier "
                "names one row; choose another column, or leave row_id out."
            )

    def check_schema(self, table: Table, name: str) -> None:
        """Check that a table has the columns of the reference.

        Parameters
        ----------
        table : Table
            The table.
        name : str
            What it is called in the message.

        Raises
        ------
        InputError
            If columns are missing, added, or of another kind.
        """
        lacking = [n for n in self.names if n not in table]
        added = [n for n in table.names if n not in self.names]
        if lacking or added:
            parts = [f"lacks {join_names(lacking)}"] if lacking else []
            parts += [f"has in addition {join_names(added)}"] if added else []
            raise InputError(
                f"{name} and the reference have different columns: {name} {' and '.join(parts)}. "
                "Give both the same columns, or name those to leave aside with ignore."
            )

    def read_sample(self, data: Any) -> Table:
        """Read a sample and put its columns in the order of the reference.

        Parameters
        ----------
        data : data frame, mapping of columns or array
            The rows.

        Returns
        -------
        Table

        Raises
        ------
        InputError
            If the columns differ from those of the reference.
        """
        table = self.roles.read(data, "sample")
        self.check_schema(table, "sample")
        return table.select(self.names)

    @property
    def hashes(self) -> np.ndarray:
        """Sorted hashes of all rows."""
        return _merged(self._hashes)

    @property
    def id_hashes(self) -> np.ndarray:
        """Sorted hashes of the identifiers."""
        return _merged(self._ids)

    @property
    def values(self) -> dict[str, ValueCounts]:
        """Distinct values of each covariate with their counts."""
        return self._values

    @property
    def kept(self) -> KeptRows:
        """Rows kept for the omnibus tests, with their means and covariances."""
        if self._kept is None:
            raise InputError("The reference has no rows yet; call fit or partial_fit first.")
        return self._kept


def _merged(parts: list[np.ndarray]) -> np.ndarray:
    """Sort the parts into one array, once."""
    if len(parts) > 1 or (parts and not _is_sorted(parts[0])):
        parts[:] = [np.sort(np.concatenate(parts))]
    return parts[0] if parts else np.empty(0, dtype=np.uint64)


def _is_sorted(values: np.ndarray) -> bool:
    return bool((values[1:] >= values[:-1]).all())
