"""Remote files fetched before they are requested: beginnings of many together, and whole files."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock, local
from typing import TYPE_CHECKING

from runcube.files.packed import unpacked_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor, Future

    from runcube.core import LogFile

# Bytes of a beginning, at most: more is requested of single files alone.
HEAD_MOST = 1 << 16
TAIL = 1 << 9
# Files whose beginnings are fetched together, and bytes that are kept in all.
_TOGETHER = 64
_KEPT = 1 << 26


@dataclass
class Ends:
    """First and last bytes of a file, as far as they were fetched, or the error instead.

    Parameters
    ----------
    head : bytes
        The first bytes.
    tail : bytes
        The last bytes; empty if ``head`` is the whole file.
    error : OSError or None
        Why the file could not be read.
    """

    head: bytes = b""
    tail: bytes = b""
    error: OSError | None = None


class HeadCache:
    """First and last bytes of the files of a listing.

    A reader that needs the beginning of one file will need that of the next: both are fetched
    at once.

    Parameters
    ----------
    pool : Executor or None
        Threads for the requests; None: one file at a time.
    fetch : callable
        Returns bytes of a file: ``(path, start, stop) -> bytes``; the whole file if the server
        does not support ranges.
    size : callable
        Returns the size of a file in bytes: ``path -> int``.
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
        self._turn = Lock()
        # Of each file those of its kind, and its position among them.
        self._places: dict[str, tuple[list[str], int]] = {}

    def clear(self, paths: Sequence[str]) -> None:
        """Forget every file, and expect reads of these paths."""
        kinds: dict[str, list[str]] = {}
        places: dict[str, tuple[list[str], int]] = {}
        for path in paths:
            kind = kinds.setdefault(_kind(path), [])
            places[path] = kind, len(kind)
            kind.append(path)
        with self._lock:
            self._held.clear()
            self._bytes = 0
            self._places = places

    def get(self, path: str, stop: int) -> Ends:
        """Return the first bytes of a file, up to ``stop`` or more, and its last few.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        found = self._held.get(path)
        if found is None or self._lacks(path, stop, found):
            with self._turn:  # another thread may be fetching it with its neighbours
                found = self._held.get(path)
                if found is None or self._lacks(path, stop, found):
                    found = self._fetched(path, stop)
        if found.error is not None:
            raise found.error
        return found

    def _fetched(self, path: str, stop: int) -> Ends:
        """Return the ends of a file, after fetching them together with those of the next files."""
        others = self._window(path)
        missing = [path, *(p for p in others if self._lacks(p, stop, self._held.get(p)))]
        if self._pool is None:
            made = [self._made(path, stop)]
        else:
            made = list(self._pool.map(lambda p: self._made(p, stop), missing))
        # The requested file last, so that it is not the first to be dropped.
        for name, ends in reversed([*zip(missing, made, strict=False)]):
            self._keep(name, ends)
        return made[0]

    def peek(self, path: str) -> Ends | None:
        """Return what was fetched of a file so far; None if nothing."""
        return self._held.get(path)

    def _lacks(self, path: str, stop: int, ends: Ends | None) -> bool:
        """Return whether ``ends`` has less of a file than its bytes up to ``stop``."""
        if ends is None:
            return True
        return ends.error is None and len(ends.head) < min(stop, self._size(path))

    def _window(self, path: str) -> Sequence[str]:
        """Return the files of the same kind that come next."""
        kind, position = self._places.get(path, ([], 0))
        return kind[position + 1 :][: _TOGETHER - 1]

    def _made(self, path: str, stop: int) -> Ends:
        """Return the ends of a file, fetched as needed; an error in them costs no other file."""
        size = self._size(path)
        before = self._held.get(path) or Ends()
        # The rest of a small file costs less than a separate request.
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
        """Keep what was fetched, and drop the oldest files if it is too much."""
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
    """Return the kind of a file, by its extension, compressed or not."""
    name = unpacked_path(path).rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name else ""


# Files and bytes that are fetched and not taken yet, at most: this bounds the memory, and what is
# wasted if reading ends early.
_FILES = 16
_BYTES = 1 << 25


class _OfThread(local):
    """What each thread has for itself: the last file that it read whole, after its path."""

    last: tuple[str, bytes] | None = None


class ReadAhead:
    """Fetches files in about the order in which a load requests them, in one thread or several.

    Nothing is fetched before the first request: if other processes read, there is none. A request
    for the next file begins as soon as one was taken, while others are parsed: if fsspec fetched
    many by one call (``cat_ranges``), each would wait for the slowest of them.

    Parameters
    ----------
    pool : Executor or None
        Threads for the requests; None if there are no files.
    fetch : callable
        Returns a whole file by its path; runs in the pool.
    files : iterable of LogFile
        In the order in which they will be requested; of one that comes again the first time counts.
    """

    def __init__(
        self, pool: Executor | None, fetch: Callable[[str], bytes], files: Iterable[LogFile] = ()
    ) -> None:
        self._pool = pool
        self._fetch = fetch
        self._todo: OrderedDict[str, int] = OrderedDict()
        for file in files if pool is not None else ():
            self._todo.setdefault(file.path, file.size)
        self._begun: dict[str, tuple[Future[bytes], int]] = {}
        self._bytes = 0
        self._lock = Lock()
        self.of_thread = _OfThread()

    def take(self, path: str) -> bytes | None:
        """Return a file that was announced, once; None for any other file.

        Raises
        ------
        OSError
            If ``fetch`` raises it.
        """
        with self._lock:
            if path in self._todo:
                self._begin(path)
            future = self._drop(path)
            if future is not None:
                self._top_up()
        return None if future is None else future.result()

    def release(self, paths: Iterable[str]) -> None:
        """Drop files that nobody will request any more, whether or not they were taken."""
        with self._lock:
            for path in paths:
                self._todo.pop(path, None)
                if (future := self._drop(path)) is not None:
                    future.cancel()

    def close(self) -> None:
        """Cancel the requests that have not begun."""
        self.release([*self._todo, *self._begun])

    def _begin(self, path: str) -> None:
        """Start the request for a file."""
        assert self._pool is not None
        size = self._todo.pop(path)
        self._begun[path] = self._pool.submit(self._fetch, path), size
        self._bytes += size

    def _drop(self, path: str) -> Future[bytes] | None:
        """Remove a file from those under way and return its future; None if it is not there."""
        future, size = self._begun.pop(path, (None, 0))
        self._bytes -= size
        return future

    def _top_up(self) -> None:
        """Start requests for the next files, within the limits."""
        while self._todo and len(self._begun) < _FILES:
            path, size = next(iter(self._todo.items()))
            if self._begun and self._bytes + size > _BYTES:
                return
            self._begin(path)
