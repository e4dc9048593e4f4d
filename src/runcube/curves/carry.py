"""Records without x: each stands at the x of the record before it, and displaces no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem, as_whole, counted
from runcube.curves.tracks import Track, named_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import RunLog
    from runcube.curves.x_values import Anchors


class Carrier:
    """The rows of a run that lack x, and the records that they stand beside.

    Parameters
    ----------
    log : RunLog
    x : str
        What is x, for the messages.
    missing : mapping of int to Track
        Tracks of these rows in file order, by the number of the track whose other rows have x.
    anchors : Anchors
        The rows of the run that have x, at least one.
    """

    def __init__(self, log: RunLog, x: str, missing: Mapping[int, Track], anchors: Anchors) -> None:
        self._log = log
        self._x = x
        self._tracks: dict[int, Track] = {}
        self._beside: dict[int, NDArray[np.int64]] = {}
        for number, track in missing.items():
            at = anchors.before(track.lines)
            self._tracks[number] = Track(
                track.curves, track.metrics, track.rows, anchors.x[at], carried=True
            )
            self._beside[number] = anchors.lines[at]

    def carried(
        self,
        starts: NDArray[np.int64],
        attempt: int,
        taken: Sequence[NDArray[np.float64]],
        replaced: NDArray[np.int64],
    ) -> tuple[list[Track], list[Problem]]:
        """Return the tracks of one attempt that hold the carried values, and what to say of them.

        Parameters
        ----------
        starts : (attempts - 1,) int64
            Lines on which the second attempt and those after it begin.
        attempt : int
            Number of the attempt in the log.
        taken : sequence of ndarray
            The x at which each track of the attempt has a value of its own.
        replaced : ndarray of int64
            Lines of the rows that a resume replaced: what stands beside them goes with them.
        """
        tracks, problems, lines = [], [], [np.empty(0, dtype=np.int64)]
        for number, track in self._tracks.items():
            beside = self._beside[number]
            mine = np.searchsorted(starts, beside, side="right") == attempt
            gone = mine & np.isin(beside, replaced)
            if gone.any():
                what = f"without {self._x} replaced with those before by a resume"
                problems.append(self._problem("superseded_rows", track.keep(gone), what))
            left = track.keep(mine & ~gone)
            places = _places(left, taken[number])
            displaced = np.setdiff1d(np.arange(len(left.x)), places)
            if len(displaced):
                what = f"without {self._x} left out for others at the same {self._x}"
                problems.append(self._problem("missing_x", left.keep(displaced), what))
            if len(places):
                placed = left.keep(places)
                placed.x = as_whole(placed.x)
                tracks.append(placed)
                lines.append(placed.lines)
        stand = np.unique(np.concatenate(lines))
        if len(stand):
            many = counted(len(stand), "record")
            verb = "stands" if len(stand) == 1 else "stand"
            message = f"{many} without {self._x} {verb} at the {self._x} of the record before"
            problems.insert(0, Problem("missing_x", message, *self._log.place(int(stand[0]))))
        return tracks, problems

    def _problem(self, kind: str, track: Track, what: str) -> Problem:
        rows = counted(len(track.x), "row")
        message = f"{track.named}: {rows} {what}, {named_lines(self._log, track.lines)}"
        return Problem(kind, message, *self._log.place(int(track.lines.min())))


def _places(track: Track, taken: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the rows that stay, in order of x: the last of those at one x that is not taken."""
    _, last = np.unique(track.x[::-1], return_index=True)
    rows = len(track.x) - 1 - last
    return rows[~np.isin(track.x[rows], taken)]
