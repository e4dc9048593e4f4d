"""Rows of a run to tracks: curves that share their rows, each x once, in order of x.

Here a log's own history is resolved: attempts, resumes, repeated and missing x (rules 11, 13, 14).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, as_whole, counted
from runcube.curves.carry import Carrier
from runcube.curves.course import Course
from runcube.curves.history import History
from runcube.curves.resumes import left_branches, rows_by_line
from runcube.curves.tracks import Track, named_lines, named_values, raw_tracks
from runcube.curves.units import other_unit
from runcube.curves.x_choice import outer_counter
from runcube.curves.x_values import Anchors, shown, x_values

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.x_values import MissingX, X

# Values of a split of a log that is compared with others: of more each is resolved for itself.
_SHORT = 1 << 14


@dataclass
class Attempt:
    """One attempt of a run on the chosen x: what competes for a cell.

    Parameters
    ----------
    log : RunLog
        The parsed log that holds the attempt.
    tracks : list of Track
        Its curves; those with the same rows are one track.
    problems : list of Problem
        Problems of the log, and those of the attempt itself.
    number : int
        Number of the attempt within the run, from 0.
    x : str or tuple of str
        What is x in this run.
    is_numbered : bool
        Whether its points are numbered in the order of this x, which others do not have.
    outer : str or None
        What counts the epochs, where x starts anew in each of them.
    is_last : bool
        Whether no other attempt follows in the log: what stands behind its last value is of it.
    is_plain : bool
        Whether each row has x, and none of the log is superseded, carried or left out.
    """

    log: RunLog
    tracks: list[Track] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    number: int = 0
    x: X = ()
    is_numbered: bool = False
    outer: str | None = None
    is_last: bool = True
    is_plain: bool = False

    @property
    def points(self) -> int:
        """Number of values that were logged."""
        return sum(len(track.metrics) * len(track.x) for track in self.tracks)

    @cached_property
    def course(self) -> Course:
        """The x of the rows that have it themselves: how far the attempt came."""
        return Course([(track.curves.split, track.x) for track in self.tracks if not track.carried])

    @cached_property
    def counted(self) -> Course:
        """The course in the unit of x: of two counters, in that of the outer one."""
        if isinstance(self.x, str) or not self.x:
            return self.course
        own = [track for track in self.tracks if not track.carried]
        return Course([(t.curves.split, t.curves.x[self.x[0]][t.rows]) for t in own])

    @property
    def extent(self) -> str:
        """The lines of the attempt and its metrics, as a message names them."""
        tracks = [track for track in self.tracks if len(track.x)]
        if not tracks:
            return ""
        names = named_values(tracks)
        lines = named_lines(self.log, np.concatenate([track.lines for track in tracks]))
        return f"{lines}, {names}" if names else lines


class AttemptResolver:
    """Resolves runs on the axis ``x``; of short runs with rows at the same x only the first.

    Parameters
    ----------
    x : str or tuple of str
        What is x.
    missing_x : {"carry", "drop"}
        Where a record without x stands.
    """

    def __init__(self, x: X, missing_x: MissingX = "carry") -> None:
        self._plain: dict[Hashable, Attempt] = {}
        self._x = x
        self._missing_x: MissingX = missing_x

    def attempts(self, log: RunLog, own: X | None = None) -> list[Attempt]:
        """Return the attempts of a log.

        Parameters
        ----------
        log : RunLog
        own : str or tuple of str, optional
            Number the points in the order of this axis of the run itself.
        """
        if own is not None:
            attempts = attempts_of(log, own, self._missing_x)
            for attempt in attempts:
                _stand_numbered(attempt, self._x)
            return attempts
        shape = _shape(log, self._x)
        if (plain := self._plain.get(shape)) is not None:
            return [_like(plain, log)]
        attempts = attempts_of(log, self._x, self._missing_x)
        if attempts[0].is_plain and shape is not None:
            self._plain[shape] = attempts[0]
        return attempts


def _shape(log: RunLog, x: X) -> Hashable:
    """Return what logs have in common whose rows are at the same x; None of a long log."""
    names = (x,) if isinstance(x, str) else x
    found: list[Any] = []
    for curves in log.curves:
        if curves.logged.size > _SHORT:
            return None
        columns = [curves.x.get(name) for name in names] or [curves.lines]
        own = [(x.dtype.kind, x.tobytes()) if x is not None else None for x in columns]
        found.append((curves.split, len(curves.metrics), curves.logged.tobytes(), *own))
    return tuple(found)


def _like(plain: Attempt, log: RunLog) -> Attempt:
    """Return the attempt of a log that has the shape of that of a plain attempt."""
    tracks = plain.tracks
    if log.curves is not plain.log.curves:
        pairs = zip(plain.log.curves, log.curves, strict=True)
        before: Curves | None = None
        tracks = []
        for track in plain.tracks:  # in the order of the curves, each with one track or more
            while track.curves is not before:
                before, curves = next(pairs)
            tracks.append(Track(curves, track.metrics, track.rows, track.x))
    attempt = Attempt(log, tracks, list(log.problems), log.attempt, plain.x, is_plain=True)
    attempt.course = plain.course
    return attempt


def attempts_of(log: RunLog, x: X, missing_x: MissingX = "carry") -> list[Attempt]:
    """Return the attempts of a parsed run on the axis ``x``.

    Parameters
    ----------
    log : RunLog
    x : str or tuple of str
        What is x.
    missing_x : {"carry", "drop"}
        Whether a record without x stands at the x of the record before it, or is left out. Either
        is named as ``missing_x``. Where no record of the run has x, or none of a file that was
        written beside others, all are left out.

    Returns
    -------
    list of Attempt
        In file order, never empty; each has the log's own problems.
    """
    values = x_values(log, x)
    of_each = [raw_tracks(c, own) for c, own in zip(log.curves, values, strict=True)]
    tracks = [track for own in of_each for track in own]
    problems = list(log.problems)
    missing = _take_missing(tracks)
    anchors = Anchors.of(log, values)
    carried, alone = _beside(missing, anchors) if missing_x == "carry" else ({}, missing)
    carrier = Carrier(log, shown(x), carried, anchors) if carried else None
    if alone:
        problems.append(dropped_records(log, shown(x), [*alone.values()]))
    is_rising = _rise(tracks)
    if is_rising and carrier is None:
        return [Attempt(log, tracks, problems, log.attempt, x, is_plain=not alone)]
    apart, outer = {}, None
    if not is_rising and isinstance(x, str):
        outer = outer_counter(log, x)
        masks = other_unit(log.curves, values) if outer is None else None
        if masks is not None:
            of_tracks = [mask for own, mask in zip(of_each, masks, strict=True) for _ in own]
            apart = _take_other_unit(tracks, of_tracks)
    starts = np.array([] if is_rising or outer else _starts(tracks), dtype=np.int64)
    attempts = []
    for number in range(len(starts) + 1):
        attempt = Attempt(log, [], list(problems), log.attempt + number, x, outer=outer)
        attempt.is_last = number == len(starts)
        parts = [_part(track, starts, number) for track in tracks]
        left = [] if is_rising or outer or log.parallel else left_branches(parts)
        history = History(log, x, outer, left)
        found = [history.resolve(part) for part in parts]
        for at, track in apart.items():
            found.append(history.resolve_apart(_part(track, starts, number), at))
        attempt.problems += history.problems
        if carrier is not None:
            late, named = carrier.carried(starts, number, history.taken, history.replaced)
            found += late
            attempt.problems += named
        attempt.tracks = [track for track in found if len(track.x)]
        if not isinstance(x, str):
            _number_anew(attempt.tracks)
        attempts.append(attempt)
    return attempts


def _rise(tracks: Sequence[Track]) -> bool:
    """Return whether x rises along each track."""
    seen = None
    for track in tracks:
        x = track.x
        # Splits mostly share one array of x: it is looked at once.
        if x is not seen and len(x) > 1 and not (x[1:] > x[:-1]).all():
            return False
        seen = x
    return True


def _take_missing(tracks: list[Track]) -> dict[int, Track]:
    """Take the rows without x out of ``tracks``; return them by the number of their track.

    What has no metrics is nothing to be placed, or to be named.
    """
    taken = {}
    for number, track in enumerate(tracks):
        if track.x.dtype.kind == "f" and (missing := np.isnan(track.x)).any():
            if len(track.metrics):
                taken[number] = track.keep(missing)
            tracks[number] = track.keep(~missing)
            tracks[number].x = as_whole(tracks[number].x)
    return taken


def _beside(
    missing: Mapping[int, Track], anchors: Anchors
) -> tuple[dict[int, Track], dict[int, Track]]:
    """Return the tracks with the rows that stand beside a record with x, and those that do not."""
    has = {number: anchors.before(track.lines) >= 0 for number, track in missing.items()}
    return (
        {number: track.keep(has[number]) for number, track in missing.items() if has[number].any()},
        {n: track.keep(~has[n]) for n, track in missing.items() if not has[n].all()},
    )


def _take_other_unit(tracks: list[Track], masks: Sequence[NDArray[np.bool_]]) -> dict[int, Track]:
    """Take the rows whose x is in another unit out of ``tracks``; return them by track.

    They say nothing of attempts and resumes. ``masks`` has those rows of the curves of each track.
    """
    taken: dict[int, Track] = {}
    for number, (track, mask) in enumerate(zip([*tracks], masks, strict=True)):
        if (other := mask[track.indices]).any():
            taken[number] = track.keep(other)
            tracks[number] = track.keep(~other)
    return taken


def dropped_records(log: RunLog, x: str, missing: Sequence[Track]) -> Problem:
    """Return the problem of records without x that are left out."""
    lines = np.unique(np.concatenate([track.lines for track in missing]))
    names = named_values(missing)
    message = f"{counted(len(lines), 'record')} without {x} left out, {named_lines(log, lines)}"
    message += f": {names}" if names else ""
    return Problem("missing_x", message, *log.place(int(lines[0])))


def _starts(tracks: Sequence[Track]) -> list[int]:
    """Return the lines on which the second attempt and those after it begin.

    A new attempt begins where a curve steps back to the first x of the run or before. The first x
    is that of all curves of the attempt: a curve that begins late steps back to its own first
    value in a resume as well.
    """
    starts: list[int] = []
    start = np.inf
    last: dict[int, float] = {}
    for track, value, line in rows_by_line(tracks):
        if track in last and value < last[track] and value <= start:
            starts.append(line)
            start = np.inf
            last.clear()
        start = min(start, value)
        last[track] = value
    return starts


def _part(track: Track, starts: NDArray[np.int64], number: int) -> Track:
    """Return the rows of one attempt. By line, so that the metrics of one record stay together."""
    return track.keep(np.searchsorted(starts, track.lines, side="right") == number)


def _number_anew(tracks: Sequence[Track]) -> None:
    """Number the points of an attempt from 0, without those of other attempts between them."""
    every = np.unique(np.concatenate([np.empty(0, np.int64), *(t.x for t in tracks)]))
    for track in tracks:
        track.x = np.searchsorted(every, track.x)


def _stand_numbered(attempt: Attempt, x: X) -> None:
    """Number the points of an attempt in the order of its own axis, on the x of other runs."""
    _number_anew(attempt.tracks)
    attempt.is_numbered = True
    if not isinstance(x, str) or not attempt.tracks:
        return
    for track in attempt.tracks:
        track.carried = True  # none of its rows is at this x
    lines = np.unique(np.concatenate([track.lines for track in attempt.tracks]))
    order = f"in the order of {shown(attempt.x)!r}" if attempt.x else "in their order"
    message = f"{counted(len(lines), 'record')} numbered {order}, and not at {x!r}, which would"
    message += f" not keep their values, {named_lines(attempt.log, lines)}"
    attempt.problems.append(Problem("missing_x", message, *attempt.log.place(int(lines[0]))))
