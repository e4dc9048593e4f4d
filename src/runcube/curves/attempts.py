"""Rows of a run to tracks: curves that share their rows, each x once, in order of x.

Here a log's own history is resolved: attempts, resumes, repeated and missing x (rules 13 and 14).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog


@dataclass(slots=True)
class Track:
    """Metrics of one split that were logged in the same rows, with the x of these rows.

    Parameters
    ----------
    curves : Curves
        The rows of the split in file order; its ``values`` are (metrics, rows).
    metrics : (track metrics,) intp
        Positions in ``curves.metrics``.
    rows : (track rows,) intp, or slice
        Positions of the rows of ``curves``, in order of x.
    x : (track rows,) int64 or float64
        Strictly increasing, in the unit of the chosen axis.
    """

    curves: Curves
    metrics: NDArray[np.intp]
    rows: NDArray[np.intp] | slice
    x: NDArray[Any]


@dataclass(slots=True)
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
    """

    log: RunLog
    tracks: list[Track] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    number: int = 0

    @property
    def points(self) -> int:
        """Number of values that were logged."""
        return sum(len(track.metrics) * len(track.x) for track in self.tracks)

    @property
    def rows(self) -> int:
        """Number of rows of all splits, selected or not."""
        longest: dict[str, int] = {}
        for track in self.tracks:
            split = track.curves.split
            longest[split] = max(longest.get(split, 0), len(track.x))
        return sum(longest.values())

    @property
    def ends(self) -> dict[str, float]:
        """Largest x of each split, by the split's name."""
        found: dict[str, float] = {}
        for track in self.tracks:
            if len(track.x):
                split = track.curves.split
                found[split] = max(found.get(split, -np.inf), float(track.x[-1]))
        return found


class AttemptResolver:
    """Resolves runs on the axis ``x``, so that runs that share curves share tracks as well.

    Parameters
    ----------
    logs : iterable of RunLog
        All runs to be resolved.
    x : str
        Name of the axis as logged.
    """

    def __init__(self, logs: Iterable[RunLog], x: str) -> None:
        counts = Counter(id(log.curves) for log in logs)
        self._shared = {curves for curves, count in counts.items() if count > 1}
        self._known: dict[int, list[Track]] = {}
        self._x = x

    def attempts(self, log: RunLog) -> list[Attempt]:
        """Return the result of :func:`attempts_of` for one of the logs, which must all be alive."""
        curves = id(log.curves)
        if curves in self._known:
            return [Attempt(log, self._known[curves], list(log.problems), log.attempt)]
        attempts = attempts_of(log, self._x)
        # A run that has a history has problems of its own.
        is_plain = len(attempts) == 1 and len(attempts[0].problems) == len(log.problems)
        if is_plain and curves in self._shared:
            self._known[curves] = attempts[0].tracks
        return attempts


def attempts_of(log: RunLog, x: str) -> list[Attempt]:
    """Return the attempts of a parsed run on the axis ``x``.

    Parameters
    ----------
    log : RunLog
    x : str
        Name of the axis; rows that lack it are counted as ``missing_x``.

    Returns
    -------
    list of Attempt
        In file order, never empty; each has the log's own problems.
    """
    problems = list(log.problems)
    tracks = [track for curves in log.curves for track in _raw_tracks(curves, x)]
    _drop_missing(tracks, x, log, problems)
    # Splits mostly share one array of x: look at each array once.
    if all(_rising(x) for x in {id(track.x): track.x for track in tracks}.values()):
        return [Attempt(log, tracks, problems, log.attempt)]
    attempts = []
    for number, part in enumerate(_cut(tracks)):
        attempt = Attempt(log, [], list(problems), log.attempt + number)
        attempt.tracks = [_resolve(track, x, attempt) for track in part]
        attempts.append(attempt)
    return attempts


def _rising(x: NDArray[Any]) -> bool:
    return len(x) < 2 or bool((x[1:] > x[:-1]).all())


def _raw_tracks(curves: Curves, x: str) -> list[Track]:
    values = curves.x.get(x)
    if values is None:
        values = np.full(len(curves.lines), np.nan)
    if curves.logged.all():
        return [Track(curves, _every(len(curves.metrics)), slice(None), values)]
    groups: dict[bytes, list[int]] = {}
    for index, mask in enumerate(curves.logged):
        groups.setdefault(mask.tobytes(), []).append(index)
    tracks = []
    for members in groups.values():
        rows = np.flatnonzero(curves.logged[members[0]])
        tracks.append(Track(curves, np.array(members), rows, values[rows]))
    return tracks


@lru_cache(maxsize=64)
def _every(count: int) -> NDArray[np.intp]:
    """Return the positions of all metrics, an array that the tracks of most logs share."""
    rows = np.arange(count)
    rows.flags.writeable = False
    return rows


