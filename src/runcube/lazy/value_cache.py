"""Values of logs that were parsed recently, and reading them as long as the logs are unchanged."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from runcube.core import LogError
from runcube.files import is_of_this_process, portable_root, release_sources, stat_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runcube.core import LogFile, Request, RunLog
    from runcube.pipeline import Job

    # Values (metrics, rows) of the curves of each run of a log.
    Values = list[list[NDArray[np.float64]]]

_CACHE_BYTES = 1 << 27
# What a log and an array take beside the numbers: of short logs that is most of it.
_ENTRY_BYTES, _ARRAY_BYTES = 500, 120


class ValueCache:
    """Values of logs that were parsed recently, bounded in bytes; each is parsed once at a time.

    Parsing holds the lock ``turn``: it holds the interpreter, and threads of dask that parse at the
    same time only take it from each other, which costs half as much again as one after the other.
    Waiting for a server does not.
    """

    def __init__(self, limit: int = _CACHE_BYTES) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everything, also who is parsing what."""
        self.turn = RLock()
        self._held: OrderedDict[Any, tuple[Values, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self._busy: dict[Any, Lock] = defaultdict(Lock)

    def get(self, key: Any, parse: Callable[[], Values]) -> Values:
        """Return the values of a log, from memory or by parsing it."""
        with self._lock:
            busy = self._busy[key]
        try:
            with busy:
                found = self._find(key)
                if found is None:
                    found = parse()
                    self.put(key, found)
        finally:
            with self._lock:
                self._busy.pop(key, None)
        return found

    def _find(self, key: Any) -> Values | None:
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def holds(self, key: Any) -> bool:
        """Return whether the values of a log are in memory."""
        with self._lock:
            return key in self._held

    def put(self, key: Any, values: Values) -> None:
        """Keep the values of a log, and remove the oldest if they are too many."""
        size = _ENTRY_BYTES + sum(a.nbytes + _ARRAY_BYTES for arrays in values for a in arrays)
        with self._lock:
            self._bytes += size - self._held.pop(key, (values, 0))[1]
            self._held[key] = values, size
            while self._bytes > self._limit and self._held:
                self._bytes -= self._held.popitem(last=False)[1][1]


VALUES = ValueCache()
if hasattr(os, "register_at_fork"):
    # Threads that hold these locks do not exist in a forked process, and never let go of them.
    os.register_at_fork(after_in_child=VALUES.clear)


def values_of(logs: Sequence[RunLog]) -> Values:
    """Return the values of the curves of each run of a log."""
    return [[curves.values for curves in log.curves] for log in logs]


def parsed_key(job: Job, request: Request) -> Any:
    """Return the key of a log in ``VALUES``."""
    source = job.source
    return portable_root(source.root), source.path, source.files, job.fingerprint, request


def read_values(job: Job, request: Request) -> Values:
    """Return the values of a log, which must be as it was when the sweep was opened.

    Raises
    ------
    LogError
        If it has changed since.
    """

    def parse() -> Values:
        try:
            logs = job.reader.read(job.source, request)
            same = all(_is_same(job.source.root, file) for file in job.source.files)
        except OSError as error:
            why = error.strerror or str(error)
            if is_of_this_process(job.source.root):
                why += "; memory:// is the memory of one process, others cannot read it"
            raise LogError(_changed(job, why)) from error
        finally:
            release_sources([job.source])
        if not same:
            raise LogError(_changed(job, "it has changed since"))
        return values_of(logs)

    return VALUES.get(parsed_key(job, request), parse)


def _changed(job: Job, why: str) -> str:
    return f"{job.source.path}: not what it was when the sweep was opened ({why}); open it again"


def _is_same(root: str, file: LogFile) -> bool:
    return stat_file(root, file.path) == file
