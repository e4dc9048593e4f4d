"""Readers that go wrong, or are slow, in a module that other processes can import."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import runcube as rc
from runcube.readers.native.reader import NativeReader


@dataclass(frozen=True)
class PlainReader:
    """Reads the native layout, and is none of the readers of runcube."""

    name: str = "plain"

    def find(self, tree):
        return NativeReader().find(tree)

    def headers(self, source):
        return NativeReader().headers(source)

    def read(self, source, request):
        return NativeReader().read(source, request)


@dataclass(frozen=True)
class DeadlyReader(PlainReader):
    """A log that holds ``word`` ends any process but the first one.

    ``once``: a directory where each log leaves a mark, so that it does so only once.
    """

    word: str = "DEADLY"
    once: str | None = None
    name: str = "deadly"

    def read(self, source, request):
        path = Path(source.root, source.path)
        if multiprocessing.parent_process() and self.word in path.read_text():
            mark = Path(self.once or "/nonexistent", source.path.replace("/", "_"))
            if not mark.exists():
                if self.once:
                    mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().read(source, request)


@dataclass(frozen=True)
class SleepyReader(PlainReader):
    """Takes its time, and leaves a file in ``marks`` for each log that it begins."""

    marks: str = ""
    seconds: float = 0.1
    name: str = "sleepy"

    def read(self, source, request):
        Path(self.marks, source.path.replace("/", "_")).touch()
        time.sleep(self.seconds)
        return super().read(source, request)


@dataclass(frozen=True)
class FailingReader(PlainReader):
    """Has a bug that shows in some logs."""

    word: str = "DEADLY"
    name: str = "failing"

    def read(self, source, request):
        if self.word in Path(source.root, source.path).read_text():
            raise ZeroDivisionError("a bug")
        return super().read(source, request)


class LockedReader(PlainReader):
    """Cannot be pickled."""

    def __init__(self):
        object.__setattr__(self, "lock", threading.Lock())


# The process and thread that each log was read in.
WHERE = {}


@dataclass(frozen=True)
class WatchedReader(PlainReader):
    """Remembers where it read."""

    name: str = "watched"

    def read(self, source, request):
        WHERE[source.path] = os.getpid(), threading.get_ident()
        return super().read(source, request)


@dataclass(frozen=True)
class BatchReader(FailingReader):
    """Takes several logs at once, and remembers how many; ``fault`` is what it does wrong then."""

    fault: str = ""
    name: str = "batches"

    def read_batch(self, sources, request):
        BATCHES.append(len(sources))
        found = [super(BatchReader, self).read(source, request) for source in sources]
        match self.fault:
            case "raises":
                raise ZeroDivisionError("a bug in batches")
            case "few":
                return found[1:]
            case "many":
                return [*found, found[0]]
            case "none":
                return None
            case "other":
                return [*found[:-1], ["no log"]]
        return found


BATCHES = []


def load_daemonic(root, mode, answers):
    """Load in a daemonic process, and send the values, or the error."""
    try:
        answers.put(rc.load_runs(root, parallel=mode).curve.values.tobytes())
    except rc.PlanError as error:
        answers.put(str(error))
