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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(
    r"\s*[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?)\s*", re.IGNORECASE
)
# Each try decodes to the end of the line: a long line of many objects would take hours.
SALVAGE_BYTES = 1 << 26


class BadLine(ValueError):
    """A line that is not one JSON value."""


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


def decode_line(line: bytes) -> Any:
    """Return the one JSON value of a line; ``NaN``, ``Infinity`` and ``-Infinity`` are values.

    Raises
    ------
    BadLine
        If it is not one JSON value; the message has what is wrong and where in the line.
    """
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError as error:
        raise BadLine("nested too deeply") from error
    # Python writes NaN and Infinity, which msgspec rightly refuses: only such lines get here.
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(str(error)) from error


def salvage(line: bytes, is_record: Callable[[Any], bool]) -> Any | None:
    """Return the whole record at the end of a line that begins with half of another one.

    A killed run ends in half a line, and a run resumed for append continues on that very line.

    Parameters
    ----------
    line : bytes
    is_record : callable
        Distinguishes a record of the log from an inner object of a broken one.

    Returns
    -------
    object or None
        None if there is no whole record.
    """
    start = line.find(b'{"', 1)
    budget = SALVAGE_BYTES
    while start >= 0 and budget > 0:
        budget -= len(line) - start
        try:
            value = decode_line(line[start:])
        except BadLine:
            start = line.find(b'{"', start + 1)
            continue
        return value if is_record(value) else None
    return None


def is_number_text(text: str) -> bool:
    """Return whether a text reads as one number, ``nan`` and ``inf`` among them."""
    return _NUMBER.fullmatch(text) is not None
