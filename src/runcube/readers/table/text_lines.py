"""Text around records: lines of plain text, and records at the end of lines of text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, decode_line
from runcube.readers.table.python_text import python_record

if TYPE_CHECKING:
    from runcube.core import Limits

# Column of the text that stands on lines of its own, or before a record.
TEXT_AROUND = "(text)"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
# ``[2026-01-01 10:00:00] INFO``, and not half an array.
_BRACKETS = re.compile(rb'\[[^\[\]{}",]*[^\[\]{}",\d.\s-][^\[\]{}"]*\]')


def record_of_text(data: bytes, limits: Limits) -> dict[str, Any] | None:
    """Return a line of text as a record, or the record behind a text; None for neither.

    What has brackets or a key of JSON in its text is half a record, not a text.

    Parameters
    ----------
    data : bytes
        The line.
    limits : Limits
    """
    # Colours, and a progress bar that the next text of a terminal overwrites.
    data = _COLOUR.sub(b"", data).replace(b"\r", b" ").replace(b"\t", b" ").strip()
    start = data.find(b"{")
    before = data[: start if start >= 0 else None].strip()
    is_half = before[:1] in b'{}]"' or b'":' in before or b"}" in before
    if not before or is_half or (before[:1] == b"[" and not _BRACKETS.match(before)):
        return None
    try:
        text = before.decode("utf-8")
        record = {} if start < 0 else _record(data[start:], limits)
    except (UnicodeDecodeError, BadLine):
        return None
    if not isinstance(record, dict) or not text.isprintable():
        return None
    return record | {TEXT_AROUND: text}


def _record(data: bytes, limits: Limits) -> Any:
    try:
        return decode_line(data, limits)
    except BadLine as error:
        found = python_record(data) if error.kind != "limit" else None
        if found is None:
            raise
        return found


class TextLines:
    """Counts the lines of some kind in each file of a log.

    Parameters
    ----------
    kind : str
        Kind of the problem.
    what : str
        What such a line is, for the message.
    """

    def __init__(self, kind: str, what: str) -> None:
        self._kind, self._what = kind, what
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, path: str, line: int) -> None:
        """Count a line of a file."""
        first, count = self._counts.get(path, (line, 0))
        self._counts[path] = first, count + 1

    def problems(self) -> list[Problem]:
        """Return one problem for each file that has such lines."""
        return [
            Problem(self._kind, f"{count} line{'s' * (count > 1)} {self._what}", path, first)
            for path, (first, count) in self._counts.items()
        ]
