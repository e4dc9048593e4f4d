"""Parsed logs on their way from the process that read them: arrays in a file, not objects.

Pickling the logs of a large sweep and loading them again costs the one process that all results
come to about as much as a fifth of the parsing. So a batch is written as plain bytes: all arrays
one after the other, those that many runs share (epochs, line numbers, masks) once, and behind them
what is small, pickled without classes. The process that asked for them maps the file; its pages
are read when the cube is written.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from contextlib import suppress
from dataclasses import dataclass, fields
from io import BytesIO
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet

import numpy as np

from runcube.core import Curves, LogFile, Problem, Request, Resume, RunHeader, RunLog, Source
from runcube.files import hash_ends, hash_prefix, is_of_this_process, portable_root, prefetching
from runcube.pipeline.discover import Job, read_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers import Reader

Task: TypeAlias = tuple[Job, Request]
Sent: TypeAlias = "tuple[Reader, str, str, list[tuple[str, int, int]], Request]"
Result: TypeAlias = "tuple[Sequence[RunLog], Problem | None]"

# Where arrays begin: a multiple of the size of a number.
_ALIGN = 8
_BUFFER = 1 << 20
# dtypes that are nothing but their bytes.
_PLAIN = "biufcSUmM"
# Files that are mapped. Each stays open, and a process may open some 1,000.
_MAPPED: WeakSet[mmap.mmap] = WeakSet()
_MOST_MAPPED = 128


@dataclass(frozen=True)
class ReadLogs:
    """Reading logs as work for ``tasks.run_tasks``: a task is a job and a request.

    Parameters
    ----------
    hashes : bool
        Whether to hash each log as well, where it is read and while its bytes are in memory.
    """

    hashes: bool = False

    def run(self, task: Task) -> Result:
        """Return the parsed logs of one source, read in this process."""
        logs, problem = read_logs(task)
        if self.hashes:
            _hash(logs, task[0].source)
        return logs, problem

    def needs(self, task: Task) -> object:
        """Return what must be pickled to send a task elsewhere, and may resist it: the reader."""
        return task[0].reader

    def stays(self, task: Task) -> str | None:
        """Return why a log can be read in this process alone; None if it can be read elsewhere."""
        if is_of_this_process(task[0].source.root):
            return f"{task[0].source.root} is in the memory of this process"
        return None

    def sent(self, tasks: Sequence[Task]) -> list[Sent]:
        """Return tasks in a small form that means the same in another working directory."""
        roots = {root: portable_root(root) for root in {job.source.root for job, _ in tasks}}
        return [
            (
                job.reader,
                roots[job.source.root],
                job.source.path,
                [(file.path, file.size, file.mtime_ns) for file in job.source.files],
                request,
            )
            for job, request in tasks
        ]

    def pack(self, sent: Sequence[Sent], folder: str | None) -> tuple[str | bytes, int]:
        """Read logs and pack them, into a file in ``folder`` if it is given and has room.

        Returns
        -------
        packed : str or bytes
            Path of the file, or what would be in it.
        at : int
            Where the part begins that is pickled.
        """
        if folder is not None:
            # Next to nothing goes through the pipe: besides being copied less, that is what lets
            # a pool recover from a process that dies while it hands a result over.
            with suppress(OSError):  # no room: then the pipe has it
                return _packed_file(self, sent, folder)
        buffer = BytesIO()
        at = _pack(self, sent, buffer)
        return buffer.getvalue(), at

    def unpack(self, tasks: Sequence[Task], packed: tuple[str | bytes, int]) -> list[Result]:
        """Return the results of these tasks, which ``pack`` packed."""
        data, at = packed
        content = memoryview(_mapped(data) if isinstance(data, str) else data)
        table, rows = pickle.loads(content[at:])
        arrays: list[NDArray[Any]] = [
            np.ndarray(shape, dtype, content, offset) for dtype, shape, offset in table
        ]
        return [
            ([_log_of(item, job.source, arrays) for item in logs], problem)
            for (job, _), (logs, problem) in zip(tasks, rows, strict=True)
        ]

    def died(self, task: Task, why: str) -> Result:
        """Return the result of a log whose reading ends the process that reads it."""
        path = task[0].source.path
        return [], Problem("reader_error", f"the process that read it {why}", path)


def _hash(logs: Sequence[RunLog], source: Source) -> None:
    whole = hash_prefix(source) if logs else ""
    for log in logs:
        ends = "" if log.resume is None else hash_ends(source, log.resume.offset)
        log.hashes = whole, ends


def _packed_file(work: ReadLogs, sent: Sequence[Sent], folder: str) -> tuple[str, int]:
    handle, path = tempfile.mkstemp(dir=folder)
    try:
        with open(handle, "wb", buffering=_BUFFER) as stream:
            return path, _pack(work, sent, stream)
    except BaseException:
        os.unlink(path)
        raise


def _mapped(path: str) -> mmap.mmap | bytes:
    """Return the content of a file, whose name is removed at once."""
    try:
        with open(path, "rb") as stream:
            # Windows keeps the names of mapped files.
            if os.name == "nt" or len(_MAPPED) >= _MOST_MAPPED:
                return stream.read()
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            _MAPPED.add(content)
            return content
    finally:
        os.unlink(path)


class _Heap:
    """Arrays one after the other in a file, and a table of their places.

    Parameters
    ----------
    stream : binary file

    Attributes
    ----------
    table : list of (dtype, shape, int), (arrays,)
        dtype, shape and offset (bytes) of each array.
    end : int
        Bytes written.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.table: list[tuple[np.dtype[Any], tuple[int, ...], int]] = []
        self.end = 0
        self._stream = stream
        self._shared: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def add(self, array: NDArray[Any]) -> int | NDArray[Any]:
        """Write an array and return its row; the array itself if it is more than its bytes."""
        if type(array) is not np.ndarray or array.dtype.kind not in _PLAIN:
            return array
        gap = -self.end % _ALIGN
        if gap:
            self._stream.write(b"\0" * gap)
        if array.nbytes:
            self._stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        offset = self.end + gap
        self.end = offset + array.nbytes
        self.table.append((array.dtype, array.shape, offset))
        return len(self.table) - 1

    def share(self, array: NDArray[Any]) -> int | NDArray[Any]:
        """Write an array as ``add`` does, but equal arrays once; return its row."""
        if type(array) is not np.ndarray or array.dtype.kind not in _PLAIN:
            return array
        key = (array.dtype.str, array.shape, array.tobytes())
        row = self._shared.get(key)
        if row is None:
            row = self._shared[key] = len(self.table)
            self.add(array)
        return row


