"""The examples run, or say what they miss."""

import ast
import runpy
from pathlib import Path

import pytest

from shiftlab.exceptions import DataNotFoundError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIMULATED = sorted((EXAMPLES / "simulated").glob("*.py"))
PUBLIC = sorted((EXAMPLES / "public_data").glob("*.py"))
QUICK = {"plot_counterfactuals"}


def run(path):
    """Run a script; return its variables and the number of its figures."""
    import matplotlib.pyplot as plt

    plt.close("all")
    try:
        return runpy.run_path(str(path), run_name="__main__"), len(plt.get_fignums())
    finally:
        plt.close("all")


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda: None)


@pytest.mark.parametrize("path", [*SIMULATED, *PUBLIC], ids=lambda path: path.stem)
def test_starts_with_a_title(path):
    title, line = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[:2]
    assert set(line) == {"="}
    assert len(line) >= len(title)
    assert path.stem.startswith("plot_")


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[] if p.stem in QUICK else pytest.mark.slow) for p in SIMULATED],
    ids=lambda path: path.stem,
)
def test_simulated_examples_run(path):
    _, n_figures = run(path)
    assert n_figures == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_examples_on_public_data_run(path, shared_data, monkeypatch):
    monkeypatch.setenv("SHIFTLAB_DATA", str(shared_data))
    _, n_figures = run(path)
    assert n_figures == 1


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_examples_without_data_say_what_is_missing(path, tmp_path, monkeypatch):
    monkeypatch.delenv("SHIFTLAB_DATA", raising=False)
    monkeypatch.setenv("SHIFTLAB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataNotFoundError, match="SHIFTLAB_DATA"):
        run(path)


def test_the_world_of_the_counterfactuals_is_exact():
    variables, _ = run(EXAMPLES / "simulated" / "plot_counterfactuals.py")
    direct = dict(zip(variables["regions"], variables["direct"], strict=True))
    biased = {"south", "west"}
    assert all(direct[region] > 0.05 for region in biased)
    assert all(share == 0 for region, share in direct.items() if region not in biased)
