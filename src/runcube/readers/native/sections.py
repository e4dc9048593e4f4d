"""Decoded rows of the native layout to sections: what follows one line of configuration each."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from runcube.core import Problem, leaves
from runcube.readers.last_words import remarks_of
from runcube.readers.native.bound import note_left_out
from runcube.readers.native.columns import Gathering
from runcube.readers.native.layout import due_splits, layout_of
from runcube.readers.native.mending import guess_lost, shape_of_text
from runcube.readers.native.oddities import Oddities
from runcube.readers.native.records import shown, within_depth
from runcube.readers.native.rows import CONFIG, METRICS, TEXT, Rows, words_of
from runcube.readers.native.texts import MARKER, NO_MARKER, marker_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits, Remarks, Status
    from runcube.readers.native.layout import Layout
    from runcube.readers.native.mending import Odd

T = TypeVar("T")
# Records of a plain log follow the configuration, which is on line 1.
FIRST_LINE = 2


@dataclass(slots=True)
class Section:
    """One run of a log as a table: its rows are the records of metrics, split after split.

    Parameters
    ----------
    config : dict or None
        The configuration as logged; None if records come before any configuration line.
    names : tuple of str, (metrics,)
        Metrics, in order of first appearance.
    extras : tuple of str, (keys,)
        What runs along the records.
    splits : dict of str to slice
        The rows of each split, which are in file order.
    lines : dict of str to ndarray of int64, (rows of the split,)
        Line numbers, from 1.
    values : ndarray of float64, (metrics, rows)
        As logged; NaN where a record lacks the metric.
    logged : ndarray of bool, (metrics, rows)
        Where it was logged: a logged NaN too.
    own : ndarray of float64, (keys, rows)
        Values of ``extras``; NaN where a record lacks the key.
    epochs : dict of str to ndarray of int64, (rows of the split,)
        From the markers, or counted from 0.
    marker_lines, markers : ndarray of int64, (markers,)
        Line numbers and epochs of the epoch markers.
    count : int
        Lines after the configuration, if the log is plain.
    texts : list of str
        Text lines; empty unless they are asked for.
    times : list of float
        Training time of each session of a run that was resumed, in seconds.
    marker : Status or None
        How the run ended by the texts behind the last record of metrics.
    remarks : Remarks
    problems : list of Problem
        What is wrong with the lines.
    doubtful : dict of int to list of str
        Unreadable lines that may have been a record of any split, and splits with records behind.
    is_plain : bool
        Whether the log is nothing but a configuration and records: one that grows can be joined.
    """

    config: Any
    names: tuple[str, ...]
    extras: tuple[str, ...]
    splits: dict[str, slice]
    lines: dict[str, NDArray[np.int64]]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    own: NDArray[np.float64]
    epochs: dict[str, NDArray[np.int64]]
    marker_lines: NDArray[np.int64]
    markers: NDArray[np.int64]
    count: int
    texts: list[str]
    times: list[float]
    marker: Status | None
    remarks: Remarks
    problems: list[Problem] = field(default_factory=list)
    doubtful: dict[int, list[str]] = field(default_factory=dict)
    is_plain: bool = False


@dataclass(slots=True)
class LogRows:
    """The rows of one log among those that were decoded together.

    Parameters
    ----------
    path : str
        Path that problems name.
    file : int
        Its number among the files that were decoded.
    start, stop : int
        Its rows.
    config : dict or None
        The configuration on the first line, which is no row.
    odd : dict of int to Odd
        Rows that are no plain record, by their number in the log.
    """

    path: str
    file: int
    start: int
    stop: int
    config: Any = None
    odd: Mapping[int, Odd] = field(default_factory=dict)
    is_plain: bool = True


@dataclass(slots=True)
class _Part:
    """The rows of one section: its record of configuration, on which line, and what is where."""

    log: LogRows
    start: int
    stop: int
    config: Any
    line: int
    layout: Layout
    lines: dict[str, NDArray[np.int64]]
    odd: Mapping[int, Odd] = field(default_factory=dict)


class _Cut(Generic[T]):
    """What single rows have, to be taken section by section."""

    def __init__(self, found: Mapping[int, T]) -> None:
        self._found = found
        self._rows = sorted(found)

    def rows(self, at: slice) -> dict[int, T]:
        """Return what the rows of a section have, by their number in it."""
        low, high = bisect_left(self._rows, at.start), bisect_left(self._rows, at.stop)
        return {row - at.start: self._found[row] for row in self._rows[low:high]}


# Names, values and where they are: of metrics, and of what runs along them.
_Own: TypeAlias = (
    "tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_], "
    "tuple[str, ...], NDArray[np.float64], NDArray[np.bool_]]"
)


class SectionTable:
    """Decoded rows on their way to sections.

    Parameters
    ----------
    rows : Rows
    lines : ndarray of int64, (rows,)
        Line numbers, from 1.
    limits : Limits
    """

    def __init__(self, rows: Rows, lines: NDArray[np.int64], limits: Limits) -> None:
        self.rows = rows
        self.lines = lines
        self.limits = limits
        # Texts that say something, and are no markers: their rows, and which words they are.
        says = np.array([*map(bool, rows.words), False])[rows.said]
        self._texts = np.flatnonzero(says & (rows.markers == NO_MARKER))
        self._said = rows.said[self._texts].tolist()
        self._layouts: dict[bytes, tuple[Layout, dict[str, NDArray[np.int64]]]] = {}

    def sections(self, logs: Sequence[LogRows], *, texts: bool) -> list[list[Section]]:
        """Return the sections of logs; rows of no log are left alone."""
        parts = [part for log in logs for part in self._parts(log)]
        odd = [Oddities(part.log.path) for part in parts]
        starts = np.array([part.start for part in parts], np.int64)
        place = np.full(len(self.lines), -1)
        records = [part.start + part.layout.rows for part in parts]
        places = np.concatenate([np.empty(0, np.int64), *records])
        place[places] = np.arange(len(places))
        gathering = Gathering(self.rows, starts, place, self.lines, odd, self.limits)
        metrics, own = gathering.gather()
        by_log: dict[int, list[Section]] = {log.file: [] for log in logs}
        begin = 0
        for number, part in enumerate(parts):
            stop = begin + len(part.layout.rows)
            at = slice(begin, stop)
            order = self.rows.decoded.orders[part.log.file]
            table = (*metrics.of_part(number, order, at), *own.of_part(number, order, at))
            section = self._section(part, table, texts=texts)
            self._name(part, section, odd[number])
            if odd[number].found:
                section.problems += odd[number].problems(gathering.places(order))
            if section.problems or number in gathering.with_lists:
                section.is_plain = False
            by_log[part.log.file].append(section)
            begin = stop
        return [*by_log.values()]

    def _parts(self, log: LogRows) -> list[_Part]:
        codes = self.rows.codes[log.start : log.stop]
        markers = self.rows.markers[log.start : log.stop]
        names = self.rows.names
        if not log.odd:
            lines = self.lines[log.start : log.stop]
            key = b"".join((codes.tobytes(), markers.tobytes(), lines.tobytes()))
            known = self._layouts.get(key)
            if known is None:
                due = due_splits(codes, names, codes < 0)
                layout = layout_of(codes, names, markers, {}, due)
                known = self._layouts[key] = layout, _lines_of(layout, lines)
            return [_Part(log, log.start, log.stop, log.config, 1, *known)]
        kinds = self.rows.kinds[log.start : log.stop]
        lost = {row: odd for row, odd in log.odd.items() if odd.record is None}
        if lost:
            guess_lost(self._shapes(log, lost), lost)
        due = due_splits(codes, names, kinds == TEXT)
        parts = []
        odd_of, lost_of, due_of = _Cut(log.odd), _Cut(lost), _Cut(due)
        for own, config in _cuts(kinds, lost):
            layout = layout_of(codes[own], names, markers[own], lost_of.rows(own), due_of.rows(own))
            line = 0 if config is None else log.odd[config].number
            record = None if config is None else log.odd[config].record
            start, stop = log.start + own.start, log.start + own.stop
            at = _lines_of(layout, self.lines[start:stop])
            parts.append(_Part(log, start, stop, record, line, layout, at, odd_of.rows(own)))
        return parts

    def _shapes(self, log: LogRows, lost: Mapping[int, Odd]) -> list[str | None]:
        """Return what recurs of each row of a log; None of those that are lost."""
        rows, own = self.rows, slice(log.start, log.stop)
        splits = [f"split {name.split}" for name in rows.names]
        shapes: list[str | None] = [
            splits[code] if code >= 0 else None for code in rows.codes[own].tolist()
        ]
        kinds, said = rows.kinds[own], rows.said[own].tolist()
        for row in np.flatnonzero(kinds == CONFIG).tolist():
            shapes[row] = "dict_config"
        for row in np.flatnonzero(kinds == TEXT).tolist():
            kind = self._types[log.start + row]
            if kind is None:
                kind = rows.record(log.start + row)["type"]
            shapes[row] = shape_of_text(kind, rows.words[said[row]] if said[row] >= 0 else "")
        for row in lost:
            shapes[row] = None
        return shapes

    @cached_property
    def _types(self) -> list[Any]:
        return list(words_of(self.rows.decoded, "type"))

    def _section(self, part: _Part, table: _Own, *, texts: bool) -> Section:
        layout = part.layout
        names, values, logged, extras, along, _ = table
        lines = self.lines[part.start : part.stop]
        where = (part.start, part.start + layout.last + 1, part.stop)
        low, cut, high = np.searchsorted(self._texts, where).tolist()
        before, behind = self._said[low:cut], self._said[cut:high]
        seconds = self.rows.seconds
        words, kinds = self.rows.words, self.rows.remarks
        times = [seconds[code] for code in before + behind if code in seconds]
        count = part.stop - part.start
        is_plain = part.log.is_plain and layout.is_sure
        return Section(
            None if part.config is None else part.config["value"],
            names,
            extras,
            layout.splits,
            part.lines,
            values,
            logged,
            along,
            layout.epochs,
            lines[layout.marker_rows],
            layout.markers,
            count,
            self._messages(part) if texts else [],
            times,
            marker_of([words[code] for code in behind]),
            remarks_of((kinds[code] for code in {*before}), (kinds[code] for code in {*behind})),
            is_plain=is_plain and (not count or int(lines[-1]) == FIRST_LINE + count - 1),
        )

    def _messages(self, part: _Part) -> list[str]:
        """Return the text lines of a part."""
        found = []
        rows = part.start + np.flatnonzero(self.rows.kinds[part.start : part.stop] == TEXT)
        for row, code in zip(rows.tolist(), self.rows.said[rows].tolist(), strict=True):
            if code < 0:
                value = self.rows.record(row)["value"]
                # What is nested too deeply to be written anew is its own text.
                found.append(value if isinstance(value, str) else json.dumps(value))
            elif self.rows.words[code]:
                found.append(self.rows.words[code])
        return found

    def _name(self, part: _Part, section: Section, odd: Oddities) -> None:
        """Set what is wrong with the lines of a section."""
        path, lines = part.log.path, self.lines
        named: list[tuple[int, Problem]] = []
        for at, found in part.odd.items():
            named += [(part.start + at, problem) for problem in found.problems]
            if found.foreign is not None:
                _note_foreign(odd, found)
            if found.is_doubtful:
                ends = part.layout.ends.items()
                behind = [name for name, end in ends if lines[part.start + end] > found.number]
                section.doubtful[found.number] = behind
        if part.config is not None:
            section.config = self._configure(part, odd, named)
        for kind, message, own in part.layout.problems:
            row = part.start + own
            where = len(lines) if kind == "bad_marker" else row
            named.append((where, Problem(kind, message, path, int(lines[row]))))
        if self.rows.damaged:
            said = self.rows.said[part.start : part.stop]
            for at in np.flatnonzero(np.isin(said, self.rows.damaged)).tolist():
                row = part.start + at
                word = self.rows.words[self.rows.said[row]]
                message = f"'{word}' read as '{MARKER}{word[len(MARKER) :]}'"
                named.append((row, Problem("bad_marker", message, path, int(lines[row]))))
        section.problems = [problem for _, problem in sorted(named, key=lambda item: item[0])]
        left_out = self.rows.decoded.left_out.items()
        note_left_out(left_out, slice(part.start, part.stop), lines, odd, self.limits)

    def _configure(self, part: _Part, odd: Oddities, named: list[tuple[int, Problem]]) -> Any:
        """Return the configuration of a section, and name what is left out of it."""
        record = part.config
        if part.log.config is None:  # that of a plain log was looked at before
            record, cut = within_depth(record, self.limits)
            for name in cut:
                message = f"'{shown(name)}': nested deeper than Limits(depth={self.limits.depth})"
                problem = Problem("limit", f"{message}: left out", part.log.path, part.line)
                named.append((part.start, problem))
        others = {key: value for key, value in record.items() if key not in ("type", "value")}
        for name, value in leaves(others, "/"):
            if value is not None:
                odd.note("extra_key", name, part.line, value)
        return record["value"]


def _cuts(kinds: NDArray[np.int8], lost: Mapping[int, Odd]) -> list[tuple[slice, int | None]]:
    """Return the rows of each section of a log, and the row of its configuration."""
    is_record = kinds == METRICS
    is_record[[row for row, odd in lost.items() if odd.split is not None]] = True
    records = np.flatnonzero(is_record)
    cuts: list[tuple[slice, int | None]] = []
    start, config = 0, None
    for row in np.flatnonzero(kinds == CONFIG).tolist():
        has_records = np.searchsorted(records, row) > np.searchsorted(records, start)
        if config is not None or has_records:
            cuts.append((slice(start, row), config))
            start = row
        config = row
    return [*cuts, (slice(start, len(kinds)), config)]


def _lines_of(layout: Layout, lines: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the line numbers of the records of each split."""
    mine = lines[layout.rows].astype(np.int64)
    mine.flags.writeable = False
    return {split: mine[at] for split, at in layout.splits.items()}


def _note_foreign(odd: Oddities, found: Odd) -> None:
    """Note a line that is no record of this layout."""
    names = ", ".join(f"'{shown(name)}'" for name in list(found.foreign)[:20])
    what = f"{names or 'no key'}: not a record of this layout, left out"
    odd.note("bad_line", what, found.number, f"on line {found.number}")
