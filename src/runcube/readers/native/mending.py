"""Lines of a native log that are no record of it: mended where one is whole, or marked as lost.

What is whole on such a line gets a line of its own, and the log is decoded again; what is lost
keeps its place, so that nothing behind it moves.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, leaves
from runcube.readers.kernel import MAX_DEPTH, decode
from runcube.readers.lines import BOM, BadLine, Line, is_deep
from runcube.readers.native.epochs import lost_records
from runcube.readers.native.records import (
    OWN_KEYS,
    decode_record,
    is_config,
    is_record,
    whole_records,
)
from runcube.readers.native.rows import FOREIGN, kinds_of
from runcube.readers.native.texts import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Decoded

MARKER_SHAPE = f"str {MARKER} #"
_CONFIG = b'"dict_config"'
_MARKER_BYTES = re.compile(rb'">> Start Epoch: *(\d{1,15})"')
# Looked ahead: where the end of one name is damaged, the next one is found all the same.
_SPLIT_NAME = re.compile(rb'"(?:data_name|title)": ?(?=("(?:[^"\\]|\\.){0,200}"))')
_NUMBER = re.compile(r"[\d.]+")


@dataclass(slots=True)
class Odd:
    """What one line was that is no plain record; each record on it has one.

    Parameters
    ----------
    number : int
        Line number, from 1.
    record : dict or None
        What is decoded in its place; None if it is lost.
    problems : list of Problem
    hints : list of str
        Names on an unreadable line, one of which may be its split.
    foreign : dict or None
        What is there instead of a record of this layout.
    shape : str or None
        What a lost line probably was: ``"split val"``, the words of a text; None if nothing tells.
    is_doubtful : bool
        Whether it may have been something else than its shape says.
    """

    number: int
    record: Any = None
    problems: list[Problem] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    foreign: Any = None
    shape: str | None = None
    is_doubtful: bool = False

    @property
    def is_unreadable(self) -> bool:
        """Whether nothing is known of the line."""
        return self.record is None and self.foreign is None

    @property
    def split(self) -> str | None:
        """The split that the line probably was a record of."""
        shape = self.shape or ""
        return shape.removeprefix("split ") if shape.startswith("split ") else None

    @property
    def may_be_marker(self) -> bool:
        """Whether the line was a marker of an epoch, or may have been one."""
        return self.shape in (None, MARKER_SHAPE)

    @property
    def is_marker(self) -> bool:
        """Whether the line was a marker of an epoch."""
        return self.shape == MARKER_SHAPE


@dataclass(slots=True)
class Mended:
    """A log of which each line is a record, or marked as lost.

    Parameters
    ----------
    data : bytes
    numbers : ndarray of int64, (lines,)
        The line of the log that each of its lines was.
    odd : dict of int to Odd
        What the lines hold that are not as they were, by their number from 1.
    """

    data: bytes
    numbers: NDArray[np.int64]
    odd: dict[int, Odd]


def mended(data: bytes, path: str, limits: Limits) -> Mended:
    """Return a log with all that is no plain record of its layout mended, or marked as lost.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
    """
    decoded = decode([data], (), limits, OWN_KEYS)
    text = _Text(data)
    last: Odd | None = None
    at, is_open = 0, False
    for line in _odd_lines(data, decoded):
        if np.searchsorted(decoded.lines, line.number) > np.searchsorted(
            decoded.lines, at, "right"
        ):
            last, is_open = None, False
        at = line.number
        try:
            value = decode_record(line.data, limits)
        except BadLine as error:
            found = _unreadable(line, path, error, limits)
            is_rest = is_open or (last is not None and last.is_unreadable and b'"' not in line.data)
            is_open = found[-1].record is None and not line.data.endswith(b"}")
            rest = found[-1].record is None and not line.data.startswith(b"{")
            if last is not None and is_rest and rest:
                # The rest of the line before, which a damaged byte cut in two.
                last.problems += found[0].problems
                last.hints += found[0].hints
                found = []
        else:
            is_open = False
            found = [_readable(line, path, value)]
        text.replace(line, found)
        last = found[-1] if found else last
    return text.finish()


class _Text:
    """The lines of a log while some of them are replaced."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: list[bytes] = []
        self._numbers: list[NDArray[np.int64]] = []
        self._odd: dict[int, Odd] = {}
        self._count = 0
        # What is taken so far: bytes, and lines.
        self._at = len(BOM) if data.startswith(BOM) else 0
        self._line = 1

    def replace(self, line: _OddLine, found: Sequence[Odd]) -> None:
        """Put what was found on a line in its place."""
        self._keep(line.start, line.number)
        for odd in found:
            self._count += 1
            self._odd[self._count] = odd
            self._numbers.append(np.array([line.number]))
            self._pieces.append(_written(odd) + b"\n")
        self._at = min(line.stop + 1, len(self._data))
        self._line = line.number + 1

    def finish(self) -> Mended:
        """Return the whole text."""
        rest = self._data.count(b"\n", self._at) + 1
        self._keep(len(self._data), self._line + rest)
        return Mended(b"".join(self._pieces), np.concatenate(self._numbers), self._odd)

    def _keep(self, stop: int, line: int) -> None:
        """Keep the lines up to one that begins at ``stop``."""
        self._pieces.append(self._data[self._at : stop])
        self._numbers.append(np.arange(self._line, line))
        self._count += line - self._line


