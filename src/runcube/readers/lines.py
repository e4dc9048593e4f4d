"""Exact JSON, line by line: what every reader of JSON lines falls back on.

The kernel refuses lines that are no record, or beyond a bound; these are decoded on their own, so
that a bad line costs that line and nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.core import DEFAULT_LIMITS, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runcube.core import Limits

BOM = b"\xef\xbb\xbf"
# A longer list of numbers is no set of metrics but a vector.
_LIST_LENGTH = 32
# Each character can be matched in one way only: else a long text of digits takes hours. Around a
# number stands what ``float`` takes for a blank.
_BLANKS = r"[^\S\x1c-\x1f]*"
_NUMBER = re.compile(
    rf"{_BLANKS}[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?"
    rf"|nan|inf(?:inity)?){_BLANKS}",
    re.IGNORECASE,
)
# A quote with the backslashes before it, or a bracket, in a line that is read backwards.
_BACKWARDS = re.compile(rb'"\\*|[{}\[\]]')
# No bound of ours: Python converts no longer texts to whole numbers, and float64 holds none.
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


def count_plain(data: bytes | memoryview, limits: Limits) -> int | None:
    """Return the number of lines if each may be a record by itself: as many records are one a line.

    A decoder of many lines does not say on which line a record was: two on one line, beside a
    blank line or a record on two lines, would be numbered wrongly.

    Parameters
    ----------
    data : bytes or memoryview
        Whole lines; the last one may lack its newline.
    limits : Limits

    Returns
    -------
    int or None
        None where a line does not begin with ``{``, one but the last does not end with ``}``, or
        one is beyond a bound.
    """
    if not len(data):
        return 0
    view = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(view == ord("\n"))
    between = ends[:-1] if view[-1] == ord("\n") else ends
    last, first = view[between - 1], view[between + 1]
    if (last == ord("\r")).any():
        last = np.where(last == ord("\r"), view[between - 2], last)
    if view[0] != ord("{") or (first != ord("{")).any() or (last != ord("}")).any():
        return None
    if len(data) > limits.line_bytes:
        lengths = np.diff(between, prepend=-1, append=len(view)) - 1
        return len(lengths) if lengths.max() <= limits.line_bytes else None
    return len(between) + 1


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
    check_bounds(len(line), limits)
    try:
        value = _decode(line, limits)
    except RecursionError as error:
        raise too_deep(limits) from error
    if not deep and is_deep_line(line, value, limits.depth):
        raise too_deep(limits)
    return value


def _decode(line: bytes, limits: Limits) -> Any:
    # msgspec counts no digits below its own bound.
    if limits.digits >= _INT_DIGITS:
        try:
            return msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass

    # Python writes NaN and Infinity, which msgspec rightly refuses: only such lines get here.
    try:
        return json.loads(line, parse_int=whole_number(limits))
    except BadLine:
        raise
    except ValueError as error:
        raise BadLine(str(error)) from error


def object_on(line: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the object that a line is; an empty one if it is none, or beyond a bound."""
    try:
        value = decode_line(line, limits)
    except BadLine:
        return {}
    return value if isinstance(value, dict) else {}


def whole_number(limits: Limits) -> Callable[[str], float]:
    """Return what makes whole numbers of their digits, and raises `BadLine` for too many."""

    def whole(text: str) -> float:
        if len(text) > limits.digits:
            bound = f"more than Limits(digits={limits.digits})"
            raise BadLine(f"number of {len(text):,} digits, {bound}: left out", "limit")
        return int(text) if len(text) <= _INT_DIGITS else float(text)

    return whole


def check_bounds(size: int, limits: Limits, value: Any = None) -> None:
    """Raise if one value takes more than ``limits.line_bytes``, or is nested too deeply.

    Parameters
    ----------
    size : int
        Length of its JSON in bytes.
    limits : Limits
    value : object
        The value, if its depth is to be checked.

    Raises
    ------
    BadLine
        Of kind ``limit``.
    """
    if size > limits.line_bytes:
        bound = f"more than Limits(line_bytes={limits.line_bytes})"
        raise BadLine(f"line of {size:,} bytes, {bound}: left out", "limit")
    if is_deep(value, limits.depth):
        raise too_deep(limits)


def too_deep(limits: Limits) -> BadLine:
    """Return the error of a value that is nested deeper than ``limits.depth``."""
    return BadLine(f"nested deeper than Limits(depth={limits.depth}): left out", "limit")


def nul_problem(data: bytes, path: str) -> list[Problem]:
    """Return the one problem of a file with NULs around records: a cut of the power leaves them.

    Within a record they make it a bad line, which is named as such.
    """
    if b"\0" not in data:
        return []
    lines = enumerate(data.split(b"\n"), 1)
    counts = {
        number: line.count(b"\0") - line.strip(b" \t\r\0").count(b"\0")
        for number, line in lines
        if b"\0" in line
    }
    count, line = sum(counts.values()), next((n for n, count in counts.items() if count), 0)
    if not count:
        return []
    message = f"{count:,} NUL byte{'s' * (count > 1)} from this line on, taken for blanks"
    return [Problem("nul_bytes", message, path, line)]


def is_deep(value: Any, depth: int) -> bool:
    """Return whether more objects and lists than ``depth`` stand inside each other."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        inside = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [value for values in inside for value in values if isinstance(value, dict | list)]
    return bool(level)


def is_deep_line(line: bytes, value: Any, depth: int) -> bool:
    """Return `is_deep` of what a line holds; most lines have too few brackets to look further."""
    return line.count(b"{") + line.count(b"[") > depth and is_deep(value, depth)


def salvage(
    line: bytes, is_record: Callable[[Any], bool], limits: Limits = DEFAULT_LIMITS
) -> tuple[int, Any] | None:
    """Return the whole record at the end of a line that begins with half of another one.

    A killed run ends in half a line, and a run resumed for append continues on that very line.

    Parameters
    ----------
    line : bytes
    is_record : callable
        Distinguishes a record of the log from an inner object of a broken one.
    limits : Limits

    Returns
    -------
    start, record : (int, object) or None
        Where the record begins; None if there is no whole record.
    """
    start = _last_object(line, limits.depth)
    if start < 1:
        return None
    try:
        value = decode_line(line[start:], limits)
    except BadLine:
        return None
    return (start, value) if is_record(value) else None


def _last_object(line: bytes, most: int) -> int:
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
            if depth > most:
                return -1
    return -1


def concatenated(line: bytes, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """Return whole records that follow each other without a newline; none if any is broken."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return []
    decoder = json.JSONDecoder(parse_int=whole_number(limits))
    values: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict) or is_deep(value, limits.depth):
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


def is_number(value: Any) -> bool:
    """Return whether a value of JSON is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_float(number: float) -> float | None:
    """Return a number as float64; None for a whole number beyond it."""
    try:
        return float(number)
    except OverflowError:
        return None


def spelling(value: Any) -> str:
    """Return one text for equal values, however they were written."""
    return json.dumps(value, sort_keys=True)


def is_short_list(value: Any) -> bool:
    """Return whether a value is a list of numbers that is read as a metric for each of them."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= _LIST_LENGTH
        and all(type(number) in (int, float) for number in value)
    )
