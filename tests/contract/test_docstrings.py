"""Docstrings keep numpydoc's form and say what the signatures say: names, defaults, sections."""

import ast
import re
from importlib import import_module
from inspect import Parameter, getdoc, isclass, isfunction, signature

import pytest

import shiftlab

SECTIONS = (
    "Parameters", "Attributes", "Returns", "Yields", "Other Parameters", "Raises", "Warns",
    "Notes", "References", "Examples",
)  # fmt: skip
#: Functions that accept whatever they are given.
NEVER_RAISE = {
    "backends.default_max_bytes", "backends.logsumexp", "backends.to_numpy",
    "datasets.list_datasets", "kernels.centre_features", "simulation.evolve",
}  # fmt: skip
#: Defaults that are written as a formula or with a unit.
SPELT_OUT = {"8 MiB": 2**23, "1/sqrt(2)": 0.5**0.5, "-sqrt(3), sqrt(3)": None, "0.0, 1.0": None}


def sections(text):
    """Split a docstring into its underlined sections."""
    found, current = {}, None
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line and set(following) == {"-"} and len(line) == len(following):
            current = found.setdefault(line, [])
        elif current is not None and set(line) != {"-"}:
            current.append(line)
    return found


def entries(lines):
    """Map each described name to its type: ``a, b : int, default 3`` has two."""
    found = {}
    for line in lines:
        if line and not line.startswith(" "):
            names, _, kind = line.partition(" : ")
            found |= {name.strip().lstrip("*"): kind for name in names.split(",")}
    return found


def documented():
    """Yield every public function and class (but exceptions and protocols), and their methods."""
    for package in shiftlab._SUBPACKAGES:
        module = import_module(f"shiftlab.{package}")
        for name in module.__all__:
            item = getattr(module, name)
            skipped = isclass(item) and (
                issubclass(item, Exception) or item.__dict__.get("_is_protocol")
            )
            if skipped or not (isclass(item) or isfunction(item)):
                continue
            yield f"{package}.{name}", item
            for key, value in vars(item).items() if isclass(item) else ():
                method = getattr(value, "__func__", value)
                if isfunction(method) and not key.startswith("_"):
                    yield f"{package}.{name}.{key}", method


ITEMS = dict(documented())


@pytest.mark.parametrize("name", ITEMS)
def test_sections_are_known_and_in_order(name):
    found = list(sections(getdoc(ITEMS[name])))
    assert found == sorted(found, key=SECTIONS.index)


@pytest.mark.parametrize("name", ITEMS)
def test_parameters_are_those_of_the_signature(name):
    item = ITEMS[name]
    parts = sections(getdoc(item))
    wanted = [p for p in signature(item).parameters if p not in ("self", "cls")]
    if "Parameters" in parts:
        assert list(entries(parts["Parameters"])) == wanted
    elif "Attributes" in parts:
        assert set(wanted) <= set(entries(parts["Attributes"]))
    elif isfunction(item) and name.count(".") == 1:
        assert wanted == []


@pytest.mark.parametrize("name", ITEMS)
def test_defaults_are_those_of_the_signature(name):
    parts = sections(getdoc(ITEMS[name]))
    kinds = entries(parts.get("Parameters", ()))
    wrong = [
        f"{parameter.name}: {kinds[parameter.name]!r}, but {parameter.default!r}"
        for parameter in signature(ITEMS[name]).parameters.values()
        if kinds.get(parameter.name) and not _says(kinds[parameter.name], parameter.default)
    ]
    assert wrong == []


def _says(kind, default):
    if default is Parameter.empty:
        return "default" not in kind and "optional" not in kind
    if default is None:
        return "optional" in kind or "None" in kind
    said = re.search(r"default (.+)$", kind)
    if said is None or not isinstance(default, (bool, int, float, str)):
        return said is not None or "optional" in kind
    text = said.group(1)
    if text in SPELT_OUT:
        return SPELT_OUT[text] in (default, None)
    return ast.literal_eval(text.replace(",", "")) == default


@pytest.mark.parametrize(
    "name", [n for n, item in ITEMS.items() if isfunction(item) and n.count(".") == 1]
)
def test_functions_say_what_they_return_and_raise(name):
    found = sections(getdoc(ITEMS[name]))
    assert {"Returns", "Yields"} & set(found)
    assert ("Raises" in found) != (name in NEVER_RAISE)


def test_a_wrong_docstring_would_be_seen():
    text = (
        "Do.\n\nParameters\n----------\na, b : int, default 3\n    Numbers.\n\nRaises\n------\nE\n"
    )
    parts = sections(text)
    assert list(parts) == ["Parameters", "Raises"]
    assert entries(parts["Parameters"]) == {"a": "int, default 3", "b": "int, default 3"}
    assert _says("int, default 3", 3)
    assert not _says("int, default 3", 4)
    assert not _says("int", None)
    assert not _says("str", "a")
    assert not _says("int", 3)
