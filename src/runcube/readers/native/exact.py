"""The exact road through a native log: line by line, so that a bad line costs only itself.

Lines become entries (``entries``), one after the other; each section of a log takes its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.readers.last_words import remarks_of
from runcube.readers.native.entries import MARKER_SHAPE, read_entries
from runcube.readers.native.epochs import UNREADABLE, epochs_by_marker, repaired
from runcube.readers.native.records import beside, within_depth
from runcube.readers.native.scalars import Oddities, RecordColumns, flat_items, shown
from runcube.readers.native.texts import (
    MARKER,
    MARKER_NUMBER,
    TRAIN_TIME,
    is_damaged_marker,
    kind_of_text,
    seconds_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.core import Limits, Remarks
    from runcube.readers.native.entries import Entry

_TEXT_KEYS = frozenset({"type", "value"})


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
    sections = [Section(path, limits)]
    for entry in read_entries(data, path, limits):
        is_header = entry.record is not None and entry.split is None
        if is_header and (sections[-1].config is not None or sections[-1].rows):
            sections.append(Section(path, limits))
        sections[-1].add(entry)
    for section in sections:
        section.finish()
    return sections


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
    doubtful : list of int
        Unreadable lines that may have been a record of any split.
    behind : list of str
        Texts behind the last record of metrics, but for markers; so is the training time.
    problems : list of Problem
        What is wrong with the lines.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        self.config: Any = None
        self.rows: dict[str, SplitRows] = {}
        self.markers: list[int | None] = []
        self.messages: list[str] = []
        self.train_time: float | None = None
        self.doubtful: list[int] = []
        self.behind: list[str] = []
        self._before: set[str] = set()
        self.problems: list[Problem] = []
        self.path = path
        self._limits = limits
        self._marker_lines: list[int] = []
        self._odd = Oddities(path)
        self.columns = RecordColumns(self._odd, limits)

    def add(self, entry: Entry) -> None:
        """Take one entry: a configuration, a record of metrics, a text, or a bad line."""
        self.problems += entry.problems
        if entry.foreign is not None:
            self._foreign(entry.number, entry.foreign)
        if entry.record is None:
            self._lost(entry.number, entry.shape or "")
            self.doubtful += [entry.number] * entry.is_doubtful
        elif entry.split is None:
            self._configure(entry.number, entry.record)
        elif entry.split:
            self._metrics(entry.number, entry.record, entry.split, entry.due)
        else:
            self._text(entry.number, entry.record)

    def epochs(self) -> dict[str, NDArray[np.int64]]:
        """Return the epochs of the records that were kept, by split, from markers or counted."""
        known = np.array([marker is not None for marker in self.markers], dtype=bool)
        before = np.append(0, np.cumsum(known))
        markers = [marker for marker in self.markers if marker is not None]
        found = {}
        for split, rows in self.rows.items():
            if self.is_marked:
                epochs = epochs_by_marker(before[rows.ordinals], markers)
            else:
                epochs = np.arange(len(rows.lines), dtype=np.int64)
            found[split] = epochs[np.array(rows.kept, dtype=bool)]
        return found

    @property
    def is_marked(self) -> bool:
        """Whether epoch markers tell the epochs: else records are counted."""
        return any(marker is not None for marker in self.markers)

    @property
    def remarks(self) -> Remarks:
        """What the section says beside its values."""
        return remarks_of(self._before, map(kind_of_text, self.behind))

    def finish(self) -> None:
        """Correct the markers, and name what was found odd."""
        numbers = repaired(self.markers)
        for line, logged, number in zip(self._marker_lines, self.markers, numbers, strict=True):
            if number is not None and logged != number:
                unreadable = logged is None or logged == UNREADABLE
                what = "an unreadable one" if unreadable else f"'{MARKER} {logged}'"
                message = f"{what} among the epoch markers: read as epoch {number}"
                self.problems.append(Problem("bad_marker", message, self.path, line))
        self.markers = numbers
        self.columns.finish()
        self.problems += self._odd.problems()

    def _metrics(self, line: int, record: dict[str, Any], split: str, due: str | None) -> None:
        if due is None or self._moved(line, split, due):
            self._row(split, line)
            self.columns.put(split, line, record["agg_stats"], beside(record))

    def _configure(self, line: int, record: dict[str, Any]) -> None:
        """Take the configuration."""
        record, cut = within_depth(record, self._limits)
        self.config = record["value"]
        for name in cut:
            message = f"'{shown(name)}': nested deeper than Limits(depth={self._limits.depth})"
            self.problems.append(Problem("limit", f"{message}: left out", self.path, line))
        self._name_others(line, record)

    def _text(self, line: int, record: dict[str, Any]) -> None:
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
            self.problems.append(Problem("bad_marker", message, self.path, line))
        else:
            self.behind.append(value)
            if found := TRAIN_TIME.match(value):
                # A run that was resumed logs the time of each of its sessions.
                self.train_time = seconds_of(found) + (self.train_time or 0.0)
        if value:
            self.messages.append(value)

    def _lost(self, line: int, shape: str) -> None:
        """Add what an unreadable line was; ``""`` if that is unknown: it may be a marker."""
        if shape.startswith("split "):
            self._row(shape.removeprefix("split "), line, kept=False)
        elif shape in ("", MARKER_SHAPE):
            self._mark(line, UNREADABLE if shape else None)

    def _foreign(self, line: int, record: dict[str, Any]) -> None:
        """Name a line that is no record of this layout."""
        names = ", ".join(f"'{shown(name)}'" for name in list(record)[:20])
        what = f"{names or 'no key'}: not a record of this layout, left out"
        self._odd.note("bad_line", what, line, f"on line {line}")

    def _name_others(self, line: int, record: dict[str, Any]) -> None:
        """Name what a text or a configuration has beside it."""
        if len(record) > len(_TEXT_KEYS):
            others = {key: value for key, value in record.items() if key not in _TEXT_KEYS}
            for name, value in flat_items(others):
                if value is not None:
                    self._odd.note("extra_key", name, line, value)

    def _mark(self, line: int, epoch: int | None) -> None:
        self.markers.append(epoch)
        self._marker_lines.append(line)

    def _row(self, split: str, line: int, *, kept: bool = True) -> None:
        self._before.update(map(kind_of_text, self.behind))
        self.behind.clear()
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
        self.problems.append(Problem("odd_split", message, self.path, line))
        if is_new:
            known = self.rows.get(due, SplitRows())
            lost = [False] * len(known.lines)
            self.rows[split] = SplitRows([*known.lines], [*known.ordinals], lost)
        self._row(due, line, kept=False)
        return is_new
