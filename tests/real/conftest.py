"""Fixtures of the tests on logs as others write them."""

from pathlib import Path

import pytest


@pytest.fixture
def reported():
    """Logs in the shape of public bug reports (see the README there)."""
    return Path(__file__).parents[1] / "data" / "reported-logs"
