"""The fields of a protobuf message, as far as W&B's records need them: no schema, no objects."""

from __future__ import annotations

from struct import unpack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _BYTES = 0, 2
# Bytes of the kinds whose size is fixed.
_SIZES = {1: 8, 5: 4}
# A number up to this is one byte.
_ONE_BYTE = 0x7F
# A number of 64 bits has at most ten bytes.
_LONGEST = 10


class NotProtobufError(ValueError):
    """Bytes that are no message."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
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
        Where the bytes cease to be a message.
    """
    at, end = 0, len(message)
    try:
        while at < end:
            key = message[at]
            at += 1
            if key > _ONE_BYTE:
                key, at = _varint(message, at - 1)
            kind = key & 7
            if kind == _BYTES:
                size = message[at]
                at += 1
                if size > _ONE_BYTE:
                    size, at = _varint(message, at - 1)
            elif kind == _VARINT:
                number, at = _varint(message, at)
                yield key >> 3, number
                continue
            elif kind in _SIZES:
                size = _SIZES[kind]
            else:
                raise NotProtobufError(f"no field begins with {key}")
            if at + size > end:
                raise NotProtobufError("a field goes on behind the end")
            yield key >> 3, message[at : at + size]
            at += size
    except IndexError:
        raise NotProtobufError("a field without a size") from None


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a byte, and where the next field begins."""
    value = shift = 0
    for byte in message[at : at + _LONGEST]:
        at += 1
        value |= (byte & _ONE_BYTE) << shift
        if byte <= _ONE_BYTE:
            return value, at
        shift += 7
    raise NotProtobufError("a number without an end")


def inner(message: bytes, number: int) -> Iterator[bytes]:
    """Yield the bytes of each field of a number.

    Raises
    ------
    NotProtobufError
        As `fields`.
    """
    return (value for key, value in fields(message) if key == number and isinstance(value, bytes))


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
    if len(value) != 8:
        raise NotProtobufError("a number of another size")
    return float(unpack("<d", value)[0])


def signed(value: int) -> int:
    """Return a number of type int32 or int64: negative ones are written as very large."""
    return value - (1 << 64) if value >= 1 << 63 else value


def unzigzag(value: int) -> int:
    """Return a number of type sint64, which alternates 0, -1, 1, -2, …."""
    return (value >> 1) ^ -(value & 1)