def _indices(track: Track) -> NDArray[np.intp]:
    if isinstance(track.rows, slice):
        return np.arange(len(track.curves.lines))[track.rows]
    return track.rows


def _keep(track: Track, mask: NDArray[Any]) -> Track:
    return Track(track.curves, track.metrics, _indices(track)[mask], track.x[mask])


def _drop_missing(tracks: list[Track], x: str, log: RunLog, problems: list[Problem]) -> None:
    """Remove the rows without x from ``tracks`` and record their number as a problem."""
    lost: set[int] = set()
    for index, track in enumerate(tracks):
        if track.x.dtype.kind == "f" and (missing := np.isnan(track.x)).any():
            lost.update(track.curves.lines[_indices(track)[missing]].tolist())
            kept = _keep(track, ~missing)
            if bool((kept.x == np.floor(kept.x)).all()) and _exact(kept.x):
                kept.x = kept.x.astype(np.int64)
            tracks[index] = kept
    if lost:
        message = f"{len(lost)} record{'s' * (len(lost) > 1)} without {x}"
        problems.append(Problem("missing_x", message, log.header.source.path, min(lost)))


def _exact(x: NDArray[Any]) -> bool:
    return bool((np.abs(x) < 2**53).all())


def _cut(tracks: list[Track]) -> list[list[Track]]:
    """Return the tracks of each attempt.

    A new attempt begins where a curve steps back to the first x of the run or before. The first x
    is that of all curves of the attempt: a curve that begins late steps back to its own first
    value in a resume as well.
    """
    lines = np.concatenate([t.curves.lines[_indices(t)] for t in tracks])
    which = np.repeat(np.arange(len(tracks)), [len(t.x) for t in tracks])
    values = np.concatenate([t.x.astype(np.float64) for t in tracks])
    starts: list[int] = []  # lines on which a new attempt begins
    start = np.inf
    last: dict[int, float] = {}
    for i in np.lexsort((which, lines)):
        track, value = int(which[i]), float(values[i])
        if track in last and value < last[track] and value <= start:
            starts.append(int(lines[i]))
            start = np.inf
            last.clear()
        start = min(start, value)
        last[track] = value
    # By line: the metrics of one record stay together.
    number = np.searchsorted(np.array(starts, dtype=np.int64), lines, side="right")
    parts = []
    for part in range(len(starts) + 1):
        mine = [_keep(t, number[which == i] == part) for i, t in enumerate(tracks)]
        parts.append([t for t in mine if len(t.x)])
    return parts


def _resolve(track: Track, x: str, attempt: Attempt) -> Track:
    """Return a track with each x once: a resume replaces later rows, else the last value wins."""
    values = track.x
    if len(values) > 1 and (values == values[0]).all() and _moves(track, x):
        message = f"{_shown(track)}: {x} stays {values[0]}; {len(values)} values numbered by order"
        _note(attempt, track, "repeated_x", message)
        return Track(track.curves, track.metrics, track.rows, np.arange(len(values)))
    # Where x steps back a resume begins: it replaces every earlier row from its own x on.
    back = np.append(False, values[1:] < values[:-1])
    resumed = np.where(back, values.astype(np.float64), np.inf)
    lowest_after = np.append(np.minimum.accumulate(resumed[::-1])[::-1][1:], np.inf)
    remaining = values < lowest_after
    if not remaining.all():
        count = int((~remaining).sum())
        message = f"{_shown(track)}: {count} rows replaced by those after a resume"
        _note(attempt, track, "superseded_rows", message, int(np.flatnonzero(~remaining)[0]))
        track = _keep(track, remaining)
    latest = np.append(track.x[1:] != track.x[:-1], True)
    if not latest.all():
        count = int((~latest).sum())
        again = track.x[np.flatnonzero(~latest)[0]]
        message = f"{_shown(track)}: {count} rows repeat their {x} (first {again}); the last wins"
        _note(attempt, track, "repeated_x", message, int(np.flatnonzero(~latest)[0]))
        track = _keep(track, latest)
    return track


def _moves(track: Track, x: str) -> bool:
    """Return whether any metric took two values: else the rows are one row, logged again."""
    changed = track.curves.changes(x)[np.ix_(track.metrics, _indices(track))]
    return bool(changed[:, 1:].any())


def _shown(track: Track) -> str:
    names = [track.curves.metrics[i] for i in track.metrics[:3]]
    return f"{track.curves.split} {', '.join(names)}{' …' * (len(track.metrics) > 3)}"


def _note(attempt: Attempt, track: Track, kind: str, message: str, row: int = 0) -> None:
    """Record a problem with the line of one of the track's rows."""
    line = int(track.curves.lines[_indices(track)[row]])
    attempt.problems.append(Problem(kind, message, attempt.log.header.source.path, line))
