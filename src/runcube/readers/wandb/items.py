"""The items of histories, summaries and configurations: nested keys, and a value as JSON."""

from __future__ import annotations

import json
from typing import Any

from runcube.core import value_at
from runcube.readers.protobuf import NotProtobufError, double_of, text_of, unzigzag, values

# Fields of an item.
_KEY, _NESTED_KEY, _BOOLEAN, _INTEGER, _NUMBER, _TEXT, _JSON, _VALUE_JSON = 1, 2, 4, 5, 6, 7, 8, 16
# The first bytes of a key, of a value, and the largest size that is one byte.
_KEY_BEGINS, _VALUE_BEGINS, _ONE_BYTE = b"\x0a\x12", b"\x82\x01", 0x7F

Names = tuple[str, ...]
NOTHING = object()


class Items:
    """Reads the items of histories, summaries and configurations; most have keys seen before.

    Parameters
    ----------
    depth : int
        How many keys may be inside each other.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._names: dict[bytes, Names] = {}

    def read(self, message: bytes) -> tuple[Names, bytes]:
        """Return the key of an item, outermost first, and its value as JSON; ``b""`` without one.

        Raises
        ------
        NotProtobufError
            As `fields`, and where keys are nested too deeply.
        """
        # Keys first, then the value, and no size of more than one byte: nearly all are like that.
        at, end = 0, len(message)
        while at + 1 < end and message[at] in _KEY_BEGINS and message[at + 1] <= _ONE_BYTE:
            at += 2 + message[at + 1]
        keys, begin = message[:at], message[at : at + 3]
        if len(begin) == 3 and begin[:2] == _VALUE_BEGINS and at + 3 + begin[2] == end:
            names = self._names.get(keys)
            if names is None:
                names = self._names[keys] = self._checked(*_item(keys))[0]
            return names, message[at + 3 :]
        return self._checked(*_item(message))

    def _checked(self, names: Names, raw: bytes) -> tuple[Names, bytes]:
        if len(names) > self._depth:
            raise NotProtobufError("nested too deeply")
        return names, raw


def _item(message: bytes) -> tuple[Names, bytes]:
    """Return what `Items.read` does, field by field."""
    names: list[str] = []
    raw = b""
    for number, value in values(message):
        if number in (_KEY, _NESTED_KEY):
            names.append(text_of(value))
        elif isinstance(value, bytes):
            if number in (_VALUE_JSON, _JSON):
                raw = value
            elif number == _NUMBER:
                raw = json.dumps(double_of(value)).encode()
            elif number == _TEXT:
                raw = json.dumps(text_of(value)).encode()
        elif number == _BOOLEAN:
            raw = b"true" if value else b"false"
        elif number == _INTEGER:
            raw = b"%d" % unzigzag(value)
    return tuple(names) or ("",), raw


def set_nested(inside: dict[str, Any], names: Names, value: Any) -> Any:
    """Set a nested key, and return what it was; ``NOTHING`` if there was none."""
    for name in names[:-1]:
        below = inside.get(name)
        if not isinstance(below, dict):
            below = inside[name] = {}
        inside = below
    old = inside.get(names[-1], NOTHING)
    inside[names[-1]] = value
    return old


def remove_nested(inside: dict[str, Any], names: Names) -> bool:
    """Remove a nested key; return whether there was one."""
    above = value_at(inside, names[:-1])
    return isinstance(above, dict) and above.pop(names[-1], NOTHING) is not NOTHING
