"""``shiftlab explain audit``: compare the fidelity of explanations between groups."""

import argparse
import sys
from pathlib import Path
from typing import Any

from shiftlab.cli._shared import add_output, add_reading, make_folder

__all__ = ["add_parser"]

EPILOG = """\
examples:
  shiftlab explain audit --example
  shiftlab explain audit loans.csv --model credit.skops --sensitive sex --exclude repaid
  shiftlab explain audit loans.csv --model credit.onnx --sensitive sex,age_band --mitigations
  shiftlab explain audit loans.csv --scorer "python score.py" --sensitive sex --features income,debt
  shiftlab explain audit scored.csv --prediction p --surrogate p_explained --sensitive sex

The model is a skops or ONNX file, or a scoring command that reads a CSV table on standard input
and prints one number per row. A table that already has the predictions of the model and of the
explanations needs neither. The files explanation.html, explanation.json and explanations.csv are
written to the folder --out.

Exit codes: 0 done, 2 usage or input error, 70 internal error, 130 interrupted.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command line.

    Parameters
    ----------
    verbs : argparse subparsers
        Where the verb is added.
    """
    parser = verbs.add_parser(
        "explain",
        help="audit explanations: for whom do they say less about the model?",
        description="Audit the explanations of a model.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    audit = actions.add_parser(
        "audit",
        help="explain each row of a table and compare the fidelity between groups",
        description="Explain each row of a table and compare the fidelity between groups.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    audit.set_defaults(run=run, parser=audit)
    audit.add_argument("table", nargs="?", metavar="TABLE", help="CSV (also .gz) or Parquet file")
    audit.add_argument("--example", action="store_true", help="use a simulated table and model")
    _add_model(audit.add_argument_group("model"))
    _add_columns(audit.add_argument_group("columns and reading"))
    _add_explainer(audit.add_argument_group("explainer"))
    _add_statistics(audit.add_argument_group("statistics"))
    add_output(audit)


def _add_model(group: Any) -> None:
    group.add_argument("--model", metavar="FILE", help="skops or ONNX file")
    group.add_argument("--trusted", action="append", default=[], metavar="TYPE",
                       help="type that a skops file may hold, by dotted name")  # fmt: skip
    group.add_argument("--scorer", metavar="COMMAND", help="command that scores a CSV table")
    group.add_argument("--target", metavar="CLASS", help="class to explain, with more than two")
    group.add_argument("--prediction", metavar="COL", help="column with the model's predictions")
    group.add_argument("--surrogate", metavar="COL",
                       help="column with what the explanations predict")  # fmt: skip


def _add_columns(group: Any) -> None:
    def several(name: str, text: str) -> None:
        group.add_argument(name, action="append", default=[], metavar="COL[,COL]", help=text)

    several("--sensitive", "protected attributes; several make intersectional groups")
    several("--features", "inputs of the model, in order (default: those it names, or the rest)")
    several("--exclude", "columns that are no inputs: the outcome, identifiers, ...")
    several("--categorical", "numeric inputs that hold categories")
    group.add_argument(
        "--train", metavar="TABLE", help="table the model was trained on, for scales"
    )
    add_reading(group)
    group.add_argument("--max-rows", type=int, default=5000,
                       help="rows to explain, drawn at random beyond that (5000)")  # fmt: skip


def _add_explainer(group: Any) -> None:
    group.add_argument("--explainer", choices=("lime", "kernel-shap"), default="lime",
                       help="default: lime")  # fmt: skip
    group.add_argument("--mode", choices=("around", "joint", "mean", "quartile"), default="around",
                       help="where LIME perturbs (default: around the row)")  # fmt: skip
    group.add_argument("--samples", type=int, default=1000, help="perturbations of LIME (1000)")
    group.add_argument("--scale", type=float, default=1.0, help="size of LIME's neighbourhood (1)")
    group.add_argument("--blocks", type=int, default=25, help="blocks of shared draws (25)")
    group.add_argument("--mitigations", action="store_true", help="try variants of LIME as well")
    group.add_argument("--decompose", action="store_true",
                       help="split the gaps into noise, width and family of LIME")  # fmt: skip
    group.add_argument("--split", action="store_true",
                       help="split the gaps into composition and the rest")  # fmt: skip


def _add_statistics(group: Any) -> None:
    group.add_argument("--metrics", action="append", default=[], metavar="NAME[,NAME]",
                       help="mae, mse, signed, accuracy, auroc, r2, local_r2, ...")  # fmt: skip
    group.add_argument("--threshold", type=float, default=0.5, help="of a positive label (0.5)")
    group.add_argument("--margin", type=float, help="difference that does not matter, to certify")
    group.add_argument("--adjust", choices=("holm", "max-t", "none"), default="holm",
                       help="correction of p-values (default: holm)")  # fmt: skip
    group.add_argument("--resamples", type=int, default=999, help="permutations (default: 999)")
    group.add_argument("--confidence", type=float, default=0.95, help="of intervals (0.95)")
    group.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    group.add_argument("--jobs", type=int, default=1, help="parallel workers (default: 1)")


def run(options: argparse.Namespace) -> None:
    """Make the audit and write it.

    Parameters
    ----------
    options : Namespace
        The parsed command line.

    Raises
    ------
    InputError
        If the table, the model or an option is not usable.
    """
    from shiftlab.cli._explain_audit import audit, read_inputs
    from shiftlab.exceptions import InputError

    make_folder(options.out)
    report, rows = audit(read_inputs(options), options)
    try:
        written = [*report.write(options.out)]
        written.append(Path(options.out) / "explanations.csv")
        rows.to_csv(written[-1], index=False)
    except OSError as error:
        raise InputError(f"--out: cannot write to '{options.out}': {error.strerror}.") from error
    if not options.quiet:
        print("\n".join(f"- {finding}" for finding in report.findings))
    where = sys.stderr if options.quiet else sys.stdout
    print("wrote " + ", ".join(map(str, written)), file=where)
