"""Tests without false alarms: membership, multiplicity, identifiers, model consistency.

An honest sample without replacement holds only rows of the population, none more often than the
population does, and the decisions that the model makes. One exception is a proof of manipulation
(or of an error in the files), whatever the level of other tests.
"""

from typing import Any

import numpy as np

from shiftlab._core.checks import check_length
from shiftlab._core.frames import Table
from shiftlab._core.validation import check_binary
from shiftlab.auditing._reference import Reference
from shiftlab.auditing._representativeness_result import RepresentativenessTest
from shiftlab.auditing._row_hashes import hash_rows

__all__ = [
    "consistency_outcome",
    "membership_outcome",
    "membership_test",
    "model_consistency_test",
    "multiplicity_outcome",
    "multiplicity_test",
    "proof",
]

FULL = "all rows of the whole population"


def membership_test(sample: Any, reference: Reference) -> RepresentativenessTest:
    """Check that every row of the sample is a row of the population.

    Parameters
    ----------
    sample : data frame, mapping of columns or array
        The submitted rows.
    reference : Reference
        The population.

    Returns
    -------
    RepresentativenessTest
        The statistic is the number of foreign rows, the effect their share; p is 0 or 1.

    Raises
    ------
    InputError
        If the columns differ from those of the reference.

    Notes
    -----
    Numbers that are not whole are compared in single precision.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import Reference, membership_test
    >>> table = {"x": np.arange(50) / 7, "yhat": np.arange(50) % 2}
    >>> reference = Reference(decision="yhat").fit(table)
    >>> moved = {"x": table["x"][:10] + 0.01, "yhat": table["yhat"][:10]}
    >>> print(membership_test(moved, reference).statistic)
    10.0
    """
    return membership_outcome(reference.read_sample(sample), reference)


def multiplicity_test(sample: Any, reference: Reference) -> RepresentativenessTest:
    """Check that no row occurs more often in the sample than in the population.

    Parameters
    ----------
    sample : data frame, mapping of columns or array
        The submitted rows.
    reference : Reference
        The population; with `row_id`, an identifier may not repeat either.

    Returns
    -------
    RepresentativenessTest
        The statistic is the number of rows in excess, the effect their share; p is 0 or 1.

    Raises
    ------
    InputError
        If the columns differ from those of the reference.

    Examples
    --------
    >>> import numpy as np
    >>> from shiftlab.auditing import Reference, multiplicity_test
    >>> table = {"x": np.arange(50) / 7, "yhat": np.arange(50) % 2}
    >>> reference = Reference(decision="yhat").fit(table)
    >>> twice = {name: np.repeat(column[:5], 2) for name, column in table.items()}
    >>> print(multiplicity_test(twice, reference).statistic)
    5.0
    """
    return multiplicity_outcome(reference.read_sample(sample), reference)


def model_consistency_test(reported: Any, recomputed: Any) -> RepresentativenessTest:
    """Check that the reported decisions are those that the model makes.

    Parameters
    ----------
    reported : array of shape (n_rows,)
        Decisions in the sample, 0/1 or booleans.
    recomputed : array of shape (n_rows,)
        Decisions of the model, queried for the same rows.

    Returns
    -------
    RepresentativenessTest
        The statistic is the number of rows that disagree, the effect their share; p is 0 or 1.

    Raises
    ------
    InputError
        If lengths differ or decisions are not 0 and 1.

    Examples
    --------
    >>> from shiftlab.auditing import model_consistency_test
    >>> print(model_consistency_test([1, 1, 0, 1], [1, 0, 0, 1]).effect)
    0.25
    """
    told = check_binary(reported, "reported")[0]
    made = check_binary(recomputed, "recomputed")[0]
    check_length(made, len(told), "recomputed")
    return consistency_outcome(told, made)


def consistency_outcome(reported: np.ndarray, recomputed: np.ndarray) -> RepresentativenessTest:
    """Compare decisions that were already read."""
    return proof(
        "model_consistency",
        int((reported != recomputed).sum()),
        "share of decisions that the model does not make",
        (len(reported), len(reported)),
        "queries to the model",
    )


def membership_outcome(table: Table, reference: Reference) -> RepresentativenessTest:
    """Look up every row of a table of the reference's schema."""
    hashes, known = hash_rows(table), reference.hashes
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    foreign = int((known[place] != hashes).sum())
    sizes = (table.n_rows, reference.n_rows)
    return proof("membership", foreign, "share of rows not in the population", sizes, FULL)


def multiplicity_outcome(table: Table, reference: Reference) -> RepresentativenessTest:
    """Compare how often rows (and identifiers) occur."""
    excess = _excess(hash_rows(table), reference.hashes)
    name = reference.roles.row_id
    if name is not None:
        excess = max(excess, _excess(hash_rows(table.select([name])), reference.id_hashes))
    sizes = (table.n_rows, reference.n_rows)
    return proof("multiplicity", excess, "share of rows in excess", sizes, FULL)


def _excess(hashes: np.ndarray, known: np.ndarray) -> int:
    """Count repetitions beyond those of the population; unknown rows may occur once."""
    found, counts = np.unique(hashes, return_counts=True)
    own = np.searchsorted(known, found, "right") - np.searchsorted(known, found, "left")
    return int(np.maximum(counts - np.maximum(own, 1), 0).sum())


def proof(
    name: str, count: int, effect_name: str, sizes: tuple[int, int], requires: str
) -> RepresentativenessTest:
    """Make the outcome of a test without false alarms from a number of exceptions."""
    return RepresentativenessTest(
        name=name,
        statistic=float(count),
        pvalue=0.0 if count else 1.0,
        method="no false alarms",
        effect=count / sizes[0],
        effect_name=effect_name,
        n_sample=sizes[0],
        n_reference=sizes[1],
        fpc=1.0,
        requires=requires,
        proof=True,
    )
