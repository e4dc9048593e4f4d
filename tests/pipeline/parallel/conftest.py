"""Fixtures of the tests in this folder."""

import dask
import pytest
from sweeps import product_configs, write_sweep

from runcube.pipeline import tasks as task_module


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Several batches of what is small, and several workers wherever this runs."""
    monkeypatch.setattr(task_module, "_PER_FILE", 1)
    monkeypatch.setattr(task_module, "usable_cpus", lambda: 2)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        distributed.LocalCluster(
            2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, [0, 1, 2], killed={(1, 1)}, leave_out={(2, 0)})
