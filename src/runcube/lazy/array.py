"""Curves that are read when they are needed: which files hold a part of a cube, and its values."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from runcube.core import Roles
from runcube.files import display_root, is_url, portable_root, prefetching
from runcube.lazy.log_index import LogTable
from runcube.lazy.value_cache import VALUES, parsed_key, read_values
from runcube.pipeline import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Request, Source
    from runcube.cube import Part, Scatter
    from runcube.curves import KeptRun
    from runcube.readers import Reader

# Runs of a block, and bytes: at 100,000 runs a task for each takes dask far longer than blocks.
BLOCK_RUNS = 100
BLOCK_BYTES = 1 << 26


@dataclass(eq=False)
class Origins:
    """What fills the cells of a cube, as far as it is known without the values.

    Parameters
    ----------
    shape : tuple of int
        Of the cube; the last three are split, metric and x.
    root : str
        As it can be reached from any directory.
    request : Request
    """

    shape: tuple[int, ...]
    root: str
    request: Request
    readers: list[Reader] = field(default_factory=list)
    fingerprints: list[str] = field(default_factory=list)
    logs: LogTable = field(default_factory=lambda: LogTable.of((), ()))
    # By cell: the log (-1: none), the run in it, and the row of ``places``.
    log_of: NDArray[np.int32] = field(init=False)
    run_of: NDArray[np.int32] = field(init=False)
    place_of: NDArray[np.int32] = field(init=False)
    # Curves of a run with their parts: the runs of a sweep mostly share them.
    places: list[list[tuple[int, Part]]] = field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        """Begin with empty cells."""
        count = int(np.prod(self.shape[:-3], dtype=np.int64))
        self.log_of, self.run_of, self.place_of = (np.full(count, -1, np.int32) for _ in range(3))

    def job(self, log: int) -> Job:
        """Return the job of a log."""
        number = int(self.logs.readers[log])
        return Job(
            self.readers[number], self.logs.source(self.root, log), self.fingerprints[number]
        )

    def parts(self, cell: int) -> list[tuple[int, Part]]:
        """Return the curves of the run of a cell, by number, and where they go."""
        return self.places[self.place_of[cell]]


def origins_of(
    kept_runs: Sequence[tuple[int, KeptRun]],
    scatter: Scatter,
    shape: tuple[int, ...],
    request: Request,
    homes: Mapping[int, tuple[Job, int]],
) -> Origins:
    """Return where the values of a cube come from.

    Parameters
    ----------
    kept_runs : sequence of (int, KeptRun)
        The runs that stay, with their cells.
    scatter : Scatter
    shape : tuple of int
    request : Request
    homes : mapping of int to (Job, int)
        By the id of a ``RunLog``: the job that reads it, and its number among what that returns.
    """
    made = Origins(shape, "", request)
    logs: dict[str, int] = {}
    sources: list[Source] = []
    readers: dict[str, int] = {}
    read_by: list[int] = []
    places: dict[Any, int] = {}
    # By the list of tracks, which runs may share (see ``AttemptResolver``).
    known: dict[int, int] = {}
    for cell, kept_run in kept_runs:
        job, number = homes[id(kept_run.attempt.log)]
        made.root = portable_root(job.source.root)
        path = job.source.path
        if path not in logs:
            reader = readers.setdefault(job.fingerprint, len(readers))
            if reader == len(made.readers):
                made.readers.append(job.reader)
                made.fingerprints.append(job.fingerprint)
            logs[path] = len(logs)
            sources.append(job.source)
            read_by.append(reader)
        tracks = id(kept_run.attempt.tracks)
        if tracks not in known:
            parts = _parts(kept_run, scatter)
            key = tuple(_hashable(n, part) for n, part in parts)
            known[tracks] = places.setdefault(key, len(places))
            if known[tracks] == len(made.places):
                made.places.append(parts)
        made.log_of[cell], made.run_of[cell], made.place_of[cell] = (
            logs[path],
            number,
            known[tracks],
        )
    made.logs = LogTable.of(sources, read_by)
    made.token = _token(made, places)
    return made


def _parts(kept_run: KeptRun, scatter: Scatter) -> list[tuple[int, Part]]:
    numbers = {id(curves): i for i, curves in enumerate(kept_run.attempt.log.curves)}
    return [(numbers[id(track.curves)], part) for track, part in scatter.parts(kept_run)]


def _hashable(number: int, part: Part) -> tuple[Any, ...]:
    ends = [
        (i.start, i.stop) if isinstance(i, slice) else i.tobytes()
        for i in (part.into, part.at, part.metrics, part.rows)
    ]
    return number, part.split, *ends


def _token(made: Origins, places: dict[Any, int]) -> str:
    """Return a hash of all that the values depend on: another one once a file has changed."""
    digest = blake2b(digest_size=16)
    about = [version("runcube"), display_root(made.root), made.shape, made.fingerprints, [*places]]
    request = made.request
    about += [sorted(names or ()) for names in (request.splits, request.metrics)]
    about.append((request.roles or Roles()).to_lists())
    columns = [*made.logs.columns(), made.log_of, made.run_of, made.place_of]
    about.append([len(column) for column in columns])
    digest.update(repr(about).encode("utf-8", "surrogatepass"))
    for column in columns:
        digest.update(column)
    return digest.hexdigest()


class LazyCube(BackendArray):
    """``curve`` or ``logged`` of a cube whose values are in the logs.

    Parameters
    ----------
    origins : Origins
    dtype : dtype
        float64: the values, for which logs are read; bool: what was logged, for which none is.
    """

    def __init__(self, origins: Origins, dtype: Any) -> None:
        self.origins = origins
        self.shape = origins.shape
        self.dtype = np.dtype(dtype)

    def __dask_tokenize__(self) -> tuple[str, str, str]:
        return "runcube", self.origins.token, self.dtype.str

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            return self._points(key.tuple)
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Return an outer selection: an int, a slice or an array along each dim."""
        picks = [np.arange(size)[pick] for pick, size in zip(key, self.shape, strict=True)]
        wide = [np.atleast_1d(pick) for pick in picks]
        cells = self._cells(np.ix_(*wide[:-3])).reshape(-1)
        inner = [np.unique(pick, return_inverse=True) for pick in wide[-3:]]
        out = self._read(cells, [pick for pick, _ in inner])
        for axis, (pick, at) in enumerate(inner, 1):
            if not np.array_equal(at, np.arange(len(pick))):
                out = out.take(at, axis)
        return out.reshape([len(pick) for pick in picks if pick.ndim])

    def _points(self, key: tuple[NDArray[np.integer[Any]], ...]) -> NDArray[Any]:
        """Return single points: arrays along all dims, which are broadcast against each other."""
        picks = [np.where(k < 0, k + size, k) for k, size in zip(key, self.shape, strict=True)]
        cells = self._cells(np.broadcast_arrays(*picks[:-3]))
        known, row = np.unique(cells, return_inverse=True)
        inner = [np.unique(pick, return_inverse=True) for pick in picks[-3:]]
        found = self._read(known, [pick for pick, _ in inner])
        at = [i.reshape(pick.shape) for (_, i), pick in zip(inner, picks[-3:], strict=True)]
        points: NDArray[Any] = found[(row.reshape(cells.shape), *at)]
        return points

    def _cells(self, picks: Sequence[NDArray[np.integer[Any]]]) -> NDArray[np.intp]:
        """Return the numbers of cells; without cell dims there is one."""
        if not picks:
            return np.zeros((), dtype=np.intp)
        return np.asarray(np.ravel_multi_index(tuple(picks), self.shape[:-3]))

    def _read(self, cells: NDArray[np.intp], inner: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the values of cells, at some splits, metrics and x, each of which rise."""
        out = np.full((len(cells), *map(len, inner)), self._empty, dtype=self.dtype)
        parts_of = self._parts_within(inner)
        order = [*self._in_order(cells)]
        turn = nullcontext() if is_url(self.origins.root) else VALUES.turn
        with turn, prefetching(self._unread(order), look=True):
            for i, cell in order:
                self._fill(cell, parts_of(cell), out[i])
        return out

    def _parts_within(
        self, inner: Sequence[NDArray[Any]]
    ) -> Callable[[int], Sequence[tuple[int, Part]]]:
        """Return a function from a cell to its parts at some splits, metrics and x."""
        sizes = self.shape[-3:]
        if all(len(pick) == size for pick, size in zip(inner, sizes, strict=True)):
            return self.origins.parts
        places = [np.full(size, -1) for size in sizes]
        for place, pick in zip(places, inner, strict=True):
            place[pick] = np.arange(len(pick))

        @lru_cache(maxsize=1 << 10)
        def within(row: int) -> list[tuple[int, Part]]:
            found = ((n, part.within(places)) for n, part in self.origins.places[row])
            return [(n, part) for n, part in found if part is not None]

        return lambda cell: within(int(self.origins.place_of[cell]))

    @property
    def _empty(self) -> Any:
        return np.nan if self.dtype.kind == "f" else False

    def _in_order(self, cells: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """Yield the cells that hold a run, those of one log together."""
        logs = self.origins.log_of[cells]
        for i in np.argsort(logs, kind="stable").tolist():
            if logs[i] >= 0:
                yield i, int(cells[i])

    def _unread(self, order: Sequence[tuple[int, int]]) -> Iterator[Source]:
        """Yield the logs of these cells whose values are not in memory; none on this machine."""
        if self.dtype.kind == "b" or not is_url(self.origins.root):
            return
        for log in dict.fromkeys(int(self.origins.log_of[cell]) for _, cell in order):
            job = self.origins.job(log)
            if not VALUES.holds(parsed_key(job, self.origins.request)):
                yield job.source

    def _fill(self, cell: int, parts: Sequence[tuple[int, Part]], into: NDArray[Any]) -> None:
        if self.dtype.kind == "b":
            for _, part in parts:
                part.mark(into)
        elif parts:
            job = self.origins.job(int(self.origins.log_of[cell]))
            values = read_values(job, self.origins.request)[int(self.origins.run_of[cell])]
            for number, part in parts:
                part.put(values[number], into)


def block_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of the blocks along each dim: some 100 runs, the last cell dims whole.

    Examples
    --------
    >>> block_shape((4, 10, 40, 3, 5, 100))
    (1, 2, 40, 3, 5, 100)
    """
    one = 8 * max(1, int(np.prod(shape[-3:], dtype=np.int64)))
    room = max(1, min(BLOCK_RUNS, BLOCK_BYTES // one))
    outer = []
    for size in reversed(shape[:-3]):
        step = max(1, min(size, room))
        outer.append(step)
        room = max(1, room // step) if step == size else 1
    return (*reversed(outer), *(max(1, size) for size in shape[-3:]))
