"""Bytes of files, from this machine or from a URL: heads, ends, whole files.

Only ``local`` and ``remote`` touch the files, and only this module and ``tree`` know which of
them does.
"""

from __future__ import annotations

import os
import zlib
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from runcube.files.local import LocalStore
from runcube.files.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from runcube.core import LogFile, Source


# How the word begins for a file whose compression is damaged.
DAMAGED = "gzip: "


HEAD_BYTES = 1 << 13


TAIL_BYTES = 1 << 9


class Stream(Protocol):
    """A file that is open for reading: what of a raw stream is used here."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Read so many bytes, or all that is left."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to an offset."""
        ...


class Store(Protocol):
    """Where the files of a root are: the seam between logs here and logs elsewhere."""

    def open(self, path: str) -> AbstractContextManager[Stream]:
        """Open a file for reading."""
        ...

    def look(self, path: str) -> LogFile:
        """Size and time of a file now."""
        ...

    def has(self, path: str) -> bool:
        """Whether there is such a file; of a remote one, whether it was listed and not lost."""
        ...

    def begin(self, paths: Sequence[str]) -> None:
        """Be told of which files beginnings will be asked."""
        ...

    def expect(self, sources: Sequence[Sequence[LogFile]], *, look: bool, fresh: bool) -> None:
        """Be told what this thread will read whole, and look at afterwards, in this order."""
        ...

    def rest(self) -> None:
        """Be told that it will not any more."""
        ...


def store_of(root: str) -> Store:
    """Return where the files of a root are: on this machine, or behind a URL."""
    if is_url(root):
        from runcube.files.remote import remote_store

        return remote_store(root)
    return LocalStore(root)


def stat_file(root: str, path: str) -> LogFile:
    """Size and time of a file now."""
    return store_of(root).look(path)


def may_read(root: str, path: str) -> bool:
    """Whether this user may read a file; of a remote one nobody knows until it is read."""
    return is_url(root) or os.access(f"{root}/{path}", os.R_OK)


def file_exists(root: str, path: str) -> bool:
    """Whether there is such a file; of a remote one, whether it was listed and not lost."""
    return store_of(root).has(path)


@contextmanager
def prefetching(
    sources: Iterable[Source], *, look: bool = False, fresh: bool = False
) -> Iterator[None]:
    """Say which sources will be read whole in here, in this order: remote ones are read ahead.

    Parameters
    ----------
    sources : iterable of Source
        All of one root.
    look : bool
        Whether ``look_at`` will be asked of each file once it is read.
    fresh : bool
        Whether what is at hand of the files, from an earlier reading, may not be used.
    """
    told = [*sources]
    if not told or not is_url(told[0].root):
        yield
        return
    store = store_of(told[0].root)
    store.expect([source.files for source in told], look=look, fresh=fresh)
    try:
        yield
    finally:
        store.rest()


_failed = 0


def failed_reads() -> int:
    """How often reading has failed in this process in a way that no listing shows.

    A disk or a network that fails, too many open files; behind a URL whatever fails, since
    permissions are not listed there. Here they are, and so is whether a file is there.
    """
    return _failed


@contextmanager
def _reading(root: str, path: str) -> Iterator[Stream]:
    global _failed
    try:
        with store_of(root).open(path) as stream:
            yield stream
    except OSError as error:
        is_listed = isinstance(error, FileNotFoundError | PermissionError) and not is_url(root)
        _failed += not is_listed
        raise


def read_head(root: str, path: str, size: int = HEAD_BYTES) -> bytes:
    """First bytes of a file, decompressed, up to ``size`` or the end of its first line."""
    with _reading(root, path) as stream:
        return _head(stream, size)


@lru_cache(maxsize=64)
def read_ends(root: str, file: LogFile) -> tuple[bytes, bytes]:
    """First bytes as ``read_head``, and the last few; none of a compressed file.

    Readers look at the same file one after the other: the last few are kept.
    """
    with _reading(root, file.path) as stream:
        head = _head(stream, HEAD_BYTES)
        if file.path.endswith(".gz"):
            return head, b""
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
        return head, stream.read(TAIL_BYTES) or b""


def _head(stream: Stream, size: int) -> bytes:
    data = stream.read(size) or b""
    if is_gzip(data):
        return _gunzip(data, size)[0]
    while b"\n" not in data:
        more = stream.read(size)
        if not more:
            break
        data += more
    return data


def read_bytes(root: str, path: str) -> tuple[bytes, str | None]:
    """All bytes of a file, decompressed, and what is wrong with the compression if anything is.

    A gzip file that was cut gives everything up to the cut.
    """
    with _reading(root, path) as stream:
        data = stream.read() or b""
    return _gunzip(data) if is_gzip(data) else (data, None)


def read_from(root: str, path: str, offset: int) -> bytes:
    """Bytes of a file from an offset on, as they are."""
    with _reading(root, path) as stream:
        stream.seek(offset)
        return stream.read() or b""


def is_gzip(data: bytes) -> bool:
    """Return whether bytes are the beginning of a gzip file."""
    return data[:2] == b"\x1f\x8b"


def _gunzip(data: bytes, limit: int = 0) -> tuple[bytes, str | None]:
    parts: list[bytes] = []
    while data:
        inflate = zlib.decompressobj(wbits=31)
        try:
            parts.append(inflate.decompress(data, limit))
        except zlib.error as error:
            # Decompress again in small steps: what precedes the damage is good data.
            parts.extend(_gunzip_prefix(data))
            return b"".join(parts), f"{DAMAGED}{error}"
        if limit:
            return b"".join(parts), None
        if not inflate.eof:
            return b"".join(parts), f"{DAMAGED}the stream ends before its end marker"
        data = inflate.unused_data
        if not is_gzip(data):
            break
    return b"".join(parts), None


def _gunzip_prefix(data: bytes, step: int = 256) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)
    for start in range(0, len(data), step):
        try:
            yield inflate.decompress(data[start : start + step])
        except zlib.error:
            return
