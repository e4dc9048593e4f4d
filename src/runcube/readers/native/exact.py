"""The exact road through a native log: line by line, so that a bad line costs only itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.readers.lines import BadLine, split_lines
from runcube.readers.native.epochs import (
    UNREADABLE,
    epochs_by_marker,
    lost_records,
    misplaced,
    one_byte_apart,
    repaired,
)
from runcube.readers.native.records import (
    decode_record,
    is_config,
    is_record,
    whole_records,
    within_depth,
)
from runcube.readers.native.scalars import Oddities, RecordColumns, flat_items, shown
from runcube.readers.native.texts import (
    MARKER,
    MARKER_NUMBER,
    TRAIN_TIME,
    is_damaged_marker,
    seconds_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.lines import Line

OWN_KEYS = frozenset({"type", "value", "title", "data_name", "agg_stats"})
_MARKER_BYTES = re.compile(rb'">> Start Epoch: *(\d{1,15})"')
# Looked ahead: where the end of one name is damaged, the next one is found all the same.
_SPLIT_NAME = re.compile(rb'"(?:data_name|title)": ?(?=("(?:[^"\\]|\\.){0,200}"))')
_NUMBER = re.compile(r"[\d.]+")
_MARKER_SHAPE = f"str {MARKER} #"


@dataclass(slots=True)
class SplitRows:
    """Records of one split, in file order; also those that a bad line lost.

    Parameters
    ----------
    lines : list of int, (rows,)
        Line numbers, from 1.
    ordinals : list of int, (rows,)
        How many epoch markers precede each record.
    kept : list of bool, (rows,)
        False for a record that was lost; it is there so that those after it keep their epochs.
    """

    lines: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)


class Section:
    """What follows one configuration line, up to the next one.

    Parameters
    ----------
    path : str
        Path that problems name.
    limits : Limits

    Attributes
    ----------
    config : dict or None
        The configuration as logged; None if records come before any configuration line.
    rows : dict of str to SplitRows
        Records by split, in order of first appearance.
    columns : RecordColumns
        Their values.
    markers : list of int or None, (markers,)
        Epochs of the epoch markers, in file order; None for one that is unreadable.
    messages : list of str
        Text lines; markers are among them.
    train_time : float or None
        Seconds, summed over the sessions of a resumed run; None if no line holds it.
    problems : list of Problem
        What is wrong with the lines.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        self.config: Any = None
        self.rows: dict[str, SplitRows] = {}
        self.markers: list[int | None] = []
        self.messages: list[str] = []
        self.train_time: float | None = None
        self.problems: list[Problem] = []
        self._path = path
        self._limits = limits
        self._marker_lines: list[int] = []
        self._odd = Oddities(path)
        self.columns = RecordColumns(self._odd, limits)

    def metrics(self, line: int, record: dict[str, Any], split: str, due: str | None) -> None:
        """Add one record of metrics.

        Parameters
        ----------
        line : int
            Line number, from 1.
        record : dict
        split : str
        due : str or None
            The split that belongs there, if the name of this one is probably damaged.
        """
        if due is None or self._moved(line, split, due):
            self._row(split, line)
            self.columns.put(split, line, record["agg_stats"], _beside(record))

    def configure(self, line: int, record: dict[str, Any]) -> None:
        """Take the configuration."""
        record, cut = within_depth(record, self._limits)
        self.config = record["value"]
        for name in cut:
            message = f"'{shown(name)}': nested deeper than Limits(depth={self._limits.depth})"
            self.problems.append(Problem("limit", f"{message}: left out", self._path, line))
        self._name_others(line, record)

    def text(self, line: int, record: dict[str, Any]) -> None:
        """Add one text: a marker, the training time, or a message."""
        self._name_others(line, record)
        value = record["value"]
        if not isinstance(value, str):
            self.messages.append(json.dumps(value))
            return
        if value.startswith(MARKER):
            number = MARKER_NUMBER.fullmatch(value, len(MARKER))
            self._mark(line, int(number[1]) if number else UNREADABLE)
        elif is_damaged_marker(value):
            self._mark(line, int(value[len(MARKER) :]))
            message = f"'{value}' read as '{MARKER}{value[len(MARKER) :]}'"
            self.problems.append(Problem("bad_marker", message, self._path, line))
        elif value.startswith("Training time") and (found := TRAIN_TIME.match(value)):
            # A run that was resumed logs the time of each of its sessions.
            self.train_time = seconds_of(found) + (self.train_time or 0.0)
        if value:
            self.messages.append(value)

    def lost(self, line: int, shape: str) -> None:
        """Add what an unreadable line was; ``""`` if that is unknown: it may be a marker."""
        if shape.startswith("split "):
            self._row(shape.removeprefix("split "), line, kept=False)
        elif shape in ("", _MARKER_SHAPE):
            self._mark(line, UNREADABLE if shape else None)

    def foreign(self, line: int, record: dict[str, Any]) -> None:
        """Name a line that is no record of this layout."""
        names = ", ".join(f"'{shown(name)}'" for name in list(record)[:20])
        what = f"{names or 'no key'}: not a record of this layout, left out"
        self._odd.note("bad_line", what, line, f"on line {line}")

    def epochs(self) -> dict[str, NDArray[np.int64]]:
        """Return the epochs of the records that were kept, by split, from markers or counted."""
        known = np.array([marker is not None for marker in self.markers], dtype=bool)
        before = np.append(0, np.cumsum(known))
        markers = [marker for marker in self.markers if marker is not None]
        found = {}
        for split, rows in self.rows.items():
            if markers:
                epochs = epochs_by_marker(before[rows.ordinals], markers)
            else:
                epochs = np.arange(len(rows.lines), dtype=np.int64)
            found[split] = epochs[np.array(rows.kept, dtype=bool)]
        return found

    def finish(self) -> None:
        """Correct the markers, and name what was found odd."""
        numbers = repaired(self.markers)
        for line, logged, number in zip(self._marker_lines, self.markers, numbers, strict=True):
            if number is not None and logged != number:
                unreadable = logged is None or logged == UNREADABLE
                what = "an unreadable one" if unreadable else f"'{MARKER} {logged}'"
                message = f"{what} among the epoch markers: read as epoch {number}"
                self.problems.append(Problem("bad_marker", message, self._path, line))
        self.markers = numbers
        self.columns.finish()
        self.problems += self._odd.problems()

    def _name_others(self, line: int, record: dict[str, Any]) -> None:
        """Name what a text or a configuration has beside it."""
        if len(record) > len(_TEXT_KEYS):
            beside = {key: value for key, value in record.items() if key not in _TEXT_KEYS}
            for name, value in flat_items(beside):
                if value is not None:
                    self._odd.note("extra_key", name, line, value)

    def _mark(self, line: int, epoch: int | None) -> None:
        self.markers.append(epoch)
        self._marker_lines.append(line)

    def _row(self, split: str, line: int, *, kept: bool = True) -> None:
        rows = self.rows.setdefault(split, SplitRows())
        rows.lines.append(line)
        rows.ordinals.append(len(self.markers))
        rows.kept.append(kept)

    def _moved(self, line: int, split: str, due: str) -> bool:
        """Name a record whose split is probably another one; return whether it is kept.

        It is kept where its split is a new one: there it has the epoch that it would have in the
        split that belongs there.
        """
        is_new = split not in self.rows
        kept = f"its values stand in '{split}'" if is_new else "its values are left out"
        message = f"'{split}' where '{due}' stands elsewhere: {kept}"
        self.problems.append(Problem("odd_split", message, self._path, line))
        if is_new:
            known = self.rows.get(due, SplitRows())
            lost = [False] * len(known.lines)
            self.rows[split] = SplitRows([*known.lines], [*known.ordinals], lost)
        self._row(due, line, kept=False)
        return is_new


