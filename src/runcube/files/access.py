"""Bytes of files, from this machine or from a URL: heads, ends, whole files.

Only ``local`` and ``remote`` touch the files; only this module and ``tree`` choose between them.
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

# How the reason begins for a file whose compression is damaged.
DAMAGED = "gzip: "
HEAD_BYTES = 1 << 13
TAIL_BYTES = 1 << 9


class Stream(Protocol):
    """A file that is open for reading: the part of a raw stream that is used here."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Return the next ``size`` bytes, or all that is left."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to an offset and return the new position."""
        ...


class Store(Protocol):
    """The files of a root: the interface that local and remote stores share."""

    def open(self, path: str) -> AbstractContextManager[Stream]:
        """Open a file for reading."""
        ...

    def look(self, path: str) -> LogFile:
        """Return the size and time of a file now."""
        ...

    def has(self, path: str) -> bool:
        """Return whether a file exists; if remote, whether it is listed and no read failed."""
        ...

    def begin(self, paths: Sequence[str]) -> None:
        """Prepare to read the beginnings of files."""
        ...

    def expect(self, sources: Sequence[Sequence[LogFile]], *, look: bool, fresh: bool) -> None:
        """Prepare for the files that this thread will read whole, in this order.

        Parameters
        ----------
        sources : sequence of sequence of LogFile
            The files by source.
        look : bool
            Whether ``look`` will be called for each file after it was read.
        fresh : bool
            Whether bytes kept from an earlier read must not be used.
        """
        ...

    def rest(self) -> None:
        """Withdraw what ``expect`` prepared."""
        ...


def store_of(root: str) -> Store:
    """Return the store of a root: a directory on this machine, or a URL."""
    if is_url(root):
        from runcube.files.remote import remote_store

        return remote_store(root)
    return LocalStore(root)


def stat_file(root: str, path: str) -> LogFile:
    """Return the size and time of a file now."""
    return store_of(root).look(path)


def may_read(root: str, path: str) -> bool:
    """Return whether this user may read a file; True for a remote one, which only reading shows."""
    return is_url(root) or os.access(f"{root}/{path}", os.R_OK)


def file_exists(root: str, path: str) -> bool:
    """Return whether a file exists; if remote, whether it is listed and no read failed."""
    return store_of(root).has(path)


@contextmanager
def prefetching(
    sources: Iterable[Source], *, look: bool = False, fresh: bool = False
) -> Iterator[None]:
    """Announce the sources that will be read whole inside: remote ones are read ahead.

    Parameters
    ----------
    sources : iterable of Source
        All of one root, in the order in which they will be read.
    look : bool
        Whether ``stat_file`` will be called for each file after it was read.
    fresh : bool
        Whether bytes kept from an earlier read must not be used.
    """
    expected = [*sources]
    if not expected or not is_url(expected[0].root):
        yield
        return
    store = store_of(expected[0].root)
    store.expect([source.files for source in expected], look=look, fresh=fresh)
    try:
        yield
    finally:
        store.rest()


_failed = 0


def failed_reads() -> int:
    """Return how often reading has failed in this process in a way that no listing shows.

    On this machine: a disk or a network that fails, too many open files; a listing shows missing
    files and permissions. Behind a URL every failure counts, since permissions are not listed.
    """
    return _failed


@contextmanager
def _reading(root: str, path: str) -> Iterator[Stream]:
    """Open a file for reading, and count failures that no listing shows."""
    global _failed
    try:
        with store_of(root).open(path) as stream:
            yield stream
    except OSError as error:
        is_listed = isinstance(error, FileNotFoundError | PermissionError) and not is_url(root)
        _failed += not is_listed
        raise


def read_head(root: str, path: str, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, decompressed: ``size``, or more to end the first line.

    Of a gzip file no more than ``size`` bytes are returned.
    """
    with _reading(root, path) as stream:
        return _head(stream, size)


@lru_cache(maxsize=64)
def read_ends(root: str, file: LogFile) -> tuple[bytes, bytes]:
    """Return the first bytes as ``read_head``, and the last few; no last bytes of a gzip file.

    Several readers look at the same file in turn: the results for 64 files are kept.
    """
    with _reading(root, file.path) as stream:
        head = _head(stream, HEAD_BYTES)
        if file.path.endswith(".gz"):
            return head, b""
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
        return head, stream.read(TAIL_BYTES) or b""


def _head(stream: Stream, size: int) -> bytes:
    """Return the first bytes of an open file, as ``read_head``."""
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
    """Return all bytes of a file, decompressed, and what is wrong with the compression.

    Of a gzip file that was cut, everything up to the cut is returned.

    Parameters
    ----------
    root : str
        Directory or URL of the sweep, as ``Source.root`` has it.
    path : str
        Posix path of the file, relative to ``root``.

    Returns
    -------
    data : bytes
    damage : str or None
        None if nothing is wrong.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.

    Examples
    --------
    >>> from runcube.readers import read_bytes
    >>> data, damage = read_bytes(".", "LICENSE")
    >>> data[:11], damage
    (b'MIT License', None)
    """
    with _reading(root, path) as stream:
        data = stream.read() or b""
    return _gunzip(data) if is_gzip(data) else (data, None)


def read_from(root: str, path: str, offset: int) -> bytes:
    """Return the bytes of a file from an offset on, not decompressed."""
    with _reading(root, path) as stream:
        stream.seek(offset)
        return stream.read() or b""


def is_gzip(data: bytes) -> bool:
    """Return whether bytes are the beginning of a gzip file."""
    return data[:2] == b"\x1f\x8b"


def _gunzip(data: bytes, limit: int = 0) -> tuple[bytes, str | None]:
    """Return gzip data decompressed, and what is wrong with it; only its beginning if limited."""
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
    """Yield what can be decompressed before the damage."""
    inflate = zlib.decompressobj(wbits=31)
    for start in range(0, len(data), step):
        try:
            yield inflate.decompress(data[start : start + step])
        except zlib.error:
            return
