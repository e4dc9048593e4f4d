"""Files are fetched before their readers ask for them, once each, however many threads ask."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from in_parallel import load, nothing_is_left, tasks_of
from sweeps import product_configs, write_sweep
from web import serving

from runcube.core import LogFile
from runcube.files import prefetch, prefetching, read_bytes, release_sources
from runcube.files.prefetch import ReadAhead
from runcube.pipeline import tasks as task_module
from runcube.pipeline.tasks import read_tasks


class Fetched:
    """What fetches files, and knows how often, and how many at most were not taken yet."""

    def __init__(self):
        self.paths = []
        self.taken = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, path):
        with self._lock:
            self.paths.append(path)
            self.most = max(self.most, len(self.paths) - self.taken)
        time.sleep(random.random() / 1000)
        return path

    def take(self, ahead, path):
        found = ahead.take(path)
        with self._lock:
            self.taken += found is not None
        return found


def test_a_file_that_sources_share_does_not_end_the_reading_ahead():
    shared = LogFile("config.json", 10, 0)
    files = [file for i in range(8) for file in (LogFile(f"{i}.jsonl", 10, 0), shared)]
    fetch = Fetched()
    with ThreadPoolExecutor(1) as pool:
        ahead = ReadAhead(pool, fetch, files)
        assert ahead.take("0.jsonl") == "0.jsonl"
        assert ahead.take("config.json") == "config.json"
        assert ahead.take("config.json") is None  # it was given once
        pool.submit(lambda: None).result()
        assert sorted(fetch.paths) == sorted(["config.json", *(f"{i}.jsonl" for i in range(8))])


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_each_file_is_fetched_once_and_none_is_lost_however_many_threads_take_them(threads):
    files = [LogFile(f"{i}.jsonl", 10, 0) for i in range(400)]
    fetch = Fetched()
    found = []

    def read(numbers):
        for number in numbers:
            time.sleep(random.random() / 2000)
            found.append(fetch.take(ahead, f"{number}.jsonl"))
            ahead.release([f"{number}.jsonl"])

    with ThreadPoolExecutor(16) as pool, ThreadPoolExecutor(threads) as readers:
        ahead = ReadAhead(pool, fetch, files)
        # As batches are: in order, but not one after the other.
        batches = [range(start, start + 5) for start in range(0, 400, 5)]
        for _ in readers.map(read, batches):
            pass
    assert sorted(fetch.paths) == sorted(found) == sorted(file.path for file in files)
    assert fetch.most <= prefetch._FILES + threads


def test_what_nobody_takes_does_not_end_the_reading_ahead():
    files = [LogFile(f"{i}.jsonl", 10, 0) for i in range(200)]
    fetch = Fetched()
    with ThreadPoolExecutor(4) as pool:
        ahead = ReadAhead(pool, fetch, files)
        for number in range(0, 200, 2):  # the others were in memory
            assert ahead.take(f"{number}.jsonl")
            ahead.release([f"{number}.jsonl", f"{number + 1}.jsonl"])
    assert len(fetch.paths) == len({*fetch.paths})
    assert fetch.paths.index("150.jsonl") < 200


def test_bytes_that_are_fetched_ahead_are_bounded():
    files = [LogFile(f"{i}.jsonl", prefetch._BYTES // 2, 0) for i in range(20)]
    fetch = Fetched()
    with ThreadPoolExecutor(16) as pool:
        ahead = ReadAhead(pool, fetch, files)
        for file in files:
            assert fetch.take(ahead, file.path)
    assert fetch.most <= 2 + 1


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0, 2.0])
    # Long enough that they are not in memory since their beginnings were read.
    return write_sweep(tmp_path / "logs", configs, range(8), epochs=600)


@pytest.mark.parametrize("mode", [False, "auto", "threads"])
def test_remote_logs_are_fetched_ahead_of_all_threads_once(logs, mode, monkeypatch):
    monkeypatch.setattr(task_module, "usable_cpus", lambda: 4)
    monkeypatch.setattr(task_module, "_WORTH_IT", 0)
    assert min(file.stat().st_size for file in logs.rglob("*.jsonl")) > 2 * prefetch.HEAD_MOST
    expected = load(logs, False)
    with serving(logs) as web:
        tasks = tasks_of(web.url)
        web.asked.clear()
        web.delay = 0.1
        began = time.perf_counter()
        with prefetching([job.source for job, _ in tasks]):
            found = [*read_tasks(tasks, mode, hashes=True)]
        took = time.perf_counter() - began
        whole = [asked.path for asked in web.of_files() if asked.range is None]
        assert sorted(whole) == sorted(f"/{job.source.path}" for job, _ in tasks)
        assert took < 24 * 0.1 / 2  # one after the other; the hashes take no request
        assert len({logs[0].hashes for logs, _ in found}) == 24
        web.delay = 0
        assert load(web.url, mode).curve.equals(expected.curve)
    assert nothing_is_left()


def test_threads_of_a_load_share_what_it_announced_and_others_do_not(logs):
    with serving(logs) as web, ThreadPoolExecutor(1) as pool:
        (job, _), *_ = tasks_of(web.url)
        web.asked.clear()
        with prefetching([job.source]):
            read = (read_bytes, job.source.root, job.source.path)
            inside = pool.submit(copy_context().run, *read).result()
            assert len(web.of_files()) == 1
            assert pool.submit(*read).result() == inside
            assert len(web.of_files()) == 2
            release_sources([job.source])


def test_a_load_that_is_interrupted_fetches_no_more(logs, monkeypatch):
    monkeypatch.setattr(task_module, "_IN_FLIGHT", 1)  # one log at a time
    with serving(logs) as web:
        tasks = tasks_of(web.url)
        web.asked.clear()
        web.delay = 0.1
        with prefetching([job.source for job, _ in tasks]):
            found = read_tasks(tasks, "threads")
            next(found)
            found.close()
        time.sleep(0.4)  # those under way are answered
        before = len(web.asked)
        time.sleep(0.4)
        assert len(web.asked) == before < len(tasks)
