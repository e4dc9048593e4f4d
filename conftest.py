"""For tests and doctests alike: what one registers is gone for the next."""

from pathlib import Path

import pytest

from runcube.readers import base


@pytest.fixture(autouse=True)
def _own_readers_and_place(monkeypatch):
    """Undo ``register_reader``; examples name their logs from the top of the project."""
    monkeypatch.setattr(base, "_registered", dict(base._registered))
    monkeypatch.chdir(Path(__file__).parent)
