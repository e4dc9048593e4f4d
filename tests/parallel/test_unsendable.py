"""What cannot be sent to a process is refused, or read here."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from hostile import (
    LockedReader,
)
from in_parallel import assert_same, load, start

import runcube as rc
from runcube.core.model import Request
from runcube.parallel.processes import ProcessPool
from runcube.pipeline import tasks as task_module
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs


def test_a_reader_that_cannot_be_pickled_reads_here(logs, monkeypatch):
    monkeypatch.setattr(task_module, "_WORTH_IT", 0)
    reader = LockedReader()
    assert load(logs, "auto", reader=reader).curve.identical(load(logs, False).curve)
    with pytest.raises(rc.PlanError, match=r"parallel='processes'.*LockedReader.*cannot pickle"):
        load(logs, "processes", reader=reader)
    with ProcessPoolExecutor(1) as pool, pytest.raises(rc.PlanError, match="cannot pickle"):
        load(logs, pool, reader=reader)
    with ThreadPoolExecutor(1) as pool:
        assert load(logs, pool, reader=reader).curve.identical(load(logs, False).curve)


def test_only_its_own_logs_are_read_here(logs, monkeypatch):
    monkeypatch.setattr(task_module, "_WORTH_IT", 0)
    jobs = discover(logs, "auto", None).jobs
    mixed = [*discover(logs, LockedReader(), None).jobs[:3], *jobs[3:]]
    tasks = [(job, Request()) for job in mixed]
    found = list(run_tasks(ReadLogs(), tasks, [1] * len(tasks), None, "auto"))
    assert_same(found, [ReadLogs().run(task) for task in tasks])


@pytest.mark.parametrize("how", ["'processes'", "futures.ProcessPoolExecutor(2, fork)"])
def test_a_reader_of_a_script_is_sent_whole(logs, tmp_path, how):
    """Also to the processes of our own that do again what others died of."""
    child = start(
        f"""
        import os, signal, multiprocessing
        from concurrent import futures
        fork = multiprocessing.get_context("fork")
        mark = pathlib.Path({str(tmp_path / "mark")!r})
        class Mine(SleepyReader):
            def read(self, source, request):
                if not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return SleepyReader.__mro__[1]().read(source, request)
        ds = rc.load_runs({str(logs)!r}, reader=Mine(), parallel={how})
        print(ds.curve.size, len(rc.problems(ds)))
        """
    )
    stdout, stderr = child.communicate(timeout=120)
    want = load(logs, False)
    assert stdout.split() == [str(want.curve.size), str(len(rc.problems(want)))], stderr


def test_other_threads_keep_their_main_module(logs):
    child = start(
        f"""
        import pickle, threading
        class Thing: pass
        load = threading.Thread(
            target=rc.load_runs, args=[{str(logs)!r}], kwargs={{"parallel": "processes"}}
        )
        load.start()
        while load.is_alive():
            pickle.loads(pickle.dumps(Thing()))
        print("whole")
        """
    )
    stdout, stderr = child.communicate(timeout=120)
    assert stdout == "whole\n", stderr


def test_processes_have_the_surroundings_of_the_moment(tmp_path, monkeypatch):
    config = pytest.importorskip("fsspec.config")
    for word in ("one", "two"):
        (tmp_path / word).mkdir()
        monkeypatch.chdir(tmp_path / word)
        monkeypatch.setenv("RUNCUBE_TEST", word)
        monkeypatch.setitem(config.conf, "runcube-test", {"word": word})
        # Of no concern to the other one.
        monkeypatch.setitem(config.conf, "unportable", {"lock": threading.Lock()})
        pool = ProcessPool(1)
        assert pool.submit(os.getcwd).result() == str(tmp_path / word)
        assert pool.submit(os.getenv, "RUNCUBE_TEST").result() == word
        asked = "__import__('fsspec.config').config.conf['runcube-test']['word']"
        assert pool.submit(eval, asked).result() == word
        pool.shutdown()
