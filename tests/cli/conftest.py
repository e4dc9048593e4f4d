"""Fixtures of the tests in this folder."""

import signal

import pytest
import sweeps
from shell import FULL


@pytest.fixture
def logs(tmp_path):
    """Four configurations × three seeds: one run is absent, one incomplete."""
    root = tmp_path / "logs"
    return sweeps.write_sweep(root, FULL, [0, 1, 2], leave_out=[(1, 2)], killed=[(3, 0)])


@pytest.fixture(autouse=True)
def _interruptible():
    """Ctrl-C reaches these tests also where they run as a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
