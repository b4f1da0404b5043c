"""Array libraries: recognising them, moving between them, precision, checks."""

import subprocess
import sys

import numpy as np
import pytest

from shiftlab._core import optional
from shiftlab.backends import (
    array_namespace,
    check_matrix,
    check_same_columns,
    to_device,
    to_numpy,
)
from shiftlab.exceptions import InputError, MissingDependencyError


def test_namespace_of_arrays_beside_lists_and_numbers(xp):
    own = xp([1.0, 2.0])
    namespace = array_namespace(own, [1.0], 2.0, None)
    assert namespace is array_namespace(own)
    assert type(namespace.ones(2)) is type(own)


def test_lists_belong_to_numpy():
    assert isinstance(array_namespace([1.0], None).ones(2), np.ndarray)


def test_mixed_libraries_are_refused(xp):
    if xp.name == "numpy":
        pytest.skip("one library cannot be mixed")
    with pytest.raises(InputError, match=r"different libraries: .*numpy"):
        array_namespace(np.ones(2), xp([1.0]))


def test_arrays_stay_in_their_library(xp):
    own = xp([[1.0, 2.0]])
    assert to_device(own) is own
    assert type(to_device(xp([1, 2], "int32"))) is type(own)
    np.testing.assert_array_equal(to_numpy(own), [[1.0, 2.0]])
    assert isinstance(to_numpy(own), np.ndarray)


def test_precision(xp):
    single = xp([1.0, 2.0], "float32")
    assert to_device(single).dtype == xp.xp.float64
    assert to_device(single, dtype="input").dtype == xp.xp.float32
    assert to_device(xp([1.0]), dtype="float32").dtype == xp.xp.float32
    for kind in ("int64", "bool"):
        assert to_device(xp([1, 0], kind), dtype="input").dtype == xp.xp.float64


@pytest.mark.parametrize("values", [[1, 2], (True, False), np.array([1, None, 2.5], dtype=object)])
def test_sequences_become_float64(values):
    found = to_device(values)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(values, dtype=float))


def test_data_frames_of_numbers():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    np.testing.assert_array_equal(to_device(frame), [[1, 0.5], [2, 1.5]])


@pytest.mark.parametrize("values", [["a", "b"], [{}], np.array([1j])])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(InputError, match=r"rows must hold .*numbers"):
        to_device(values, name="rows")


def test_named_devices_use_torch():
    torch = pytest.importorskip("torch")
    values = np.arange(3.0)
    values.flags.writeable = False
    for given in (values, torch.arange(3), [0, 1, 2]):
        moved = to_device(given, "cpu")
        assert isinstance(moved, torch.Tensor)
        assert moved.dtype == torch.float64
        np.testing.assert_array_equal(to_numpy(moved), values)
    moved = to_device(np.ones(2), "cpu")
    moved += 1
    tensor = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(to_numpy(tensor), [1, 1])


def test_device_does_not_share_memory_with_numpy():
    pytest.importorskip("torch")
    values = np.ones(2)
    moved = to_device(values, "cpu")
    moved += 1
    np.testing.assert_array_equal(values, [1, 1])


def test_bad_devices():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="device must be None, 'cpu', 'cuda'"):
        to_device([1.0], "gpu")
    beyond = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(InputError, match=r"PyTorch sees \d+ CUDA"):
        to_device([1.0], beyond)
    with pytest.raises(InputError, match="dtype must be one of"):
        to_device([1.0], dtype="float16")


def test_without_torch_the_error_names_the_extra(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(optional, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r"pip install 'shiftlab\[torch\]'"):
        to_device([1.0], "cpu")


def test_torch_is_not_imported_unless_asked():
    code = (
        "import sys, numpy as np, shiftlab.backends as b, shiftlab.kernels as k\n"
        "x = b.to_device(np.arange(20.0))\n"
        "k.low_rank_factor(k.Gaussian(k.median_bandwidth(x)), x).transform(x)\n"
        "b.cholesky_solve(np.eye(2), np.ones(2)); b.logsumexp(x)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_kernels_is_light():
    code = (
        "import sys, shiftlab.kernels\n"
        "heavy = {'scipy.stats', 'sklearn', 'pandas', 'matplotlib', 'ot', 'torch'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_check_matrix(xp):
    assert check_matrix(xp([1.0, 2.0])).shape == (2, 1)
    assert check_matrix(xp([[1.0, 2.0]])).shape == (1, 2)
    with pytest.raises(InputError, match="rows has 2 missing or infinite"):
        check_matrix(xp([np.nan, np.inf, 0.0]), "rows")
    with pytest.raises(InputError, match="found 3 dimensions"):
        check_matrix(xp([[[1.0]]]))
    with pytest.raises(InputError, match="found 0 dimensions"):
        check_matrix(xp(1.0))
    with pytest.raises(InputError, match=r"at least one row and one column, found shape \(0, 1\)"):
        check_matrix(xp([]))


def test_inputs_are_not_changed():
    values = np.array([[1.0], [2.0]])
    values.flags.writeable = False
    assert check_matrix(values) is values
    with pytest.raises(InputError, match=r"a has 1 column\(s\), but b has 2"):
        check_same_columns(values, np.ones((1, 2)), ("a", "b"))
