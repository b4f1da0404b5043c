"""``shiftlab audit``: metrics, verification, planning, red team, commitment, replay."""

from typing import Any

from shiftlab.cli import (
    _audit_commit,
    _audit_ll144,
    _audit_metrics,
    _audit_plan,
    _audit_replay,
    _audit_stress,
    _audit_verify,
)

__all__ = ["add_parser"]

EPILOG = """\
exit codes: 0 clean; 1 the metric violates the threshold; 2 usage or input error; 3 inconclusive
(too few rows, small cells); 4 representativeness rejected; 5 integrity mismatch (hash, membership,
multiplicity, replay); 6 both 1 and 4; 70 internal error.
"""
PARTS = (
    _audit_metrics,
    _audit_verify,
    _audit_plan,
    _audit_stress,
    _audit_commit,
    _audit_replay,
    _audit_ll144,
)


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    from argparse import RawDescriptionHelpFormatter

    parser = verbs.add_parser(
        "audit",
        help="audit decisions: do they comply, and can the sample be believed?",
        description="Audit decisions: do they comply, and can the sample be believed?",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    below = parser.add_subparsers(title="audits", metavar="AUDIT", required=True)
    for part in PARTS:
        part.add_parser(below)
