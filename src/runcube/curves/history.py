"""What one attempt holds twice: rows before a resume, an x that is repeated (rules 13, 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem, counted
from runcube.curves.resumes import in_branches
from runcube.curves.tracks import Track, named_lines
from runcube.curves.x_values import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import RunLog
    from runcube.curves.resumes import LeftBranch
    from runcube.curves.x_values import X


class History:
    """Resolves what one attempt holds twice, track by track.

    Parameters
    ----------
    log : RunLog
    x : str or tuple of str
        What is x.
    outer : str or None
        What counts the epochs, where x starts anew in each of them.
    left : sequence of LeftBranch
        The branches that it left for a resume.

    Attributes
    ----------
    taken : list of ndarray
        The x at which each track has a value, and the one that stays where its values are numbered.
    problems : list of Problem
        What gives way.
    """

    def __init__(self, log: RunLog, x: X, outer: str | None, left: Sequence[LeftBranch]) -> None:
        self._log = log
        self._x = x
        self._outer = outer
        self._left = left
        self.taken: list[NDArray[np.float64]] = []
        self.problems: list[Problem] = []
        self._gone: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._remaining: list[NDArray[np.int64]] = [np.empty(0, np.int64)]

    @property
    def replaced(self) -> NDArray[np.int64]:
        """Lines of the records that a resume replaced."""
        gone, remaining = np.concatenate(self._gone), np.concatenate(self._remaining)
        return np.setdiff1d(gone, remaining)

    def resolve(self, track: Track) -> Track:
        """Return a track with each x once: a resume replaces later rows, else the last wins."""
        x, values = shown(self._x), track.x
        is_one_x = (
            len(values) > 1
            and (values == values[0]).all()
            and not in_branches(self._left, track).any()
        )
        if is_one_x and self._moves(track):
            what = f"{x} stays {values[0]}; {len(values)} values numbered by order"
            self._note("repeated_x", track, f"{track.named}: {what}")
            numbers = np.arange(len(values))
            self.taken.append(np.append(numbers, values[0]))
            self._remaining.append(track.lines)
            return Track(track.curves, track.metrics, track.rows, numbers)
        if self._outer is None:
            track = self._after_resumes(track)
        else:
            track = track.keep(np.argsort(track.x, kind="stable"))
        self._remaining.append(track.lines)
        latest = np.append(track.x[1:] != track.x[:-1], True)[: len(track.x)]
        if not latest.all():
            again = track.keep(~latest)
            rows = counted(len(again.x), "row")
            what = f"{rows} of a repeated {x} (first {again.x[0]}) replaced by the last"
            if self._outer is not None:
                what += f": it starts anew in each {self._outer}"
            self._note("repeated_x", again, f"{track.named}: {what}")
            track = track.keep(latest)
        self.taken.append(track.x)
        return track

    def _after_resumes(self, track: Track) -> Track:
        """Return the rows that no resume replaced."""
        values = track.x
        # Where x steps back a resume begins: it replaces every earlier row from its own x on.
        back = np.append(np.zeros(len(values[:1]), bool), values[1:] < values[:-1])
        resumed = np.where(back, values.astype(np.float64), np.inf)
        lowest_after = np.append(np.minimum.accumulate(resumed[::-1])[::-1][1:], np.inf)
        remaining = (values < lowest_after[: len(values)]) & ~in_branches(self._left, track)
        if not remaining.all():
            gone = track.keep(~remaining)
            what = f"{counted(len(gone.x), 'row')} replaced by those after a resume"
            self._note("superseded_rows", gone, f"{track.named}: {what}")
            self._gone.append(gone.lines)
            track = track.keep(remaining)
        return track

    def resolve_apart(self, track: Track, at: int) -> Track:
        """Return the rows in another unit of the track ``at``: its own values go first."""
        own = self.taken[at]
        track = self.resolve(track)
        self.taken[at] = np.append(own, self.taken.pop())
        clash = np.isin(track.x, own)
        if clash.any():
            rows = track.keep(clash)
            many = counted(len(rows.x), "row")
            what = (
                f"{many} with {shown(self._x)} in another unit left out for others at the same one"
            )
            self._note("repeated_x", rows, f"{track.named}: {what}")
        return track.keep(~clash)

    def _moves(self, track: Track) -> bool:
        """Return whether any metric took two values: else the rows are one row, logged again."""
        x = self._x if isinstance(self._x, str) else self._x[0]
        changed = track.curves.changes(x)[np.ix_(track.metrics, track.indices)]
        return bool(changed[:, 1:].any())

    def _note(self, kind: str, rows: Track, message: str) -> None:
        """Record a problem with the lines of some rows, if any of their metrics was asked for."""
        if not len(rows.metrics):
            return
        message += f", {named_lines(self._log, rows.lines)}"
        place = self._log.place(int(rows.lines[0]))
        self.problems.append(Problem(kind, message, *place))