_TEXT_KEYS = frozenset({"type", "value"})


def _split(record: dict[str, Any]) -> str:
    data_name, title = record.get("data_name"), record.get("title")
    if data_name:
        return str(data_name)
    return (str(title).removeprefix("agg_") if title else "") or "all"


def _beside(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record of metrics holds beside them, but for the words of the layout."""
    name, title = record.get("data_name"), record.get("title")
    if len(record) == 3 and name and title == f"agg_{name}":
        return {}
    beside = {key: value for key, value in record.items() if key not in OWN_KEYS}
    if name and title and title not in (name, f"agg_{name}"):
        beside["title"] = title
    if not name and name is not None and name != "":
        beside["data_name"] = name
    if not isinstance(record.get("type", ""), str):
        beside["type"] = record["type"]
    if "value" in record:
        beside["value"] = record["value"]
    return beside


@dataclass(slots=True)
class _Entry:
    """What one line holds.

    Parameters
    ----------
    number : int
        Line number, from 1.
    value : dict or None
        The decoded record; None if there is none.
    split : str or None
        The split of a record of metrics; ``""`` for a text, None for anything else.
    shape : str or None
        The kind of the line (``"split val"``); None if it is unknown.
    problems : list of Problem
    hints : list of str
        Names on an unreadable line, one of which may be its split.
    foreign : dict or None
        What is there instead of a record of this layout.
    """

    number: int
    value: Any = None
    split: str | None = None
    shape: str | None = None
    problems: list[Problem] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    foreign: Any = None


def read_sections(data: bytes, path: str, limits: Limits) -> list[Section]:
    """Return the rows, markers and texts of a log.

    A bad line costs that line and shifts nothing after it.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits

    Returns
    -------
    list of Section
        One for each configuration line, in file order; at least one.
    """
    entries = _entries(data, path, limits)
    splits = {entry.shape for entry in entries if entry.shape is not None}
    for entry in entries:
        if entry.value is None:
            named = (f"split {hint}" for hint in entry.hints)
            entry.shape = next((shape for shape in named if shape in splits), None)
    guesses = lost_records([entry.shape for entry in entries])
    moved = misplaced([entry.split for entry in entries]) | _retitled(entries)
    sections = [Section(path, limits)]
    for index, entry in enumerate(entries):
        number, value = entry.number, entry.value
        is_header = value is not None and entry.split is None
        if is_header and (sections[-1].config is not None or sections[-1].rows):
            sections.append(Section(path, limits))
        section = sections[-1]
        section.problems += entry.problems
        if entry.foreign is not None:
            section.foreign(number, entry.foreign)
        if value is None:
            section.lost(number, entry.shape or guesses.get(index, ""))
        elif is_header:
            section.configure(number, value)
        elif entry.split:
            section.metrics(number, value, entry.split, moved.get(index))
        else:
            section.text(number, value)
    for section in sections:
        section.finish()
    return sections


def _retitled(entries: Sequence[_Entry]) -> dict[int, str]:
    """Return records whose split is nowhere else, while their title has the name of another one."""
    counts = Counter(entry.split for entry in entries if entry.split)
    found = {}
    for index, entry in enumerate(entries):
        if entry.split and counts[entry.split] == 1:
            title = str(entry.value.get("title")).removeprefix("agg_")
            if title in counts and one_byte_apart(title, entry.split):
                found[index] = title
    return found


def _entries(data: bytes, path: str, limits: Limits) -> list[_Entry]:
    entries: list[_Entry] = []
    is_open = False
    for line in split_lines(data):
        try:
            value = decode_record(line.data, limits)
        except BadLine as error:
            found = list(_unreadable(line, path, error, limits))
            if is_open and found[-1].value is None and not line.data.startswith(b"{"):
                # The rest of the line before, which a damaged byte cut in two.
                entries[-1].problems += found[0].problems
                entries[-1].hints += found[0].hints
            else:
                entries += found
            is_open = found[-1].value is None and not line.data.endswith(b"}")
            continue
        is_open = False
        if is_record(value):
            entries.append(_entry(line.number, value))
        elif isinstance(value, dict):
            entries.append(_foreign(line, value))
        else:
            problem = Problem("bad_line", "not a record of this layout", path, line.number)
            entries.append(_Entry(line.number, problems=[problem]))
    return entries


def _foreign(line: Line, value: dict[str, Any]) -> _Entry:
    """Return the entry of an object that is no record of this layout."""
    marker = _MARKER_BYTES.search(line.data)
    if marker is None:
        return _Entry(line.number, hints=_hints(line.data), foreign=value)
    entry = _entry(line.number, {"type": "str", "value": f"{MARKER} {int(marker[1])}"})
    entry.foreign = value
    return entry


def _unreadable(line: Line, path: str, error: BadLine, limits: Limits) -> Iterator[_Entry]:
    def named(kind: str, message: str) -> list[Problem]:
        return [Problem(kind, message, path, line.number)]

    start: int = len(line.data)
    records: list[Any] = []
    if error.kind != "limit":
        start, records = whole_records(line.data, limits)
    broken = line.data[:start]
    marker = _MARKER_BYTES.search(broken)
    if marker is not None:
        records.insert(0, {"type": "str", "value": f"{MARKER} {int(marker[1])}"})
    entries = [_entry(line.number, record) for record in records]
    if not start:
        message = f"{len(records)} records on one line, all kept"
        entries[0].problems = named("joined_lines", message)
    elif marker is not None:
        message = f"no JSON: {error}; the epoch marker on it is read"
        entries[0].problems = named("bad_line", message)
    elif records:
        message = "half a record before a whole one on the same line; the whole one is kept"
        yield _Entry(line.number, None, None, None, named("bad_line", message), _hints(broken))
    elif error.kind == "limit":
        yield _Entry(line.number, None, None, None, named("limit", str(error)), _hints(broken))
    elif line.ended:
        yield _Entry(
            line.number, None, None, None, named("bad_line", f"no JSON: {error}"), _hints(broken)
        )
    else:
        message = f"the log ends in half a line: {error}"
        yield _Entry(
            line.number, None, None, None, named("truncated_tail", message), _hints(broken)
        )
    yield from entries


def _hints(broken: bytes) -> list[str]:
    """Return the texts on an unreadable line that may be the name of its split."""
    found = []
    for match in _SPLIT_NAME.finditer(broken):
        try:
            found.append(str(json.loads(match[1])).removeprefix("agg_"))
        except ValueError:
            continue
    return found


def _entry(number: int, record: dict[str, Any]) -> _Entry:
    """Return the entry of a record of this layout."""
    if is_config(record):
        return _Entry(number, record, None, "dict_config")
    if isinstance(record.get("agg_stats"), dict):
        split = _split(record)
        return _Entry(number, record, split, f"split {split}")
    text = record["value"] if isinstance(record["value"], str) else ""
    return _Entry(number, record, "", f"{record['type']} {_NUMBER.sub('#', text)}")
