"""Batches of tasks, what bounds them, and progress."""

import threading

import pytest
from hostile import BATCHES, BatchReader, PlainReader
from hypothesis import given
from hypothesis import strategies as st
from in_parallel import assert_same, load, quietly, results, tasks_of, way
from sweeps import write_run

import runcube as rc
from runcube.core.model import LogFile, Problem, Request, Source
from runcube.pipeline import tasks as task_module
from runcube.pipeline.jobs import Job
from runcube.pipeline.tasks import read_tasks


def task(number, size, reader, metrics=None):
    path = f"{number}.jsonl"
    return Job(reader, Source("logs", path, (LogFile(path, size, 0),))), Request(metrics=metrics)


READERS = PlainReader("one"), PlainReader("other")
REQUESTS = None, frozenset({"loss"})


@given(
    given=st.lists(
        st.tuples(st.integers(1, 1 << 25), st.sampled_from(READERS), st.sampled_from(REQUESTS)),
        min_size=1,
        max_size=40,
    ),
    mode=st.sampled_from([False, "threads", "auto"]),
)
def test_a_batch_is_tasks_of_one_reader_and_request_in_order(given, mode):
    tasks = [task(number, *about) for number, about in enumerate(given)]
    with task_module._place(mode, [job for job, _ in tasks], str) as place:
        batches = task_module._batches(tasks, place)
    assert [t for batch in batches for t in batch.tasks] == tasks
    for batch in batches:
        assert len({(job.reader.name, request) for job, request in batch.tasks}) == 1
        assert batch.here is (mode != "threads")
        # The bound holds unless one log alone is larger.
        assert batch.weight <= task_module._BATCH or len(batch.tasks) == 1


def test_a_million_small_files_are_not_a_million_batches(monkeypatch):
    monkeypatch.undo()
    tasks = [task(0, 500, READERS[0])] * 1_000_000
    for mode in (False, "threads"):
        with task_module._place(mode, [job for job, _ in tasks], str) as place:
            assert len(task_module._batches(tasks, place)) < 5_000


MODES = (False, "threads", "processes", "own threads", "dask sync")


@pytest.mark.parametrize("mode", MODES)
def test_a_reader_that_takes_several_logs_is_given_them(logs, mode, request, monkeypatch):
    monkeypatch.setattr(task_module, "_EACH", 1)
    expected = results(logs, False, PlainReader("batches"))
    BATCHES.clear()
    with way(mode, request) as asked:
        assert_same(results(logs, asked, BatchReader()), expected)
    if mode != "processes":  # which remember it themselves
        # A batch of one is read by ``read``.
        assert sum(BATCHES) in (len(expected), len(expected) - 1)
    if mode is False:
        assert [len(expected)] == BATCHES


FAULTS = {
    "raises": "read_batch raised ZeroDivisionError: a bug in batches",
    "few": "read_batch gave the runs of {fewer}",
    "many": "read_batch gave the runs of {more}",
    "none": "read_batch raised TypeError: 'NoneType' object is not iterable",
    "other": "read_batch raised TypeError: the reader gave 'no log', which is no RunLog",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_comes_back_wrong_is_read_log_by_log_and_named(logs, fault):
    expected = results(logs, False, PlainReader("batches"))
    BATCHES.clear()
    found = results(logs, False, BatchReader(fault=fault))
    count = len(expected)
    assert [count] == BATCHES
    what = FAULTS[fault].format(fewer=count - 1, more=count + 1)
    (first, *_), _ = found[0]
    message = f"{what}; its {count} logs were read one by one"
    assert first.problems.pop() == Problem("reader_error", message, first.header.source.path)
    assert_same(found, expected)


def test_a_fault_of_a_whole_batch_is_among_the_problems(logs):
    found = load(logs, False, reader=BatchReader(fault="raises"))
    (named,) = rc.problems(found).query("kind == 'reader_error'").itertuples()
    assert named.message.startswith("read_batch raised ZeroDivisionError")
    with pytest.raises(rc.RuncubeError, match="read_batch raised ZeroDivisionError"):
        rc.load_runs(logs, parallel=False, reader=BatchReader(fault="raises"), errors="raise")


def test_an_error_in_a_batch_costs_only_its_file(logs):
    write_run(logs / "bad", {"seed": 0, "note": "DEADLY", "epochs": 3})
    BATCHES.clear()
    found = load(logs, False, reader=BatchReader())
    assert BATCHES
    lost = rc.problems(found).query("kind == 'reader_error'")
    assert [*lost.path] == ["bad/json_out.jsonl"]
    assert found.identical(load(logs, "threads", reader=BatchReader()))


@pytest.mark.parametrize("mode", [False, "processes", "threads", "dask sync"])
def test_progress_is_told_in_the_calling_thread_after_each_log(logs, mode, request):
    told, threads = [], set()

    def progress(*step):
        told.append(step)
        threads.add(threading.get_ident())

    with way(mode, request) as asked:
        load(logs, asked, progress=progress)
    sizes = [job.source.size for job, _ in tasks_of(logs)]
    assert told == [(sum(sizes[:files]), sum(sizes), files) for files in range(1, len(sizes) + 1)]
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("mode", [False, "threads", "own threads", "dask sync"])
def test_results_do_not_pile_up_before_a_slow_consumer(monkeypatch, mode, request):
    begun = []

    class Counted(PlainReader):
        def read(self, source, request):
            begun.append(source.path)
            return []

    monkeypatch.setattr(task_module, "_IN_FLIGHT", 40)
    tasks = [task(number, 1, Counted()) for number in range(200)]
    with way(mode, request) as asked:
        found = read_tasks(tasks, asked)
        for number, _ in enumerate(found):
            # A task weighs two; the batch that is being taken does not count.
            assert len(begun) <= number + 1 + (0 if mode is False else 20 + 20 // 8)
    assert begun == sorted(begun, key=begun.index)
    assert len(set(begun)) == 200


def test_a_consumer_that_stops_stops_the_threads(logs):
    from in_parallel import nothing_is_left

    found = read_tasks(tasks_of(logs), "threads")
    next(found)
    assert not nothing_is_left()
    found.close()
    assert nothing_is_left()
    assert quietly(rc.load_runs, logs, parallel="threads").curve.size
