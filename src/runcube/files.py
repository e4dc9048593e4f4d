"""Finding files and getting their bytes: the only module that touches the file system to read.

Readers see a ``Tree`` (the listing) and ask it for heads; parse tasks call ``read_bytes``.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from runcube.model import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO
    from pathlib import Path

    from runcube.model import Source

# How the word begins for a file whose compression is damaged.
DAMAGED = "gzip: "
HEAD_BYTES = 1 << 13
TAIL_BYTES = 1 << 9
_HASH_BYTES = 1 << 22
_DIGITS = re.compile(r"(\d+)")
# A listing that descends into these finds other people's JSON, never a training log.
_PRUNED = frozenset({".git", "__pycache__", ".ipynb_checkpoints", "node_modules", ".venv"})


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


@dataclass(slots=True)
class Listing:
    """What is under a root, in no order; ``changed`` are the times when the entry of each file was.

    That time (``st_ctime_ns``) moves with the permissions as well, and cannot be set back.
    """

    root: Path
    files: list[LogFile] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def digest(self) -> str:
        """Hash of all that it says: the same as long as nothing under the root has changed."""
        lines = [
            f"{file.path}\0{file.size}\0{file.mtime_ns}\0{changed}"
            for file, changed in zip(self.files, self.changed, strict=True)
        ]
        lines += [f"{path}\0{why}" for path, why in self.unreadable]
        text = "\n".join(sorted(lines)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16).hexdigest()


class Tree:
    """The files under a root, in natural path order, and which of them a reader has claimed."""

    def __init__(self, listing: Listing) -> None:
        self.root = listing.root
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

    def folder(self, path: str) -> dict[str, LogFile]:
        """Files directly inside a folder (``""``: the root), by name."""
        return self._children.get(path, {})

    def head(self, path: str) -> bytes:
        """First bytes of a file; none if it cannot be read."""
        try:
            return read_ends(str(self.root), self.files[path])[0]
        except OSError:
            return b""


def list_files(path: Path) -> Listing:
    """List the regular files at or under ``path``; symbolic links are followed.

    Raises
    ------
    FileNotFoundError
        If ``path`` does not exist.
    """
    # What was read for another listing may not be permitted, or the same, any more.
    read_ends.cache_clear()
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory")
    if path.is_file():
        stat = path.stat()
        file = LogFile(path.name, stat.st_size, stat.st_mtime_ns)
        return Listing(path.parent, [file], [stat.st_ctime_ns])
    walk = _Walk(path)
    walk.into(str(path), "")
    return walk.found


def list_tree(path: Path) -> Tree:
    """Give the files at or under ``path`` to readers (see ``list_files``)."""
    return Tree(list_files(path))


class _Walk:
    """A listing that follows links to directories, each directory once."""

    def __init__(self, root: Path) -> None:
        self.found = Listing(root)
        self._seen: set[tuple[int, int]] = set()

    def into(self, folder: str, prefix: str) -> None:
        try:
            stat = os.stat(folder)
            if (stat.st_dev, stat.st_ino) in self._seen:
                return
            self._seen.add((stat.st_dev, stat.st_ino))
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError as error:
            self.found.unreadable.append((prefix.rstrip("/"), _reason(error)))
            return
        # Links last: a directory goes by its own name rather than by a link to it.
        for entry in sorted(entries, key=os.DirEntry.is_symlink):
            try:
                self._take(entry, prefix + entry.name)
            except OSError as error:
                self.found.unreadable.append((prefix + entry.name, _reason(error)))

    def _take(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_dir():
            if entry.name not in _PRUNED:
                self.into(entry.path, path + "/")
        elif entry.is_file():
            stat = entry.stat()
            self.found.files.append(LogFile(path, stat.st_size, stat.st_mtime_ns))
            self.found.changed.append(stat.st_ctime_ns)
        elif entry.is_symlink():
            self.found.unreadable.append((path, "a link to nothing"))


_failed = 0


def failed_reads() -> int:
    """How often reading has failed in this process, though the file was there and permitted.

    What a listing does not show: a disk or a network that fails, too many open files.
    """
    return _failed


@contextmanager
def _reading(path: str | Path) -> Iterator[FileIO]:
    global _failed
    try:
        with open(path, "rb", buffering=0) as stream:
            yield stream
    except (FileNotFoundError, PermissionError):
        raise
    except OSError:
        _failed += 1
        raise


def check_readable(path: str | Path) -> None:
    """Read a byte of a file.

    Raises
    ------
    OSError
    """
    with _reading(path) as stream:
        stream.read(1)


def read_head(path: str | Path, size: int = HEAD_BYTES) -> bytes:
    """First bytes of a file, decompressed, up to ``size`` or the end of its first line."""
    with _reading(path) as stream:
        return _head(stream, size)


@lru_cache(maxsize=64)
def read_ends(root: str, file: LogFile) -> tuple[bytes, bytes]:
    """First bytes as ``read_head``, and the last few; none of a compressed file.

    Readers look at the same file one after the other: the last few are kept.
    """
    with _reading(f"{root}/{file.path}") as stream:
        head = _head(stream, HEAD_BYTES)
        if file.path.endswith(".gz"):
            return head, b""
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
        return head, stream.read(TAIL_BYTES)


def _head(stream: FileIO, size: int) -> bytes:
    data = stream.read(size) or b""
    if _is_gzip(data):
        return _gunzip(data, size)[0]
    while b"\n" not in data:
        more = stream.read(size)
        if not more:
            break
        data += more
    return data


def read_bytes(path: str | Path) -> tuple[bytes, str | None]:
    """All bytes of a file, decompressed, and what is wrong with the compression if anything is.

    A gzip file that was cut gives everything up to the cut.
    """
    with _reading(path) as stream:
        data = stream.read()
    return _gunzip(data) if _is_gzip(data) else (data, None)


def read_from(path: str | Path, offset: int) -> bytes:
    """Bytes of a file from an offset on, as they are."""
    with _reading(path) as stream:
        stream.seek(offset)
        return stream.read()


def hash_prefix(source: Source) -> str:
    """SHA-256 of the files of a source, as far as the listing saw them.

    What was appended later is not in it. A file that cannot be read counts as an empty one.
    """
    return _sha256((f"{source.root}/{file.path}", 0, file.size) for file in source.files)


def hash_more(source: Source, before: str, size: int) -> str:
    """Add to the hash of a log the hash of what was appended: ``end:SHA-256`` of each part.

    ``before`` is the hash of its first ``size`` bytes.
    """
    path, end = f"{source.root}/{source.path}", source.files[0].size
    first = before if ":" in before else f"{size}:{before}"
    return f"{first} {end}:{_sha256([(path, size, end)])}"


def has_hash(source: Source, known: str) -> bool:
    """Whether a source has the bytes of a hash, whole or in parts."""
    if ":" not in known:
        return hash_prefix(source) == known
    start = 0
    for part in known.split():
        end, _, digest = part.partition(":")
        if _sha256([(f"{source.root}/{source.path}", start, int(end))]) != digest:
            return False
        start = int(end)
    return start == source.size


def hash_ends(source: Source, offset: int) -> str:
    """SHA-256 of the first and last few bytes before an offset; none of a compressed file.

    A log that was rewritten differs in them: it begins otherwise, or has other lines there.
    """
    path = f"{source.root}/{source.path}"
    with suppress(OSError), open(path, "rb", buffering=0) as stream:
        if _is_gzip(stream.read(2)):
            return ""
    ends = [(path, 0, min(HEAD_BYTES, offset)), (path, max(0, offset - HEAD_BYTES), offset)]
    return _sha256(ends)


def _sha256(spans: Iterable[tuple[str, int, int]]) -> str:
    digest = hashlib.sha256()
    for path, start, end in spans:
        left = end - start
        with suppress(OSError), open(path, "rb", buffering=0) as stream:
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


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
