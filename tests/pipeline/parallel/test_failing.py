"""Processes that die, executors that fail, and readers that do: what is lost, and who is named."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor

import dask
import pytest
from hostile import DeadlyReader, FailingReader
from in_parallel import assert_same, load, nothing_is_left, results, tasks_of, way
from sweeps import write_run

import runcube as rc
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import read_tasks
from runcube.readers.native.reader import NativeReader


@pytest.mark.parametrize("mode", ["processes", "own processes"])
def test_a_process_that_dies_is_an_error_that_names_what_was_under_way(logs, mode, request):
    write_run(logs / "003_deadly", {"seed": 11, "epochs": 3, "note": "DEADLY"})
    with way(mode, request) as asked:
        with pytest.raises(rc.PlanError) as caught:
            load(logs, asked, reader=DeadlyReader())
        said = str(caught.value)
        assert said.startswith(f"parallel={asked!r}: BrokenProcessPool(")
        assert "under way: " in said
        assert "003_deadly/json_out.jsonl" in said.partition("under way: ")[2]
        assert "parallel=False reads the logs in this process" in said
        if mode == "own processes":  # it stays what it is, and says so
            with pytest.raises(rc.PlanError, match=r"not usable|terminated abruptly"):
                load(logs, asked)
    assert nothing_is_left()
    assert load(logs, False, reader=DeadlyReader()).curve.size


def test_few_files_are_named(logs):
    for number in range(20):
        write_run(logs / f"{number:03}_deadly", {"seed": number, "epochs": 3, "note": "DEADLY"})
    tasks = [(job, request) for job, request in tasks_of(logs, DeadlyReader())]
    with pytest.raises(
        rc.PlanError, match=r"under way: (\S+, ){4}\S+ and \d+ more; parallel=False"
    ):
        list(read_tasks(tasks, "processes"))


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 2}),
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster),
    ):
        yield


@pytest.mark.slow
def test_a_worker_of_dask_that_dies_each_time_is_an_error_that_names_its_logs(cluster, tmp_path):
    for number in range(4):
        write_run(tmp_path / f"{number}", {"seed": number, "epochs": 3, "note": "DEADLY"})
    with pytest.raises(
        rc.PlanError, match=r"parallel='dask': KilledWorker.*under way: \d/json_out"
    ):
        results(tmp_path, "dask", DeadlyReader())


@pytest.mark.slow
def test_a_worker_of_dask_that_dies_once_costs_nothing(cluster, logs, tmp_path):
    (tmp_path / "marks").mkdir()
    write_run(logs / "deadly", {"seed": 0, "epochs": 3, "note": "DEADLY"})
    reader = DeadlyReader(once=str(tmp_path / "marks"))
    assert_same(results(logs, "dask", reader), results(logs, False, reader))
    assert len(list((tmp_path / "marks").iterdir())) == 1


def test_an_executor_of_the_user_stays_open(logs):
    with ThreadPoolExecutor(1) as pool:
        load(logs, pool)
        assert pool.submit(int, "7").result() == 7


def test_an_executor_that_is_closed_is_an_error(logs):
    with ThreadPoolExecutor(1) as pool:
        pass
    with pytest.raises(rc.PlanError, match=r"after shutdown.*under way: .*parallel=False"):
        load(logs, pool)


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
    sizes = [job.source.size for job, _ in tasks_of(logs)]
    batches = len(sizes)
    with pytest.raises(rc.PlanError, match="the scheduler is gone") as caught:
        rc.archive_runs(logs, target, parallel=Failing(batches - 2))
    left = str(caught.value).partition("under way: ")[2].partition(";")[0].split(", ")
    assert len(left) == 1
    read = []
    whole = NativeReader.read
    monkeypatch.setattr(NativeReader, "read", lambda *a: read.append(a[1].path) or whole(*a))
    monkeypatch.delattr(NativeReader, "read_batch")
    rc.archive_runs(logs, target, parallel=False)
    assert left[0] in read
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
    monkeypatch.delattr(NativeReader, "read_batch")
    monkeypatch.setattr(
        NativeReader,
        step,
        lambda self, source, *rest: given if source.path == first else whole(self, source, *rest),
    )
    ds = load(logs, mode, reader="native")
    problems = rc.problems(ds)
    (found,) = problems[problems.kind == "reader_error"].itertuples()
    assert found.path == first
    assert "TypeError" in found.message
    gone = (ds.status == "absent") & (before.status != "absent")
    assert before.path.where(gone, drop=True).values.ravel().tolist() == [first]


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_exceptions_of_a_reader_are_problems_of_the_file(logs, mode):
    write_run(logs / "bad", {"seed": 0, "note": "DEADLY", "epochs": 3})
    found, expected = (load(logs, way, reader=FailingReader()) for way in (mode, False))
    assert found.identical(expected)
    assert "reader_error" in set(rc.problems(found).kind)


def test_the_first_problem_is_raised_alike(logs):
    with (logs / "001" / "json_out.jsonl").open("a") as stream:
        stream.write("no json\n")
    said = []
    for mode in (False, "threads", "processes"):
        with pytest.raises(rc.LogError) as caught:
            load(logs, mode, errors="raise")
        said.append(str(caught.value))
    assert len({*said}) == 1
