"""Processes that die cost no log but one that kills every reader."""

import multiprocessing
import os
import shutil
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dask
import pytest
from hostile import (
    DeadlyReader,
    NeedyReader,
    set_up,
)
from in_parallel import assert_same, load, no_children, results, start, wait_for, way
from sweeps import write_run

import runcube as rc
from runcube.core.model import Request
from runcube.parallel import processes
from runcube.parallel.scratch import scratch_directory
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs


@pytest.mark.parametrize("mode", ["processes", "own processes"])
def test_a_log_that_kills_whoever_reads_it_costs_that_log_alone(logs, mode, request):
    expected = load(logs, False)
    for number, seed in enumerate([11, 12]):
        path = logs / f"00{3 + 4 * number}_deadly"
        hparams = {"optim": {"lr": 0.1}, "model": {"weights": None}, "note": "DEADLY"}
        write_run(path, {"seed": seed, "epochs": 3, **hparams})
    with way(mode, request) as asked:
        found = load(logs, asked, reader=DeadlyReader(), exclude="note")
    problems = rc.problems(found)
    lost = problems[problems.kind == "reader_error"]
    assert list(lost.path) == ["003_deadly/json_out.jsonl", "007_deadly/json_out.jsonl"]
    assert set(lost.message) == {"the process that read it was killed by SIGKILL"}
    cells = {"lr": expected.lr, "weights": expected.weights, "seed": expected.seed}
    assert found.curve.sel(cells).transpose(*expected.curve.dims).equals(expected.curve)
    assert no_children()


def test_processes_that_take_over_are_set_up_as_those_that_died(logs):
    write_run(logs / "003_deadly", {"seed": 0, "epochs": 3, "note": "DEADLY"})
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, context, set_up, ("ready",)) as pool:
        found = load(logs, pool, reader=NeedyReader(), exclude="note")
    problems = rc.problems(found)
    (lost,) = problems[problems.kind == "reader_error"].itertuples()
    assert (lost.path, lost.message) == (
        "003_deadly/json_out.jsonl",
        "the process that read it was killed by SIGKILL",
    )


def test_an_exit_code_is_told(logs):
    write_run(logs / "deadly", {"seed": 0, "epochs": 3, "note": "DEADLY"})
    found = load(logs, "processes", reader=DeadlyReader(code=3), exclude="note")
    lost = rc.problems(found)
    assert "the process that read it ended with exit code 3" in set(lost.message)


def test_a_process_that_dies_once_costs_nothing(logs, tmp_path):
    (tmp_path / "marks").mkdir()
    write_run(logs / "deadly", {"seed": 0, "epochs": 3, "note": "DEADLY"})
    reader = DeadlyReader(once=str(tmp_path / "marks"))
    assert_same(results(logs, "processes", reader), results(logs, False, reader))
    assert len(list((tmp_path / "marks").iterdir())) == 1


def test_where_no_process_lives_logs_are_read_here(logs, monkeypatch):
    # As if the package could not be imported in other processes.
    monkeypatch.setattr(processes, "_begin", os.abort)
    assert_same(results(logs, "processes"), results(logs, False))


@pytest.mark.slow
def test_a_worker_of_dask_that_dies_costs_that_log_alone(logs):
    distributed = pytest.importorskip("distributed")
    write_run(logs / "003_deadly", {"seed": 0, "epochs": 3, "note": "DEADLY"})
    expected = results(logs, False, DeadlyReader())
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster),
    ):
        found = results(logs, "dask", DeadlyReader())
    paths = [job.source.path for job in discover(logs, "auto", None).jobs]
    at = paths.index("003_deadly/json_out.jsonl")
    assert "killed by SIGKILL" in found[at][1].message
    assert_same(found[:at] + found[at + 1 :], expected[:at] + expected[at + 1 :])


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are those of POSIX")
@pytest.mark.parametrize("sent", ["to the process", "to its group", "kill"])
@pytest.mark.parametrize("call", ["load_runs(logs", "archive_runs(logs, logs + '.nc'"])
def test_whatever_ends_a_load_ends_its_processes(logs, tmp_path, call, sent):
    marks = tmp_path / "marks"
    marks.mkdir()
    child = start(
        f"""
        logs = {str(logs)!r}
        rc.{call}, reader=SleepyReader(once={str(marks)!r}), parallel="processes")
        """
    )
    try:
        wait_for(lambda: child.poll() is not None or list(marks.iterdir()))
        if sent == "to its group":
            os.killpg(child.pid, signal.SIGINT)
        else:
            child.send_signal(signal.SIGKILL if sent == "kill" else signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
        # The processes sleep for an hour: whoever waits for them fails here.
        wait_for(lambda: group_is_gone(child.pid))
    finally:
        if not group_is_gone(child.pid):
            os.killpg(child.pid, signal.SIGKILL)
    if sent == "kill":
        left = [*Path("/dev/shm").glob(f"runcube-exchange-{child.pid}-*")]
        assert left
        for folder in left:  # whatever is left behind goes with the next load, a minute later
            os.utime(folder / ".runcube-exchange", (0, 0))
        rc.load_runs(logs, parallel="processes")
        assert not any(folder.exists() for folder in left)
    else:
        assert child.returncode == -signal.SIGINT, stderr
        assert stderr.rstrip().endswith("KeyboardInterrupt")
        assert stderr.count("Traceback") == 1, stderr
        assert not [*Path("/dev/shm").glob(f"runcube-exchange-{child.pid}-*")]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a system without /dev/shm")
def test_a_directory_in_use_is_left_alone(logs):
    with scratch_directory(1) as folder:
        os.utime(Path(folder, ".runcube-exchange"), (0, 0))
        rc.load_runs(logs, parallel="processes")
        assert Path(folder, ".runcube-exchange").exists()
    assert not Path(folder).exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a system without /dev/shm")
def test_what_no_load_has_made_is_left_alone(logs, tmp_path):
    target = tmp_path / "somebody's"
    target.mkdir()
    kept = []
    for folder in (target, Path("/dev/shm/runcube-exchange-of-a-user"), tmp_path / "runcube-mine"):
        folder.mkdir(exist_ok=True)
        (folder / "lock").write_text("text")
        kept.append(folder / "lock")
    link = Path("/dev/shm/runcube-exchange-link")
    (target / ".runcube-exchange").write_text("text")
    kept.append(target / ".runcube-exchange")
    link.symlink_to(target)
    for file in kept:
        os.utime(file, (0, 0))
    try:
        rc.load_runs(logs, parallel="processes")
        assert [file.read_text() for file in kept] == ["text"] * len(kept)
    finally:
        link.unlink()
        shutil.rmtree("/dev/shm/runcube-exchange-of-a-user")


def test_a_script_needs_no_guard(logs):
    child = start(f"print(rc.load_runs({str(logs)!r}, parallel='processes').curve.size)")
    stdout, stderr = child.communicate(timeout=120)
    assert stdout.split() == [str(load(logs, False).curve.size)], stderr


def test_whoever_stops_early_leaves_no_process(logs):
    tasks = [(job, Request()) for job in discover(logs, "auto", None).jobs]
    sizes = [1] * len(tasks)
    with closing(run_tasks(ReadLogs(), tasks, sizes, None, "processes")) as found:
        next(found)
        assert not no_children()
    assert no_children()


def test_an_executor_of_the_user_stays_open(logs):
    with ThreadPoolExecutor(1) as pool:
        load(logs, pool)
        assert pool.submit(int, "7").result() == 7
