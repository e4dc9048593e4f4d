"""Hashes of logs: whole, in parts as they grew, and of their ends."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from runcube.files.access import HEAD_BYTES, open_file
from runcube.files.contents import is_encoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runcube.core import Source

_HASH_BYTES = 1 << 22
# Show whether a file is packed.
_FIRST_BYTES = 8


def hash_prefix(source: Source) -> str:
    """Return the SHA-256 of the files of a source, up to the sizes in the listing.

    What was appended later is not included. A file that cannot be read counts as an empty one.
    """
    return _sha256(source.root, ((file.path, 0, file.size) for file in source.files))


def hash_more(source: Source, before: str, size: int) -> str:
    """Return the hash of a log extended by that of what was appended: ``end:SHA-256`` per part.

    Parameters
    ----------
    source : Source
        The log, whose first file has grown.
    before : str
        The hash of its first ``size`` bytes, whole or in parts.
    size : int
        Bytes.
    """
    end = source.files[0].size
    first = before if ":" in before else f"{size}:{before}"
    return f"{first} {end}:{_sha256(source.root, [(source.path, size, end)])}"


def has_hash(source: Source, known: str) -> bool:
    """Return whether a source has the bytes of a known hash, whole or in parts."""
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
    """Return the SHA-256 of the first and last bytes before an offset.

    It is ``""`` for a file that is packed or UTF-16: its lines are not at the offsets of its bytes.
    A log that was rewritten differs in them: it begins differently, or has other lines there.
    """
    path = source.path
    with suppress(OSError), open_file(source.root, path) as stream:
        if is_encoded(stream.read(_FIRST_BYTES) or b""):
            return ""
    ends = [(path, 0, min(HEAD_BYTES, offset)), (path, max(0, offset - HEAD_BYTES), offset)]
    return _sha256(source.root, ends)


def _sha256(root: str, spans: Iterable[tuple[str, int, int]]) -> str:
    """Return the SHA-256 of parts of files, each as path, first byte and end."""
    digest = hashlib.sha256()
    for path, start, end in spans:
        left = end - start
        with suppress(OSError), open_file(root, path) as stream:
            stream.seek(start)
            while left and (data := stream.read(min(left, _HASH_BYTES))):
                digest.update(data)
                left -= len(data)
    return digest.hexdigest()
