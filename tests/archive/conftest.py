"""Fixtures of the tests in this folder."""

import pytest
from saved_cubes import cube  # noqa: F401
from sweeps import product_configs, write_sweep


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder / "sweep.nc"


@pytest.fixture
def grid(root):
    """Six runs of two settings, as most sweeps are."""
    return write_sweep(root, product_configs(optim__lr=[0.1, 1.0]), seeds=(0, 1, 2))


@pytest.fixture
def logs(tmp_path):
    """Twelve runs of four settings, which several tests only read."""
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, seeds=(0, 1, 2))
