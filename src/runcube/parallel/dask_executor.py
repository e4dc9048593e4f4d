"""dask as an executor: whatever scheduler is current runs the batches."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def dask_executor() -> tuple[Executor, int | None]:
    """Executor of the active ``distributed.Client``, or over the scheduler on this machine.

    Returns
    -------
    executor : Executor
    workers : int or None
        Threads of the cluster; None on this machine.
    """
    from dask.base import get_scheduler

    client: Any = getattr(get_scheduler(), "__self__", None)
    if hasattr(client, "get_executor"):
        _make_way()
        # Not pure: the same logs may hold something else the next time.
        return client.get_executor(pure=False), sum(client.nthreads().values())
    return LocalDask(), None


def _make_way() -> None:
    """Give the thread of a task back that waits for others, which may need it."""
    from distributed import get_worker, secede

    with suppress(ValueError, KeyError):  # this is no task; it has done so before
        get_worker()
        secede()


class LocalDask(Executor):
    """Computes what has been submitted in one graph, as soon as a result is asked for.

    The schedulers on this machine have no other interface; how much is submitted ahead is what
    bounds the size of a graph.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[_Asked, Any]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Put a call into the next graph."""
        from dask.delayed import delayed

        future = _Asked(self)
        # Bound to its arguments: dask would look into every one of them for tasks.
        call = delayed(partial(function, *args, **kwargs), pure=False, traverse=False)
        self._waiting.append((future, call()))
        return future

    def compute(self) -> None:
        """Compute all that waits."""
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


class _Asked(Future[Any]):
    """A future whose result is computed when it is asked for."""

    def __init__(self, pool: LocalDask) -> None:
        super().__init__()
        self._pool = pool

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._pool.compute()
        return super().result(timeout)
