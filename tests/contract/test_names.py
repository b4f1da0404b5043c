"""What a module offers is what its ``__all__`` says: sorted, complete, and nobody takes more."""

import ast
from importlib import import_module

import pytest

import shiftlab
from shiftlab._core.optional import is_installed

PUBLIC_PACKAGES = [f"shiftlab.{name}" for name in shiftlab._SUBPACKAGES]


def offered(tree):
    """Return the names in ``__all__``, or None if there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
    return None


def taken(modules):
    """Yield (importer, module, name) for every name that one module takes from another."""
    for importer, (_, tree) in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shiftlab."):
                yield from ((importer, node.module, alias.name) for alias in node.names)


def test_every_module_with_definitions_says_what_it_offers(modules):
    kinds = (ast.FunctionDef, ast.ClassDef)
    silent = [
        name
        for name, (_, tree) in modules.items()
        if any(isinstance(node, kinds) for node in tree.body) and offered(tree) is None
    ]
    assert silent == []


def test_nobody_takes_a_name_that_is_not_offered(modules):
    hidden = [
        f"{importer} takes {module}.{name}"
        for importer, module, name in taken(modules)
        if f"{module}.{name}" not in modules and name not in (offered(modules[module][1]) or ())
    ]
    assert hidden == []


def test_what_is_offered_exists(modules):
    # Networks derive from classes of PyTorch; without it their modules cannot be imported.
    there = {
        name: tree
        for name, (_, tree) in modules.items()
        if is_installed("torch")
        or not any(isinstance(n, ast.Import) and n.names[0].name == "torch" for n in tree.body)
    }
    missing = [
        f"{name}.{item}"
        for name, tree in there.items()
        if offered(tree) and name != "shiftlab"
        for item in offered(tree)
        if not hasattr(import_module(name), item)
    ]
    assert missing == []


def test_nothing_is_offered_twice(modules):
    repeated = [
        name
        for name, (_, tree) in modules.items()
        if offered(tree) and len(set(offered(tree))) < len(offered(tree))
    ]
    assert repeated == []


@pytest.mark.parametrize("package", [p for p in PUBLIC_PACKAGES if p != "shiftlab.exceptions"])
def test_a_package_offers_all_that_it_imports(modules, package):
    _, tree = modules[package]
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == set(offered(tree))


def test_a_planted_secret_import_would_be_seen():
    tree = ast.parse("from shiftlab.divergence._samples import Samples, _stack\n")
    names = [name for _, _, name in taken({"planted": (None, tree)})]
    assert names == ["Samples", "_stack"]
    assert offered(ast.parse("__all__ = ['b', *MORE]")) == ["b"]
