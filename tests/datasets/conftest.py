"""An empty world for the loaders: no environment variables, a cache of its own, a toy data set."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shiftlab.datasets._registry import Download, Entry, FileEntry

TOY = b"a,b,y\n1,x,0\n2,?,1\n,NA,1\n"
ORIGINAL = b"1,x,secret,0\n2,?,secret,1\n,NA,secret,1\n"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def clean_environment(monkeypatch, tmp_path):
    """Hide the user's data folders; return the (not yet existing) cache folder."""
    for variable in ("SHIFTLAB_DATA", "SHIFTLAB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    cache = tmp_path / "cache" / "shiftlab"
    monkeypatch.setattr("shiftlab.datasets._locate.user_cache", lambda: cache)
    return cache


@pytest.fixture
def make_toy(monkeypatch, clean_environment):
    """Register a toy data set, with a download from `url` if one is given; return its content."""

    def make(url=None, checksum=None, **options):
        download = None
        if url is not None:
            download = Download(
                url, checksum or sha256(ORIGINAL), drop=("s",), header=("a", "b", "s", "y")
            )
        file = FileEntry("toy.csv", sha256(TOY), len(TOY), 3, 3, 2, download)
        given = {"target": "y", "na_values": ("?",), "keep_default_na": False, **options}
        info = Entry(
            "toy", "Toy", "1", "toys", "CC0", "nowhere", "none", {"toy": "toy.csv"},
            {"toy.csv": file}, **given,
        )  # fmt: skip
        monkeypatch.setattr("shiftlab.datasets._fetch.entry", lambda name: info)
        monkeypatch.setattr("shiftlab.datasets._fetch.read_card", lambda name: "# Toy\n")
        return TOY

    return make


@pytest.fixture
def server(tmp_path):
    """Serve a folder with the original of the toy set on this machine; return its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "original.csv").write_bytes(ORIGINAL)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/original.csv"
    httpd.shutdown()
    thread.join()
    httpd.server_close()
