"""The command line: ``shiftlab VERB ...``; each verb calls one public function and writes files.

Exit codes: 0 done, 2 usage or input error, 70 internal error, 130 interrupted. A verb may return
others, which its help explains.
"""

import argparse
import functools
import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TextIO

from shiftlab import __version__
from shiftlab.cli import _adapt, _audit, _discover, _explain, _generalize, _report, _study
from shiftlab.cli._spelling import spell_options
from shiftlab.exceptions import ShiftlabError

__all__ = ["EXIT_INPUT", "EXIT_INTERNAL", "EXIT_INTERRUPTED", "VERBS", "main"]

EXIT_INPUT, EXIT_INTERNAL, EXIT_INTERRUPTED = 2, 70, 130
VERBS = (_report, _adapt, _audit, _discover, _explain, _generalize, _study)


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a console that lacks a letter is no error
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    options, unknown = _parser().parse_known_args(words)
    if unknown:
        options.parser.error(_explain_unknown(unknown, options.parser))
    options.command = "shiftlab " + " ".join(_quote(word) for word in words)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = functools.partial(_show_warning, options.parser)
            code = options.run(options)
            sys.stdout.flush()
            return code or 0
    except BrokenPipeError:
        # Whoever read standard output has left; the files are written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("shiftlab: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except ShiftlabError as error:
        if options.debug:
            raise
        print(f"shiftlab: error: {spell_options(str(error), options.parser)}", file=sys.stderr)
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


def _explain_unknown(words: list[str], parser: argparse.ArgumentParser) -> str:
    """Name the option that was probably meant, or say how several columns are given."""
    from difflib import get_close_matches

    word = words[0]
    if not word.startswith("-"):
        return f"unexpected word {word!r}; join several columns by commas (a,b)"
    known = [name for action in parser._actions for name in action.option_strings]
    near = get_close_matches(word.split("=")[0], known, n=1)
    return f"unknown option {word}" + (f"; did you mean {near[0]}?" if near else "")


def _show_warning(
    parser: argparse.ArgumentParser,
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one readable line on standard error."""
    print(f"shiftlab: warning: {spell_options(str(message), parser)}", file=file or sys.stderr)


def _quote(word: str) -> str:
    import shlex

    return shlex.quote(word)
