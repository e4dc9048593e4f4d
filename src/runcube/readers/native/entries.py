"""Lines of a native log to entries: their records, and what the unreadable ones probably were."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, split_lines
from runcube.readers.native.epochs import lost_records, misplaced
from runcube.readers.native.records import (
    decode_record,
    is_config,
    is_record,
    split_of,
    whole_records,
)
from runcube.readers.native.texts import MARKER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import Limits
    from runcube.readers.lines import Line

MARKER_SHAPE = f"str {MARKER} #"
_MARKER_BYTES = re.compile(rb'">> Start Epoch: *(\d{1,15})"')
# Looked ahead: where the end of one name is damaged, the next one is found all the same.
_SPLIT_NAME = re.compile(rb'"(?:data_name|title)": ?(?=("(?:[^"\\]|\\.){0,200}"))')
_NUMBER = re.compile(r"[\d.]+")


@dataclass(slots=True)
class Entry:
    """One record of a log, or a line without one.

    Parameters
    ----------
    number : int
        Line number, from 1.
    record : dict or None
        None if the line has none.
    split : str or None
        The split of a record of metrics; ``""`` for a text, None for anything else.
    shape : str or None
        What recurs of the line: ``"split val"``, the words of a text. Of a line without a record
        what it probably was; None if nothing tells.
    is_doubtful : bool
        Whether a line without a record may have been something else than its shape says.
    due : str or None
        The split that belongs there, if the name of this one is probably damaged.
    problems : list of Problem
    hints : list of str
        Names on an unreadable line, one of which may be its split.
    foreign : dict or None
        What is there instead of a record of this layout.
    """

    number: int
    record: Any = None
    split: str | None = None
    shape: str | None = None
    is_doubtful: bool = False
    due: str | None = None
    problems: list[Problem] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    foreign: Any = None

    @property
    def is_lost(self) -> bool:
        """Whether the line is unreadable."""
        return self.record is None and self.foreign is None


def read_entries(data: bytes, path: str, limits: Limits) -> list[Entry]:
    """Return the entries of a log, in file order; bad lines are named, and guessed from the others.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
    """
    entries: list[Entry] = []
    is_open = False
    for line in split_lines(data):
        try:
            value = decode_record(line.data, limits)
        except BadLine as error:
            found = _unreadable(line, path, error, limits)
            is_rest = is_open or (entries and entries[-1].is_lost and b'"' not in line.data)
            if is_rest and found[-1].record is None and not line.data.startswith(b"{"):
                # The rest of the line before, which a damaged byte cut in two.
                entries[-1].problems += found[0].problems
                entries[-1].hints += found[0].hints
            else:
                entries += found
            is_open = found[-1].record is None and not line.data.endswith(b"}")
        else:
            is_open = False
            entries.append(_readable(line, path, value))
    _guess_lost(entries)
    _find_moved(entries)
    return entries


def _readable(line: Line, path: str, value: Any) -> Entry:
    if is_record(value):
        return _entry(line.number, value)
    if not isinstance(value, dict):
        problem = Problem("bad_line", "not a record of this layout", path, line.number)
        return Entry(line.number, problems=[problem])
    marker = _marker_on(line.data)
    entry = _entry(line.number, marker) if marker else Entry(line.number, hints=_hints(line.data))
    entry.foreign = value
    return entry


def _unreadable(line: Line, path: str, error: BadLine, limits: Limits) -> list[Entry]:
    """Return the entries of the records that are whole on a bad line, and of what is not."""
    start, records = whole_records(line, error, limits)
    broken = line.data[:start]
    marker = _marker_on(broken)
    entries = [_entry(line.number, record) for record in ([marker] if marker else []) + records]
    kind, message = error.kind, f"no JSON: {error}"
    if not start:
        kind, message = "joined_lines", f"{len(records)} records on one line, all kept"
    elif marker:
        kind, message = "bad_line", f"{message}; the epoch marker on it is read"
    else:
        entries.insert(0, Entry(line.number, hints=_hints(broken)))
        if records:
            message = "half a record before a whole one on the same line; the whole one is kept"
        elif kind == "limit":
            message = str(error)
        elif not line.ended:
            kind, message = "truncated_tail", f"the log ends in half a line: {error}"
    entries[0].problems = [Problem(kind, message, path, line.number)]
    return entries


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


def _entry(number: int, record: dict[str, Any]) -> Entry:
    """Return the entry of a record of this layout."""
    if is_config(record):
        return Entry(number, record, None, "dict_config")
    if isinstance(record.get("agg_stats"), dict):
        split = split_of(record)
        return Entry(number, record, split, f"split {split}")
    text = record["value"] if isinstance(record["value"], str) else ""
    return Entry(number, record, "", f"{record['type']} {_NUMBER.sub('#', text)}")


def _guess_lost(entries: Sequence[Entry]) -> None:
    """Set what lines without a record probably were: by a name on them, else by neighbours."""
    known = {entry.shape for entry in entries if entry.shape is not None}
    for entry in entries:
        if entry.record is None:
            named = (f"split {hint}" for hint in entry.hints)
            entry.shape = next((shape for shape in named if shape in known), None)
    guesses, doubtful = lost_records([entry.shape for entry in entries])
    for index in guesses.keys() | doubtful:
        entries[index].shape = guesses.get(index)
        entries[index].is_doubtful = index in doubtful


def _find_moved(entries: Sequence[Entry]) -> None:
    """Set the split that is due where the name of another one is probably damaged."""
    for index, split in misplaced([entry.split for entry in entries]).items():
        entries[index].due = split
    counts = Counter(entry.split for entry in entries if entry.split)
    for entry in entries:
        # The split is nowhere else, and the title has the name of another one.
        if entry.split and counts[entry.split] == 1:
            title = str(entry.record.get("title")).removeprefix("agg_")
            if title != entry.split and title in counts:
                entry.due = title
