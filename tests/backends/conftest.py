"""Array libraries that every numerical test runs on."""

from importlib import import_module

import array_api_strict
import pytest

from shiftlab._core.optional import is_installed


class Library:
    """An array library and the device that a test uses."""

    def __init__(self, name, xp, device=None):
        self.name, self.xp, self.device = name, xp, device

    def __call__(self, values, dtype="float64"):
        kind = getattr(self.xp, dtype)
        return self.xp.asarray(values, dtype=kind, device=self.device)


@pytest.fixture(
    params=["numpy", "strict", "torch", pytest.param("cuda", marks=pytest.mark.gpu)],
)
def xp(request):
    if request.param == "numpy":
        return Library("numpy", import_module("array_api_compat.numpy"))
    if request.param == "strict":
        return Library("strict", array_api_strict)
    if not is_installed("torch"):
        pytest.skip("PyTorch is not installed")
    torch, namespace = import_module("torch"), import_module("array_api_compat.torch")
    if request.param == "torch":
        return Library("torch", namespace, torch.device("cpu"))
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    return Library("cuda", namespace, torch.device("cuda"))
