"""The source keeps its own rules: size, documentation, names."""

import ast
import re
from importlib import import_module
from inspect import getdoc, isclass, isfunction, signature

import pytest

import shiftlab

MAX_MODULE_LINES, MAX_FUNCTION_LINES = 400, 60
MAX_POSITIONAL, MAX_PARAMETERS, MAX_CONSTRUCTOR_PARAMETERS = 7, 11, 12
#: What every long or random computation takes; it says nothing about how complicated one is.
SHARED = {"self", "cls", "random_state", "n_jobs", "progress", "device"}


def functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def code_lines(node):
    documentation = ast.get_docstring(node, clean=False) or ""
    return node.end_lineno - node.lineno + 1 - len(documentation.splitlines())


def public_objects():
    """Return every public class (but exceptions) and function."""
    found = []
    for package in shiftlab._SUBPACKAGES:
        module = import_module(f"shiftlab.{package}")
        for name in module.__all__:
            item = getattr(module, name)
            is_error = isclass(item) and issubclass(item, Exception)
            if (isclass(item) and not is_error) or isfunction(item):
                found.append(pytest.param(item, id=f"{package}.{name}"))
    return found


def test_modules_are_short(modules):
    long = {
        name: len(path.read_text(encoding="utf-8").splitlines())
        for name, (path, _) in modules.items()
    }
    assert {name: n for name, n in long.items() if n > MAX_MODULE_LINES} == {}


def test_functions_are_short(modules):
    long = [
        f"{module}.{node.name}: {code_lines(node)} lines"
        for module, (_, tree) in modules.items()
        for node in functions(tree)
        if code_lines(node) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_functions_have_few_parameters(modules):
    many = []
    for module, (_, tree) in modules.items():
        for node in functions(tree):
            positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            named = [*positional, *(a.arg for a in node.args.kwonlyargs)]
            limit = MAX_CONSTRUCTOR_PARAMETERS if node.name == "__init__" else MAX_PARAMETERS
            if len(set(named) - SHARED) > limit or len(set(positional) - SHARED) > MAX_POSITIONAL:
                many.append(f"{module}.{node.name}: {len(positional)} of {len(named)}")
    assert many == []


def test_everything_is_annotated(modules):
    bare = []
    for module, (_, tree) in modules.items():
        for node in functions(tree):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            unannotated = [
                a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")
            ]
            if unannotated or (node.returns is None and node.name != "__init__"):
                bare.append(f"{module}.{node.name}")
    assert bare == []


def test_names_are_snake_case(modules):
    camel = [
        f"{module}.{node.name}"
        for module, (_, tree) in modules.items()
        for node in functions(tree)
        if re.search(r"[a-z][A-Z]", node.name)
    ]
    assert camel == []


@pytest.mark.parametrize("item", public_objects())
def test_public_objects_are_documented(item):
    text = getdoc(item)
    assert text, "no docstring"
    parameters = [p for p in signature(item).parameters if p not in ("self", "args", "kwargs")]
    if parameters:
        assert re.search(r"^(Parameters|Attributes)\n-+$", text, re.MULTILINE), "no Parameters"
        undescribed = [p for p in parameters if not re.search(rf"\b{re.escape(p)}\b", text)]
        assert undescribed == []
    if isfunction(item):
        assert re.search(r"^(Returns|Yields)\n-+$", text, re.MULTILINE), "no Returns"
        assert ">>>" in text, "no example"


def test_no_word_about_machines_or_registries(source_root):
    folders = "|".join(f"/{name}/" for name in ("work", "tmp", "home"))
    words = re.compile(rf"{folders}|pypi\.org|files\.pythonhosted")
    root = source_root.parent
    kinds = ("*.py", "*.md", "*.toml", "*.rst", "*.cff", "*.j2")
    places = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    files = [f for place in places for kind in kinds for f in place.rglob(kind)]
    files += [f for kind in kinds for f in root.glob(kind)]
    found = [
        f"{path.relative_to(root)}: {match.group()}"
        for path in files
        if path.name != "test_source.py" and "_build" not in path.parts
        for match in words.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
