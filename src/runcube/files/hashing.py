"""Hashes of logs: whole, in parts as they grew, and of their ends."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from runcube.files.access import HEAD_BYTES, is_gzip, store_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runcube.core import Source


_HASH_BYTES = 1 << 22


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
    with suppress(OSError), store_of(source.root).open(path) as stream:
        if is_gzip(stream.read(2) or b""):
            return ""
    ends = [(path, 0, min(HEAD_BYTES, offset)), (path, max(0, offset - HEAD_BYTES), offset)]
    return _sha256(source.root, ends)


def _sha256(root: str, spans: Iterable[tuple[str, int, int]]) -> str:
    store = store_of(root)
    digest = hashlib.sha256()
    for path, start, end in spans:
        left = end - start
        with suppress(OSError), store.open(path) as stream:
            stream.seek(start)
            while left and (data := stream.read(min(left, _HASH_BYTES))):
                digest.update(data)
                left -= len(data)
    return digest.hexdigest()
