"""Batches of tasks in other processes, and what happens when one of those dies."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from runcube.core import ExecutorError
from runcube.parallel.processes import ProcessPool, StarvedError, is_worker, ping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

Sent: TypeAlias = "tuple[Executor, Future[Any]]"


class Work(Protocol[T_contra, R_co]):
    """What is done to tasks, and how tasks and results are sent between processes.

    An object of it is pickled with every batch. Problems are results: nothing is raised on bad
    input.
    """

    def run(self, task: T_contra, /) -> R_co:
        """Return the result of a task that is done in this process."""
        ...

    def needs(self, task: T_contra, /) -> object:
        """Return the part of a task that may not be picklable."""
        ...

    def stays(self, task: T_contra, /) -> str | None:
        """Return why only this process can do a task; None if others can."""
        ...

    def sent(self, tasks: Sequence[T_contra], /) -> Any:
        """Return tasks in a form that another process can use."""
        ...

    def pack(self, sent: Any, folder: str | None, /) -> Any:
        """Return the packed results of tasks, in another process.

        ``folder`` is a directory that both processes can use, or None.
        """
        ...

    def unpack(self, tasks: Sequence[T_contra], packed: Any, /) -> Sequence[R_co]:
        """Return the results of tasks from their packed form."""
        ...

    def died(self, task: T_contra, why: str, /) -> R_co:
        """Return the result of a task that kills every process that does it."""
        ...


class _LostError(Exception):
    """The process that did these tasks has died."""


class BatchRunner(Generic[T, R]):
    """Does batches in other processes, and in this one what those cannot do.

    If a process dies, every batch that was under way is lost. Each of them is done again by a
    process that does nothing else, one task at a time if necessary, so that the death costs only
    the tasks at fault; batches that were not sent yet go to new processes.

    Parameters
    ----------
    work : Work
        What is done to the tasks.
    pool : Executor
        Does the batches: one of ours, or of the user.
    workers : int
        Number of processes that replace a broken pool, at most.
    folder : str or None
        A directory that ``pool`` can use as well.
    """

    def __init__(
        self, work: Work[T, R], pool: Executor, workers: int, folder: str | None = None
    ) -> None:
        self._work = work
        self._pool: Executor | None = pool
        self._workers = workers
        self._folder = folder
        # Processes that replace those of the user are set up in the same way.
        self._like = None if isinstance(pool, ProcessPool) else pool
        self._pools = [pool] if isinstance(pool, ProcessPool) else []
        self._single: ProcessPool | None = None
        self._sent: dict[Future[Any], Executor] = {}

    def submit(self, tasks: Sequence[T]) -> Sent | None:
        """Send a batch and return its future; None if this process is to do it."""
        for _ in range(2):
            if self._pool is None:
                return None
            try:
                return self._pool, self._send(self._pool, tasks)
            except BrokenExecutor:  # a process died while it was idle
                self._renew()
            except OSError:  # the system starts no more processes
                self._pool = None
        return None

    def results(self, tasks: Sequence[T], sent: Sent | None) -> Sequence[R]:
        """Return the results of a batch, once they are there.

        Parameters
        ----------
        tasks : sequence, (tasks,)
            The batch.
        sent : Sent or None
            What ``submit`` returned for it.

        Raises
        ------
        ExecutorError
            If an executor of the user cannot do it.
        """
        if sent is None:
            return [self._work.run(task) for task in tasks]
        pool, future = sent
        try:
            return self._work.unpack(tasks, _outcome(pool, future))
        except StarvedError:
            return self._here(tasks)
        except Exception as error:
            if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":
                if isinstance(error, BrokenExecutor) and pool is self._pool:
                    self._renew()
                return self._retry(tasks)
            if pool in self._pools:  # a result cannot be pickled
                return [self._work.run(task) for task in tasks]
            raise ExecutorError(
                f"parallel={pool!r}: a batch of logs came back as an error: {error!r}; "
                "parallel=False reads them in this process"
            ) from error
        finally:
            self._sent.pop(future, None)

    def close(self) -> None:
        """End the processes when they have done what is left."""
        for pool in self._pools:
            pool.shutdown()

    def kill(self) -> None:
        """Kill our processes now, and cancel what an executor of the user has not begun."""
        for future, pool in self._sent.items():
            # Not in our own pools: they break now, and before Python 3.12 the thread of a broken
            # pool fails on a future that was cancelled meanwhile.
            if pool not in self._pools:
                future.cancel()
        for pool in self._pools:
            pool.kill()

    def _send(self, pool: Executor, tasks: Sequence[T]) -> Future[Any]:
        """Submit a batch to a pool and return its future, which is recorded."""
        future = pool.submit(self._work.pack, self._work.sent(tasks), self._folder)
        self._sent[future] = pool
        return future

    def _renew(self) -> None:
        """Replace a broken pool by new processes of our own, unless this is a worker itself."""
        self._pool = None if is_worker() else self._own(self._workers)

    def _own(self, workers: int) -> ProcessPool:
        """Return a new pool of our own, which ends with this runner."""
        pool = ProcessPool(workers, self._like)
        self._pools.append(pool)
        return pool

    def _retry(self, tasks: Sequence[T]) -> Sequence[R]:
        """Return the results of lost tasks, done together, then one by one if that fails."""
        try:
            return self._alone(tasks)
        except _LostError as lost:
            if len(tasks) == 1:
                return [self._work.died(tasks[0], str(lost))]
        results: list[R] = []
        for task in tasks:
            try:
                results += self._alone([task])
            except _LostError as lost:
                results.append(self._work.died(task, str(lost)))
        return results

    def _here(self, tasks: Sequence[T]) -> Sequence[R]:
        """Return the results of tasks done in this process, as will be all that were not sent yet.

        There are no more processes.
        """
        self._single = self._pool = None
        return [self._work.run(task) for task in tasks]

    def _alone(self, tasks: Sequence[T]) -> Sequence[R]:
        """Return the results of tasks from a process that does nothing else.

        Raises
        ------
        _LostError
            If it dies while it does them.
        """
        try:
            if self._single is None:
                self._single = self._own(1)
                self._single.outcome(self._single.submit(ping))
        except (BrokenExecutor, OSError, AssertionError):
            # No process survives on this machine, so its death is no sign of bad tasks.
            return self._here(tasks)
        try:
            packed = self._single.outcome(self._send(self._single, tasks))
        except StarvedError:
            return self._here(tasks)
        except BrokenExecutor as error:
            why = self._single.fate()
            self._single = None
            raise _LostError(why) from error
        return self._work.unpack(tasks, packed)


def _outcome(pool: Executor, future: Future[Any]) -> Any:
    """Return the result of a future of any pool."""
    return pool.outcome(future) if isinstance(pool, ProcessPool) else future.result()
