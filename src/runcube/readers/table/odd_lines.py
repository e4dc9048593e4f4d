"""Lines that a decoder refused: which records are still whole on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.readers.lines import BadLine, Line, concatenated, decode_line, salvage
from runcube.readers.table.python_text import python_record
from runcube.readers.table.text_lines import TEXT_AROUND, TextLines, record_of_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcube.core import Limits

_LITERAL = b"}\\n{"
_SHOWN = 60


class Splitter:
    """Splits odd lines into their records, and collects what is wrong with them.

    Parameters
    ----------
    path : str
        Path that problems name.
    limits : Limits

    Attributes
    ----------
    texts, printed : TextLines
        Lines of text, and of dicts as Python prints them, so far.
    problems : list of Problem
        What was wrong so far, in file order.
    """

    def __init__(self, path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self.limits = limits
        what = "of text, or with text before the record: kept as messages"
        self.texts = TextLines("text_line", what)
        self.printed = TextLines("python_line", "as Python prints a dict, read as such")
        self.problems: list[Problem] = []
        self._known: set[str] = set()
        self._common: set[str] | None = None

    def learn(self, record: Mapping[str, Any]) -> None:
        """Remember the keys of a sound record, to distinguish a record from an inner object."""
        self._known |= record.keys()
        keys = set(record)
        # A first record that holds the config shares no key with those that follow.
        self._common = (self._common & keys or keys) if self._common is not None else keys

    def split(self, line: Line) -> list[dict[str, Any]]:
        """Return the whole records of a line, in order; problems are recorded."""
        try:
            value = decode_line(line.data, self.limits)
        except BadLine as error:
            return self._broken(line, error)
        if isinstance(value, dict):
            return [value]
        self._note("bad_line", f"not a record: {_shown(line.data)}", line)
        return []

    def _broken(self, line: Line, error: BadLine) -> list[dict[str, Any]]:
        if error.kind == "limit":
            self._note("limit", str(error), line)
            return []
        printed = python_record(line.data)
        if printed is not None:
            self.printed.add(self.path, line.number)
            return [printed]
        around = record_of_text(line.data, self.limits)
        if around is not None:
            self.texts.add(self.path, line.number)
            return [around]
        several = _literal_newlines(line.data, self.limits)
        several = several or concatenated(line.data, self.limits)
        if several:
            self._note("joined_lines", f"{len(several)} records on one line, all kept", line)
            return several
        whole = salvage(line.data, self._is_record, self.limits)
        if whole is not None:
            self._note("bad_line", "half a record before a whole one, which is kept", line)
            return [whole[1]]
        if not line.ended:
            self._note("truncated_tail", f"the last line is cut: {_shown(line.data)}", line)
        else:
            self._note("bad_line", f"{error}: {_shown(line.data)}", line)
        return []

    def _is_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or not value or self._common is None:
            return False
        return value.keys() <= self._known and self._common <= value.keys()

    def _note(self, kind: str, message: str, line: Line) -> None:
        self.problems.append(Problem(kind, message, self.path, line.number))


def holds_record(line: bytes) -> bool:
    """Return whether a line is a record, or text with a record at its end."""
    data = line.strip(b" \t\r\0")
    if b"{" not in data:
        return False
    try:
        return isinstance(decode_line(data), dict)
    except BadLine:
        around = python_record(data) or record_of_text(data, DEFAULT_LIMITS) or {}
        return len(around) > 1 or bool(around.keys() - {TEXT_AROUND})


def _literal_newlines(line: bytes, limits: Limits) -> list[dict[str, Any]]:
    r"""Return records that an over-escaping writer separated by the two characters ``\n``."""
    if _LITERAL not in line:
        return []
    parts = line.split(_LITERAL)
    first, last = 0, len(parts) - 1
    try:
        values = [
            decode_line((b"{" if i > first else b"") + part + (b"}" if i < last else b""), limits)
            for i, part in enumerate(parts)
        ]
    except BadLine:
        return []
    return values if all(isinstance(value, dict) for value in values) else []


def _shown(data: bytes) -> str:
    text = data[: _SHOWN + 1].decode("utf-8", "backslashreplace")
    return repr(text[:_SHOWN] + "…" if len(data) > _SHOWN else text)
