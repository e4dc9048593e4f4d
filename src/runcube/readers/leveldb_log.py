"""Records of a log of blocks, as LevelDB writes it: the files of W&B and of SwanLab are such logs.

Blocks are 32 KiB long. A record is one chunk or several, none of which crosses the end of a block;
each has a checksum, a length and what part of a record it is. Where a chunk is damaged, its length
may be as well: reading goes on with the next block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING
from zlib import crc32

from runcube.core import Problem
from runcube.readers.protobuf import BYTES, NotProtobufError, fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 1 << 15
# The header of the file counts as the first seven bytes of its first block.
_START = 7
_CHUNK = Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# The checksum is of the type and what follows it.
_SUMS = {kind: crc32(bytes([kind])) for kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)}


@dataclass(slots=True)
class Framed:
    """What the framing of a file holds.

    Parameters
    ----------
    records : list of bytes
        Whole records, in file order.
    damaged : list of (int, int)
        First byte and number of bytes of each stretch that was skipped.
    cut : int or None
        Byte from which on the end of the file holds no whole record; None if it ends with one.
    """

    records: list[bytes] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    cut: int | None = None


def is_framed(head: bytes, magic: bytes) -> bool:
    """Return whether a file begins with a header, or behind a damaged one with a record.

    Parameters
    ----------
    head : bytes
        Its first bytes.
    magic : bytes
        What its header begins with.
    """
    return head.startswith(magic) or _sound(head, _START) is not None


def read_framed(data: bytes) -> Framed:
    """Return the records of a file; damage costs those that it is in, never a later block.

    Parameters
    ----------
    data : bytes
        The whole file, or what there is of it so far.
    """
    found = Framed()
    # The chunks of a record of which the last one has not come yet, and where it began.
    open_chunks: list[bytes] = []
    begun = at = _START
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < _CHUNK.size:  # too little for a chunk: the rest of a block is padding
            at += left
            continue
        chunk = _sound(data, at)
        if chunk is None:
            if _is_cut(data, at, left):
                break
            # What the record before it lacks is lost with the chunk.
            start = begun if open_chunks else at
            found.damaged.append((start, min(at + left, len(data)) - start))
            open_chunks = []
            at += left
            continue
        kind, payload = chunk
        if open_chunks and kind in (_WHOLE, _FIRST):
            found.damaged.append((begun, at - begun))
            open_chunks = []
        if kind == _WHOLE:
            found.records.append(payload)
        elif kind == _FIRST:
            open_chunks, begun = [payload], at
        elif not open_chunks:
            found.damaged.append((at, _CHUNK.size + len(payload)))
        else:
            open_chunks.append(payload)
            if kind == _LAST:
                found.records.append(b"".join(open_chunks))
                open_chunks = []
        at += _CHUNK.size + len(payload)
    if open_chunks or at < len(data):
        found.cut = begun if open_chunks else at
    found.damaged = _joined(found.damaged)
    return found


def take_messages(
    data: bytes, path: str, take: Callable[[int, bytes], None], unfit: str
) -> list[Problem]:
    """Hand over the fields of all records that are messages, and return what is wrong with a file.

    Parameters
    ----------
    data : bytes
        The whole file, or what there is of it so far.
    path : str
        Path that problems name.
    take : callable
        Takes the number and the bytes of a field; where it raises `NotProtobufError`, the rest of
        the record is left out.
    unfit : str
        What records are that are left out.
    """
    framed, unread = read_framed(data), 0
    for record in framed.records:
        try:
            for number, kind, at, end in fields(record):
                if kind == BYTES:
                    take(number, record[at:end])
        except NotProtobufError:
            unread += 1
    problems = [*_damages(framed, path)]
    if unread:
        problems.append(Problem("bad_line", f"{unread} records are {unfit}: left out", path))
    return problems


def _damages(framed: Framed, path: str) -> Iterator[Problem]:
    """Yield what is wrong with the framing of a file."""
    if framed.damaged:
        first, size = framed.damaged[0]
        message = f"{size} bytes from byte {first} on are damaged: the records in them are lost"
        if (others := len(framed.damaged) - 1) > 0:
            rest = sum(size for _, size in framed.damaged[1:])
            message += f"; {rest} more in {others} other places"
        yield Problem("bad_line", message, path)
    if framed.cut is not None:
        message = f"from byte {framed.cut} on the file holds no whole record"
        yield Problem("truncated_tail", message, path)


def _sound(data: bytes, at: int) -> tuple[int, bytes] | None:
    """Return the kind and the payload of the chunk at a byte; None if it is damaged, or cut."""
    start = at + _CHUNK.size
    if start > len(data):
        return None
    checksum, length, kind = _CHUNK.unpack_from(data, at)
    if kind not in _SUMS or start + length > at + _BLOCK - at % _BLOCK:
        return None
    payload = data[start : start + length]
    if len(payload) < length or crc32(payload, _SUMS[kind]) != checksum:
        return None
    return kind, payload


def _is_cut(data: bytes, at: int, left: int) -> bool:
    """Return whether a file ends within the chunk at a byte, or with nothing but zeros from it on.

    Zeros are what some file systems keep of a file that was being written when the machine died.
    """
    if len(data) - at > left:
        return not data[at:].strip(b"\0")
    if len(data) - at < _CHUNK.size or not data[at:].strip(b"\0"):
        return True
    _, length, kind = _CHUNK.unpack_from(data, at)
    return kind in _SUMS and len(data) - at - _CHUNK.size < length <= left - _CHUNK.size


def _joined(damaged: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches with those joined that follow each other."""
    found: list[tuple[int, int]] = []
    for start, size in damaged:
        if found and sum(found[-1]) == start:
            found[-1] = found[-1][0], found[-1][1] + size
        else:
            found.append((start, size))
    return found
