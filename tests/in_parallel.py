"""Loads in parallel beside plain ones, for the tests."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
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
from runcube.pipeline.tasks import read_tasks

HERE = Path(__file__).parent


@contextmanager
def way(mode, request):
    """What ``parallel=`` takes for the name of a mode."""
    if mode == "own threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif mode == "own processes":
        with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as pool:
            yield pool
    elif mode == "dask client":
        with request.getfixturevalue("client").as_current():
            yield "dask"
    elif mode and mode.startswith("dask "):
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


def tasks_of(root, reader="auto"):
    """The task of every log under a directory."""
    return [(job, Request(messages=True)) for job in discover(root, reader, None).jobs]


def results(root, mode, reader="auto"):
    """What ``read_tasks`` gives for every log under a directory."""
    return list(read_tasks(tasks_of(root, reader), mode))


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


def nothing_is_left():
    """Whether every thread and process that a load has started here has ended."""
    threads = [t for t in threading.enumerate() if t.name.startswith("runcube_")]
    return not threads and not multiprocessing.active_children()


def start(statement):
    """A script in a process group of its own."""
    path = [str(HERE), str(HERE.parent / "src")]
    body = f"from hostile import *\nimport runcube as rc\n{dedent(statement)}"
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(f"import sys\nsys.path[:0] = {path!r}\n{body}\n")
    return subprocess.Popen(
        [sys.executable, file.name],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )


def wait_for(condition, seconds=60):
    """Wait until something holds; the test fails if it never does."""
    for _ in range(seconds * 100):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"did not come about in {seconds} s")
