"""Remote files fetched before they are asked for: beginnings of many together, and whole files."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor


from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from runcube.core import LogFile


# What is asked of the beginnings of files: more is asked of single files alone.
HEAD_MOST = 1 << 16


TAIL = 1 << 9


# Files whose beginnings are fetched together, and bytes that are kept in all.
_TOGETHER = 64


_KEPT = 1 << 26


@dataclass
class Ends:
    """First and last bytes of a file, as far as they were fetched, or what came instead."""

    head: bytes = b""
    tail: bytes = b""
    error: OSError | None = None


class HeadCache:
    """First and last bytes of the files of a listing.

    Whoever looks at the beginning of one file will look at that of the next: both are fetched
    at once.

    Parameters
    ----------
    fetch : callable
        Gives bytes of a file: ``(path, start, stop) -> bytes``; more than that from a server that
        knows no ranges.
    size : callable
        Gives the bytes of a file.
    """

    def __init__(
        self,
        pool: Executor | None,
        fetch: Callable[[str, int, int], bytes],
        size: Callable[[str], int],
    ) -> None:
        self._pool = pool
        self._fetch = fetch
        self._size = size
        self._held: OrderedDict[str, Ends] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        # Files of one kind, and where each stands among them.
        self._kinds: dict[str, list[str]] = {}
        self._places: dict[str, int] = {}

    def clear(self, paths: Sequence[str]) -> None:
        """Forget every file; these are listed now."""
        kinds: dict[str, list[str]] = {}
        places: dict[str, int] = {}
        for path in paths:
            kind = kinds.setdefault(_kind(path), [])
            places[path] = len(kind)
            kind.append(path)
        with self._lock:
            self._held.clear()
            self._bytes = 0
            self._kinds, self._places = kinds, places

    def get(self, path: str, stop: int) -> Ends:
        """First bytes of a file up to ``stop`` or more, and its last few.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        found = self._held.get(path)
        if found is None or self._lacks(path, stop, found):
            others = self._window(path)
            missing = [path, *(p for p in others if self._lacks(p, stop, self._held.get(p)))]
            if self._pool is None:
                made = [self._made(path, stop)]
            else:
                made = list(self._pool.map(lambda p: self._made(p, stop), missing))
            # The one that was asked for last, so that it is not the first to go.
            for name, ends in reversed([*zip(missing, made, strict=False)]):
                self._keep(name, ends)
            found = made[0]
        if found.error is not None:
            raise found.error
        return found

    def peek(self, path: str) -> Ends | None:
        """What is here of a file already."""
        return self._held.get(path)

    def _lacks(self, path: str, stop: int, ends: Ends | None) -> bool:
        if ends is None:
            return True
        return ends.error is None and len(ends.head) < min(stop, self._size(path))

    def _window(self, path: str) -> Sequence[str]:
        """Files of the same kind that come next."""
        kinds, place = self._kinds, self._places.get(path)
        return () if place is None else kinds[_kind(path)][place + 1 :][: _TOGETHER - 1]

    def _made(self, path: str, stop: int) -> Ends:
        """Fetch what is missing of a file; errors are answers, so that one costs no other file."""
        size = self._size(path)
        before = self._held.get(path) or Ends()
        # Of a small file the rest costs less than a request of its own.
        have, stop = len(before.head), size if size <= 2 * stop else stop
        try:
            more = self._fetch(path, have, stop)
            if have == 0 and len(more) > stop:  # a server without ranges: it was sent whole
                return Ends(more[: HEAD_MOST * 16], more[-TAIL:])
            head, tail = before.head + more, before.tail
            if not tail and len(head) < size:
                tail = self._fetch(path, max(len(head), size - TAIL), size)
        except OSError as error:
            return Ends(error=error)
        return Ends(head, tail)

    def _keep(self, path: str, ends: Ends) -> None:
        with self._lock:
            old = self._held.pop(path, None)
            if old is not None:
                self._bytes -= len(old.head) + len(old.tail)
            self._held[path] = ends
            self._bytes += len(ends.head) + len(ends.tail)
            while self._bytes > _KEPT and len(self._held) > _TOGETHER:
                _, gone = self._held.popitem(last=False)
                self._bytes -= len(gone.head) + len(gone.tail)


def _kind(path: str) -> str:
    """Files that are looked at in the same way: by the ending, compressed or not."""
    name = path.rpartition("/")[2].removesuffix(".gz")
    return name.rpartition(".")[2] if "." in name else ""


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
