"""A real dask cluster: a scheduler and two workers on this machine, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import distributed
import fsspec
import numpy as np
import pytest
import xarray as xr
from sweeps import product_configs, write_sweep
from web import serving

import runcube as rc
from runcube.pipeline import tasks

RUNS = 60


def start(*words, folder):
    command = [sys.executable, "-m", "distributed.cli." + words[0], *map(str, words[1:])]
    with (folder / f"{words[0]}.out").open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A client, the processes (the scheduler's first), and what starts another worker."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    words = ["--scheduler-file", file, "--no-dashboard"]
    processes = [start("dask_scheduler", "--port", 0, "--host", "127.0.0.1", *words, folder=folder)]
    try:
        for _ in range(300):
            if file.exists() and file.read_text():
                break
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            alone = ["--nthreads", 1, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
            processes.append(start("dask_worker", address, *alone, folder=folder))
        with distributed.Client(address, set_as_default=True) as client:
            client.wait_for_workers(2, timeout=60)

            def another():
                processes.append(start("dask_worker", address, *alone, folder=folder))
                client.wait_for_workers(2, timeout=60)

            yield client, processes, another
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    root = tmp_path_factory.mktemp("sweep") / "logs"
    configs = product_configs(optim__lr=[0.1, 1.0, 2.0])
    return write_sweep(root, configs, seeds=range(RUNS // 3), epochs=40)


def opened(logs, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.open_runs(logs, **options)


def test_workers_read_the_values_of_a_lazy_cube(cluster, logs):
    want = rc.load_runs(logs)
    ds = opened(logs, chunks={"seed": 5})
    client, *_ = cluster
    xr.testing.assert_equal(ds.compute(), want)
    mean = ds.curve.mean("seed").compute()
    np.testing.assert_allclose(mean.values, want.curve.mean("seed").values, rtol=1e-14)
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_graph_does_not_hold_the_coordinates(cluster, logs):
    from distributed.protocol import dumps

    del cluster
    ds = opened(logs, chunks={"seed": 5})
    size = sum(map(len, dumps(dict(ds.curve.data.__dask_graph__()))))
    assert size < 1000 * RUNS


def test_workers_read_logs_from_a_web_server(cluster, logs):
    del cluster
    want = rc.load_runs(logs)
    with serving(logs) as web:
        xr.testing.assert_equal(rc.load_runs(web.url, parallel="dask"), want)
        # Once here, as a small log is fetched with its head, and once by the workers.
        assert len([a for a in web.of_files() if a.range is None]) == 2 * RUNS
        ds = opened(web.url, chunks={"seed": 5}, cache=False)
        web.asked.clear()
        xr.testing.assert_equal(ds.compute(), want)
        assert not web.asked


def test_logs_in_the_memory_of_a_process_are_read_there(cluster, logs):
    fs = fsspec.filesystem("memory")
    for file in logs.rglob("*.jsonl"):
        fs.pipe_file(f"/sweep/{file.relative_to(logs).as_posix()}", file.read_bytes())
    try:
        want = rc.load_runs(logs)
        xr.testing.assert_equal(opened("memory://sweep", cache=False).compute(), want)
        with pytest.warns(rc.SweepWarning, match="memory of this process"):
            found = rc.load_runs("memory://sweep", parallel="dask")
        xr.testing.assert_equal(found, want)
    finally:
        fs.rm("/sweep", recursive=True)


def test_workers_elsewhere_are_told_of_a_directory_that_all_can_read(cluster, logs, tmp_path):
    del cluster
    ds = opened(logs, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob("*.nc")
    kept.rename(tmp_path / "elsewhere.nc")  # as it is for who does not see this disk
    with pytest.raises(rc.ArchiveError, match="pass cache= a directory that all of them can read"):
        ds.curve.compute()


def test_a_worker_that_is_killed_costs_no_data(cluster, logs):
    client, processes, _ = cluster
    want = rc.load_runs(logs)
    ds = opened(logs, chunks={"seed": 1, "lr": 1})
    future = client.compute(ds.curve.data)
    while not any(client.who_has().values()):  # until one of them has done something
        time.sleep(0.001)
    processes[1].send_signal(signal.SIGKILL)
    np.testing.assert_array_equal(future.result(timeout=60), want.curve.values)
    assert len(client.scheduler_info()["workers"]) == 1


def test_a_worker_that_is_killed_costs_a_load_no_data(cluster, logs, tmp_path, monkeypatch):
    client, processes, another = cluster
    another()
    killed = []

    def kill(done, total, files):
        del done, total, files
        if not killed:
            killed.append(processes[-1].pid)
            processes[-1].kill()

    # Many small batches, so that both workers have some when one is killed.
    monkeypatch.setattr(tasks, "_PER_FILE", 1)
    want = rc.load_runs(logs)
    rc.archive_runs(logs, tmp_path / "a.nc", parallel="dask", progress=kill)
    assert killed
    with rc.open_archive(tmp_path / "a.nc") as found:
        xr.testing.assert_equal(found, want)
    assert len(client.scheduler_info()["workers"]) == 1


def test_workers_load_and_archive(cluster, logs, tmp_path):
    client, _, another = cluster
    another()
    assert len(client.scheduler_info()["workers"]) == 2
    want = rc.load_runs(logs)
    xr.testing.assert_equal(rc.load_runs(logs, parallel="dask"), want)
    rc.archive_runs(logs, tmp_path / "a.nc", parallel="dask")
    with rc.open_archive(tmp_path / "a.nc") as found:
        xr.testing.assert_equal(found, want)
