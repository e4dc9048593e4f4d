"""Fixtures of several tests: the digits sweep, and hypothesis profiles."""

import json
import os
import tarfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import runcube as rc

DATA = Path(__file__).parent / "data"

settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Directory of the digits sweep and what was trained (see tests/data/digits.md)."""
    root = tmp_path_factory.mktemp("digits")
    with tarfile.open(DATA / "digits.tar.gz") as packed:
        packed.extractall(root, filter="data")
    return root / "digits", json.loads((root / "digits.truth.json").read_text())


@pytest.fixture(scope="session")
def digits_cube(digits):
    """The digits sweep, loaded with nothing but defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(digits[0])
