"""What files hold, on this machine or behind a URL: heads, ends, whole files.

Only ``local`` and ``remote`` touch the files; only this module and ``tree`` choose between them.
``contents`` decodes the bytes.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.files.contents import beginning, contents, ending
from runcube.files.local import LocalStore
from runcube.files.one_load import count_failure, kept_for_load
from runcube.files.paths import is_url, own_place, roots_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO

    from runcube.core import Limits, LogFile, Source
    from runcube.files.remote import RemoteFile, RemoteStore

HEAD_BYTES = 1 << 13
TAIL_BYTES = 1 << 9


def _remote(root: str) -> RemoteStore:
    """Return the store of a URL."""
    from runcube.files.remote import remote_store

    return remote_store(root)


def store_of(root: str) -> LocalStore | RemoteStore:
    """Return the store of a root: a directory on this machine, or a URL."""
    return _remote(root) if is_url(root) else LocalStore(root)


def open_file(root: str, path: str) -> FileIO | RemoteFile:
    """Open a file for reading."""
    own, below = own_place(root, path)
    return store_of(own).open(below)


def stat_file(root: str, path: str) -> LogFile:
    """Return the size and time of a file now."""
    own, below = own_place(root, path)
    return replace(store_of(own).look(below), path=path)


def may_read(root: str, path: str) -> bool:
    """Return whether this user may read a file; True for a remote one, which only reading shows."""
    own, below = own_place(root, path)
    return is_url(own) or os.access(f"{own}/{below}", os.R_OK)


def file_exists(root: str, path: str) -> bool:
    """Return whether a file exists; if remote, whether it is listed and no read failed."""
    try:
        own, below = own_place(root, path)
    except FileNotFoundError:  # the archive was made of other roots
        return False
    return store_of(own).has(below)


def settle(root: str, paths: Iterable[str]) -> None:
    """Prepare to read the beginnings of these files, and of no others."""
    by_root: dict[str, list[str]] = {one: [] for one in roots_of(root) if is_url(one)}
    for path in paths if by_root else ():
        own, below = own_place(root, path)
        if own in by_root:
            by_root[own].append(below)
    for own, below_it in by_root.items():
        _remote(own).begin(below_it)


@contextmanager
def prefetching(sources: Iterable[Source]) -> Iterator[None]:
    """Announce the sources that this load will read whole inside: remote ones are read ahead.

    Whoever has read a source calls ``release_sources``.

    Parameters
    ----------
    sources : iterable of Source
        In about the order in which they will be read.
    """
    expected: dict[str, list[LogFile]] = {}
    for source in sources:
        if is_remote(source):
            own, files = _own_files(source)
            expected.setdefault(own, []).extend(files)
    with ExitStack() as stack:
        for own, files in expected.items():
            store = _remote(own)
            store.expect(files)
            stack.callback(store.rest)
        yield


def is_remote(source: Source) -> bool:
    """Return whether a source is behind a URL."""
    return is_url(own_place(source.root, source.path)[0])


def release_sources(sources: Iterable[Source]) -> None:
    """Drop what was fetched ahead of sources that have been read, whether or not it was used."""
    for source in sources:
        if is_remote(source):
            own, files = _own_files(source)
            _remote(own).release([file.path for file in files])


def _own_files(source: Source) -> tuple[str, list[LogFile]]:
    """Return the files of a source by their paths under its root, and that root: one for all."""
    files = [replace(f, path=own_place(source.root, f.path)[1]) for f in source.files]
    return own_place(source.root, source.path)[0], files


def _count(error: OSError, root: str) -> None:
    """Count a failure under a root, if no listing shows it."""
    if is_url(root) or not isinstance(error, FileNotFoundError | PermissionError):
        count_failure(root)


@contextmanager
def _reading(root: str, path: str) -> Iterator[FileIO | RemoteFile]:
    """Open a file for reading, and count failures."""
    own, below = own_place(root, path)
    try:
        with store_of(own).open(below) as stream:
            yield stream
    except OSError as error:
        _count(error, own)
        raise


def read_head(root: str, path: str, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of what a file holds: ``size``, or more to end the first line.

    They are decoded as by ``read_bytes``. Of a packed file no more than ``size`` are returned.
    """
    with _reading(root, path) as stream:
        return _head(stream, size)[0]


@kept_for_load(64)
def read_ends(root: str, file: LogFile) -> tuple[bytes, bytes]:
    """Return the first bytes as ``read_head``, and the last few; no last bytes of a packed file.

    Several readers look at the same file in turn: the results for 64 files are kept.
    """
    with _reading(root, file.path) as stream:
        head, stored = _head(stream, HEAD_BYTES)
        if len(stored) < HEAD_BYTES:  # that is all
            return head, ending(stored[-TAIL_BYTES:], max(0, len(stored) - TAIL_BYTES), stored)
        start = stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
        return head, ending(stream.read(TAIL_BYTES) or b"", start, stored)


def _head(stream: FileIO | RemoteFile, size: int) -> tuple[bytes, bytes]:
    """Return the first bytes of an open file, as ``read_head``, and those that they came from."""
    stored = stream.read(size) or b""
    while (head := beginning(stored, size)) is None:
        # Twice as many each time: the work stays linear.
        more = stream.read(max(size, len(stored)))
        if not more:
            return beginning(stored, size, whole=True) or b"", stored
        stored += more
    return head, stored


def read_bytes(
    root: str, path: str, *, limits: Limits = DEFAULT_LIMITS, binary: bool = False
) -> tuple[bytes, str | None]:
    """Return all that a file holds, unpacked and as UTF-8, and what is wrong with its bytes.

    gzip, xz and zstd are recognised by their first bytes, in several parts and with plain text
    between. Of a part that is damaged or cut, everything up to there is returned. UTF-16 is
    recognised by its byte order mark. With ``binary`` a file that does not begin packed is returned
    as it is.

    Parameters
    ----------
    root : str
        Directory or URL of the sweep, as ``Source.root`` has it.
    path : str
        Posix path of the file, relative to ``root``.
    limits : Limits
        Its ``file_bytes`` are returned at most.
    binary : bool
        Whether the file holds no text.

    Returns
    -------
    data : bytes
    damage : str or None
        None if nothing is wrong.

    Raises
    ------
    OSError
        If the file is not there or cannot be read, or needs a library that is not installed.

    Examples
    --------
    >>> from runcube.readers import read_bytes
    >>> data, damage = read_bytes(".", "LICENSE")
    >>> data[:11], damage
    (b'MIT License', None)
    """
    own, below = own_place(root, path)
    try:
        stored = store_of(own).whole(below, limits.file_bytes + 1)
        return contents(stored, limits.file_bytes, binary=binary)
    except OSError as error:
        _count(error, own)
        raise


def damage_problem(damage: str, path: str) -> Problem:
    """Return the problem of a file whose bytes ``read_bytes`` found damaged, or too many."""
    return Problem("limit" if "Limits(" in damage else "unreadable", damage, path)


def read_from(root: str, path: str, offset: int) -> bytes:
    """Return the bytes of a file from an offset on, as they are."""
    with _reading(root, path) as stream:
        stream.seek(offset)
        return stream.read() or b""
