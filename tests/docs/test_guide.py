"""The code blocks of the documentation do what the pages say."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
GENERATED = {"sg_execution_times.rst"}
PAGES = sorted(
    page
    for page in [*DOCS.glob("*.rst"), *(DOCS / "guide").glob("*.rst")]
    if page.name not in GENERATED
)
WITHOUT_CODE = {"index.rst", "questions.rst", "reliability.rst", "guide/index.rst"}
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_code_blocks(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert found.failed == 0
    assert (found.attempted > 0) == (str(page.relative_to(DOCS)) not in WITHOUT_CODE)
    assert list(tmp_path.iterdir()) == []
