"""Loads in parallel beside plain ones, for the tests."""

import multiprocessing
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from textwrap import dedent

import dask
import numpy as np

import runcube as rc
from runcube.core.model import Request
from runcube.pipeline.discover import discover
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs

HERE = Path(__file__).parent


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
