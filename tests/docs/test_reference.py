"""The reference lists what is public, the guide every option, and every page is reachable."""

import argparse
import re
from importlib import import_module

import pytest

import shiftlab
from shiftlab.cli import VERBS, _report


def listed(page):
    """Names under the autosummary directives of a page."""
    names = []
    for block in re.split(r"^\.\. autosummary::$", page, flags=re.MULTILINE)[1:]:
        body = re.split(r"^\S", block, maxsplit=1, flags=re.MULTILINE)[0]
        names += re.findall(r"^   (\w+)$", body, re.MULTILINE)
    return names


@pytest.mark.parametrize("package", shiftlab._SUBPACKAGES)
def test_every_public_name_is_listed_once(docs, package):
    text = (docs / "reference" / f"{package}.rst").read_text(encoding="utf-8")
    assert f".. currentmodule:: shiftlab.{package}" in text
    assert sorted(listed(text)) == sorted(import_module(f"shiftlab.{package}").__all__)


def test_every_option_of_the_command_line_is_explained(docs):
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    _report.add_parser(verbs)
    options = {
        word
        for action in verbs.choices["report"]._actions
        for word in action.option_strings
        if word.startswith("--") and word != "--help"
    }
    text = (docs / "guide" / "report.rst").read_text(encoding="utf-8")
    table = text[text.index("Options\n---") : text.index("Exit codes\n---")]
    assert options - set(re.findall(r"--[a-z-]+", table)) == set()
    assert set(re.findall(r"--[a-z][a-z-]+", table)) - options == set()


def options_of(parser):
    """Yield the long options of a parser and of the parsers below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from options_of(below)
        yield from (w for w in action.option_strings if w.startswith("--") and w != "--help")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__.split("._")[-1])
def test_every_option_of_every_verb_is_in_the_guide(docs, verb):
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    pages = (path.read_text(encoding="utf-8") for path in (docs / "guide").glob("*.rst"))
    explained = set(re.findall(r"--[a-z0-9][a-z0-9-]*", " ".join(pages)))
    assert set(options_of(parser)) - explained == set()


def test_every_option_of_the_function_is_explained(docs):
    from dataclasses import fields
    from inspect import signature

    from shiftlab.reporting._options import ReportOptions

    names = {f.name for f in fields(ReportOptions)} | set(
        signature(shiftlab.shift_report).parameters
    )
    text = (docs / "guide" / "report.rst").read_text(encoding="utf-8")
    assert {n for n in names - {"options", "source"} if f"``{n}``" not in text} == set()


def test_every_page_of_the_guide_is_in_its_contents(docs):
    text = (docs / "guide" / "index.rst").read_text(encoding="utf-8")
    pages = {path.stem for path in (docs / "guide").glob("*.rst")} - {"index"}
    assert pages == set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
