"""Fixtures of the tests in this folder."""

import pytest
from sweeps import product_configs, write_sweep

from runcube.lazy import array, schema_cache, value_cache


@pytest.fixture(autouse=True)
def parsed(monkeypatch):
    """Values of logs that are kept in memory: none at the beginning."""
    cache = value_cache.ValueCache()
    for module in (array, value_cache, schema_cache):
        monkeypatch.setattr(module, "VALUES", cache)
    return cache


@pytest.fixture
def forget(parsed):
    """Forget what was parsed."""

    return parsed.clear


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, seeds=(0, 1, 2))