@dataclass(frozen=True, slots=True)
class _OddLine(Line):
    """A line, and where it begins and ends (bytes), without its newline."""

    start: int = 0
    stop: int = 0


def _odd_lines(data: bytes, decoded: Decoded) -> Iterator[_OddLine]:
    """Yield the lines that are no plain record: bad ones, configurations, and what is foreign."""
    found = {bad.line: (bad.start, bad.stop) for bad in decoded.bad}
    foreign = np.flatnonzero(kinds_of(decoded) == FOREIGN)
    rows = {*foreign.tolist()}
    at = data.find(_CONFIG)
    while at >= 0:
        row = int(np.searchsorted(decoded.offsets, at, side="right")) - 1
        end = data.find(b"\n", at)
        if row >= 0 and data.find(b"\n", int(decoded.offsets[row]), at) < 0:
            rows.add(row)
        at = data.find(_CONFIG, end) if end >= 0 else -1
    for row in rows:
        start = int(decoded.offsets[row])
        end = data.find(b"\n", start)
        found[int(decoded.lines[row])] = start, end if end >= 0 else len(data)
    for number, (start, stop) in sorted(found.items()):
        line = data[start:stop].removeprefix(BOM if number == 1 else b"").strip(b" \t\r\0")
        yield _OddLine(number, line, stop < len(data), start, stop)


def _written(odd: Odd) -> bytes:
    """Return the line that stands for a record; that of a lost one is no record of the layout."""
    record = odd.record
    if record is None:
        record = {"": None}
    elif is_config(record):
        record = {"type": "dict_config", "value": {}}
    elif is_deep(record, MAX_DEPTH):
        record = _shallow(record)
    return json.dumps(record).encode()


def _shallow(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its values under the names that they get, or as texts."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if key == "agg_stats" and isinstance(value, dict):
            found[key] = dict(leaves(value, "/"))
        elif key in OWN_KEYS:
            found[key] = json.dumps(value) if is_deep(value, MAX_DEPTH - 1) else value
        else:
            found |= dict(leaves({key: value}, "/"))
    return found


def _readable(line: Line, path: str, value: Any) -> Odd:
    if is_record(value):
        return Odd(line.number, value)
    if not isinstance(value, dict):
        problem = Problem("bad_line", "not a record of this layout", path, line.number)
        return Odd(line.number, problems=[problem])
    marker = _marker_on(line.data)
    return Odd(line.number, marker, [], [] if marker else _hints(line.data), foreign=value)


def _unreadable(line: Line, path: str, error: BadLine, limits: Limits) -> list[Odd]:
    """Return the records that are whole on a bad line, and what is not."""
    start, records = whole_records(line, error, limits)
    broken = line.data[:start]
    marker = _marker_on(broken)
    found = [Odd(line.number, record) for record in ([marker] if marker else []) + records]
    kind, message = error.kind, f"no JSON: {error}"
    if not start:
        kind, message = "joined_lines", f"{len(records)} records on one line, all kept"
    elif marker:
        kind, message = "bad_line", f"{message}; the epoch marker on it is read"
    else:
        found.insert(0, Odd(line.number, hints=_hints(broken)))
        if records:
            message = "half a record before a whole one on the same line; the whole one is kept"
        elif kind == "limit":
            message = str(error)
        elif not line.ended:
            kind, message = "truncated_tail", f"the log ends in half a line: {error}"
    found[0].problems = [Problem(kind, message, path, line.number)]
    return found


def _marker_on(data: bytes) -> dict[str, Any] | None:
    """Return the epoch marker on a line that is otherwise no record."""
    found = _MARKER_BYTES.search(data)
    return {"type": "str", "value": f"{MARKER} {int(found[1])}"} if found else None


def _hints(broken: bytes) -> list[str]:
    """Return the texts on an unreadable line that may be the name of its split."""
    found = []
    for match in _SPLIT_NAME.finditer(broken):
        try:
            found.append(str(json.loads(match[1])).removeprefix("agg_"))
        except ValueError:
            continue
    return found


def guess_lost(shapes: Sequence[str | None], lost: dict[int, Odd]) -> None:
    """Set what lost lines probably were: by a name on them, else by their neighbours.

    Parameters
    ----------
    shapes : sequence of str or None, (rows,)
        The kind of each row, in file order; None of lost ones.
    lost : dict of int to Odd
        The lost ones by row.
    """
    known = {shape for shape in shapes if shape is not None}
    own = [*shapes]
    for row, odd in lost.items():
        named = (f"split {hint}" for hint in odd.hints)
        own[row] = odd.shape = next((shape for shape in named if shape in known), None)
    guesses, doubtful = lost_records(own)
    for row in guesses.keys() | doubtful:
        lost[row].shape = guesses.get(row)
        lost[row].is_doubtful = row in doubtful


def shape_of_text(kind: object, text: str) -> str:
    """Return what recurs of a text line: its type, and its words without numbers."""
    return f"{kind} {_NUMBER.sub('#', text)}"
