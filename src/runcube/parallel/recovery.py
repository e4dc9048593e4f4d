"""Whoever does the batches of a load, and what happens when a process among them dies."""

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
    """What is done to tasks, and how its results travel.

    An object of it is pickled with every batch. Problems are results: nothing is raised on bad
    input.
    """

    def run(self, task: T_contra, /) -> R_co:
        """Do a task here."""
        ...

    def needs(self, task: T_contra, /) -> object:
        """Give what of a task may resist being pickled."""
        ...

    def stays(self, task: T_contra, /) -> str | None:
        """Say why a task can be done in this process alone; None if it can be done elsewhere."""
        ...

    def sent(self, tasks: Sequence[T_contra], /) -> Any:
        """Spell tasks so that another process understands them."""
        ...

    def pack(self, sent: Any, folder: str | None, /) -> Any:
        """Do tasks elsewhere; ``folder`` is one that both sides can use."""
        ...

    def unpack(self, tasks: Sequence[T_contra], packed: Any, /) -> Sequence[R_co]:
        """Bring the results back."""
        ...

    def died(self, task: T_contra, why: str, /) -> R_co:
        """Give the result of a task that ends whatever process does it."""
        ...


class _LostError(Exception):
    """The process that did these tasks has died."""


class BatchRunner(Generic[T, R]):
    """Does batches elsewhere, and here what cannot be done elsewhere.

    If a process dies, every batch that was under way is lost. Each of them is done again by a
    process that does nothing else, if need be one task at a time, so that the death costs only
    the tasks at fault; batches that were not sent yet go to new processes.

    Parameters
    ----------
    work : Work
    pool : Executor
    workers : int
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
        # Processes that take over are set up as those of the user were.
        self._like = None if isinstance(pool, ProcessPool) else pool
        self._pools = [pool] if isinstance(pool, ProcessPool) else []
        self._single: ProcessPool | None = None
        self._sent: dict[Future[Any], Executor] = {}

    def submit(self, tasks: Sequence[T]) -> Sent | None:
        """Send a batch off; None if it is to be done here."""
        for _ in range(2):
            if self._pool is None:
                return None
            try:
                return self._pool, self._send(self._pool, tasks)
            except BrokenExecutor:  # a process that died while it did nothing
                self._renew()
            except OSError:  # the system starts no more processes
                self._pool = None
        return None

    def results(self, tasks: Sequence[T], sent: Sent | None) -> Sequence[R]:
        """Results of a batch, when they are there.

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
                return self._carefully(tasks)
            if pool in self._pools:  # something that cannot be pickled, on the way back
                return [self._work.run(task) for task in tasks]
            raise ExecutorError(
                f"parallel={pool!r}: a batch of logs came back as an error: {error!r}; "
                "parallel=False reads them in this process"
            ) from error
        finally:
            self._sent.pop(future, None)

    def close(self) -> None:
        """Let the processes end."""
        for pool in self._pools:
            pool.shutdown()

    def kill(self) -> None:
        """End the processes now; what an executor of the user has not begun is withdrawn."""
        for future, pool in self._sent.items():
            # Not in our own pools: before Python 3.12 the thread of one that breaks, as it now
            # will, cannot bear a future that was cancelled behind its back.
            if pool not in self._pools:
                future.cancel()
        for pool in self._pools:
            pool.kill()

    def _send(self, pool: Executor, tasks: Sequence[T]) -> Future[Any]:
        future = pool.submit(self._work.pack, self._work.sent(tasks), self._folder)
        self._sent[future] = pool
        return future

    def _renew(self) -> None:
        """Take new processes of our own in place of a broken pool."""
        self._pool = None if is_worker() else self._own(self._workers)

    def _own(self, workers: int) -> ProcessPool:
        pool = ProcessPool(workers, self._like)
        self._pools.append(pool)
        return pool

    def _carefully(self, tasks: Sequence[T]) -> Sequence[R]:
        """Do tasks that were lost: together, then each for itself."""
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
        """Do these tasks here, and all that were not sent yet: there are no more processes."""
        self._single = self._pool = None
        return [self._work.run(task) for task in tasks]

    def _alone(self, tasks: Sequence[T]) -> Sequence[R]:
        """Do tasks in a process that does nothing else.

        Raises
        ------
        _LostError
            If it dies of them.
        """
        try:
            if self._single is None:
                self._single = self._own(1)
                self._single.outcome(self._single.submit(ping))
        except (BrokenExecutor, OSError, AssertionError):
            # No process lives here at all, so that its death says nothing of the tasks.
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
    return pool.outcome(future) if isinstance(pool, ProcessPool) else future.result()
