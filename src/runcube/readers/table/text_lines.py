"""Text around records: lines of plain text, and records at the end of lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, decode_line

if TYPE_CHECKING:
    from runcube.core import Limits

# Column of the text that stands on lines of its own, or before a record.
TEXT_AROUND = "(text)"


def record_of_text(data: bytes, limits: Limits) -> dict[str, Any] | None:
    """Return a line of text as a record, or the record behind a text; None for neither.

    What has brackets or a key of JSON in its text is half a record, not a text.

    Parameters
    ----------
    data : bytes
        The line.
    limits : Limits
    """
    start = data.find(b"{")
    before = data[: start if start >= 0 else None].strip()
    if not before or before[:1] in b'{}[]"' or b'":' in before or b"}" in before:
        return None
    try:
        text = before.decode("utf-8")
        record = {} if start < 0 else decode_line(data[start:], limits)
    except (UnicodeDecodeError, BadLine):
        return None
    if not isinstance(record, dict) or not text.isprintable():
        return None
    return record | {TEXT_AROUND: text}


class TextLines:
    """Counts the lines of text in each file of a log."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, path: str, line: int) -> None:
        """Count a line of a file."""
        first, count = self._counts.get(path, (line, 0))
        self._counts[path] = first, count + 1

    def problems(self) -> list[Problem]:
        """Return one problem for each file that has text around its records."""
        what = "of text, or with text before the record: kept as messages"
        return [
            Problem("text_line", f"{count} line{'s' * (count > 1)} {what}", path, first)
            for path, (first, count) in self._counts.items()
        ]
