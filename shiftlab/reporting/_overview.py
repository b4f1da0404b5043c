"""Section 1 of the report: rows, columns, environments, kinds, missing cells."""

from typing import Any

import numpy as np

from shiftlab._core.frames import Column
from shiftlab._core.results import to_plain
from shiftlab.reporting._prepare import Prepared
from shiftlab.reporting._sections import Section, number_text

__all__ = ["SMALL_ENVIRONMENT", "overview_section"]

#: Environments with fewer rows are flagged: intervals there are wide and tests have little power.
SMALL_ENVIRONMENT = 30
MISSING_LOOKALIKES = ("?", "-", "--", ".", "unknown", "Unknown")


def overview_section(prepared: Prepared) -> Section:
    """Describe the table.

    Parameters
    ----------
    prepared : Prepared
        The table as understood.

    Returns
    -------
    Section
    """
    environment = prepared.environment
    n_rows = prepared.table.n_rows
    small = environment.counts < SMALL_ENVIRONMENT
    data: dict[str, Any] = {
        "n_rows": n_rows,
        "n_columns": len(prepared.columns),
        "n_environments": len(environment),
        "environment": environment.name,
        "small_environment_limit": SMALL_ENVIRONMENT,
        "environments": [
            {"label": str(label), "n": int(n), "share": n / n_rows, "small": bool(flag)}
            for label, n, flag in zip(
                environment.categories, environment.counts, small, strict=True
            )
        ],
        "columns": [_describe(prepared, i) for i in range(len(prepared.columns))],
        "missing": _missing(prepared),
    }
    return Section("overview", "The table", to_plain(data), tuple(_findings(prepared, small)))


def _describe(prepared: Prepared, index: int) -> dict[str, Any]:
    note, column = prepared.columns[index], prepared.table.columns[index]
    return {
        "name": note.name,
        "role": note.role,
        "kind": note.kind,
        "n_distinct": note.n_distinct,
        "n_missing": note.n_missing,
        "note": "; ".join(filter(None, [note.note, _missing_mark(column)])),
        "set_aside": note.set_aside,
        "typical": "" if note.set_aside else _typical(column),
    }


def _missing_mark(column: Column) -> str:
    """Point at labels that look like missing cells under another name."""
    marks = [label for label in column.categories if label in MISSING_LOOKALIKES]
    return f"has cells {marks[0]!r}, read as a label of its own (missing?)" if marks else ""


def _typical(column: Column) -> str:
    """Summarise values by quantiles or by the commonest labels, never by single rows."""
    observed = column.values[~column.missing]
    if observed.size == 0:
        return ""
    if column.is_number:
        low, middle, high = np.quantile(observed, [0.05, 0.5, 0.95])
        if column.kind == "datetime":
            days = np.array([low, middle, high]).astype("datetime64[D]")
            return f"{days[1]} ({days[0]} to {days[2]})"
        return f"{_number(middle)} ({_number(low)} to {_number(high)})"
    counts = np.bincount(observed, minlength=len(column.categories))
    top = np.argsort(-counts, kind="stable")[:3]
    shares = [f"{_short(column.categories[i])} {counts[i] / observed.size:.0%}" for i in top]
    return ", ".join(text for text, i in zip(shares, top, strict=True) if counts[i])


def _number(value: float) -> str:
    return number_text(int(value) if float(value).is_integer() else float(value))


def _short(label: Any) -> str:
    text = str(label)
    return text if len(text) <= 24 else text[:23] + "…"


def _missing(prepared: Prepared) -> dict[str, Any]:
    """Share of missing cells by column and environment, for the columns that have any."""
    environment = prepared.environment
    columns = [c for c in prepared.table if c.missing.any()]
    shares = [
        np.bincount(environment.codes, weights=c.missing, minlength=len(environment))
        / environment.counts
        for c in columns
    ]
    return {
        "columns": [c.name for c in columns],
        "environments": [str(label) for label in environment.categories],
        "share": [share.round(6).tolist() for share in shares],
        "n_cells": int(sum(c.missing.sum() for c in columns)),
    }


def _findings(prepared: Prepared, small: np.ndarray) -> list[str]:
    counts = prepared.environment.counts
    findings = [
        f"The table has {prepared.table.n_rows:,} rows from {len(counts)} environments "
        f"({prepared.environment.name}) with {counts.min():,} to {counts.max():,} rows each; "
        f"{len(prepared.covariates)} covariates are compared."
    ]
    if small.any():
        findings.append(
            f"{int(small.sum())} of the environments have fewer than {SMALL_ENVIRONMENT} rows: "
            "little can be said about each of them alone."
        )
    aside = [c.name for c in prepared.columns if c.set_aside]
    if aside:
        findings.append(
            f"{len(aside)} column(s) were set aside (listed with reasons in the table of columns)."
        )
    if prepared.sensitive and prepared.decision is None:
        findings.append(
            "Sensitive features were named, but no decision: name it (--decision on the command "
            "line) to compare decisions between groups."
        )
    return findings
