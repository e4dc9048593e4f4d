"""dask as an executor: the current scheduler runs the batches."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def dask_executor() -> tuple[Executor, int | None]:
    """Return the executor of the active ``distributed.Client``, or one for the local scheduler.

    Returns
    -------
    executor : Executor
        Runs calls with dask.
    workers : int or None
        Number of threads of the cluster; None on this machine.
    """
    from dask.base import get_scheduler

    client: Any = getattr(get_scheduler(), "__self__", None)
    if hasattr(client, "get_executor"):
        _release_thread()
        # Not pure: the same logs may have other contents the next time.
        return client.get_executor(pure=False), sum(client.nthreads().values())
    return LocalDask(), None


def _release_thread() -> None:
    """Release the thread of this task, which waits for other tasks that may need it."""
    from distributed import get_worker, secede

    with suppress(ValueError, KeyError):  # this is no task, or it has released its thread before
        get_worker()
        secede()


class LocalDask(Executor):
    """Computes all submitted calls in one graph, as soon as a result is requested.

    The schedulers on this machine have no other interface; the number of calls that are submitted
    ahead bounds the size of a graph.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[_LazyFuture, Any]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Add a call to the next graph and return its future."""
        from dask.delayed import delayed

        future = _LazyFuture(self)
        # Bound to its arguments: dask would search each of them for tasks.
        call = delayed(partial(function, *args, **kwargs), pure=False, traverse=False)
        self._waiting.append((future, call()))
        return future

    def compute(self) -> None:
        """Compute all calls that wait."""
        from dask.base import compute

        waiting = [pair for pair in self._waiting if not pair[0].cancelled()]
        self._waiting = []
        try:
            results = compute(*(call for _, call in waiting))
        except Exception as error:
            for future, _ in waiting:
                future.set_exception(error)
            return
        for (future, _), result in zip(waiting, results, strict=True):
            future.set_result(result)


class _LazyFuture(Future[Any]):
    """A future whose result is computed when it is requested.

    Parameters
    ----------
    pool : LocalDask
        The executor that computes it.
    """

    def __init__(self, pool: LocalDask) -> None:
        super().__init__()
        self._pool = pool

    def result(self, timeout: float | None = None) -> Any:
        """Return the result, after all calls that wait are computed."""
        if not self.done():
            self._pool.compute()
        return super().result(timeout)
