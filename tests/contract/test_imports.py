"""Importing is fast, silent and light; heavy libraries wait until they are used."""

import subprocess
import sys

import pytest

import shiftlab

HEAVY = ("numpy", "scipy", "sklearn", "pandas", "matplotlib", "ot", "torch", "networkx", "joblib")
#: Their classes derive from those of scikit-learn.
WITH_ESTIMATORS = {"adaptation", "discovery", "explanation", "generalization", "model_selection"}


def loaded_after(code):
    probe = f"{code}\nimport sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return set(run.stdout.split())


def test_the_package_imports_none_of_the_heavy_libraries():
    assert loaded_after("import shiftlab").isdisjoint(HEAVY)


def test_help_needs_none_of_the_heavy_libraries():
    code = "import shiftlab.cli, contextlib, io\n"
    code += "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
    code += "    shiftlab.cli.main(['report', '--help'])"
    assert loaded_after(code).isdisjoint(HEAVY)


@pytest.mark.parametrize("package", [n for n in shiftlab._SUBPACKAGES if n != "reporting"])
def test_building_blocks_do_not_import_what_only_some_functions_need(package):
    loaded = loaded_after(f"import shiftlab.{package}")
    heavy = {"ot", "torch", "matplotlib", "pandas", "sklearn", "dask", "polars"}
    # scikit-learn itself imports pandas where it is installed.
    assert loaded.isdisjoint(heavy - {"sklearn", "pandas"} if package in WITH_ESTIMATORS else heavy)


def test_import_takes_less_than_300_milliseconds():
    code = "import time; t = time.perf_counter(); import shiftlab; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.3


def test_every_public_name_resolves():
    for name in shiftlab.__all__:
        assert getattr(shiftlab, name) is not None
    assert set(shiftlab.__all__) <= set(dir(shiftlab))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        shiftlab.nonsense  # noqa: B018
