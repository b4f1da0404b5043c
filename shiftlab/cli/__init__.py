"""The command line: ``shiftlab VERB ...``; each verb calls one public function and writes files.

Exit codes: 0 done, 2 usage or input error, 70 internal error, 130 interrupted.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from shiftlab import __version__
from shiftlab.cli import _report
from shiftlab.exceptions import ShiftlabError

__all__ = ["EXIT_INPUT", "EXIT_INTERNAL", "EXIT_INTERRUPTED", "main"]

EXIT_INPUT, EXIT_INTERNAL, EXIT_INTERRUPTED = 2, 70, 130
VERBS = (_report,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command-line words; those of the process by default.

    Returns
    -------
    int
        The exit code.

    Examples
    --------
    >>> from shiftlab.cli import main
    >>> main(["report", "no_such_file.csv", "--environment", "site"])
    2
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    options.command = "shiftlab " + " ".join(_quote(word) for word in words)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _show_warning
            options.run(options)
    except KeyboardInterrupt:
        print("shiftlab: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except ShiftlabError as error:
        if options.debug:
            raise
        print(f"shiftlab: error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except Exception as error:
        if options.debug:
            raise
        print(
            f"shiftlab: internal error: {type(error).__name__}: {error}\n"
            "Please report it; --debug shows where it happened.",
            file=sys.stderr,
        )
        return EXIT_INTERNAL
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shiftlab",
        description="Causal and distribution-shift analytics for tables from several environments.",
    )
    parser.add_argument("--version", action="version", version=f"shiftlab {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one readable line on standard error."""
    print(f"shiftlab: warning: {message}", file=file or sys.stderr)


def _quote(word: str) -> str:
    import shlex

    return shlex.quote(word)
