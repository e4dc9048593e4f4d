"""Tasks over sources: run here, in processes, or on dask. Every load goes through this module."""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from runcube.core import PlanError, usable_cpus
from runcube.parallel import BatchRunner, ProcessPool, is_worker, scratch_directory, why_unportable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from runcube.parallel import Sent, Work
    from runcube.pipeline.progress import Progress

Parallel: TypeAlias = Literal["auto", "processes", "dask", False] | Executor
T = TypeVar("T")
R = TypeVar("R")
# A file costs as much as so many bytes more of it: it must be found, opened, and made a run.
_PER_FILE = 1 << 15
# "auto" starts processes for so much: less is read before they have started. The first few kB of
# a log do not count: a short log is mostly work for the process that all results come to.
_WORTH_IT = 1 << 28
_SHORT = 1 << 12
# A batch is about a second of work at the pace of the slower readers (30 MB/s), and not less than
# pays for sending it; every worker gets several, so that none is left with the last one.
_MOST_BATCH, _LEAST_BATCH, _EACH = 1 << 25, 1 << 20, 8
# Logs whose batches are sent, and not consumed yet: what bounds the memory.
_IN_FLIGHT = 1 << 28


def check_parallel(parallel: object) -> None:
    """Raise if ``parallel`` is no way of running tasks.

    Raises
    ------
    PlanError
    """
    is_named = isinstance(parallel, str) and parallel in {"auto", "processes", "dask"}
    if not (is_named or parallel is False or isinstance(parallel, Executor)):
        raise PlanError(
            f"parallel={parallel!r}: expected 'auto', False, 'processes', 'dask' or a "
            "concurrent.futures.Executor"
        )


def run_tasks(
    work: Work[T, R],
    tasks: Sequence[T],
    sizes: Sequence[int],
    progress: Progress | None = None,
    parallel: Parallel = False,
) -> Generator[R, None, None]:
    """Yield the result of each task, in order.

    A caller that may stop early closes the iterator (``contextlib.closing``), which ends the
    processes.

    Parameters
    ----------
    work : Work
        What is done to a task, and how its result travels.
    tasks : sequence, (tasks,)
    sizes : sequence of int, (tasks,)
        Bytes of each task: the measure of progress, and of batches.
    progress : callable, optional
        Called after each task that is done here, and after each batch that was done elsewhere.
    parallel : {"auto", "processes", "dask"}, False or Executor
        Where the tasks are done.

    Raises
    ------
    PlanError
        If tasks cannot be sent to the place that ``parallel`` asks for.
    """
    weights = [size + _PER_FILE for size in sizes]
    here = _done_here(work, tasks, parallel)
    place = None if all(here) else _place(parallel, sizes)
    total, done, number = sum(sizes), 0, 0
    if place is None:
        for task, size in zip(tasks, sizes, strict=True):
            yield work.run(task)
            done, number = done + size, number + 1
            if progress is not None:
                progress(done, total, number)
        return
    batches = _batches(weights, here, place.workers)
    with scratch_directory(sum(weights)) as folder:
        runner = BatchRunner(work, place.pool, place.workers, folder if place.is_local else None)
        try:
            for batch, results in _in_order(runner, tasks, batches):
                yield from results
                done, number = done + sum(sizes[batch.start : batch.stop]), batch.stop
                if progress is not None:
                    progress(done, total, number)
        except BaseException:  # a caller that closes this iterator, and Ctrl-C, among them
            runner.kill()
            raise
        runner.close()


@dataclass(frozen=True)
class _Place:
    """Where batches are done.

    Parameters
    ----------
    pool : Executor
    workers : int
        Tasks that it does at the same time.
    is_local : bool
        Whether its processes see the files of this one.
    """

    pool: Executor
    workers: int
    is_local: bool = True


