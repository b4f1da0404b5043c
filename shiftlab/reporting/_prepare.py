"""How a raw table is understood before anything is computed: kinds, roles, what is set aside."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from shiftlab._core.frames import Column, ColumnKind, Table, as_table
from shiftlab._core.names import missing_column_message
from shiftlab._core.validation import (
    Labels,
    check_environment,
    check_sensitive_features,
    split_columns,
)
from shiftlab.exceptions import (
    ColumnNotFoundError,
    DegenerateDataError,
    InputError,
    InputWarning,
)

__all__ = ["ColumnNote", "Prepared", "Role", "prepare"]

Role: TypeAlias = Literal["environment", "outcome", "decision", "sensitive", "covariate"]
#: Integers with at most this many distinct values are read as categories.
MAX_CODES = 10
#: Integers whose name says that they are codes may have this many.
MAX_NAMED_CODES = 200
CODE_NAME = re.compile(r"(^|[_ .-])(id|code|type|zip|zipcode|postcode)$", re.IGNORECASE)
IDENTIFIER_NAME = re.compile(r"(^|[_ .-])(id|nbr|no|key|uuid|index)$|^unnamed", re.IGNORECASE)
ISO_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$")
#: The report compares each two environments, and each group with each other.
MAX_ENVIRONMENTS, MAX_GROUPS = 1500, 60
#: From here on the caller is told what so many pairs cost.
MANY_ENVIRONMENTS = 200
#: Fewer rows than this say nothing about which columns are identifiers.
MIN_ROWS_FOR_IDENTIFIER = 20


@dataclass(frozen=True)
class ColumnNote:
    """What the report says about one column of the input."""

    name: str
    role: Role
    kind: str
    n_distinct: int
    n_missing: int
    note: str
    set_aside: str


@dataclass(frozen=True)
class Prepared:
    """The table as the sections of the report use it.

    Attributes
    ----------
    table : Table
        Every column of the input, kinds settled.
    covariates : tuple of str
        Columns that are compared between environments and explain the outcome.
    environment : Labels
        Environment of each row.
    outcome, decision : str or None
        Names of columns.
    sensitive : tuple of Labels
        Sensitive features.
    columns : tuple of ColumnNote
        One note per column of the input.
    """

    table: Table
    covariates: tuple[str, ...]
    environment: Labels
    outcome: str | None
    decision: str | None
    sensitive: tuple[Labels, ...]
    columns: tuple[ColumnNote, ...]

    @property
    def compared(self) -> tuple[str, ...]:
        """Covariates, outcome and decision: the columns whose shifts are tested."""
        return (*self.covariates, *(n for n in (self.outcome, self.decision) if n))


def prepare(
    data: Any,
    environment: Any,
    *,
    outcome: str | None = None,
    decision: str | None = None,
    sensitive_features: Any = None,
    kinds: Mapping[str, ColumnKind] | None = None,
    exclude: Sequence[str] = (),
) -> Prepared:
    """Read a table and settle what each column is.

    Parameters
    ----------
    data : data frame, array or mapping of shape (n_rows, n_columns)
        The table.
    environment : str, sequence of str, or array of shape (n_rows,)
        Column name(s), or the labels.
    outcome, decision : str, optional
        Column names.
    sensitive_features : str, sequence of str, or array, optional
        Column name(s), or the features.
    kinds : mapping of str to str, optional
        Kinds that the caller knows better: "numeric" or "categorical".
    exclude : sequence of str, default ()
        Columns to leave out on request.

    Returns
    -------
    Prepared

    Raises
    ------
    ColumnNotFoundError
        If a named column does not exist.
    InputError
        If roles collide, or nothing is left to compare.
    """
    table = as_table(data, name="data")
    kinds = dict(kinds or {})
    labels, environment_columns = check_environment(environment, table)
    sensitive: list[Labels] = []
    if sensitive_features is not None and _given(sensitive_features):
        sensitive, _ = check_sensitive_features(sensitive_features, table)
    _check_labels(labels, sensitive, table.n_rows)
    table, notes = _settle_kinds(table, kinds)
    roles = _roles(table, environment_columns, outcome, decision, sensitive)
    reasons = _set_aside(table, labels, roles, set(kinds))
    for name in exclude:
        if roles[table[name].name] != "covariate":
            raise InputError(f"exclude: column {name!r} is the {roles[name]}.")
        reasons[name] = "excluded on request"
    columns = tuple(
        ColumnNote(
            name=column.name,
            role=roles[column.name],
            kind=column.kind,
            n_distinct=_n_distinct(column),
            n_missing=int(column.missing.sum()),
            note=notes.get(column.name, column.note),
            set_aside=reasons.get(column.name, ""),
        )
        for column in table
    )
    covariates = tuple(
        c.name for c in columns if c.role in ("covariate", "sensitive") and not c.set_aside
    )
    if not covariates:
        raise InputError(
            "data has no column left to compare between environments: every column is the "
            "environment, the outcome or the decision, or was set aside (constant, empty, "
            "identifier or property of the environment)."
        )
    return Prepared(table, covariates, labels, outcome, decision, tuple(sensitive), columns)


def _check_labels(labels: Labels, sensitive: list[Labels], n_rows: int) -> None:
    """Refuse what was meant as a number: thousands of environments, dozens of groups."""
    n = len(labels)
    if n > MAX_ENVIRONMENTS or (n > MIN_ROWS_FOR_IDENTIFIER and n > n_rows / 2):
        raise InputError(
            f"environment: {labels.name!r} has {n} distinct labels in {n_rows} rows. Name a column "
            "that says where rows come from, or put its values into fewer bins first."
        )
    if n > MANY_ENVIRONMENTS:
        warnings.warn(
            f"environment: {labels.name!r} has {n} labels, of {n_rows / n:.1f} rows on average; "
            f"{n * (n - 1) // 2:,} pairs are compared, which takes long and shows little where "
            "environments are small. Coarser labels (months instead of days) tell more.",
            InputWarning,
            stacklevel=4,
        )
    for feature in sensitive:
        if len(feature) > MAX_GROUPS:
            raise InputError(
                f"sensitive_features: {feature.name!r} has {len(feature)} distinct values, at most "
                f"{MAX_GROUPS} groups can be compared. Put them into bins first (ages into bands)."
            )


def _given(features: Any) -> bool:
    return bool(split_columns(features)) if isinstance(features, (str, list, tuple)) else True


def _roles(
    table: Table,
    environment_columns: list[str],
    outcome: str | None,
    decision: str | None,
    sensitive: list[Labels],
) -> dict[str, Role]:
    roles: dict[str, Role] = dict.fromkeys(table.names, "covariate")
    for labels in sensitive:
        if labels.name in roles:
            roles[labels.name] = "sensitive"
    given: list[tuple[Role, str | None]] = [("outcome", outcome), ("decision", decision)]
    for role, name in given:
        if name is None:
            continue
        if name not in table:
            raise ColumnNotFoundError(missing_column_message(name, table.names, role))
        if name in environment_columns:
            raise InputError(f"{role}: column {name!r} is already the environment.")
        roles[name] = role
    if outcome is not None and outcome == decision:
        raise InputError(f"outcome and decision are the same column, {outcome!r}.")
    for name in environment_columns:
        if roles[name] == "sensitive":
            raise InputError(f"sensitive_features: column {name!r} is already the environment.")
        roles[name] = "environment"
    return roles


def _settle_kinds(table: Table, kinds: dict[str, ColumnKind]) -> tuple[Table, dict[str, str]]:
    table = table.with_kinds(kinds)
    notes: dict[str, str] = {}
    columns = []
    for column in table:
        settled = column if column.name in kinds else _settle(column)
        if settled.kind != column.kind:
            notes[column.name] = (
                "text read as dates"
                if settled.kind == "datetime"
                else f"whole numbers with {len(settled.categories)} values, read as categories"
            )
        columns.append(settled)
    return replace(table, columns=tuple(columns)), notes


def _settle(column: Column) -> Column:
    if column.kind == "categorical":
        return _parse_dates(column)
    if column.kind != "numeric" or column.missing.all():
        return column
    values = column.values[~column.missing]
    if not column.integral and not (values == np.floor(values)).all():
        return column
    n_distinct = len(np.unique(values))
    named_code = bool(CODE_NAME.search(column.name)) and n_distinct <= MAX_NAMED_CODES
    return column.as_categorical() if n_distinct <= MAX_CODES or named_code else column


def _parse_dates(column: Column) -> Column:
    """Read a text column as dates if each of its labels is an ISO 8601 date."""
    labels = column.categories
    if not labels or not all(isinstance(v, str) and ISO_DATE.match(v) for v in labels):
        return column
    try:
        stamps = np.array([v.replace(" ", "T") for v in labels], dtype="datetime64[us]")
    except ValueError:
        return column
    days = np.append(stamps.astype(np.int64) / 86_400e6, np.nan)
    return replace(column, kind="datetime", values=days[column.values], categories=())


def _set_aside(
    table: Table, labels: Labels, roles: dict[str, Role], kept: set[str]
) -> dict[str, str]:
    """Say for each column that cannot be compared why not."""
    reasons: dict[str, str] = {}
    seen: dict[bytes, str] = {}
    for column in table:
        role = roles[column.name]
        if role == "environment":
            continue
        if role in ("outcome", "decision"):
            _check_varies(column, role)
            continue
        reason = _why_unusable(column, labels, column.name in kept)
        if not reason:
            twin = seen.setdefault(_fingerprint(column), column.name)
            reason = f"equal to column {twin!r}" if twin != column.name else ""
        if reason:
            reasons[column.name] = reason
    return reasons


def _check_varies(column: Column, role: Role) -> None:
    n_distinct = _n_distinct(column)
    if n_distinct < 2:
        found = "every cell is missing" if n_distinct == 0 else "every row has the same value"
        raise DegenerateDataError(
            f"{role}: column {column.name!r} cannot be used: {found}. Name another column."
        )
    if column.kind == "datetime":
        raise InputError(f"{role}: column {column.name!r} holds dates; name another column.")


def _why_unusable(column: Column, labels: Labels, kept: bool) -> str:
    observed = ~column.missing
    n_observed = int(observed.sum())
    if n_observed == 0:
        return "every cell is missing"
    n_distinct = _n_distinct(column)
    if n_distinct == 1:
        return "constant"
    if not kept and _is_identifier(column, n_observed, n_distinct):
        return "identifier or free text: its values hardly repeat"
    if _constant_within(column, labels):
        return "a property of the environment: one value in each"
    return ""


def _is_identifier(column: Column, n_observed: int, n_distinct: int) -> bool:
    if n_observed < MIN_ROWS_FOR_IDENTIFIER or column.kind in ("datetime", "boolean"):
        return False
    if column.kind == "numeric":
        whole = column.integral and n_distinct == n_observed
        hinted = column.integral and bool(IDENTIFIER_NAME.search(column.name))
        return whole or (hinted and n_distinct > 0.5 * n_observed)
    return n_distinct > 0.5 * n_observed


def _constant_within(column: Column, labels: Labels) -> bool:
    """Tell whether each environment has at most one value (and rows enough to show a second)."""
    if labels.counts.max() < 2:
        return False
    observed = np.flatnonzero(~column.missing)
    codes, values = labels.codes[observed], column.values[observed]
    first = np.zeros(len(labels), dtype=values.dtype)
    first[codes[::-1]] = values[::-1]
    return bool((values == first[codes]).all())


def _n_distinct(column: Column) -> int:
    return len(np.unique(column.values[~column.missing]))


def _fingerprint(column: Column) -> bytes:
    import hashlib

    digest = hashlib.sha256(np.ascontiguousarray(column.values).tobytes())
    digest.update(repr(column.categories).encode())
    return digest.digest()
