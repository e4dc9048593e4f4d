"""The event files of one run to one table: a row for each step, a column for each tag."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.readers.table import Part, Points, column_of, table_of_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers.table import PointTable
    from runcube.readers.tensorboard.scalars import FileEvents

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


def table_of(files: Sequence[EventFile]) -> PointTable:
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
    called = [[*map(column_of, file.names)] for file in files]
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
    parts, records = _parts(files, stretches)
    points = Points(names, codes, steps, walls, values, numbers, which, periods)
    return table_of_points(points, parts, records)


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
