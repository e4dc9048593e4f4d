"""dask as an executor: workers of a cluster, or the scheduler of this machine, read the logs."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def dask_executor(cpus: int) -> tuple[Executor, int]:
    """Return the executor of the active ``distributed.Client``, else one for the local scheduler.

    Parameters
    ----------
    cpus : int
        What is said to be the number of workers of a local scheduler.

    Returns
    -------
    executor : Executor
    workers : int
        Number of tasks that are done at the same time.
    """
    from dask.base import get_scheduler

    client: Any = getattr(get_scheduler(), "__self__", None)
    if not hasattr(client, "get_executor"):
        return _LocalDask(), cpus
    _release_thread()
    # Not pure: the same logs may have other contents the next time.
    return client.get_executor(pure=False), max(1, sum(client.nthreads().values()))


def _release_thread() -> None:
    """Release the thread of this task, which waits for other tasks that may need it."""
    from distributed import get_worker, secede

    with suppress(ValueError, KeyError):  # this is no task, or it has released its thread before
        get_worker()
        secede()


class _LocalDask(Executor):
    """Computes all calls that wait in one graph, as soon as a result is requested.

    The schedulers on this machine have no other interface.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = _LazyFuture(self)
        self._waiting.append((future, partial(function, *args, **kwargs)))
        return future

    def compute(self) -> None:
        """Compute all calls that wait."""
        from dask.base import compute
        from dask.delayed import delayed

        waiting, self._waiting = self._waiting, []
        try:
            # Not traversed: dask would search the arguments for tasks.
            results = compute(*(delayed(c, pure=False, traverse=False)() for _, c in waiting))
        except Exception as error:  # tasks and schedulers may raise anything
            for future, _ in waiting:
                future.set_exception(error)
            return
        for (future, _), result in zip(waiting, results, strict=True):
            future.set_result(result)


class _LazyFuture(Future[Any]):
    """A future that has its executor compute when its result is requested."""

    def __init__(self, pool: _LocalDask) -> None:
        super().__init__()
        self._pool = pool

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._pool.compute()
        return super().result(timeout)
