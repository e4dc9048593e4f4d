"""Fixtures of several tests: the digits sweep, and hypothesis profiles."""

import json
import os
import tarfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import runcube as rc
from runcube.readers import JsonlReader
from runcube.readers.native.reader import NativeReader

DATA = Path(__file__).parent / "data"
# Scripts that wrote logs of others need loggers that are not installed.
collect_ignore = ["data"]

# The default profile tries the same examples each time, so that one commit passes or fails as a
# whole; "thorough" (make fuzz) looks for new ones.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "thorough", settings.get_profile("default"), max_examples=1000, derandomize=False
)
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


@pytest.fixture
def read(monkeypatch):
    """Paths of the logs that are read whole, as they are read in this process."""
    seen = []
    for kind in (NativeReader, JsonlReader):

        def reading(self, source, request, read=kind.read):
            seen.append(source.path)
            return read(self, source, request)

        monkeypatch.setattr(kind, "read", reading)
    together = NativeReader.read_batch

    def reading_batch(self, sources, request):
        seen.extend(source.path for source in sources)
        return together(self, sources, request)

    monkeypatch.setattr(NativeReader, "read_batch", reading_batch)
    return seen
