"""Exact JSON, line by line: the slow road that every JSONL reader falls back on.

The fast road (a typed decoder over the whole file) refuses anything unusual; then each line is
decoded on its own, so that a bad line costs that line and nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from runcube.core import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runcube.core import Limits

BOM = b"\xef\xbb\xbf"
# Each character can be matched in one way only: else a long text of digits takes hours.
_NUMBER = re.compile(
    r"\s*[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?)\s*",
    re.IGNORECASE,
)
# A quote with the backslashes before it, or a bracket, in a line that is read backwards.
_BACKWARDS = re.compile(rb'"\\*|[{}\[\]]')
_JSON = json.JSONDecoder()
# Python refuses to convert longer texts to whole numbers.
_INT_DIGITS = 4_300


class BadLine(ValueError):
    """A line that is not one JSON value, or is beyond a bound.

    Parameters
    ----------
    message : str
        What is wrong, and where in the line.
    kind : str
        Kind of the problem: ``bad_line`` or ``limit``.
    """

    def __init__(self, message: str, kind: str = "bad_line") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log.

    Parameters
    ----------
    number : int
        Counts from 1.
    data : bytes
        Without BOM, CR, newline and blanks around it.
    ended : bool
        Whether a newline ended it.
    """

    number: int
    data: bytes
    ended: bool


def split_lines(data: bytes) -> Iterator[Line]:
    """Yield the lines that hold something, without BOM, CR and blanks; NULs are blanks too."""
    start = len(BOM) if data.startswith(BOM) else 0
    number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        ended = end >= 0
        end = end if ended else len(data)
        number += 1
        line = data[start:end].strip(b" \t\r\0")
        if line:
            yield Line(number, line, ended)
        start = end + 1


def decode_line(line: bytes, limits: Limits = DEFAULT_LIMITS, *, deep: bool = False) -> Any:
    """Return the one JSON value of a line; ``NaN``, ``Infinity`` and ``-Infinity`` are values.

    Parameters
    ----------
    line : bytes
    limits : Limits
    deep : bool
        Keep what is nested beyond ``limits.depth``, as far as the decoders go.

    Raises
    ------
    BadLine
        If it is not one JSON value, or beyond a bound.
    """
    if len(line) > limits.line_bytes:
        bound = f"more than Limits(line_bytes={limits.line_bytes})"
        raise BadLine(f"line of {len(line):,} bytes, {bound}: left out", "limit")
    try:
        value = _decode(line, limits)
    except RecursionError as error:
        raise _too_deep(limits) from error
    brackets = line.count(b"{") + line.count(b"[")
    if not deep and brackets > limits.depth and is_deep(value, limits.depth):
        raise _too_deep(limits)
    return value


def _decode(line: bytes, limits: Limits) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass

    def whole(text: str) -> float:
        if len(text) > limits.digits:
            bound = f"more than Limits(digits={limits.digits})"
            raise BadLine(f"number of {len(text):,} digits, {bound}: left out", "limit")
        return int(text) if len(text) <= _INT_DIGITS else float(text)

    # Python writes NaN and Infinity, which msgspec rightly refuses: only such lines get here.
    try:
        return json.loads(line, parse_int=whole)
    except BadLine:
        raise
    except ValueError as error:
        raise BadLine(str(error)) from error


def _too_deep(limits: Limits) -> BadLine:
    return BadLine(f"nested deeper than Limits(depth={limits.depth}): left out", "limit")


def is_deep(value: Any, depth: int) -> bool:
    """Return whether more objects and lists than ``depth`` stand inside each other."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        inside = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [value for values in inside for value in values if isinstance(value, dict | list)]
    return bool(level)


def salvage(line: bytes, is_record: Callable[[Any], bool]) -> tuple[int, Any] | None:
    """Return the whole record at the end of a line that begins with half of another one.

    A killed run ends in half a line, and a run resumed for append continues on that very line.

    Parameters
    ----------
    line : bytes
    is_record : callable
        Distinguishes a record of the log from an inner object of a broken one.

    Returns
    -------
    start, record : (int, object) or None
        Where the record begins; None if there is no whole record.
    """
    start = _last_object(line)
    if start < 1:
        return None
    try:
        value = decode_line(line[start:])
    except BadLine:
        return None
    return (start, value) if is_record(value) else None


def _last_object(line: bytes) -> int:
    """Return where the object begins that ends with the line; -1 if there is none.

    Backwards, quotes can be told from escaped ones whatever the first half of the line holds, and
    each byte is looked at once.
    """
    if not line.endswith(b"}"):
        return -1
    depth, inside = 0, False
    for found in _BACKWARDS.finditer(line[::-1]):
        token = found[0]
        if token[:1] == b'"':
            inside ^= len(token) % 2 == 1
        elif not inside:
            depth += 1 if token in b"}]" else -1
            if depth == 0:
                return len(line) - found.end()
            if depth > DEFAULT_LIMITS.depth:
                return -1
    return -1


def concatenated(line: bytes) -> list[dict[str, Any]]:
    """Return whole records that follow each other without a newline; none if any is broken."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return []
    values: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict) or is_deep(value, DEFAULT_LIMITS.depth):
            return []
        values.append(value)
        while at < len(text) and text[at] in " \t\r\0":
            at += 1
    return values


def is_number_text(text: str) -> bool:
    """Return whether a text reads as one number, ``nan`` and ``inf`` among them.

    One with leading zeros (``"000020"``) is a name.
    """
    return _NUMBER.fullmatch(text) is not None
