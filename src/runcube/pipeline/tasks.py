"""Reading logs: here, in threads, in other processes, on dask. Every load goes through this module.

A batch is some logs that follow each other and have the same reader; it is read by one call,
wherever that runs. Nothing is raised on bad input: problems are results.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakSet

from runcube.core import ExecutorError, PlanError, listed, usable_cpus
from runcube.files import (
    begin_load,
    display_root,
    hash_ends,
    hash_prefix,
    is_of_this_process,
    is_remote,
    portable_root,
    prefetching,
    release_sources,
)
from runcube.pipeline.jobs import Job, read_batch
from runcube.pipeline.on_processes import processes, unsendable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from runcube.core import Problem, Request, RunLog, Source
    from runcube.pipeline.progress import Progress

    Task: TypeAlias = tuple[Job, Request]
    Result: TypeAlias = tuple[Sequence[RunLog], Problem | None]

Parallel: TypeAlias = Literal["auto", "threads", "processes", "dask", False] | Executor
_NAMES = ("auto", "threads", "processes", "dask")
# "auto" starts threads for so many bytes.
_WORTH_IT = 1 << 23
# Bytes of a batch, at most: the kernel decodes them in some hundredths of a second, which is what
# Ctrl-C waits for. Each worker gets several batches, so that none is left with the last one.
_BATCH, _EACH = 1 << 23, 4
# A file costs as much as so many bytes more of it: it must be opened, and made a run.
_PER_FILE = 1 << 15
# Logs whose batches are begun, and not consumed yet: what bounds the memory.
_IN_FLIGHT = 1 << 28
# Files that an error names.
_SHOWN = 5


def check_parallel(parallel: object) -> None:
    """Raise if ``parallel`` is no way of reading logs.

    Raises
    ------
    PlanError
    """
    is_named = isinstance(parallel, str) and parallel in _NAMES
    if not (is_named or parallel is False or isinstance(parallel, Executor)):
        raise PlanError(
            f"parallel={parallel!r}: expected 'auto', False, 'threads', 'processes', 'dask' or a "
            "concurrent.futures.Executor"
        )


def read_tasks(
    tasks: Sequence[Task],
    parallel: Parallel = False,
    progress: Progress | None = None,
    *,
    hashes: bool = False,
    note: Callable[[str], object] = str,
) -> Generator[Result, None, None]:
    """Yield the logs of each task, or the problem that kept them from being read, in order.

    A caller that may stop early closes the iterator (``contextlib.closing``), which ends threads
    and processes.

    Parameters
    ----------
    tasks : sequence of (Job, Request), (tasks,)
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where logs are read.
    progress : callable, optional
        Called after each task, in this thread.
    hashes : bool
        Whether to hash each log as well, where it is read and while its bytes are in memory.
    note : callable, optional
        Called with a sentence on what is read here though it was to be read elsewhere.

    Raises
    ------
    ExecutorError
        If no process comes up, or an executor, a process or dask returns an error instead of logs.
    """
    total, done, number = sum(job.source.size for job, _ in tasks), 0, 0
    begun: deque[tuple[_Batch, Future[Sequence[Result]] | None]] = deque()
    in_flight = 0
    with _place(parallel, [job for job, _ in tasks], note) as place:
        todo = deque(_batches(tasks, place))
        while todo or begun:
            while todo and (not begun or in_flight + todo[0].weight <= _IN_FLIGHT):
                batch = todo.popleft()
                begun.append((batch, None if batch.here else place.begin(batch.tasks, hashes)))
                in_flight += batch.weight
            batch, future = begun.popleft()
            found: Iterable[Result]
            if future is None:
                found = _read(batch.tasks, hashes)
            else:
                try:
                    found = future.result()
                except Exception as error:  # executors may raise anything
                    raise place.failure(error, [(batch, future), *begun]) from error
            for (job, _), result in zip(batch.tasks, found, strict=True):
                yield result if place.is_shared else _received(job, result)
                done, number = done + job.source.size, number + 1
                if progress is not None:
                    progress(done, total, number)
            in_flight -= batch.weight


@dataclass(frozen=True)
class _Batch:
    """Tasks of one reader and one request, which are read together.

    Parameters
    ----------
    tasks : sequence of (Job, Request)
    weight : int
        Their bytes, and those that a file costs in addition.
    here : bool
        Whether they are read in the thread of the caller.
    """

    tasks: Sequence[Task]
    weight: int
    here: bool


class _Place:
    """Where batches are read.

    Parameters
    ----------
    parallel : {"threads", "processes", "dask"}, False or Executor
    workers : int
        Threads or processes that are started, at most.

    Attributes
    ----------
    pool : Executor or None
        Reads the batches; None: the thread of the caller does.
    workers : int
        Batches that are read at the same time.
    is_shared : bool
        Whether threads of this load read, with which all is shared.
    stays : callable
        Returns whether a job is done in the thread of the caller.
    """

    def __init__(self, parallel: Parallel, workers: int) -> None:
        self.workers = workers
        self.is_shared = parallel in ("threads", False)
        self.stays: Callable[[Job], bool] = lambda _: parallel is False
        self._parallel = parallel
        self._ended = threading.Event()
        self._futures: WeakSet[Future[Any]] = WeakSet()
        self.pool: Executor | None = None
        if parallel == "threads":
            self.pool = ThreadPoolExecutor(workers, "runcube")
        elif parallel == "processes":
            self.pool = processes(workers)
        elif parallel == "dask":
            from runcube.pipeline.on_dask import dask_executor

            self.pool, self.workers = dask_executor(workers)
        elif isinstance(parallel, Executor):
            self.pool = parallel

    def begin(self, tasks: Sequence[Task], hashes: bool) -> Future[Sequence[Result]] | None:
        """Return the future of a batch; None if the system starts no more threads."""
        assert self.pool is not None
        try:
            if self.is_shared:
                return self.pool.submit(copy_context().run, _read_all, tasks, hashes, self._ended)
            future = self.pool.submit(partial(_read_elsewhere, _sent(tasks), hashes))
        except Exception as error:  # a closed pool, or a reader that no process can have
            if self.is_shared:
                return None
            future = Future()
            future.set_exception(error)
        self._futures.add(future)
        return future

    def end(self) -> None:
        """Give up what has not begun, and what a thread of this load has not finished."""
        self._ended.set()
        if self.pool is not None and self._parallel in ("threads", "processes"):
            self.pool.shutdown(cancel_futures=True)
        for future in self._futures if self._parallel != "processes" else ():
            future.cancel()

    def failure(
        self, error: Exception, begun: Sequence[tuple[_Batch, Future[Any] | None]]
    ) -> Exception:
        """Return what to raise where the first of some batches came back as an error."""
        if self.is_shared:
            return error
        # A process that dies takes with it all that has not come back.
        died = isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
        lost = [b for b, f in begun if f and (not f.done() or f.cancelled() or f.exception())]
        lost = lost[: self.workers if died else 1]
        paths = [job.source.path for batch in lost for job, _ in batch.tasks]
        return ExecutorError(
            f"parallel={self._parallel!r}: {error!r}; under way: {listed(paths, _SHOWN)}; "
            "parallel=False reads the logs in this process"
        )


@contextmanager
def _place(
    parallel: Parallel, jobs: Sequence[Job], note: Callable[[str], object]
) -> Iterator[_Place]:
    """Yield where to read; what is begun there and has not ended is given up afterwards.

    Raises
    ------
    ExecutorError
        If no process comes up.
    """
    workers = max(1, min(usable_cpus(), len(jobs)))
    if parallel == "auto":
        size = sum(job.source.size for job in jobs if _is_built_in(job))
        place = _Place("threads" if workers > 1 and size >= _WORTH_IT else False, workers)
        place.stays = lambda job: place.pool is None or not _is_built_in(job)
    else:
        place = _Place(parallel if jobs else False, workers)
    try:
        if not place.is_shared:
            place.stays = _staying(place, parallel, jobs, note)
        yield place
    finally:
        place.end()


def _staying(
    place: _Place, parallel: Parallel, jobs: Sequence[Job], note: Callable[[str], object]
) -> Callable[[Job], bool]:
    """Return whether a job can be done in this process alone; the reasons are noted."""
    roots = {root for root in {job.source.root for job in jobs} if is_of_this_process(root)}
    sent = [job for job in jobs if job.source.root not in roots]
    why = unsendable(place.pool, sent) if parallel == "processes" and place.pool else {}
    memory = [f"{display_root(root)} is memory of this process, and read in it" for root in roots]
    for sentence in (*sorted(memory), *why.values()):
        note(f"parallel={parallel!r}: {sentence}")
    return lambda job: job.source.root in roots or job.reader.name in why


def _is_built_in(job: Job) -> bool:
    return type(job.reader).__module__.startswith("runcube.readers.")


def _batches(tasks: Sequence[Task], place: _Place) -> list[_Batch]:
    """Return the tasks cut into batches of the same reader, request and place."""
    weights = [job.source.size + _PER_FILE for job, _ in tasks]
    share = min(sum(weights), _IN_FLIGHT) // (_EACH * place.workers)
    limit = _BATCH if place.pool is None else min(_BATCH, share)
    batches: list[_Batch] = []
    start = weight = 0
    for stop, task in enumerate(tasks, 1):
        weight += weights[stop - 1]
        following = tasks[stop] if stop < len(tasks) else None
        if (
            following is None
            or weight + weights[stop] > limit
            or following[0].reader is not task[0].reader
            or following[1] != task[1]
            or place.stays(following[0]) != place.stays(task[0])
            # Threads request them in the order in which they are fetched ahead.
            or (place.is_shared and place.pool is not None and is_remote(following[0].source))
        ):
            batches.append(_Batch(tasks[start:stop], weight, place.stays(task[0])))
            start, weight = stop, 0
    return batches


def _read(
    tasks: Sequence[Task], hashes: bool, ended: threading.Event | None = None
) -> Iterator[Result]:
    """Yield the logs of a batch; fewer once the load has ended.

    Remote logs are taken one by one, since what was fetched of one is not kept for long.
    """
    alone = any(not hasattr(job.reader, "read_batch") or is_remote(job.source) for job, _ in tasks)
    for part in [[task] for task in tasks] if alone else [tasks]:
        if ended is not None and ended.is_set():
            return
        found = read_batch(part)
        for (job, _), (logs, _) in zip(part, found, strict=True):
            if hashes:
                _hash(logs, job.source)
        release_sources(job.source for job, _ in part)
        yield from found


def _read_all(tasks: Sequence[Task], hashes: bool, ended: threading.Event) -> Sequence[Result]:
    return [*_read(tasks, hashes, ended)]


def _hash(logs: Sequence[RunLog], source: Source) -> None:
    whole = hash_prefix(source) if logs else ""
    for log in logs:
        ends = "" if log.resume is None else hash_ends(source, log.resume.offset)
        log.hashes = whole, ends


def _sent(tasks: Sequence[Task]) -> list[Task]:
    """Return tasks that mean the same in another working directory."""
    roots = {root: portable_root(root) for root in {job.source.root for job, _ in tasks}}
    return [
        (Job(job.reader, replace(job.source, root=roots[job.source.root])), request)
        for job, request in tasks
    ]


def _read_elsewhere(tasks: Sequence[Task], hashes: bool) -> Sequence[Result]:
    """Return the logs of a batch, in another process or a thread of others."""
    return copy_context().run(_read_alone, tasks, hashes)


def _read_alone(tasks: Sequence[Task], hashes: bool) -> Sequence[Result]:
    """Return the logs of a batch as a load of its own: what was read here before may be old."""
    begin_load()
    with prefetching([job.source for job, _ in tasks]):
        return [*_read(tasks, hashes)]


def _received(job: Job, result: Result) -> Result:
    """Return a result of ``_read_elsewhere`` with its source as it is here."""
    for log in result[0]:
        if log.header.source.path == job.source.path:
            log.header = replace(log.header, source=job.source)
    return result
