"""Readers that go wrong in other processes, in a module that those processes can import."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import runcube as rc
from runcube.parallel.processes import is_worker
from runcube.pipeline import tasks
from runcube.readers.native.reader import NativeReader


@dataclass(frozen=True)
class DeadlyReader:
    """Reads the native layout; a log that holds ``word`` ends any process but the first one.

    ``once``: a directory where each log leaves a mark, so that it does so only once.
    """

    word: str = "DEADLY"
    once: str | None = None
    code: int | None = None
    name: str = "deadly"

    def find(self, tree):
        return NativeReader().find(tree)

    def headers(self, source):
        return NativeReader().headers(source)

    def read(self, source, request):
        path = Path(source.root, source.path)
        if multiprocessing.parent_process() and self.word in path.read_text():
            mark = Path(self.once or "/nonexistent", source.path.replace("/", "_"))
            if not mark.exists():
                if self.once:
                    mark.touch()
                if self.code is not None:
                    os._exit(self.code)
                os.kill(os.getpid(), signal.SIGKILL)
        return NativeReader().read(source, request)


READY = []


def set_up(word):
    """What an executor does to its processes before all else."""
    READY.append(word)


@dataclass(frozen=True)
class NeedyReader(DeadlyReader):
    """Reads in processes that were set up alone."""

    name: str = "needy"

    def read(self, source, request):
        if READY != ["ready"]:
            raise RuntimeError("the process was not set up")
        return super().read(source, request)


@dataclass(frozen=True)
class SleepyReader(DeadlyReader):
    """Never comes to an end in another process, and says by a file that it was there."""

    name: str = "sleepy"

    def read(self, source, request):
        if is_worker():
            Path(self.once, f"{os.getpid()}.pid").touch()
            time.sleep(3600)
        return NativeReader().read(source, request)


@dataclass(frozen=True)
class FailingReader(DeadlyReader):
    """Has a bug that shows in some logs."""

    name: str = "failing"

    def read(self, source, request):
        if self.word in Path(source.root, source.path).read_text():
            raise ZeroDivisionError("a bug")
        return NativeReader().read(source, request)


class LockedReader(DeadlyReader):
    """Cannot be pickled."""

    def __init__(self):
        object.__setattr__(self, "lock", threading.Lock())


def load_inside(root, mode):
    """Load in a process that is a worker itself: the cube, and how many processes it has now."""
    tasks._WORTH_IT = 0
    ds = rc.load_runs(root, parallel=mode)
    return ds, len(multiprocessing.active_children())


def load_daemonic(root, mode, answers):
    """Do so in a daemonic process."""
    try:
        answers.put(load_inside(root, mode)[0].curve.values.tobytes())
    except rc.PlanError as error:
        answers.put(str(error))
