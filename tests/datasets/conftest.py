"""An empty world for the loaders: no environment variables, a cache of its own."""

import pytest


@pytest.fixture
def clean_environment(monkeypatch, tmp_path):
    """Hide the user's data folders; return the (not yet existing) cache folder."""
    for variable in ("SHIFTLAB_DATA", "SHIFTLAB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    cache = tmp_path / "cache" / "shiftlab"
    monkeypatch.setattr("shiftlab.datasets._locate.user_cache", lambda: cache)
    return cache
