"""Tracks: curves of a split that share their rows; how they are cut, and named in messages."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog

# Metrics that one message names.
_MOST_NAMES = 1000


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
    carried : bool
        Whether the rows lack x, and stand at that of the record before.
    """

    curves: Curves
    metrics: NDArray[np.intp]
    rows: NDArray[np.intp] | slice
    x: NDArray[Any]
    carried: bool = False

    @property
    def indices(self) -> NDArray[np.intp]:
        """Positions of the rows of ``curves``, as an array: (track rows,)."""
        if isinstance(self.rows, slice):
            return np.arange(len(self.curves.lines))[self.rows]
        return self.rows

    @property
    def lines(self) -> NDArray[np.int64]:
        """Line number of each row in the file: (track rows,)."""
        return self.curves.lines[self.rows]

    def keep(self, at: NDArray[Any]) -> Track:
        """Return the track with some of its rows, by a mask or by positions."""
        return Track(self.curves, self.metrics, self.indices[at], self.x[at], self.carried)

    @property
    def named(self) -> str:
        """All that was logged in the rows: ``'loss', 'acc' (train) with 'step'``."""
        return named_values([self]) or f"({self.curves.split})"


def raw_tracks(curves: Curves, x: NDArray[Any]) -> list[Track]:
    """Return the tracks of a split in file order, with the x of its rows: (rows,).

    Rows whose metrics were not asked for are a track without any: how far a run came, and where it
    was resumed, does not depend on what is asked for.
    """
    if curves.logged.all():
        return [Track(curves, _every(len(curves.metrics)), slice(None), x)]
    groups: dict[bytes, list[int]] = {}
    for index, mask in enumerate(curves.logged):
        groups.setdefault(mask.tobytes(), []).append(index)
    tracks = []
    for members in groups.values():
        rows = np.flatnonzero(curves.logged[members[0]])
        tracks.append(Track(curves, np.array(members), rows, x[rows]))
    others = np.flatnonzero(~curves.logged.any(axis=0))
    if len(others):
        tracks.append(Track(curves, np.empty(0, np.intp), others, x[others]))
    return tracks


@lru_cache(maxsize=64)
def _every(count: int) -> NDArray[np.intp]:
    """Return the positions of all metrics, an array that the tracks of most logs share."""
    rows = np.arange(count)
    rows.flags.writeable = False
    return rows


def along_x(
    tracks: Sequence[Track], name: str
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return another quantity along x, where records at one x may have several values of it.

    The last one stays, as it does of metrics; that of a record that is carried gives way.

    Parameters
    ----------
    tracks : sequence of Track
        All tracks of an attempt.
    name : str
        The quantity.

    Returns
    -------
    x : ndarray, (points,)
        Each x once, increasing.
    values : ndarray, (points,)
    displaced : ndarray of int64
        Lines of the records whose value is not there.
    """
    held = [t for t in tracks if len(t.metrics) and len(t.x) and name in t.curves.x]
    values = [t.curves.x[name][t.rows] for t in held]
    nothing = np.empty(0, np.int64)
    if not held:
        return nothing, nothing, nothing
    is_same = all(
        not t.carried and np.array_equal(t.x, held[0].x) and np.array_equal(v, values[0])
        for t, v in zip(held, values, strict=True)
    )
    if is_same and not np.isnan(values[0]).any():
        return held[0].x, values[0], nothing
    x, found = np.concatenate([t.x for t in held]), np.concatenate(values)
    lines = np.concatenate([t.lines for t in held])
    own = np.repeat([not t.carried for t in held], [len(t.x) for t in held])
    order = np.lexsort((lines, own, x))
    order = order[~np.isnan(found[order])]
    x, found = x[order], found[order]
    stays = np.append(x[1:] != x[:-1], True)[: len(x)]
    kept = found[stays][np.cumsum(np.append(0, stays[:-1]))[: len(x)]]
    return x[stays], found[stays], np.unique(lines[order][found != kept])


def named_curves(tracks: Iterable[Track]) -> str:
    """Return the metrics of tracks in quotes, each with its split: ``'loss', 'acc' (train)``."""
    by_split: dict[str, dict[str, None]] = defaultdict(dict)
    for track in tracks:
        metrics = (track.curves.metrics[i] for i in track.metrics.tolist())
        by_split[track.curves.split].update(dict.fromkeys(metrics))
    parts, left = [], _MOST_NAMES
    for split, known in by_split.items():
        names = [f"'{name}'" for name in known][:left]
        left -= len(names)
        if len(names) < len(known):
            names.append(f"{len(known) - len(names)} more")
        if names:
            parts.append(f"{', '.join(names)} ({split})")
    return "; ".join(parts)


def named_values(tracks: Sequence[Track]) -> str:
    """Return all that was logged in the rows of tracks: metrics by split, and quantities of x."""
    x = {
        f"'{name}'": None
        for track in tracks
        for name, values in track.curves.x.items()
        if not np.isnan(values[track.rows]).all()
    }
    names = named_curves(tracks)
    return f"{names} with {', '.join(x)}" if names and x else names


def named_lines(log: RunLog, lines: NDArray[np.int64]) -> str:
    """Return the range of some lines of a log: ``line 7``, or ``lines 2 to 31 of val.jsonl``."""
    path, first = log.place(int(lines.min()))
    until, last = log.place(int(lines.max()))
    if path != until:
        return f"line {first} of {path} to line {last} of {until}"
    named = f"line {first}" if first == last else f"lines {first} to {last}"
    return named if path == log.header.source.path else f"{named} of {path}"
