"""``shiftlab audit replay``: repeat a report and compare it bit for bit."""

import argparse
from typing import Any

from shiftlab.cli import _audit_metrics, _audit_verify
from shiftlab.cli._audit_shared import new_parser

__all__ = ["add_parser"]

EXIT_MISMATCH = 5


def add_parser(verbs: Any) -> None:
    """Add the verb below ``shiftlab audit``."""
    parser = new_parser(verbs, "replay", "repeat a report and compare it bit for bit")
    parser.set_defaults(run=run)
    parser.add_argument("report", metavar="REPORT", help="JSON document of an audit")
    parser.add_argument(
        "--folder", metavar="DIR", help="where the files lie, if not where the report was made"
    )


def run(options: argparse.Namespace) -> int:
    """Repeat the audit with the recorded words and compare the documents."""
    import json
    from datetime import datetime
    from pathlib import Path

    from shiftlab.exceptions import InputError

    try:
        text = Path(options.report).read_text(encoding="utf-8")
        document = json.loads(text)
        words, files = document["inputs"]["replay"], document["inputs"]["files"]
        started = datetime.fromisoformat(document["provenance"]["started"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{options.report}' is not the JSON document of an audit.") from error
    if not words or "-" in words:
        raise InputError("this report was not made from files, so it cannot be repeated.")
    again = _parse(words)
    again.command, again.started = "shiftlab audit " + " ".join(map(_quote, words)), started
    again.folder = options.folder
    _, report = again.build(again)
    changed = [
        f"{old['role']} file '{old['name']}' is another one"
        for old, new in zip(files, report.to_dict()["inputs"]["files"], strict=False)
        if old != new
    ]
    if report.to_json() + "\n" == text:
        print("identical: every byte of the report was reproduced")
        return 0
    for line in changed or _differences(document, json.loads(report.to_json())):
        print(f"differs: {line}")
    return EXIT_MISMATCH


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="shiftlab audit")
    verbs = parser.add_subparsers(required=True)
    for part in (_audit_metrics, _audit_verify):
        part.add_parser(verbs)
    return parser.parse_args(words)


def _quote(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Name the places where two documents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(set(old) | set(new)):
            found += _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for i, pair in enumerate(zip(old, new, strict=True))
            for line in _differences(*pair, f"{where}[{i}]")
        ]
    return [] if old == new else [where or "the text, though not its content"]
