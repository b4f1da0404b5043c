"""``shiftlab audit verify``: compliance and integrity of a sample, each with its verdict."""

import argparse
from typing import TYPE_CHECKING, Any

from shiftlab.cli._audit_shared import (
    add_columns,
    add_judgement,
    add_output,
    exit_code,
    input_entry,
    new_parser,
    read_counts,
    read_frame,
    replay_words,
    write_report,
)
from shiftlab.cli._shared import add_reading, reference_groups, split_columns

if TYPE_CHECKING:
    import pandas as pd

    from shiftlab.auditing import AuditRecord
    from shiftlab.reporting import AuditReport

__all__ = ["add_parser", "build"]

EPILOG = """\
examples:
  shiftlab audit verify sample.csv --against population.parquet --decision yhat --sensitive sex
  shiftlab audit verify sample.csv --against reference.csv --regime independent ...
  shiftlab audit verify sample.csv --against population.csv --model-cmd "python predict.py" ...

The model command gets the sample without decision, outcome and identifier as CSV on its standard
input and prints one decision per line.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb below ``shiftlab audit``."""
    parser = new_parser(verbs, "verify", "compliance and integrity of a submitted sample", EPILOG)
    parser.set_defaults(run=run, build=build, spelled={"ignore": "--ignore"})
    parser.add_argument("data", metavar="SAMPLE", help="CSV or Parquet file; - for standard input")
    parser.add_argument("--against", metavar="FILE", required=True, help="population or reference")
    add_columns(parser)
    group = parser.add_argument_group("integrity")
    group.add_argument("--row-id", metavar="COL", help="column that identifies rows")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="COL[,COL]", help="columns to leave aside"
    )
    group.add_argument(
        "--regime",
        choices=("full", "independent", "features"),
        default="full",
        help="what --against is: the population, an independent random sample of it, or the "
        "population without decisions (default: full)",
    )
    group.add_argument("--tests", default="default", help="default, all, or names with commas")
    group.add_argument("--alpha", type=float, default=0.05, help="level of the family (0.05)")
    group.add_argument(
        "--correction", choices=("holm", "bonferroni", "none"), default="holm", help="of p-values"
    )
    group.add_argument("--power", type=float, default=0.9, help="for the required size (0.9)")
    group.add_argument("--resamples", type=int, default=999, help="random samples (default: 999)")
    group.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    group.add_argument(
        "--model-decisions", metavar="FILE", help="CSV with the model's decision for each row"
    )
    group.add_argument("--model-cmd", metavar="COMMAND", help="command that asks the model")
    group.add_argument("--frontier", action="store_true", help="add the frontier to the report")
    add_judgement(parser)
    add_reading(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Audit and write the report."""
    record, report = build(options)
    write_report(report, options)
    return exit_code(record)


def build(options: argparse.Namespace) -> "tuple[AuditRecord, AuditReport]":
    """Make record and report, for `run` and for a replay."""
    from shiftlab.auditing import ManipulationAudit, frontier
    from shiftlab.exceptions import InputError
    from shiftlab.reporting import Source, audit_report

    if options.data == "-" and options.against == "-":
        raise InputError("only one of SAMPLE and --against can be standard input.")
    sample, reference = _read(options)
    settings = _settings(options)
    audit = ManipulationAudit(reference, **settings)
    decisions = None if options.counts else _model_decisions(sample, options)
    record = audit.run(sample, model_decisions=decisions)
    known = reference if options.counts else reference.counts
    curve = None
    if options.frontier and known is not None:
        curve = frontier(
            known.margin(known.names[0]),
            metric=options.metric,
            threshold=options.threshold,
            regime=options.regime,
            alpha=options.alpha,
        )
    inputs = [
        input_entry("sample", options.data, options, record.n_sample),
        input_entry("reference", options.against, options, record.n_reference),
    ]
    if options.model_decisions:
        inputs.append(
            input_entry("model decisions", options.model_decisions, options, record.n_sample)
        )
    words = replay_words(options)
    command = "shiftlab audit " + " ".join(words)
    report = audit_report(
        record,
        roles={
            "decision": options.decision,
            "sensitive_features": split_columns(options.sensitive),
            "label": options.label,
            "row_id": options.row_id,
        },
        frontier=curve,
        inputs=inputs,
        options=settings,
        arguments=words,
        source=Source(inputs[0]["name"], inputs[0]["sha256"], "the file", command),
        started=getattr(options, "started", None),
        format=options.format,
    )
    return record, report


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    tests = options.tests
    return {
        "metric": options.metric,
        "threshold": options.threshold,
        "regime": options.regime,
        "tests": tests if tests in ("default", "all") else split_columns([tests]),
        "alpha": options.alpha,
        "correction": options.correction,
        "reference_group": reference_groups(options.reference_group) or None,
        "confidence_level": options.level,
        "min_count": options.min_count,
        "power": options.power,
        "n_resamples": options.resamples,
        "random_state": options.seed,
    }


def _read(options: argparse.Namespace) -> tuple[Any, Any]:
    from shiftlab.auditing import Reference
    from shiftlab.exceptions import InputError

    if options.counts:
        return read_counts(options.data, options), read_counts(options.against, options)
    if options.decision is None or not options.sensitive:
        raise InputError(
            "--decision and --sensitive are needed: the columns with decision and group."
        )
    known = read_frame(options.against, options)
    names = list(known.columns)
    reference = Reference(
        decision=options.decision,
        sensitive_features=split_columns(options.sensitive, names),
        label=options.label,
        row_id=options.row_id,
        pos_label=options.pos_label,
        label_pos_label=options.label_pos_label,
        ignore=split_columns(options.ignore, names),
        features_only=options.regime == "features",
    )
    return read_frame(options.data, options), reference.fit(known)


def _model_decisions(sample: "pd.DataFrame", options: argparse.Namespace) -> Any:
    from shiftlab.exceptions import InputError

    if options.model_decisions:
        if options.model_cmd:
            raise InputError("give one of --model-decisions and --model-cmd.")
        return _coded(read_frame(options.model_decisions, options).iloc[:, -1], options)
    if options.model_cmd:
        return _coded(_ask(sample, options), options)
    return None


def _ask(sample: "pd.DataFrame", options: argparse.Namespace) -> "pd.Series":
    """Run the command and read one decision per line."""
    import shlex
    import subprocess

    import pandas as pd

    from shiftlab.exceptions import InputError

    hidden = [n for n in (options.decision, options.label, options.row_id) if n in sample]
    text = sample.drop(columns=hidden).to_csv(index=False)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
            shlex.split(options.model_cmd), input=text, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InputError(f"--model-cmd cannot be run: {error.strerror}.") from error
    if done.returncode != 0:
        raise InputError(f"--model-cmd ended with exit code {done.returncode}.")
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if len(lines) != len(sample):
        raise InputError(f"--model-cmd printed {len(lines)} decisions for {len(sample)} rows.")
    return pd.Series(lines)


def _coded(decisions: "pd.Series", options: argparse.Namespace) -> Any:
    """Code decisions as 0 and 1, like those of the sample."""
    wanted = "1" if options.pos_label is None else str(options.pos_label)
    text = decisions.astype(str).str.strip()
    text = text.replace({"True": "1", "False": "0", "1.0": "1", "0.0": "0"})
    return (text == wanted).to_numpy()
