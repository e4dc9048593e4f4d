"""Records of an event file: where each begins and ends, and whether its bytes are whole.

A record is the length of its data (8 bytes), a checksum of that (4), the data, and a checksum of
them (4), all little-endian. The checksum is CRC-32C, rotated and shifted by a constant. Computed
for all records at once it costs less than to decode them.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

HEADER, TRAILER = 12, 4
_LENGTH = struct.Struct("<Q")
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
# Records are looked at in batches that grow, so that what follows damage is not read twice.
_FEWEST, _MOST = 64, 1 << 16
_BLOCK = 1 << 22


class Frames(NamedTuple):
    """The records of a file.

    Parameters
    ----------
    starts : ndarray of int64, (records,)
        Offset of the data of each record.
    lengths : ndarray of int64, (records,)
        Bytes of the data.
    numbers : ndarray of int64, (records,)
        Number of each record in the file, from 1; stretches that are damaged count as one.
    damaged : list of int
        Numbers of these stretches.
    cut : int or None
        Number of the last record if the file ends before it does.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    numbers: NDArray[np.int64]
    damaged: list[int]
    cut: int | None


def frames(data: bytes) -> Frames:
    """Return the records of an event file.

    Where the length of a record is damaged, the next place counts where one is whole.

    Parameters
    ----------
    data : bytes
        The whole file.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    starts, lengths, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    damaged: list[int] = []
    cut = None
    headers: NDArray[np.int64] | None = None
    position, number, batch = 0, 1, _FEWEST
    while position < len(data):
        own, sizes, end = _batch(data, position, batch)
        batch = min(2 * batch, _MOST)
        whole = _sound_headers(raw, own - HEADER)
        count = len(own) if whole.all() else int(np.argmin(whole))
        starts.append(own[:count])
        lengths.append(sizes[:count])
        numbers.append(np.arange(number, number + count))
        number += count
        position = int(own[count]) - HEADER if count < len(own) else end
        if count and count == len(own):
            continue
        if position == len(data):
            break
        if count == len(own) and _is_cut(data, position):
            cut = number
            break
        headers = _all_headers(raw) if headers is None else headers
        later = headers[np.searchsorted(headers, position, side="right") :]
        if not len(later):
            cut = number
            break
        damaged.append(number)
        number += 1
        position, batch = int(later[0]), _FEWEST
    return Frames(
        np.concatenate(starts),
        np.concatenate(lengths),
        np.concatenate([np.empty(0, np.int64), *numbers]),
        damaged,
        cut,
    )


def _batch(
    data: bytes, position: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return where the data of the next records begin, their lengths, and where the last ends."""
    starts: list[int] = []
    lengths: list[int] = []
    last = len(data) - HEADER - TRAILER
    unpack = _LENGTH.unpack_from
    while position <= last and len(starts) < most:
        length = unpack(data, position)[0]
        if length > last - position:
            break
        starts.append(position + HEADER)
        lengths.append(length)
        position += HEADER + TRAILER + length
    return np.array(starts, np.int64), np.array(lengths, np.int64), position


def _begins_with_record(data: bytes) -> bool:
    """Return whether the length of a record and its checksum stand at the beginning of bytes."""
    return len(data) >= HEADER and checksum(data[:8]) == int.from_bytes(data[8:HEADER], "little")


def _is_cut(data: bytes, position: int) -> bool:
    """Return whether the record at a position is sound as far as it goes, but not whole."""
    return len(data) - position < HEADER or _begins_with_record(data[position : position + HEADER])


def _sound_headers(raw: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return at which offsets a length stands with its checksum."""
    words = raw[at[:, None] + np.arange(HEADER)]
    return np.asarray(checksums(words[:, :8]) == stored(words[:, 8:]))


def _all_headers(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return all offsets at which a length below 4 GiB stands with its checksum, rising."""
    found = [np.empty(0, np.int64)]
    for low in range(0, max(len(raw) - HEADER + 1, 0), _BLOCK):
        block = raw[low : low + _BLOCK + HEADER - 1]
        count = len(block) - HEADER + 1
        is_zero = block == 0
        likely = ~(is_zero[:count] & is_zero[1 : count + 1] & is_zero[2 : count + 2])
        for byte in range(4, 8):
            likely &= is_zero[byte : count + byte]
        at = np.flatnonzero(likely)
        found.append(at[_sound_headers(block, at)] + low)
    return np.concatenate(found)


def checksum(data: bytes) -> int:
    """Return the checksum of a few bytes as it is stored.

    Examples
    --------
    >>> hex(checksum(b"123456789"))
    '0xc78ab0e5'
    """
    table = _byte_list()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def checksums(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the checksum (records,) of the bytes (records, length) of each of several records."""
    count, length = rows.shape
    crc: NDArray[np.uint32] = np.full(count, 0xFFFFFFFF, dtype=np.uint32)
    even = length - length % 2
    pairs = np.ascontiguousarray(np.ascontiguousarray(rows[:, :even]).view("<u2").T)
    table = _pair_table()
    for pair in pairs:
        crc = table[(crc & 0xFFFF) ^ pair] ^ (crc >> 16)
    if length % 2:
        crc = _byte_table()[(crc & 0xFF) ^ rows[:, -1]] ^ (crc >> 8)
    crc = ~crc
    return np.asarray(((crc >> 15) | (crc << 17)) + np.uint32(_MASK), dtype=np.uint32)


def stored(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the checksums (records,) that stand in 4 bytes (records, 4) of each record."""
    return np.ascontiguousarray(rows).view("<u4")[:, 0].astype(np.uint32)


def by_length(lengths: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each length with the records that have it, in file order."""
    if not len(lengths):
        return
    order = np.argsort(lengths, kind="stable")
    values, firsts = np.unique(lengths[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, firsts[1:]), strict=True)


@cache
def _byte_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@cache
def _byte_list() -> list[int]:
    return [int(word) for word in _byte_table()]


@cache
def _pair_table() -> NDArray[np.uint32]:
    """Two steps of one byte as one of two: half as many look-ups."""
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(2):
        table = _byte_table()[table & 0xFF] ^ (table >> 8)
    return table
