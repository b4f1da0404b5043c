"""What every test may use, and what none may do: open a connection to another machine."""

import os
import socket
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

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
