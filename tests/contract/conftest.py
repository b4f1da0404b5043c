"""The source tree, parsed once."""

import ast
from pathlib import Path

import pytest

import shiftlab

ROOT = Path(shiftlab.__file__).parent


@pytest.fixture(scope="session")
def source_root():
    return ROOT


@pytest.fixture(scope="session")
def modules():
    """Map each module's dotted name to its path and syntax tree."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["shiftlab", *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    return found
