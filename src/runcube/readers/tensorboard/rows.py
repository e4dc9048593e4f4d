"""The event files of one run to one table: a row for each step, a column for each tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.readers.table import NUMBER, Column, Part, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers.tensorboard.scalars import FileEvents

STEP, WALL = "step", "wall_time"
# Of files that were written side by side more often interrupted, only their beginnings count.
_MOST_CUTS = 1024


class EventFile(NamedTuple):
    """An event file of a run.

    Parameters
    ----------
    path : str
    events : FileEvents
    names : list of str, (tags,)
        What its tags are called in the run.
    """

    path: str
    events: FileEvents
    names: list[str]


@dataclass
class EventTable(Table):
    """A table whose lines are records of event files.

    Parameters
    ----------
    records : list of int, (parts,)
        Number of records in each part.
    """

    records: list[int] = field(default_factory=list)

    @cached_property
    def first_lines(self) -> list[int]:
        """Records in all parts before each one, (parts,)."""
        return [int(count) for count in np.cumsum([0, *self.records[:-1]])]

    def record(self, row: int) -> dict[str, Any]:
        """Return the values of one row by the names of their columns."""
        found = {}
        for name, column in self.columns.items():
            at, cells = column.on(np.array([row]))
            if len(at):
                found[name] = float(column.values[cells[0]])
        return found


class _Stretch(NamedTuple):
    """Values of a file that follow each other, with none of another file between them.

    Parameters
    ----------
    period : int
        Number of the beginnings and resumes of files before it.
    file : int
    low, high : int
        From the value ``low`` of the file on, up to ``high``.
    """

    period: int
    file: int
    low: int
    high: int


def table_of(files: Sequence[EventFile]) -> EventTable:
    """Return the values of the event files of a run, in the order in which they were written.

    Values of one step that follow each other share a row. The time of a step is that of its first
    value; of a step that comes again after a resume, of the first since.

    Parameters
    ----------
    files : sequence of EventFile
        In the order of their first records.
    """
    pieces = _stretches(files)
    periods = np.repeat([s.period for s in pieces], [s.high - s.low for s in pieces])
    # Of a run that logged nothing there is a part as well: problems are of one.
    stretches = _joined(pieces) or [_Stretch(0, 0, 0, 0)]
    called = [[*map(_column_name, file.names)] for file in files]
    names = [*dict.fromkeys(name for own in called for name in own)]
    code_of = {name: code for code, name in enumerate(names)}
    own = [np.array([code_of[name] for name in names], np.int64) for names in called]

    def joined(pieces: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
        return np.concatenate([np.empty(0, dtype), *pieces])

    events = [files[s.file].events for s in stretches]
    cuts = [slice(s.low, s.high) for s in stretches]
    pairs = [*zip(events, cuts, strict=True)]
    numbers = joined([e.numbers[cut] for e, cut in pairs], np.int64)
    walls = joined([e.walls[cut] for e, cut in pairs], np.float64)
    steps = joined([e.steps[cut] for e, cut in pairs], np.int64)
    values = joined([e.values[cut] for e, cut in pairs], np.float64)
    codes = joined(
        [own[s.file][files[s.file].events.codes[s.low : s.high]] for s in stretches], int
    )
    which = np.repeat(np.arange(len(stretches)), [s.high - s.low for s in stretches])
    rows, firsts = _rows(steps, codes, which)
    parts, records = _parts(files, stretches)
    columns = {}
    if len(firsts):
        columns[STEP] = _column(np.arange(len(firsts)), steps[firsts].astype(np.float64))
    clock = _times(walls, steps, periods)[firsts]
    has_wall = np.flatnonzero(~np.isnan(clock))
    if len(has_wall):
        columns[WALL] = _column(has_wall, clock[has_wall])
    order = np.lexsort((rows, codes))
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, name in enumerate(names):
        mine = order[bounds[code] : bounds[code + 1]]
        if len(mine):
            columns[name] = _column(rows[mine], values[mine])
    ends = np.searchsorted(which[firsts], np.arange(len(stretches)), side="right")
    return EventTable(
        parts=parts,
        ends=ends.tolist(),
        lines=numbers[firsts],
        columns=columns,
        objects={},
        odd={},
        records=records,
    )


def _times(
    walls: NDArray[np.float64], steps: NDArray[np.int64], periods: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return for each value when the first one of its step was written in its period."""
    if not len(walls):
        return walls
    order = np.lexsort((steps, periods))
    begins = np.append(
        True,
        (steps[order][1:] != steps[order][:-1]) | (periods[order][1:] != periods[order][:-1]),
    )
    first = np.fmin.reduceat(walls[order], np.flatnonzero(begins))
    found = np.empty(len(walls))
    found[order] = first[np.cumsum(begins) - 1]
    return found


