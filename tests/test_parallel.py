"""Reading logs elsewhere: the same cube, whatever becomes of the processes."""

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from textwrap import dedent

import dask
import numpy as np
import pytest
import xarray as xr
from hostile import (
    DeadlyReader,
    FailingReader,
    LockedReader,
    NeedyReader,
    load_daemonic,
    load_inside,
    set_up,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import product_configs, write_run, write_sweep

import runcube as rc
from runcube.core import resources
from runcube.core.model import Request
from runcube.core.resources import gc_paused
from runcube.parallel import processes
from runcube.parallel.processes import ProcessPool
from runcube.parallel.scratch import scratch_directory
from runcube.pipeline import tasks as task_module
from runcube.pipeline import transport
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs
from runcube.readers.native.reader import NativeReader
from runcube.testing import logged_sweeps

HERE = Path(__file__).parent
DATA = HERE / "data"
MODES = ("processes", "threads", "own processes", "dask sync", "dask threads", "dask client")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Several batches of what is small, and several workers wherever this runs."""
    monkeypatch.setattr(task_module, "_LEAST_BATCH", 1)
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


@contextmanager
def way(mode, request):
    """What ``parallel=`` takes for the name of a mode."""
    if mode == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif mode == "own processes":
        with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as pool:
            yield pool
    elif mode == "dask client":
        with request.getfixturevalue("client").as_current():
            yield "dask"
    elif mode.startswith("dask"):
        with dask.config.set(scheduler=mode.split()[1]):
            yield "dask"
    else:
        yield mode


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def load(root, mode, **options):
    ds = quietly(rc.load_runs, root, parallel=mode, messages=True, **options)
    ds.attrs["created"] = ""
    return ds


def results(root, mode, reader="auto"):
    """What ``run_tasks`` gives for every log under a directory."""
    tasks = [(job, Request(messages=True)) for job in discover(root, reader, None).jobs]
    sizes = [job.source.size for job, _ in tasks]
    return list(run_tasks(ReadLogs(), tasks, sizes, None, mode))


def assert_same(left, right):
    """Equal in type, dtype and every bit, all the way down."""
    if isinstance(left, np.ndarray):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()
    elif is_dataclass(left):
        assert type(left) is type(right)
        for field in fields(left):
            assert_same(getattr(left, field.name), getattr(right, field.name))
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    elif isinstance(left, dict):
        assert list(left) == list(right)
        assert_same(list(left.values()), list(right.values()))
    elif isinstance(left, float) and left != left:
        assert type(right) is float
        assert right != right
    else:
        assert type(left) is type(right)
        assert left == right


def no_children():
    """Whether every process that was started here has ended."""
    return not multiprocessing.active_children()


# --- the same results ---------------------------------------------------------------------------


@settings(max_examples=60)
@given(sweep=logged_sweeps(), in_file=st.booleans())
def test_what_is_packed_comes_back(sweep, in_file):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sweep.write(root / "logs")
        (root / "logs").mkdir(exist_ok=True)
        (root / "logs" / "broken.jsonl").write_bytes(b'{"loss": 1, "epoch"\n\xff\n{}\n')
        try:
            jobs = discover(root / "logs", "auto", None).jobs
        except rc.NoRunsError:
            return
        tasks = [(job, Request(messages=True)) for job in jobs]
        work = ReadLogs()
        packed = work.pack(work.sent(tasks), name if in_file else None)
        assert isinstance(packed[0], str) is in_file
        assert_same(work.unpack(tasks, packed), [work.run(task) for task in tasks])
        assert [path.name for path in root.iterdir()] == ["logs"]


@settings(max_examples=15)
@given(sweep=logged_sweeps())
def test_generated_sweeps_load_the_same_in_processes(sweep):
    with tempfile.TemporaryDirectory() as name:
        sweep.write(Path(name))
        try:
            expected = load(name, False)
        except rc.RuncubeError as error:
            with pytest.raises(type(error)):
                load(name, "processes")
        else:
            xr.testing.assert_identical(load(name, "processes"), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("data", ["overfit-init-transfer", "raytune-rllib"])
def test_every_mode_reads_real_logs_alike(data, mode, request):
    with way(mode, request) as asked:
        assert_same(results(DATA / data, asked), results(DATA / data, False))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_cube(logs, mode, request):
    (logs / "odd").mkdir()
    odd = [
        '{"type": "dict_config", "value": {"seed": 9, "optim": {"lr": 5}}}',
        '{"data_name": "val", "agg_stats": {"loss": NaN, "acc1": null}}',
        '{"data_name": "val", "agg_stats": {"loss": Infinity, "late": 1}}',
        "not json",
        '{"data_name": "val", "agg_st',
    ]
    (logs / "odd" / "json_out.jsonl").write_text("\n".join(odd))
    (logs / "odd" / "empty.jsonl").touch()
    expected = load(logs, False)
    assert expected.n_problems.sum() >= 2
    with way(mode, request) as asked:
        found = load(logs, asked)
        xr.testing.assert_identical(found, expected)
        assert {n: v.dtype for n, v in found.variables.items()} == {
            n: v.dtype for n, v in expected.variables.items()
        }
        tree = quietly(rc.load_tree, logs, parallel=asked)
        assert tree["epoch"].to_dataset().equals(quietly(rc.load_tree, logs)["epoch"].to_dataset())
        assert rc.scan(logs, parallel=asked).statuses == rc.scan(logs, parallel=False).statuses


@pytest.mark.slow
def test_the_processes_of_dask_give_the_same_cube(logs):
    with dask.config.set(scheduler="processes", num_workers=2):
        xr.testing.assert_identical(load(logs, "dask"), load(logs, False))


def test_equal_arrays_of_a_batch_are_one_array(logs):
    tasks = [(job, Request()) for job in discover(logs, "auto", None).jobs]
    work = ReadLogs()
    read = work.unpack(tasks, work.pack(work.sent(tasks), None))
    curves = [part for (log,), _ in read for part in log.curves if len(part.lines) == 3]
    assert len({id(part.x["epoch"]) for part in curves}) == 1
    assert len({id(part.logged) for part in curves}) == 1
    assert len({id(part.lines) for part in curves}) == 2  # one for each split
    assert len({id(part.values) for part in curves}) == len(curves)


def test_without_room_for_files_results_come_through_the_pipe(logs, tmp_path):
    tasks = [(job, Request()) for job in discover(logs, "auto", None).jobs]
    work = ReadLogs()
    packed = work.pack(work.sent(tasks), str(tmp_path / "is not there"))
    assert isinstance(packed[0], bytes)
    assert_same(work.unpack(tasks, packed), [work.run(task) for task in tasks])


def test_a_relative_path_is_relative_to_where_the_caller_is(logs, monkeypatch):
    expected = load(logs, False)
    monkeypatch.chdir(logs.parent)
    found = load("logs", "processes")
    assert found.curve.identical(expected.curve)
    assert found.attrs["source"] == "logs"


def test_exceptions_of_a_reader_are_problems_of_the_file(logs):
    write_run(logs / "bad", {"seed": 0, "note": "DEADLY", "epochs": 3})
    reader = FailingReader()
    found, expected = (load(logs, mode, reader=reader) for mode in ("processes", False))
    xr.testing.assert_identical(found, expected)
    assert "reader_error" in set(rc.problems(found).kind)


def test_the_first_problem_is_raised_alike(logs):
    with (logs / "001" / "json_out.jsonl").open("a") as stream:
        stream.write("no json\n")
    said = []
    for mode in (False, "processes"):
        with pytest.raises(rc.LogError) as caught:
            load(logs, mode, errors="raise")
        said.append(str(caught.value))
    assert said[0] == said[1]


# --- archives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["processes", "dask sync", "threads"])
def test_archives_are_the_same(logs, tmp_path, mode, request):
    made = {}
    with way(mode, request) as asked:
        for name, chosen in (("here", False), ("elsewhere", asked)):
            made[name] = tmp_path / f"{name}.nc"
            quietly(rc.archive_runs, logs, made[name], parallel=chosen)
        write_run(logs / "new", {"seed": 7, "epochs": 3, "optim": {"lr": 0.1}})
        shutil.rmtree(logs / "002")
        assert_same_archives(*made.values(), without="created")
        for name, chosen in (("here", False), ("elsewhere", asked)):
            quietly(rc.update_archive, made[name], parallel=chosen)
    assert_same_archives(*made.values(), without="created")
    (logs / "002").mkdir()  # what is gone is named by verify_archive, and nothing else
    assert set(rc.verify_archive(made["elsewhere"], logs).kind) <= {"missing_log"}
    assert rc.verify_archive(made["elsewhere"]).empty


def assert_same_archives(left, right, without):
    with rc.open_archive(left, messages=True) as a, rc.open_archive(right, messages=True) as b:
        a.attrs.pop(without)
        b.attrs.pop(without)
        xr.testing.assert_identical(a, b)
    assert rc.verify_archive(right).empty


def test_an_archive_whose_logs_were_read_elsewhere_verifies(logs, tmp_path):
    quietly(rc.archive_runs, logs, tmp_path / "a.nc", parallel="processes")
    assert rc.verify_archive(tmp_path / "a.nc", logs).empty


# --- processes that die -------------------------------------------------------------------------


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


SCRIPT = """
import sys, pathlib
sys.path[:0] = {path!r}
from hostile import SleepyReader
import runcube as rc
from runcube.pipeline import tasks
tasks._LEAST_BATCH = tasks._PER_FILE = 1
{statement}
"""


def start(statement, **options):
    """A script without ``if __name__ == "__main__"``, in a process group of its own."""
    path = [str(HERE), str(HERE.parent / "src")]
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(SCRIPT.format(path=path, statement=dedent(statement)))
    return subprocess.Popen(
        [sys.executable, file.name],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(condition, seconds=60):
    """Wait until something holds; the test fails if it never does."""
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"did not come about in {seconds} s")


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


# --- what cannot be sent ------------------------------------------------------------------------


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


# --- where processes are started ----------------------------------------------------------------


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


# --- batches and progress -----------------------------------------------------------------------


@given(
    weights=st.lists(st.integers(1, 1 << 27), min_size=1, max_size=60),
    workers=st.integers(1, 64),
    data=st.data(),
)
def test_batches_cover_the_tasks_in_order(weights, workers, data):
    here = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    batches = task_module._batches(weights, here, workers)
    assert [i for b in batches for i in range(b.start, b.stop)] == list(range(len(weights)))
    for batch in batches:
        assert batch.weight == sum(weights[batch.start : batch.stop])
        assert {*here[batch.start : batch.stop]} == {batch.here}
        # The bound holds unless one log alone is larger.
        assert batch.weight <= task_module._MOST_BATCH or batch.stop - batch.start == 1


def test_a_million_small_files_are_not_a_million_batches(monkeypatch):
    monkeypatch.undo()
    weights = [500 + task_module._PER_FILE] * 1_000_000
    assert len(task_module._batches(weights, [False] * 1_000_000, 2)) < 2_000


@pytest.mark.parametrize("mode", ["processes", "threads", "dask sync"])
def test_progress_is_told_as_batches_come_in(logs, mode, request):
    told = {}
    for name in ("here", "elsewhere"):
        told[name] = []
        with way(mode, request) as asked:
            load(
                logs,
                asked if name == "elsewhere" else False,
                progress=lambda *step, name=name: told[name].append(step),
            )
    assert len(told["elsewhere"]) > 2
    assert told["elsewhere"] == sorted(told["elsewhere"])
    assert set(told["elsewhere"]) <= set(told["here"])
    assert told["elsewhere"][-1] == told["here"][-1]


class Counted:
    """Work that says how far it is ahead of whoever takes its results."""

    def __init__(self):
        self.begun = 0

    def run(self, task):
        return task

    def needs(self, task):
        return None

    def stays(self, task):
        return None

    def sent(self, tasks):
        self.begun += len(tasks)
        return tasks

    def pack(self, sent, folder):
        return sent

    def unpack(self, tasks, packed):
        return packed

    def died(self, task, why):
        return why


@pytest.mark.parametrize("mode", ["threads", "dask sync"])
def test_results_do_not_pile_up_before_a_slow_consumer(monkeypatch, mode, request):
    monkeypatch.setattr(task_module, "_IN_FLIGHT", 40)
    work, tasks = Counted(), list(range(200))
    with way(mode, request) as asked:
        for number, found in enumerate(run_tasks(work, tasks, [1] * 200, None, asked)):
            assert found == number
            # A task weighs two; the batch that is being taken does not count.
            assert work.begun <= number + 1 + 40
    assert work.begun == 200


# --- what is left of a process --------------------------------------------------------------------


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
