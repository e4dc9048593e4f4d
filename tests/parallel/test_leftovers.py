"""What processes leave behind: nothing."""

import gc
import multiprocessing
import os
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from in_parallel import (
    assert_same,
    load,
    no_children,
    start,
    wait_for,
)

import runcube as rc
from runcube.core.model import Request
from runcube.core.resources import gc_paused
from runcube.pipeline import transport
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs
from runcube.readers.native.reader import NativeReader


def test_few_files_stay_open_however_many_batches_there_are(logs, monkeypatch):
    """Batches are mapped files; before, a load of many of them could open no more files."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("a system that does not list open files")
    monkeypatch.setattr(transport, "_MOST_MAPPED", 2)
    jobs = discover(logs, "auto", None).jobs * 10
    tasks = [(job, Request()) for job in jobs]
    before = len([*descriptors.iterdir()])
    with ThreadPoolExecutor(2) as pool:
        found = list(run_tasks(ReadLogs(), tasks, [1] * len(tasks), None, pool))
        assert len([*descriptors.iterdir()]) <= before + 2 + 3  # mapped; a lock, and this listing
    assert_same(found, [ReadLogs().run(task) for task in tasks])


def test_loads_of_several_threads_give_the_garbage_collector_back(logs):
    assert gc.isenabled()
    inside = threading.Barrier(2, timeout=60)

    def hold(first):
        if first:
            with gc_paused():
                inside.wait()
                inside.wait()
        else:
            inside.wait()
            with gc_paused():
                inside.wait()
                one.join()
                assert not gc.isenabled()

    one, other = (threading.Thread(target=hold, args=[first]) for first in (True, False))
    one.start()
    other.start()
    other.join()
    assert gc.isenabled()


@pytest.mark.parametrize("error", [EOFError, BlockingIOError])
def test_where_no_process_can_be_started_logs_are_read_here(logs, monkeypatch, error):
    """The server that processes are forked from dies of it, and no answer comes."""

    def fails(self):
        raise error

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", fails)
    assert load(logs, "processes").curve.identical(load(logs, False).curve)


@pytest.mark.parametrize("who", ["_ExecutorManagerThread", "Thread"])
def test_where_no_thread_can_be_started_logs_are_read_here(logs, monkeypatch, who):
    """The thread of an executor, or the one that sends its tasks, of which nobody hears."""
    start = threading.Thread.start

    def fails(self):
        name = getattr(self, "_target", None)
        of_queue = who == "Thread" and getattr(name, "__name__", "") == "_feed"
        if type(self).__name__ == who != "Thread" or of_queue:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", fails)
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    assert load(logs, "processes").curve.identical(load(logs, False).curve)
    wait_for(no_children)


@pytest.mark.parametrize("mode", ["processes", "dask", "threads"])
def test_where_nothing_can_be_written_results_go_through_pipes(logs, monkeypatch, mode):
    def nowhere(needed):
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr("runcube.parallel.scratch._parent", nowhere)
    with ThreadPoolExecutor(2) as pool:
        ds = load(logs, pool if mode == "threads" else mode)
    assert ds.curve.identical(load(logs, False).curve)


def test_a_load_within_the_only_thread_of_a_cluster_does_not_wait_for_itself(logs):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        future = client.submit(load, logs, "dask", pure=False)
        assert future.result(timeout=60).curve.identical(load(logs, False).curve)


class Failing(Executor):
    """A cluster that is gone after some batches."""

    def __init__(self, after):
        self.left = after

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        self.left -= 1
        if self.left < 0:
            future.set_exception(ConnectionError("the scheduler is gone"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_an_archive_goes_on_where_a_cluster_was_lost(logs, tmp_path, monkeypatch):
    target = tmp_path / "sweep.nc"
    files = len(discover(logs, "auto", None).jobs)
    with pytest.raises(rc.PlanError, match="the scheduler is gone"):
        rc.archive_runs(logs, target, parallel=Failing(files - 2))
    read = []
    whole = NativeReader.read
    monkeypatch.setattr(NativeReader, "read", lambda *a: read.append(a[1].path) or whole(*a))
    rc.archive_runs(logs, target, parallel=False)
    assert len(read) == 2
    with rc.open_archive(target) as ds:
        assert ds.curve.load().equals(rc.load_runs(logs).curve)


@pytest.mark.parametrize("given", [None, [None], ["a line"], 7])
@pytest.mark.parametrize("step", ["headers", "read"])
@pytest.mark.parametrize("mode", [False, "threads"])
def test_what_a_reader_should_not_give_costs_that_log(logs, monkeypatch, given, step, mode):
    before = load(logs, False)
    whole = getattr(NativeReader, step)
    first = discover(logs, "auto", None).jobs[0].source.path
    monkeypatch.setattr(
        NativeReader,
        step,
        lambda self, source, *rest: given if source.path == first else whole(self, source, *rest),
    )
    with ThreadPoolExecutor(2) as pool:
        ds = load(logs, pool if mode else mode, reader="native")
    problems = rc.problems(ds)
    (found,) = problems[problems.kind == "reader_error"].itertuples()
    assert found.path == first
    assert "TypeError" in found.message
    gone = (ds.status == "absent") & (before.status != "absent")
    assert before.path.where(gone, drop=True).values.ravel().tolist() == [first]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system that cannot fork")
def test_a_process_that_is_forked_while_processes_start_can_start_its_own(logs):
    child = start(
        f"""
        import gc, os, threading, time
        from runcube.parallel import processes
        from runcube.core import gc_paused

        def hold():
            with gc_paused(), processes._without_main():
                ready.set()
                done.wait()

        ready, done = threading.Event(), threading.Event()
        thread = threading.Thread(target=hold)
        thread.start()
        ready.wait()
        pid = os.fork()
        if not pid:
            assert gc.isenabled()
            print(rc.load_runs({str(logs)!r}, parallel="processes").curve.size, flush=True)
            assert gc.isenabled()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        done.set()
        thread.join()
        """
    )
    stdout, stderr = child.communicate(timeout=120)
    assert (stdout.strip(), child.returncode) == (str(load(logs, False).curve.size), 0), stderr


@pytest.mark.parametrize("count", [None, 0, -1, "two", 2.5])
def test_what_an_executor_says_of_itself_may_be_anything(logs, count):
    pool = Failing(10**6)
    pool._max_workers = count
    assert load(logs, pool).curve.identical(load(logs, False).curve)