def _pack(work: ReadLogs, sent: Sequence[Sent], stream: IO[bytes]) -> int:
    heap = _Heap(stream)
    rows = []
    sources = [
        Source(root, path, tuple(LogFile(*file) for file in files))
        for _, root, path, files, _ in sent
    ]
    with prefetching(sources, fresh=True):
        for (reader, *_, request), source in zip(sent, sources, strict=True):
            logs, problem = work.run((Job(reader, source), request))
            # Each log is written as soon as it is read: the batch is never in memory as a whole.
            rows.append(([_packed(log, source, heap) for log in logs], problem))
    stream.write(pickle.dumps((heap.table, rows), pickle.HIGHEST_PROTOCOL))
    return heap.end


# Objects as tuples of their fields, whatever fields they come to have.
_HEADER = [f.name for f in fields(RunHeader)]
_LOG = [f.name for f in fields(RunLog)]
_header_fields = attrgetter(*_HEADER)
_log_fields = attrgetter(*_LOG)
_problem_fields = attrgetter(*(f.name for f in fields(Problem)))
_SOURCE = _HEADER.index("source")
_HEAD, _CURVES, _PROBLEMS, _RESUME = map(_LOG.index, ("header", "curves", "problems", "resume"))


def _packed(log: RunLog, source: Source, heap: _Heap) -> list[Any]:
    header = list(_header_fields(log.header))
    if header[_SOURCE] == source:  # the receiver has it, with its own root
        header[_SOURCE] = None
    packed = list(_log_fields(log))
    packed[_HEAD] = header
    packed[_CURVES] = [_packed_curves(part, heap) for part in log.curves]
    packed[_PROBLEMS] = [_problem_fields(problem) for problem in log.problems]
    if (resume := log.resume) is not None:
        arrays = heap.share(resume.marker_lines), heap.share(resume.markers)
        packed[_RESUME] = resume.offset, resume.lines, resume.extras, *arrays
    return packed


def _packed_curves(curves: Curves, heap: _Heap) -> Any:
    return (
        curves.split,
        [(name, heap.share(values)) for name, values in curves.x.items()],
        curves.metrics,
        heap.add(curves.values),
        heap.share(curves.logged),
        heap.share(curves.lines),
    )


def _log_of(packed: list[Any], source: Source, arrays: Sequence[NDArray[Any]]) -> RunLog:
    header = packed[_HEAD]
    if header[_SOURCE] is None:
        header[_SOURCE] = source
    packed[_HEAD] = RunHeader(*header)
    packed[_CURVES] = [_curves_of(part, arrays) for part in packed[_CURVES]]
    packed[_PROBLEMS] = [Problem(*problem) for problem in packed[_PROBLEMS]]
    if packed[_RESUME] is not None:
        offset, lines, extras, *rows = packed[_RESUME]
        marker_lines, markers = [arrays[row] if type(row) is int else row for row in rows]
        packed[_RESUME] = Resume(offset, lines, extras, marker_lines, markers)
    return RunLog(*packed)


def _curves_of(packed: Any, arrays: Sequence[NDArray[Any]]) -> Curves:
    split, x, metrics, *rows = packed
    values, logged, lines = [arrays[row] if type(row) is int else row for row in rows]
    axes = {name: arrays[row] if type(row) is int else row for name, row in x}
    return Curves(split, axes, metrics, values, logged, lines)
