"""For tests and doctests alike: what one registers is gone for the next."""

import sys
from pathlib import Path

import pytest

from runcube.readers import base


@pytest.fixture(autouse=True)
def _own_readers_and_place(monkeypatch):
    """Undo ``register_reader``; examples name their logs from the top of the project."""
    monkeypatch.setattr(base, "_registered", dict(base._registered))
    monkeypatch.chdir(Path(__file__).parent)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Leave the user's cache alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNCUBE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _closed_figures():
    """Close what an example or a test has drawn."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
