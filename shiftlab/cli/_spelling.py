"""Messages of the library name Python arguments; on the command line they name options."""

import argparse
import functools
import re

__all__ = ["spell_options"]


def spell_options(text: str, parser: argparse.ArgumentParser) -> str:
    """Replace names of arguments by the options of a verb.

    What stands in quotes is data and is left alone. A verb whose options are called otherwise than
    the arguments says so in its default ``spelled``, a mapping from arguments to options.

    Parameters
    ----------
    text : str
        Message of an error or a warning.
    parser : argparse.ArgumentParser
        Parser of the verb.

    Returns
    -------
    str
    """
    options = {a.dest: a.option_strings[-1] for a in parser._actions if a.option_strings}
    other: dict[str, str] = parser.get_default("spelled") or {}
    for name, option in (options | other).items():
        # A word without an underscore may be plain English; with a value it is an argument.
        alone = "_" in name or name in other
        value = r"='(\w+)'" if not alone else r"(?:='(\w+)')?(?![\w'=])"
        pattern = rf"(?<![-\w.'\"/]){re.escape(name)}{value}"
        text = re.sub(pattern, functools.partial(_spell, option), text)
    return text


def _spell(option: str, found: re.Match[str]) -> str:
    return " ".join(filter(None, (option, found[1])))
