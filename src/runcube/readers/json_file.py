"""A file that is one JSON object: whole, or as much of it as there is.

Loggers that write their file anew each time leave half of it behind when they are killed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BOM, BadLine, decode_line, is_deep, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcube.core import Limits

_BLANKS = re.compile(r"[ \t\r\n\0]*")
_BEHIND_KEY = re.compile(r"[ \t\r\n\0]*:[ \t\r\n\0]*")
_LINE = re.compile(r"\n( *)(?=\S)")
# Of a file with more damaged places only what stands before them is read.
_MOST_PLACES = 1000


class Lost:
    """In place of an item of a list that is damaged: those behind it keep their numbers."""


LOST = Lost()


def is_damaged(value: Any) -> bool:
    """Return whether something is lost in a value that `read_json_file` returned."""
    if isinstance(value, dict):
        return any(map(is_damaged, value.values()))
    return value is LOST or (isinstance(value, list) and any(map(is_damaged, value)))


def read_json_file(data: bytes, path: str, limits: Limits) -> tuple[dict[str, Any], list[Problem]]:
    """Return the object that a file holds.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits

    Returns
    -------
    found : dict
        Of a file that is cut every value before the cut, lists as far as they go; but no number
        that ends where the file does, which may be half of one. Of a file that is damaged all but
        what stands there; in a list it is `LOST`. Empty if there is no object.
    problems : list of Problem
        What is wrong with the file.
    """
    plain = data.removeprefix(BOM).strip(b" \t\r\n\0")
    if not plain:
        return {}, [Problem("empty", "the file is empty", path)]
    try:
        value = decode_line(plain, limits)
    except BadLine as error:
        if error.kind == "limit" and len(plain) > limits.line_bytes:
            return {}, [Problem("limit", str(error), path)]
    else:
        if isinstance(value, dict):
            return value, []
        return {}, [Problem("bad_line", "no object", path, 1)]
    salvage = _Salvage(data.removeprefix(BOM).decode("utf-8", "backslashreplace"), limits)
    try:
        return salvage.root(), salvage.problems(path)
    except RecursionError:
        what = f"nested deeper than Limits(depth={limits.depth}): left out"
        return {}, [Problem("limit", what, path)]


class _Salvage:
    """Reads a damaged text, value by value.

    Where one is damaged, the next line that is as far from the left as it goes on with the next
    value, and one that is nearer ends the object or the list.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._depth = limits.depth
        self._scan = json.JSONDecoder(parse_int=whole_number(limits)).raw_decode
        self._damaged: list[int] = []
        self._is_cut = self._is_deep = False

    def root(self) -> dict[str, Any]:
        at = self._behind_blanks(0)
        found: dict[str, Any] = {}
        if self._text[at : at + 1] == "{":
            found, at = self._object(at + 1, 1)
            at = self._behind_blanks(at)
        if at < len(self._text):
            self._damaged.append(at)
        return found

    def problems(self, path: str) -> list[Problem]:
        found = []
        if self._damaged:
            first, count = self._damaged[0], len(self._damaged)
            places = "1 place is" if count == 1 else f"{count} places from here on are"
            what = f"{places} no JSON: what stands there is left out"
            what += ", and all behind them" if count > _MOST_PLACES else ""
            line = self._text.count("\n", 0, first) + 1
            found.append(Problem("bad_line", what, path, line))
        if self._is_cut:
            line = self._text.count("\n") + 1
            what = "the file ends within its object: what is before the cut is read"
            found.append(Problem("truncated_tail", what, path, line))
        if self._is_deep:
            what = f"nested deeper than Limits(depth={self._depth}): left out"
            found.append(Problem("limit", what, path))
        # Nothing else is left that a decoder of bytes refuses.
        return found or [Problem("bad_line", "bytes that are no UTF-8: escaped", path)]

    def _behind_blanks(self, at: int) -> int:
        found = _BLANKS.match(self._text, at)
        return at if found is None else found.end()

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}

        def take(at: int) -> int | None:
            try:
                key, end = self._scan(self._text, at)
            except (ValueError, RecursionError):
                return None
            colon = _BEHIND_KEY.match(self._text, end)
            if not isinstance(key, str) or colon is None:
                return None
            value, behind = self._value(colon.end(), depth)
            if value is not LOST:
                found[key] = value
            return behind

        return found, self._items(at, "}", take)

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []

        def take(at: int) -> int | None:
            value, end = self._value(at, depth)
            found.append(value)
            return end

        end = self._items(at, "]", take)
        if self._is_cut and found and found[-1] is LOST:
            found.pop()
        return found, end

    def _items(self, at: int, closing: str, take: Callable[[int], int | None]) -> int:
        """Take each item of an object or a list, and return where it ends."""
        text = self._text
        first = self._behind_blanks(at)
        indent = first - text.rfind("\n", 0, first) - 1
        while True:
            at = self._behind_blanks(at)
            if at >= len(text):
                self._is_cut = len(self._damaged) <= _MOST_PLACES
                return at
            if text[at] == closing:
                return at + 1
            end = take(at)
            if end is not None:
                at = self._behind_blanks(end)
                at += text[at : at + 1] == ","
                continue
            line = next((n for n in _LINE.finditer(text, at) if len(n[1]) <= indent), None)
            if line is None:
                self._is_cut = True
                return len(text)
            self._damaged.append(at)
            if len(self._damaged) > _MOST_PLACES:
                return len(text)
            at = line.end()
            if len(line[1]) < indent:
                return at + (text[at] == closing)

    def _value(self, at: int, depth: int) -> tuple[Any, int | None]:
        """Return a value and where it ends; `LOST` where there is none, or none of use."""
        text = self._text
        if depth >= self._depth:
            return LOST, None
        try:
            value, end = self._scan(text, at)
        except (ValueError, RecursionError):
            if text[at : at + 1] == "{":
                return self._object(at + 1, depth + 1)
            if text[at : at + 1] == "[":
                return self._list(at + 1, depth + 1)
            return LOST, None
        behind = self._behind_blanks(end)
        # Nothing behind a number: it may be half of one.
        is_whole = text[behind : behind + 1] in (",", "]", "}") or (
            behind == len(text) and not isinstance(value, int | float)
        )
        if not is_whole:
            return LOST, None
        if is_deep(value, self._depth - depth):
            self._is_deep = True
            return LOST, end
        return value, end
