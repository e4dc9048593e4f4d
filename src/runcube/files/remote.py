"""Files behind a URL, by way of fsspec: listed once, read in ranges or whole.

Nothing here is imported for paths on this machine. A remote store is slow because each request
takes time, so requests that are sure to come are made together.
"""

from __future__ import annotations

import html
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

from runcube.core import LogFile
from runcube.files.listing import Listing
from runcube.files.local import PRUNED
from runcube.files.one_load import kept_for_load
from runcube.files.packed import PACKED_ENDINGS
from runcube.files.paths import (
    display_root,
    is_of_this_process,
    parent,
    split_query,
)
from runcube.files.prefetch import HEAD_MOST, HeadCache, ReadAhead
from runcube.files.remote_system import file_system, pool_of
from runcube.files.retry import Retrier
from runcube.files.timestamps import modified_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")

# The last file that was read whole is kept if it is no larger: archives hash what they have read.
_LAST = 1 << 26
# Directories deep that links of a web server are followed, at most: they may form circles.
_DEEPEST = 16
_NOWHERE = ("/", "./", "../", ".", "..")
# If a server reports no size, these are fetched to measure it; other files are no logs.
_TEXTS = tuple(
    ending + packed
    for ending in (".jsonl", ".ndjson", ".json", ".yaml", ".yml")
    for packed in PACKED_ENDINGS
)
# No compression in transit: sizes and ranges must be those of the bytes of the file.
_PLAIN = {"Accept-Encoding": "identity"}


def list_remote(root: str) -> Listing:
    """Return the files at or under a URL.

    Raises
    ------
    FileNotFoundError
        If nothing exists there.
    StoreError
        If no installed library reads such URLs.
    OSError
        If the store cannot be reached.
    """
    found = remote_store(root).listing()
    found.unreadable.sort()
    return found


def remote_store(root: str) -> RemoteStore:
    """Return the store of a root, which all of a load shares."""
    from fsspec.config import conf

    # A forked process shares no connections with its parent; options may change between calls.
    return _store(root, os.getpid(), repr(conf))


@kept_for_load(None)
def _store(root: str, process: int, options: str) -> RemoteStore:
    del process, options
    return RemoteStore(root)


