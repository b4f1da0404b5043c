"""The guard of tests/conftest.py: no connection leaves this machine."""

import socket

import pytest


def test_other_machines_are_refused():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection,
        pytest.raises(pytest.fail.Exception, match="opened a connection"),
    ):
        connection.connect(("192.0.2.1", 80))


def test_this_machine_is_allowed(server):
    host, port = server.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        assert connection.getpeername()[1] == int(port)
