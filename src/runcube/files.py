"""Finding files and getting their bytes, from this machine or from a URL.

Readers see a ``Tree`` (the listing) and ask it for heads; parse tasks call ``read_bytes``. Only
``localfiles`` and ``remote`` below touch the files, and only this module knows which of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from runcube.localfiles import LocalStore, list_local
from runcube.roots import as_root, is_url, last_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from runcube.listing import Listing
    from runcube.model import LogFile, Source

# How the word begins for a file whose compression is damaged.
DAMAGED = "gzip: "
HEAD_BYTES = 1 << 13
TAIL_BYTES = 1 << 9
_HASH_BYTES = 1 << 22
_DIGITS = re.compile(r"(\d+)")


@lru_cache(maxsize=1 << 17)
def natural_key(path: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``run_2`` comes before ``run_10``, directory by directory."""
    parts = _DIGITS.split(path.replace("/", "\0"))
    return tuple([_number(part) if i % 2 else _text(part) for i, part in enumerate(parts)])


# Paths of a sweep mostly share their parts: one object for each, or the keys of 100,000 logs
# take 120 MB.
@lru_cache(maxsize=1 << 14)
def _number(part: str) -> tuple[int, int, str]:
    return 1, int(part), part


@lru_cache(maxsize=1 << 14)
def _text(part: str) -> tuple[int, int, str]:
    return 0, 0, part


class Tree:
    """The files under a root, in natural path order, and which of them a reader has claimed."""

    def __init__(self, listing: Listing) -> None:
        self.root = listing.root
        self.name = last_name(listing.root)
        files = sorted(listing.files, key=lambda file: natural_key(file.path))
        self.files = {file.path: file for file in files}
        self.unreadable = listing.unreadable
        self._claimed: set[str] = set()
        self._children: dict[str, dict[str, LogFile]] = {}
        for file in files:
            folder, _, name = file.path.rpartition("/")
            self._children.setdefault(folder, {})[name] = file

    def unclaimed(self) -> Iterator[LogFile]:
        """Files that no reader has claimed yet, in natural path order."""
        return (file for path, file in self.files.items() if path not in self._claimed)

    def claim(self, files: tuple[LogFile, ...]) -> None:
        """Keep ``files`` from being offered to the next reader."""
        self._claimed.update(file.path for file in files)

    def settle(self) -> None:
        """Have beginnings of those files alone fetched that are unclaimed now."""
        _store(self.root).begin([file.path for file in self.unclaimed()])

    def folder(self, path: str) -> dict[str, LogFile]:
        """Files directly inside a folder (``""``: the root), by name."""
        return self._children.get(path, {})

    def head(self, path: str) -> bytes:
        """First bytes of a file; none if it cannot be read."""
        try:
            return read_ends(self.root, self.files[path])[0]
        except OSError:
            return b""


def list_files(path: str | Path) -> Listing:
    """List the regular files at or under a path or URL; symbolic links are followed.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    StoreError
        If it is a URL that nothing here can read.
    """
    read_ends.cache_clear()  # of files that may have changed unnoticed
    root = as_root(path)
    if is_url(root):
        from runcube.remote import list_remote

        return list_remote(root)
    return list_local(root)


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


def _store(root: str) -> Store:
    if is_url(root):
        from runcube.remote import remote_store

        return remote_store(root)
    return LocalStore(root)


def look_at(root: str, path: str) -> LogFile:
    """Size and time of a file now."""
    return _store(root).look(path)


def may_read(root: str, path: str) -> bool:
    """Whether this user may read a file; of a remote one nobody knows until it is read."""
    return is_url(root) or os.access(f"{root}/{path}", os.R_OK)


def is_there(root: str, path: str) -> bool:
    """Whether there is such a file; of a remote one, whether it was listed and not lost."""
    return _store(root).has(path)


@contextmanager
def expecting(
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
    store = _store(told[0].root)
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
        with _store(root).open(path) as stream:
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
    if _is_gzip(data):
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
    return _gunzip(data) if _is_gzip(data) else (data, None)


def read_from(root: str, path: str, offset: int) -> bytes:
    """Bytes of a file from an offset on, as they are."""
    with _reading(root, path) as stream:
        stream.seek(offset)
        return stream.read() or b""


def hash_prefix(source: Source) -> str:
    """SHA-256 of the files of a source, as far as the listing saw them.

    What was appended later is not in it. A file that cannot be read counts as an empty one.
    """
    return _sha256(source.root, ((file.path, 0, file.size) for file in source.files))


def hash_more(source: Source, before: str, size: int) -> str:
    """Add to the hash of a log the hash of what was appended: ``end:SHA-256`` of each part.

    ``before`` is the hash of its first ``size`` bytes.
    """
    end = source.files[0].size
    first = before if ":" in before else f"{size}:{before}"
    return f"{first} {end}:{_sha256(source.root, [(source.path, size, end)])}"


def has_hash(source: Source, known: str) -> bool:
    """Whether a source has the bytes of a hash, whole or in parts."""
    if ":" not in known:
        return hash_prefix(source) == known
    start = 0
    for part in known.split():
        end, _, digest = part.partition(":")
        if _sha256(source.root, [(source.path, start, int(end))]) != digest:
            return False
        start = int(end)
    return start == source.size


def hash_ends(source: Source, offset: int) -> str:
    """SHA-256 of the first and last few bytes before an offset; none of a compressed file.

    A log that was rewritten differs in them: it begins otherwise, or has other lines there.
    """
    path = source.path
    with suppress(OSError), _store(source.root).open(path) as stream:
        if _is_gzip(stream.read(2) or b""):
            return ""
    ends = [(path, 0, min(HEAD_BYTES, offset)), (path, max(0, offset - HEAD_BYTES), offset)]
    return _sha256(source.root, ends)


def _sha256(root: str, spans: Iterable[tuple[str, int, int]]) -> str:
    store = _store(root)
    digest = hashlib.sha256()
    for path, start, end in spans:
        left = end - start
        with suppress(OSError), store.open(path) as stream:
            stream.seek(start)
            while left and (data := stream.read(min(left, _HASH_BYTES))):
                digest.update(data)
                left -= len(data)
    return digest.hexdigest()


def _is_gzip(data: bytes) -> bool:
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
        if not _is_gzip(data):
            break
    return b"".join(parts), None


def _gunzip_prefix(data: bytes, step: int = 256) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)
    for start in range(0, len(data), step):
        try:
            yield inflate.decompress(data[start : start + step])
        except zlib.error:
            return
