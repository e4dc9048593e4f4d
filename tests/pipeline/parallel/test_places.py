"""Where logs are read."""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import Executor
from textwrap import dedent

import numpy as np
import pytest
import xarray as xr
from hostile import WHERE, PlainReader, WatchedReader, load_daemonic
from in_parallel import load, nothing_is_left, results, tasks_of

import runcube as rc
from runcube.core import resources
from runcube.pipeline import tasks as task_module


@pytest.mark.parametrize("bad", [True, None, 2, "thread", "off", "", object(), Executor])
def test_what_is_no_way_to_read_logs_is_refused(logs, tmp_path, bad):
    words = (
        r"expected 'auto', False, 'threads', 'processes', 'dask' or a concurrent.futures.Executor"
    )
    calls = (
        lambda: rc.scan(logs, parallel=bad),
        lambda: rc.load_runs(logs, parallel=bad),
        lambda: rc.open_runs(logs, parallel=bad, cache=False),
        lambda: rc.load_tree(logs, parallel=bad),
        lambda: rc.archive_runs(logs, tmp_path / "a.nc", parallel=bad),
        lambda: rc.update_archive(tmp_path / "a.nc", parallel=bad),
        lambda: xr.open_dataset(logs, engine="runcube", parallel=bad),
    )
    for call in calls:
        with pytest.raises(rc.PlanError, match=words):
            call()


def has_threads(tasks):
    with task_module._place("auto", [job for job, _ in tasks], str) as place:
        return place.pool is not None


def test_auto_starts_threads_where_there_is_much_to_read_and_a_second_cpu(logs, monkeypatch):
    tasks = tasks_of(logs)
    size = sum(job.source.size for job, _ in tasks)
    for worth_it, expected in ((size + 1, False), (size, True)):
        monkeypatch.setattr(task_module, "_WORTH_IT", worth_it)
        assert has_threads(tasks) is expected
    assert not has_threads(tasks[:1])
    assert not has_threads([])
    monkeypatch.setattr(task_module, "usable_cpus", lambda: 1)
    assert not has_threads(tasks)


def where(logs, mode, reader=None):
    WHERE.clear()
    assert len(results(logs, mode, reader or WatchedReader())) == len(tasks_of(logs))
    return set(WHERE.values())


def test_a_reader_of_somebody_else_is_used_by_the_calling_thread_unless_asked(logs, monkeypatch):
    monkeypatch.setattr(task_module, "_WORTH_IT", 0)
    here = (os.getpid(), threading.get_ident())
    assert where(logs, "auto") == where(logs, False) == {here}
    in_threads = where(logs, "threads")
    assert here not in in_threads
    assert {pid for pid, _ in in_threads} == {os.getpid()}
    # What other processes remember is not seen here.
    assert where(logs, "processes") == set()
    assert nothing_is_left()


def test_auto_reads_with_readers_of_both_kinds(logs, monkeypatch):
    monkeypatch.setattr(task_module, "_WORTH_IT", 0)
    own, others = tasks_of(logs), tasks_of(logs, WatchedReader())
    mixed = [*own[:3], *others[3:6], *own[6:]]
    WHERE.clear()
    found = list(task_module.read_tasks(mixed, "auto"))
    assert [logs[0].header.source.path for logs, _ in found] == [j.source.path for j, _ in mixed]
    assert set(WHERE.values()) == {(os.getpid(), threading.get_ident())}
    assert [*WHERE] == [job.source.path for job, _ in mixed[3:6]]


@pytest.mark.parametrize("mode", ["auto", "processes"])
def test_a_daemonic_process_starts_none(logs, mode):
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=load_daemonic, args=(logs, mode, answers), daemon=True)
    process.start()
    answer = answers.get()
    process.join()
    if mode == "auto":
        assert answer == load(logs, False).curve.values.tobytes()
    else:
        assert "daemonic" in answer


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


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_nothing_heavy_is_loaded_to_read(logs, mode):
    code = f"""
    import sys, warnings
    import runcube as rc
    if __name__ == "__main__":
        warnings.simplefilter("ignore")
        rc.load_runs({str(logs)!r}, parallel={mode!r})
        assert "distributed" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", dedent(code)], check=True)


def test_where_no_thread_can_be_started_logs_are_read_here(logs, monkeypatch):
    start = threading.Thread.start

    def fails(self):
        if self.name.startswith("runcube_"):
            raise RuntimeError("can't start new thread")
        start(self)

    expected = load(logs, False, reader=PlainReader())
    monkeypatch.setattr(threading.Thread, "start", fails)
    assert where(logs, "threads") == {(os.getpid(), threading.get_ident())}
    assert load(logs, "threads", reader=PlainReader()).identical(expected)


def test_a_load_gives_the_garbage_collector_back_as_it_was(logs, monkeypatch):
    seen = []
    monkeypatch.setattr(PlainReader, "read", lambda *_: seen.append(gc.isenabled()) or [])
    for was_enabled in (True, False):
        (gc.enable if was_enabled else gc.disable)()
        try:
            with pytest.raises(rc.NoRunsError):
                rc.load_runs(logs, reader=PlainReader(), parallel="threads")
            assert gc.isenabled() is was_enabled
        finally:
            gc.enable()
    assert not any(seen)
