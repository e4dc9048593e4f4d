"""Where processes are started, and how many."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from textwrap import dedent

import numpy as np
import pytest
import xarray as xr
from hostile import (
    load_daemonic,
    load_inside,
)
from in_parallel import load, start

import runcube as rc
from runcube.core import resources
from runcube.parallel import processes
from runcube.pipeline import tasks as task_module
from runcube.pipeline.discover import discover


@pytest.mark.parametrize("bad", [True, None, 2, "threads", "", object(), Executor])
def test_what_is_no_way_to_run_tasks_is_refused(logs, tmp_path, bad):
    words = r"expected 'auto', False, 'processes', 'dask' or a concurrent.futures.Executor"
    calls = (
        lambda: rc.scan(logs, parallel=bad),
        lambda: rc.load_runs(logs, parallel=bad),
        lambda: rc.load_tree(logs, parallel=bad),
        lambda: rc.archive_runs(logs, tmp_path / "a.nc", parallel=bad),
        lambda: rc.update_archive(tmp_path / "a.nc", parallel=bad),
        lambda: xr.open_dataset(logs, engine="runcube", parallel=bad),
    )
    for call in calls:
        with pytest.raises(rc.PlanError, match=words):
            call()


def test_little_is_read_here_and_much_elsewhere(logs, monkeypatch):
    jobs = discover(logs, "auto", None).jobs
    size = sum(job.source.size for job in jobs)
    monkeypatch.setattr(task_module, "_SHORT", 0)
    for worth_it, has_place in ((size + 1, False), (size, True)):
        monkeypatch.setattr(task_module, "_WORTH_IT", worth_it)
        place = task_module._place("auto", [job.source.size for job in jobs])
        assert (place is not None) is has_place
    monkeypatch.setattr(task_module, "usable_cpus", lambda: 1)
    assert task_module._place("auto", [job.source.size for job in jobs]) is None


def test_many_short_logs_are_read_here(monkeypatch):
    monkeypatch.setattr(task_module, "usable_cpus", lambda: 2)
    monkeypatch.setattr(task_module, "is_worker", lambda: False)
    assert task_module._place("auto", [3000] * 200_000) is None
    for sizes in ([300_000] * 2_000, [1 << 28] * 2):
        place = task_module._place("auto", sizes)
        assert place is not None
        place.pool.shutdown()


def test_a_process_that_is_a_worker_itself_starts_none(logs):
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
        ds, children = pool.submit(load_inside, logs, "auto").result()
    assert children == 0
    assert ds.identical(load(logs, False).drop_vars("messages").assign_attrs(ds.attrs))


@pytest.mark.parametrize("mode", ["auto", "processes"])
def test_a_daemonic_process_starts_none(logs, mode):
    context = multiprocessing.get_context("forkserver")
    answers = context.SimpleQueue()
    process = context.Process(target=load_daemonic, args=(logs, mode, answers), daemon=True)
    process.start()
    answer = answers.get()
    process.join()
    if mode == "auto":
        assert answer == load(logs, False).curve.values.tobytes()
    else:
        assert "daemonic" in answer


def test_a_thread_of_a_dask_worker_starts_no_processes(client):
    assert client.submit(processes.is_worker, pure=False).result()
    assert not processes.is_worker()


@pytest.mark.parametrize(
    ("texts", "cpus"),
    [
        (("200000 100000\n",), 2),
        (("max 100000\n",), np.inf),
        (("50000 100000",), 0.5),
        (("-1\n", "100000\n"), np.inf),
        (("150000\n", "100000\n"), 1.5),
        ((), np.inf),
        (("what",), np.inf),
    ],
)
def test_quotas_of_control_groups(tmp_path, texts, cpus):
    paths = [tmp_path / f"file-{i}" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    assert resources._ratio(*paths or [tmp_path / "absent"]) == cpus


def test_cpus_are_those_this_process_is_bound_to():
    code = """
    import os
    from runcube.core import usable_cpus
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
    print(usable_cpus())
    """
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this system")
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_nothing_heavy_is_loaded_for_processes(logs):
    child = start(
        f"""
        rc.load_runs({str(logs)!r}, parallel="processes")
        print(*sorted({{"dask", "distributed"}} & set(sys.modules)))
        """
    )
    stdout, stderr = child.communicate(timeout=120)
    assert "distributed" not in stdout, stderr
