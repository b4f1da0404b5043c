"""What every test may use, and what none may do: open a connection to another machine."""

import os
import socket
from importlib import import_module
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

from shiftlab._core.optional import is_installed

matplotlib.use("Agg")

# A deadline would fail tests on busy machines without saying anything about the code.
settings.register_profile("shiftlab", deadline=None)
settings.load_profile("shiftlab")

REPOSITORY = Path(__file__).resolve().parents[1]
LOOPBACK = ("127.", "localhost", "::1", "0.0.0.0", "::ffff:127.")  # noqa: S104


def _is_local(connection, address):
    # A datagram socket sends nothing when it connects; libraries use that to find their address.
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return True
    if connection.type != socket.SOCK_STREAM:
        return True
    return str(address[0]).startswith(LOOPBACK)


@pytest.fixture(autouse=True)
def no_network(request, monkeypatch):
    """Fail any test that connects to another machine, unless it is marked ``network``."""
    if request.node.get_closest_marker("network"):
        return

    def guarded(method):
        original = getattr(socket.socket, method)

        def connect(self, address, *args):
            if not _is_local(self, address):
                pytest.fail(f"the test opened a connection to {address!r}", pytrace=True)
            return original(self, address, *args)

        return connect

    for method in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, guarded(method))


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the public data sets, one folder each; the test is skipped where it is absent."""
    named = os.environ.get("SHIFTLAB_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of public data sets is absent; name it by SHIFTLAB_DATA")
    return folder


class Library:
    """An array library and the device that a test uses; calling it makes an array."""

    def __init__(self, name, xp, device=None):
        self.name, self.xp, self.device = name, xp, device

    def __call__(self, values, dtype="float64"):
        kind = getattr(self.xp, dtype)
        return self.xp.asarray(values, dtype=kind, device=self.device)


@pytest.fixture(
    params=["numpy", "strict", "torch", pytest.param("cuda", marks=pytest.mark.gpu)],
)
def xp(request):
    """Every array library that numerical code has to run on, one after the other."""
    if request.param == "numpy":
        return Library("numpy", import_module("array_api_compat.numpy"))
    if request.param == "strict":
        return Library("strict", import_module("array_api_strict"))
    if not is_installed("torch"):
        pytest.skip("PyTorch is not installed")
    torch, namespace = import_module("torch"), import_module("array_api_compat.torch")
    if request.param == "torch":
        return Library("torch", namespace, torch.device("cpu"))
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    return Library("cuda", namespace, torch.device("cuda"))
