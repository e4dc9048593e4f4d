"""One event, decoded as far as it is of use: where its scalars stand, and what else is in it.

The messages are those of TensorFlow (``event.proto``, ``summary.proto``, ``tensor.proto``) and of
TensorBoard's plugin for hyperparameters (``plugin_data.proto``). What is of no use is skipped by
its length: no picture is ever decoded.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from runcube.core import clean_text
from runcube.readers.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    NotProtobufError,
    fields,
    signed,
    spans,
    varint,
)

_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
# Kinds of numbers in a tensor (``types.proto``) as NumPy has them.
_BFLOAT16, _STRING = 14, 7
_KINDS = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 9, 10, _BFLOAT16, 17, 19, 22, 23),
        "<f4 <f8 <i4 u1 <i2 i1 <i8 ? <u2 <u2 <f2 <u4 <u8".split(),
        strict=True,
    )
)
_VALUE_KINDS = {3: "image", 4: "image", 5: "histogram", 6: "audio"}
_EVENT_KINDS = {4: "graph", 8: "run metadata", 9: "graph"}
_DEEPEST = 50


class Scalar(NamedTuple):
    """A number in an event.

    Parameters
    ----------
    tag : slice
        Bytes of its tag.
    at : int
        Offset of its value if that is 4 or 8 bytes of float; else -1.
    kind : str
        ``"<f4"`` or ``"<f8"``.
    value : float
    """

    tag: slice
    at: int
    kind: str
    value: float


@dataclass(slots=True)
class Event:
    """What is of use in an event.

    Parameters
    ----------
    wall_at : int
        Offset of the time, 8 bytes of float; -1 without one.
    wall : float
        Seconds since 1970; NaN without one.
    step_at : slice or None
        Bytes of the step; None: it is 0.
    step : int
    scalars : list of Scalar
    texts : list of (str, str)
        Tag and text.
    hparams : dict or None
        Hyperparameters of a session.
    started, ended : float
        When the session began and ended, in seconds since 1970, as its messages say; NaN if they
        do not, or it did not.
    status : int
        How it ended: 1 well, 2 badly, else not known.
    ends_session : bool
        Whether it ended.
    left : list of str
        Kinds of what is left out.
    """

    wall_at: int = -1
    wall: float = math.nan
    step_at: slice | None = None
    step: int = 0
    scalars: list[Scalar] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    hparams: dict[str, Any] | None = None
    started: float = math.nan
    ended: float = math.nan
    status: int = 0
    ends_session: bool = False
    left: list[str] = field(default_factory=list)


def read_event(data: bytes, start: int, stop: int) -> Event:
    """Return what is of use in the event between two offsets.

    Raises
    ------
    NotProtobufError
        If the bytes are no event.
    """
    event = Event()
    for number, wire, at, end in fields(data, start, stop):
        if number == 1 and wire == FIXED64:
            event.wall_at, event.wall = at, _DOUBLE.unpack_from(data, at)[0]
        elif number == 2 and wire == VARINT:
            event.step_at, event.step = slice(at, end), signed(varint(data, at, end)[0])
        elif number == 5 and wire == BYTES:
            for low, high in spans(data, 1, at, end):
                _read_value(event, data, low, high)
        elif number == 6 and wire == BYTES:  # a message of a log
            event.texts += [("", _text(data, *own)) for own in spans(data, 2, at, end)]
        elif number in _EVENT_KINDS:
            event.left.append(_EVENT_KINDS[number])
    return event


def _text(data: bytes, at: int, end: int) -> str:
    return clean_text(data[at:end].decode("utf-8", "backslashreplace"))


def _read_value(event: Event, data: bytes, start: int, stop: int) -> None:
    """Add one value of a summary to an event."""
    tag, simple, tensor, plugin, content = slice(start, start), -1, None, "", slice(0, 0)
    kind = ""
    for number, wire, at, end in fields(data, start, stop):
        if number == 1 and wire == BYTES:
            tag = slice(at, end)
        elif number == 2 and wire == FIXED32:
            simple = at
        elif number == 8 and wire == BYTES:
            tensor = _read_tensor(data, at, end)
        elif number == 9 and wire == BYTES:
            plugin, content = _plugin(data, at, end)
        elif number in _VALUE_KINDS:
            kind = _VALUE_KINDS[number]
    if plugin == "hparams":
        _read_session(event, data, content.start, content.stop)
    elif simple >= 0:
        event.scalars.append(Scalar(tag, simple, "<f4", _FLOAT.unpack_from(data, simple)[0]))
    elif tensor is not None and tensor.number is not None and plugin in ("", "scalars"):
        event.scalars.append(Scalar(tag, tensor.at, tensor.kind, tensor.number))
    elif tensor is not None and plugin == "text":
        named = _text(data, tag.start, tag.stop).removesuffix("/text_summary")
        event.texts += [(named, _text(data, one.start, one.stop)) for one in tensor.texts]
    elif kind or plugin or tensor is not None:
        event.left.append(kind or plugin.removesuffix("s") or "tensor")


def _plugin(data: bytes, start: int, stop: int) -> tuple[str, slice]:
    """Return the plugin that the metadata of a value name, and the bytes that are for it."""
    name, content = "", slice(0, 0)
    for number, wire, at, end in fields(data, start, stop):
        if number == 1 and wire == BYTES:
            for inner, kind, low, high in fields(data, at, end):
                if inner == 1 and kind == BYTES:
                    name = _text(data, low, high)
                elif inner == 2 and kind == BYTES:
                    content = slice(low, high)
    return name, content


class _Tensor(NamedTuple):
    """A tensor: the number that is all it holds, where it stands if plain, or its texts."""

    number: float | None
    at: int
    kind: str
    texts: list[slice]


def _read_tensor(data: bytes, start: int, stop: int) -> _Tensor:
    dtype, content = 0, slice(0, 0)
    texts: list[slice] = []
    listed: list[tuple[int, slice]] = []
    size = 1
    for number, wire, at, end in fields(data, start, stop):
        if number == 1 and wire == VARINT:
            dtype = varint(data, at, end)[0]
        elif number == 2 and wire == BYTES:
            size = _size(data, at, end)
        elif number == 4 and wire == BYTES:
            content = slice(at, end)
        elif number == 8 and wire == BYTES:
            texts.append(slice(at, end))
        elif end > at:
            listed.append((number, slice(at, end)))
    kind = _KINDS.get(dtype)
    found, at = None, -1
    if kind is not None and size == 1:
        width = np.dtype(kind).itemsize
        if content.stop - content.start == width:
            found, at = _number(data[content], dtype, kind), content.start
        elif content.stop == content.start:
            # A tensor without numbers is filled with zeros.
            found = 0.0
            if listed:
                found, at = _listed(data, dtype, kind, *listed[-1])
    is_plain = kind in ("<f4", "<f8")
    return _Tensor(found, at if is_plain else -1, kind or "", texts if dtype == _STRING else [])


def _size(data: bytes, start: int, stop: int) -> int:
    """Return how many numbers a tensor of this shape holds."""
    size = 1
    for number, wire, at, end in fields(data, start, stop):
        if number == 2 and wire == BYTES:
            extents = [
                varint(data, low, high)[0]
                for inner, kind, low, high in fields(data, at, end)
                if inner == 1 and kind == VARINT
            ]
            size *= extents[0] if extents else 0
    return size


def _number(data: bytes, dtype: int, kind: str) -> float:
    value = np.frombuffer(data, dtype=kind)[:1]
    if dtype == _BFLOAT16:
        value = (value.astype("<u4") << 16).view("<f4")
    return float(value[0])


def _listed(
    data: bytes, dtype: int, kind: str, number: int, own: slice
) -> tuple[float | None, int]:
    """Return the one number in the field of a tensor for its kind of numbers, and its offset."""
    if kind in ("<f4", "<f8"):
        is_one = own.stop - own.start == np.dtype(kind).itemsize
        is_own = is_one and number == (5 if kind == "<f4" else 6)
        return (_number(data[own], dtype, kind), own.start) if is_own else (None, -1)
    value, after = varint(data, own.start, own.stop)
    if after != own.stop:
        return None, -1
    if dtype == _BFLOAT16 or kind == "<f2":
        return _number((value & 0xFFFF).to_bytes(2, "little"), dtype, kind), -1
    return float(value if kind == "<u8" else signed(value)), -1


def _read_session(event: Event, data: bytes, start: int, stop: int) -> None:
    """Add what the plugin for hyperparameters says of a session."""
    for number, wire, at, end in fields(data, start, stop):
        if number == 3 and wire == BYTES:
            event.hparams = {}
            for inner, kind, low, high in fields(data, at, end):
                if inner == 1 and kind == BYTES:
                    key, value = _entry(data, low, high)
                    event.hparams[key] = value
                elif inner == 5 and kind == FIXED64:
                    event.started = _DOUBLE.unpack_from(data, low)[0]
        elif number == 4 and wire == BYTES:
            event.ends_session = True
            for inner, kind, low, high in fields(data, at, end):
                if inner == 1 and kind == VARINT:
                    event.status = varint(data, low, high)[0]
                elif inner == 2 and kind == FIXED64:
                    event.ended = _DOUBLE.unpack_from(data, low)[0]


def _entry(data: bytes, start: int, stop: int, depth: int = 0) -> tuple[str, Any]:
    key, value = "", None
    for number, wire, at, end in fields(data, start, stop):
        if number == 1 and wire == BYTES:
            key = _text(data, at, end)
        elif number == 2 and wire == BYTES:
            value = _json(data, at, end, depth)
    return key, value


def _json(data: bytes, start: int, stop: int, depth: int) -> Any:
    """Return a value of ``struct.proto``: numbers that are whole are int, as the plugin has none.

    Raises
    ------
    NotProtobufError
        If it is nested deeper than any hyperparameter is.
    """
    if depth > _DEEPEST:
        raise NotProtobufError("nested too deeply")
    value: Any = None
    for number, wire, at, end in fields(data, start, stop):
        if number == 2 and wire == FIXED64:
            found = _DOUBLE.unpack_from(data, at)[0]
            value = int(found) if abs(found) < 2**53 and found == int(found) else found
        elif number == 3 and wire == BYTES:
            value = _text(data, at, end)
        elif number == 4 and wire == VARINT:
            value = bool(varint(data, at, end)[0])
        elif number == 5 and wire == BYTES:
            value = dict(_entry(data, *own, depth + 1) for own in spans(data, 1, at, end))
        elif number == 6 and wire == BYTES:
            value = [_json(data, *own, depth + 1) for own in spans(data, 1, at, end)]
    return value