class RemoteStore:
    """A URL as a directory, with the methods of ``LocalStore``, and those that read ahead.

    Parameters
    ----------
    root : str
        The URL.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._fs, self._base = file_system(root)
        self._base, self._query = split_query(self._base)
        self._base = self._base.rstrip("/")
        self._is_web = self._base.startswith(("http://", "https://"))
        # A cache in front of it has no such keyword. The class is asked, since caches forward
        # attributes to what they cache.
        takes_headers = "http" in getattr(type(self._fs), "protocol", ())
        self._options = (
            {"headers": self._fs.kwargs.get("headers", {}) | _PLAIN} if takes_headers else {}
        )
        self._retrier = Retrier(has_passing=not is_of_this_process(root))
        self._known: dict[str, LogFile] = {}
        self._pool, self._lock = pool_of(self._fs, os.getpid())
        self._heads = HeadCache(self._pool, self._fetch, self.size)
        # Whether the server supports ranges; None until one was requested.
        self._has_ranges: bool | None = None if self._is_web else True
        # What the load has announced.
        self._ahead = ReadAhead(None, self._get)

    # Listing

    def listing(self) -> Listing:
        """List the files again and return them; what was known of them is forgotten."""
        self._fs.invalidate_cache()
        found = self._listed_pages() if self._is_web else self._listed_tree()
        if found is None:
            above, name = parent(self.root)
            store = remote_store(above)
            files = [store.look(name)]
            store.remember(files)
            return Listing(above, files)
        self.remember(found.files)
        return found

    def remember(self, files: Sequence[LogFile]) -> None:
        """Remember these as all files of the root."""
        self._known = {file.path: file for file in files}
        self._forget()
        # Listings that the file system caches would hide later changes.
        self._fs.invalidate_cache()

    def _listed_tree(self) -> Listing | None:
        """Return the listing of an object store, by one call; None if the root is a file."""
        infos = self._ask(lambda: self._fs.find(self._base, detail=True), "")
        if [*infos] == [self._base] and self._base:
            return None
        if not infos and not self._ask(lambda: self._fs.exists(self._base), ""):
            raise FileNotFoundError(f"{display_root(self.root)}: no such file or directory")
        files = []
        for name, info in infos.items():
            path = str(name).removeprefix(self._base).lstrip("/")
            if not path or name.endswith("/") or info.get("type") == "directory":
                continue
            if PRUNED.isdisjoint(path.split("/")[:-1]):
                files.append(LogFile(path, int(info.get("size") or 0), modified_ns(info)))
        return Listing(self.root, files)

    def _listed_pages(self) -> Listing | None:
        """Return the files that a web server links to, by levels; None if the root is a file."""
        if not self._is_page():
            return None
        found = Listing(self.root)
        names: list[str] = []
        level = [""]
        for _ in range(_DEEPEST):
            below: list[str] = []
            for folder, links in zip(level, self._map(self._links, level), strict=True):
                if isinstance(links, OSError):
                    if not folder:
                        raise links
                    found.unreadable.append((folder.rstrip("/"), links.strerror or str(links)))
                    continue
                for link in links:
                    (below if link.endswith("/") else names).append(folder + link)
            level = [f for f in below if f.rstrip("/").rpartition("/")[2] not in PRUNED]
            if not level:
                break
        too_deep = f"more than {_DEEPEST} directories deep: pass the address of this one"
        found.unreadable.extend((folder, too_deep) for folder in level)
        for name, file in zip(names, self._map(self.look, names), strict=True):
            if isinstance(file, OSError):
                found.unreadable.append((name, file.strerror or str(file)))
            else:
                found.files.append(file)
        return found

    def _is_page(self) -> bool:
        """Return whether a web address is a page of links, not a file."""
        try:
            info = self._ask(lambda: self._fs.info(self._url("")), "")
        except FileNotFoundError:
            # A server may accept directories only with a slash; if there is none, this raises.
            self._ask(lambda: self._fs.ls(self._url("/"), detail=False), "")
            return True
        return bool(info.get("type") == "directory" or info.get("mimetype") == "text/html")

    def _links(self, folder: str) -> list[str]:
        """Return the names that the page of a directory links to; directories end with a slash."""
        url = self._url("/" + folder)
        infos = self._ask(lambda: self._fs.ls(url, detail=True), folder)
        names = []
        for info in infos:
            name = str(info["name"])
            name = html.unescape(name.removeprefix(url.rstrip("/")).lstrip("/"))
            is_own = name and "/" not in name[:-1] and "?" not in name and "#" not in name
            if is_own and not name.startswith(("http:", "https:")):
                names.append(unquote(name, errors="surrogateescape"))
        # "%2F" must not lead out of the directory either.
        return sorted({name for name in names if "/" not in name[:-1]} - {*_NOWHERE})

    # Reading

    def open(self, path: str) -> RemoteFile:
        """Open a file; the first read makes the first request."""
        return RemoteFile(self, path)

    def look(self, path: str) -> LogFile:
        """Return the size and time of a file now."""
        self._fs.invalidate_cache()
        info = self._ask(lambda: self._fs.info(self._url("/" + path)), path)
        size = info.get("size")
        if size is None and path.endswith(_TEXTS):
            size = len(self._get(path))
        return LogFile(path, int(size or 0), modified_ns(info))

    def has(self, path: str) -> bool:
        """Return whether the listing has a file and no read of its beginning failed."""
        ends = self._heads.peek(path)
        return path in self._known and (ends is None or ends.error is None)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes, as the listing has it."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self.look(path)
        return known.size

    def whole(self, path: str, most: int = sys.maxsize) -> bytes:
        """Return all bytes of a file; of a longer one, ``most`` or more."""
        known, ends = self._known.get(path), self._heads.peek(path)
        if known is not None and known.size > most:
            return self.span(path, 0, most)
        if ends is not None and known is not None and len(ends.head) == known.size:
            return ends.head
        data = self._ahead.take(path)
        if data is not None:
            return self._kept(path, data)
        last = self._ahead.of_thread.last
        if last is not None and last[0] == path:
            return last[1]
        if known is not None and known.size <= HEAD_MOST:
            return self._heads.get(path, HEAD_MOST).head
        return self._kept(path, self._get(path))

    def span(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes of a file from ``start`` to ``stop``; fewer if it ends before."""
        size = self.size(path)
        stop = min(stop, size)
        if start >= stop:
            return b""
        last = self._ahead.of_thread.last
        if last is not None and last[0] == path:
            return last[1][start:stop]
        ends = self._heads.peek(path)
        if ends is not None and ends.tail and start >= size - len(ends.tail):
            return ends.tail[start - size :][: stop - start]
        if stop <= HEAD_MOST:
            return self._heads.get(path, stop).head[start:stop]
        data = self._fetch(path, start, stop)
        if len(data) > stop - start:  # a server without ranges sent the whole file
            return self._kept(path, data)[start:stop]
        return data

    def expect(self, files: Iterable[LogFile]) -> None:
        """Fetch ahead the files that this load will read whole, in about this order."""
        self._ahead = ReadAhead(self._pool, self._get, files)

    def release(self, paths: Iterable[str]) -> None:
        """Drop what was fetched ahead of files that have been read."""
        self._ahead.release(paths)

    def begin(self, paths: Sequence[str]) -> None:
        """Prepare to read the beginnings of files: only theirs are fetched together."""
        self._heads.clear(paths)

    def rest(self) -> None:
        """Cancel what ``expect`` began, and forget what was read."""
        self._ahead.close()
        self._forget()

    def _forget(self) -> None:
        """Forget what was read."""
        self._heads.clear([*self._known])
        self._ahead = ReadAhead(None, self._get)

    def _kept(self, path: str, data: bytes) -> bytes:
        """Keep a whole file, unless it is too large, and return it."""
        self._ahead.of_thread.last = (path, data) if len(data) <= _LAST else None
        return data

    # Requests

    def _fetch(self, path: str, start: int, stop: int) -> bytes:
        """Return a part of a file; the whole file if the server does not support ranges."""
        size = self.size(path)
        if start >= stop:
            return b""
        if (start == 0 and stop >= size) or self._has_ranges is False:
            return self._get(path)
        if start > 0 and self._has_ranges is None:
            # Only a request of the first bytes shows whether the server honours ranges.
            self._has_ranges = len(self._get(path, 0, 1)) == 1
            return self._fetch(path, start, stop)
        data = self._get(path, start, stop)
        if self._has_ranges is None or len(data) > stop - start:
            self._has_ranges = len(data) <= stop - start
        return data

    def _get(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return the answer to one request for a file or a part of it."""
        url = self._url("/" + path)
        request = partial(self._fs.cat_file, url, start, stop, **self._options)
        return bytes(self._ask(request, path))

    def _ask(self, request: Callable[[], T], path: str) -> T:
        """Return the result of a request, tried again if its failure is temporary."""
        where = f"{display_root(self.root)}/{path}" if path else display_root(self.root)

        def locked() -> T:
            with self._lock:
                return request()

        return self._retrier.ask(locked, where)

    def _map(self, function: Callable[[str], T], paths: Sequence[str]) -> Iterator[T | OSError]:
        """Apply a function to many paths at once and return the results, errors among them."""

        def answer(path: str) -> T | OSError:
            try:
                return function(path)
            except OSError as error:
                return error

        return map(answer, paths) if self._pool is None else self._pool.map(answer, paths)

    def _url(self, below: str) -> str:
        """Return the URL of a path below the root."""
        if self._is_web:
            return self._base + quote(below, safe="/", errors="surrogateescape") + self._query
        return self._base + below


class RemoteFile:
    """A file of a store as the part of a raw stream that ``access`` needs.

    Parameters
    ----------
    store : RemoteStore
    path : str
    """

    def __init__(self, store: RemoteStore, path: str) -> None:
        self._store = store
        self._path = path
        self._at = 0

    def __enter__(self) -> RemoteFile:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: connections belong to the store."""

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, or all that is left."""
        if size < 0 and not self._at:
            data = self._store.whole(self._path)
        else:
            end = self._store.size(self._path)
            stop = end if size < 0 else self._at + size
            data = self._store.span(self._path, self._at, stop)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the beginning or the end and return the new position."""
        self._at = offset + (self._store.size(self._path) if whence == os.SEEK_END else 0)
        return self._at