def _place(parallel: Parallel, sizes: Sequence[int]) -> _Place | None:
    """Return where to do tasks of these sizes; None: here, one after the other.

    Raises
    ------
    PlanError
        If processes are asked for where none may be started.
    """
    if parallel is False or not sizes:
        return None
    count, cpus = len(sizes), usable_cpus()
    if isinstance(parallel, Executor):
        is_local = isinstance(parallel, ProcessPoolExecutor | ThreadPoolExecutor)
        workers: Any = getattr(parallel, "_max_workers", None)  # whatever others mean by it
        is_known = isinstance(workers, int) and workers > 0
        return _Place(parallel, workers if is_known else cpus, is_local)
    if parallel == "dask":
        from runcube.parallel.dask_executor import dask_executor

        pool, workers = dask_executor()
        return _Place(pool, max(1, workers or cpus), workers is None)
    long = sum(max(0, size - _SHORT) for size in sizes)
    is_worth_it = min(count, cpus) > 1 and long >= _WORTH_IT and not is_worker()
    if parallel == "auto" and not is_worth_it:
        return None
    if multiprocessing.current_process().daemon:
        raise PlanError(
            "parallel='processes': this is a daemonic process, which may start none; "
            "parallel=False reads the logs in it"
        )
    return _Place(ProcessPool(min(cpus, count)), min(cpus, count))


def _done_here(work: Work[T, R], tasks: Sequence[T], parallel: Parallel) -> list[bool]:
    """Return, for each task, whether it cannot be sent to another process.

    Raises
    ------
    PlanError
        If it cannot, and processes were asked for outright.
    """
    if parallel is False or isinstance(parallel, ThreadPoolExecutor):
        return [False] * len(tasks)
    if parallel not in ("auto", "processes"):
        return [work.stays(task) is not None for task in tasks]
    stay = [work.stays(task) for task in tasks]
    if parallel == "processes" and any(stay):
        raise PlanError(
            f"parallel='processes': {next(filter(None, stay))}; parallel=False reads the logs in it"
        )
    needed = [work.needs(task) for task in tasks]
    reasons = {key: why_unportable(thing) for key, thing in {id(n): n for n in needed}.items()}
    for thing in needed if parallel == "processes" else ():
        if reason := reasons[id(thing)]:
            raise PlanError(
                f"parallel='processes': another process cannot be given {thing!r} ({reason}); "
                "parallel=False reads the logs in this process"
            )
    return [
        why is not None or reasons[id(thing)] is not None
        for why, thing in zip(stay, needed, strict=True)
    ]


@dataclass(frozen=True)
class _Batch:
    """Tasks that are sent together.

    Parameters
    ----------
    start, stop : int
        Numbers of the first task, and of the one after the last.
    weight : int
        Their bytes, and those that a file costs in addition.
    here : bool
        Whether they are done in this process.
    """

    start: int
    stop: int
    weight: int
    here: bool


def _batches(weights: Sequence[int], here: Sequence[bool], workers: int) -> list[_Batch]:
    """Return the tasks cut into batches of about the same weight, in bytes."""
    most = min(_MOST_BATCH, _IN_FLIGHT // (4 * workers))
    limit = min(most, max(_LEAST_BATCH, sum(weights) // (_EACH * workers)))
    batches: list[_Batch] = []
    start = weight = 0
    for stop in range(1, len(weights) + 1):
        weight += weights[stop - 1]
        is_last = stop == len(weights)
        if is_last or weight + weights[stop] > limit or here[stop] != here[start]:
            batches.append(_Batch(start, stop, weight, here[start]))
            start, weight = stop, 0
    return batches


def _in_order(
    runner: BatchRunner[T, R], tasks: Sequence[T], batches: Sequence[_Batch]
) -> Iterator[tuple[_Batch, Sequence[R]]]:
    """Yield the batches with their results, in order.

    The batch runner is kept busy, but never further ahead of the consumer than ``_IN_FLIGHT``
    bytes, which bounds the memory.
    """
    todo = deque(batches)
    sent: deque[tuple[_Batch, Sent | None]] = deque()
    in_flight = 0
    while todo or sent:
        while todo and (not sent or in_flight + todo[0].weight <= _IN_FLIGHT):
            batch = todo.popleft()
            mine = tasks[batch.start : batch.stop]
            sent.append((batch, None if batch.here else runner.submit(mine)))
            in_flight += batch.weight
        batch, pending = sent.popleft()
        yield batch, runner.results(tasks[batch.start : batch.stop], pending)
        in_flight -= batch.weight
