"""Where a run was resumed, and which rows of all its splits are of the branch that it left."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.curves.tracks import Track


class LeftBranch(NamedTuple):
    """The branch that a run left when it was resumed: rows of these lines, from this x on.

    Parameters
    ----------
    first : int
        Line of its first row.
    end : int
        Line on which the run was resumed.
    x : float
        The x from which it was resumed.
    """

    first: int
    end: int
    x: float


def in_branches(left: Iterable[LeftBranch], track: Track) -> NDArray[np.bool_]:
    """Return which rows (rows,) of a track are of a branch that was left."""
    held = np.zeros(len(track.x), dtype=bool)
    for branch in left:
        lines = (track.lines >= branch.first) & (track.lines < branch.end)
        held |= lines & (track.x.astype(np.float64) >= branch.x)
    return held


def rows_by_line(tracks: Sequence[Track]) -> list[tuple[int, float, int]]:
    """Return the number of the track, the x and the line of each row, in order of the lines."""
    lines = np.concatenate([track.lines for track in tracks])
    which = np.repeat(np.arange(len(tracks)), [len(track.x) for track in tracks])
    x = np.concatenate([track.x.astype(np.float64) for track in tracks])
    order = np.lexsort((which, lines))
    return [*zip(which[order].tolist(), x[order].tolist(), lines[order].tolist(), strict=True)]


def left_branches(tracks: Sequence[Track]) -> list[LeftBranch]:
    """Return the branches that an attempt left.

    A curve whose x steps back was resumed, and with it the run: what the other splits logged
    since is of the same branch. A single row behind the step, the last of the run, shows no such
    thing: it may say where the best epoch was. Where each split has a file of its own, no line
    tells when another one was resumed.

    Parameters
    ----------
    tracks : sequence of Track
        The curves of one attempt, with their rows in file order.
    """
    rows = rows_by_line(tracks)
    found: list[LeftBranch] = []
    branch = _Branch(len(tracks))
    for at, (track, value, line) in enumerate(rows):
        # A curve that was not logged since the last resume steps back because of that one.
        is_resumed = not found or track in branch.logged
        if branch.last(track) > value and is_resumed and line < rows[-1][2]:
            begin = _begin(rows, at, branch)
            first = branch.line_of(track, value)
            found.append(LeftBranch(first, rows[begin][2], value))
            branch.cut(value)
            for own in rows[begin:at]:
                branch.add(*own)
        branch.add(track, value, line)
    return found


class _Branch:
    """The rows of each track that no resume has replaced so far; their x rises."""

    def __init__(self, tracks: int) -> None:
        self._values: list[list[float]] = [[] for _ in range(tracks)]
        self._lines: list[list[int]] = [[] for _ in range(tracks)]
        # Tracks with a row since the last resume.
        self.logged: set[int] = set()

    def last(self, track: int, back: int = 1) -> float:
        """Return the last x of a track, or one before it."""
        values = self._values[track]
        return values[-back] if len(values) >= back else -np.inf

    def line_of(self, track: int, x: float) -> int:
        """Return the line on which a track first reached an x."""
        return self._lines[track][bisect_left(self._values[track], x)]

    def add(self, track: int, x: float, line: int) -> None:
        """Add a row; what steps back all the same replaces what is before it in its own track."""
        at = bisect_right(self._values[track], x)
        self._values[track][at:], self._lines[track][at:] = [x], [line]
        self.logged.add(track)

    def cut(self, x: float) -> None:
        """Remove all rows from an x on."""
        for values, lines in zip(self._values, self._lines, strict=True):
            at = bisect_left(values, x)
            del values[at:], lines[at:]
        self.logged.clear()


def _begin(rows: Sequence[tuple[int, float, int]], at: int, branch: _Branch) -> int:
    """Return the row with which the resume began that the row ``at`` shows.

    Other curves may have the same x just before it, which they repeat: a run may be evaluated
    first when it is resumed.
    """
    begin = at
    for earlier in range(at - 1, -1, -1):
        track, value, line = rows[earlier]
        is_again = value == rows[at][1] and branch.last(track, 2) == value == branch.last(track)
        if is_again or line == rows[begin][2]:
            begin = earlier
        else:
            break
    return begin