def _column_name(name: str) -> str:
    """Return what the column of a tag is called: that of the step and of the time are taken."""
    return f"scalars/{name}" if name in (STEP, WALL) else name


def _column(rows: NDArray[np.int64], values: NDArray[np.float64]) -> Column:
    return Column(rows, np.full(len(rows), NUMBER, np.uint8), values, [], [])


def _rows(
    steps: NDArray[np.int64], codes: NDArray[np.int64], which: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row of each value, and the first value of each row.

    A tag that comes again at the same step begins another row.
    """
    if not len(steps):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    begins = np.append(True, (steps[1:] != steps[:-1]) | (which[1:] != which[:-1]))
    group = np.cumsum(begins) - 1
    order = np.lexsort((codes, group))
    same = np.append(
        False,
        (group[order][1:] == group[order][:-1]) & (codes[order][1:] == codes[order][:-1]),
    )
    again = np.empty(len(steps), np.int64)
    place = np.arange(len(order))
    again[order] = place - np.maximum.accumulate(np.where(same, 0, place))
    keys = group * (int(again.max()) + 1) + again
    _, firsts, rows = np.unique(keys, return_index=True, return_inverse=True)
    return rows, firsts


def _parts(
    files: Sequence[EventFile], stretches: Sequence[_Stretch]
) -> tuple[list[Part], list[int]]:
    """Return the stretches as parts of the log, and how many records each has."""
    parts, records = [], []
    read = [0] * len(files)
    last = {stretch.file: number for number, stretch in enumerate(stretches)}
    for number, stretch in enumerate(stretches):
        file, events = files[stretch.file], files[stretch.file].events
        is_last = last[stretch.file] == number
        end = events.records if is_last else int(events.numbers[stretch.high - 1])
        parts.append(Part(file.path, b"", read[stretch.file]))
        records.append(end - read[stretch.file])
        read[stretch.file] = end
    return parts, records


def _stretches(files: Sequence[EventFile]) -> list[_Stretch]:
    """Return the stretches of all files in the order in which they were written.

    Files are written side by side: of splits, of curves of one chart. Where a run begins anew, or
    is resumed, in one of them, it does so in all: what they hold is cut at that time.
    """
    full = [number for number, file in enumerate(files) if len(file.events.numbers)]
    clocks = {number: _clock(files[number].events) for number in full}
    begins: list[float] = []
    resumed: list[float] = []
    seen: set[str] = set()
    for number in full:
        names, clock = files[number].names, clocks[number]
        if not seen.isdisjoint(names):
            begins.append(float(clock[0]))
        seen.update(names)
        resumed += clock[_steps_back(files[number].events)].tolist()
    times = np.unique([*begins, *resumed])
    if len(times) > _MOST_CUTS:
        times = np.unique(begins)
    found = []
    for number, clock in clocks.items():
        bounds = [0, *np.searchsorted(clock, times, side="left").tolist(), len(clock)]
        for period, (low, high) in enumerate(pairwise(bounds)):
            if high > low:
                found.append(_Stretch(period, number, low, high))
    return sorted(found)


def _clock(events: FileEvents) -> NDArray[np.float64]:
    """Return the time (values,) of each value, or a later one before it: clocks are set back."""
    known = np.where(np.isfinite(events.walls), events.walls, -np.inf)
    return np.asarray(np.fmax.accumulate(known), dtype=np.float64)


def _joined(stretches: Sequence[_Stretch]) -> list[_Stretch]:
    """Return stretches as few as can be: what follows in one file is one."""
    joined: list[_Stretch] = []
    for stretch in stretches:
        last = joined[-1] if joined else None
        if last is not None and last.file == stretch.file and last.high == stretch.low:
            joined[-1] = last._replace(high=stretch.high)
        else:
            joined.append(stretch)
    return joined


def _steps_back(events: FileEvents) -> NDArray[np.intp]:
    """Return the values whose step is below that of the last value of their tag."""
    order = np.lexsort((np.arange(len(events.codes)), events.codes))
    codes, steps = events.codes[order], events.steps[order]
    back = (codes[1:] == codes[:-1]) & (steps[1:] < steps[:-1])
    return np.asarray(order[1:][back], dtype=np.intp)
