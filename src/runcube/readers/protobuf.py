"""Messages of protobuf as far as logs need them: where their fields stand, no schema, no objects.

The event files of TensorBoard and the records of W&B and SwanLab are such messages.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the bytes of a field are.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
# A number up to this is one byte.
_ONE_BYTE = 0x7F
# A number of 64 bits has at most ten bytes.
_LONGEST = 10
_SIGN, _RANGE = 1 << 63, 1 << 64


class NotProtobufError(ValueError):
    """Bytes that are no message."""


def fields(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, ...]]:
    """Yield where each field of a message stands, in order.

    Parameters
    ----------
    data : bytes
    start, stop : int
        The message is between these offsets; by default it is all of ``data``.

    Yields
    ------
    number : int
    kind : int
        ``VARINT``, ``FIXED64``, ``BYTES`` or ``FIXED32``.
    at, end : int
        Offsets of its first byte and behind its last one.

    Raises
    ------
    NotProtobufError
        Where the bytes cease to be a message.
    """
    at, stop = start, len(data) if stop is None else stop
    while at < stop:
        key = data[at]
        at += 1
        if key > _ONE_BYTE:
            key, at = varint(data, at - 1, stop)
        kind = key & 7
        if kind == BYTES and at < stop:
            size = data[at]
            at += 1
            if size > _ONE_BYTE:
                size, at = varint(data, at - 1, stop)
            end = at + size
        elif kind == VARINT:
            end = varint(data, at, stop)[1]
        elif kind in _SIZES:
            end = at + _SIZES[kind]
        else:
            raise NotProtobufError(f"no field begins with {key}")
        if end > stop or key <= kind:
            raise NotProtobufError("a field goes on behind the end, or has no number")
        yield key >> 3, kind, at, end
        at = end


def values(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a message, in order.

    Parameters
    ----------
    message : bytes

    Yields
    ------
    number : int
    value : int or bytes
        A whole number, not negative, or the bytes of a text, a message, or a number of fixed size.

    Raises
    ------
    NotProtobufError
        As `fields`.
    """
    for number, kind, at, end in fields(message):
        yield number, varint(message, at, end)[0] if kind == VARINT else message[at:end]


def varint(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """Return a whole number, not negative, and the offset behind it.

    Raises
    ------
    NotProtobufError
        If it does not end.
    """
    value = shift = 0
    for place in range(at, min(stop, at + _LONGEST)):
        byte = data[place]
        value |= (byte & _ONE_BYTE) << shift
        if byte <= _ONE_BYTE:
            return value & (_RANGE - 1), place + 1
        shift += 7
    raise NotProtobufError("a number without an end")


def inner(message: bytes, number: int) -> Iterator[bytes]:
    """Yield the bytes of each field of a number.

    Raises
    ------
    NotProtobufError
        As `fields`.
    """
    return (message[at:end] for at, end in spans(message, number))


def spans(
    data: bytes, number: int, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, int]]:
    """Yield where the bytes of each field of a number stand.

    Raises
    ------
    NotProtobufError
        As `fields`.
    """
    for key, kind, at, end in fields(data, start, stop):
        if (key, kind) == (number, BYTES):
            yield at, end


def text_of(value: int | bytes) -> str:
    """Return a field as text; bytes that are no UTF-8 are escaped."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def double_of(value: bytes) -> float:
    """Return a number of eight bytes.

    Raises
    ------
    NotProtobufError
        If it has another size.
    """
    if len(value) != _SIZES[FIXED64]:
        raise NotProtobufError("a number of another size")
    return float(unpack_from("<d", value)[0])


def signed(value: int) -> int:
    """Return a number of type int32 or int64: negative ones are written as very large."""
    return value - _RANGE if value >= _SIGN else value


def unzigzag(value: int) -> int:
    """Return a number of type sint64, which alternates 0, -1, 1, -2, …."""
    return (value >> 1) ^ -(value & 1)
