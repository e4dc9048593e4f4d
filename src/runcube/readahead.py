"""Files of a remote store that will be read whole, fetched some way ahead of the reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from runcube.model import LogFile

T = TypeVar("T")

# What is fetched and not taken yet, at most: it bounds the memory, and what an early end wastes.
_FILES = 16
_BYTES = 1 << 25


class ReadAhead(Generic[T]):
    """Fetches files in the order in which their reader will ask for them.

    Nothing is fetched before the first of them is asked for: where others read, nobody asks.

    Parameters
    ----------
    pool : Executor
    fetch : callable
        Fetches a file by its path; runs in the pool.
    sources : sequence of sequence of LogFile
        The files by source. Sources are read in this order, the files of one in any.
    """

    def __init__(
        self, pool: Executor, fetch: Callable[[str], T], sources: Sequence[Sequence[LogFile]]
    ) -> None:
        self._pool = pool
        self._fetch = fetch
        self._number = {file.path: i for i, files in enumerate(sources) for file in files}
        self._todo = deque(file for files in sources for file in files)
        self._begun: dict[str, tuple[Future[T], int]] = {}
        self._bytes = 0

    def take(self, path: str) -> T | None:
        """Give a file that was announced, once; None of another one.

        Raises
        ------
        OSError
            As ``fetch``.
        """
        number = self._number.pop(path, None)
        if number is None:
            return None
        # The reader has gone past these.
        while self._todo and self._number.get(self._todo[0].path, -1) < number:
            self._todo.popleft()
        for other in [p for p in self._begun if self._number.get(p, number) < number]:
            self._drop(other)
        future = self._drop(path) or self._pool.submit(self._fetch, path)
        self._top_up()
        return future.result()

    def close(self) -> None:
        """Withdraw what has not begun."""
        self._todo.clear()
        for path in [*self._begun]:
            future = self._drop(path)
            if future is not None:
                future.cancel()

    def _drop(self, path: str) -> Future[T] | None:
        future, size = self._begun.pop(path, (None, 0))
        self._bytes -= size
        return future

    def _top_up(self) -> None:
        while self._todo and len(self._begun) < _FILES:
            file = self._todo[0]
            if self._begun and self._bytes + file.size > _BYTES:
                return
            self._todo.popleft()
            if file.path in self._number and file.path not in self._begun:
                self._begun[file.path] = self._pool.submit(self._fetch, file.path), file.size
                self._bytes += file.size
