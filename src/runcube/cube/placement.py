"""Where the values of runs go in a cube, and putting them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.curves import KeptRun, Track, XAxis


@dataclass(frozen=True)
class InnerLabels:
    """Labels of the inner dims, in order of first appearance or as asked for."""

    splits: tuple[str, ...]
    metrics: tuple[str, ...]


class Scatter:
    """Writes the values of runs to their places in cells.

    Parameters
    ----------
    axis : XAxis
    labels : InnerLabels
    """

    def __init__(self, axis: XAxis, labels: InnerLabels) -> None:
        self._split_at = {name: i for i, name in enumerate(labels.splits)}
        self._positions = Positions(axis)
        self._metrics = _Metrics(labels.metrics)

    def places(self, kept_run: KeptRun) -> Iterator[tuple[Track, Index]]:
        """Give the tracks of a run, each with where its x stands among the labels."""
        own = self._positions.own(kept_run)
        for track in kept_run.attempt.tracks:
            yield track, self._positions.of(track, own)

    def parts(self, kept_run: KeptRun) -> Iterator[tuple[Track, Part]]:
        """Give the tracks of a run that are in the cube, and where each comes from and goes."""
        own = self._positions.own(kept_run)
        for track in kept_run.attempt.tracks:
            split = self._split_at.get(track.curves.split)
            into, metrics = self._metrics.of(track)
            if split is not None and len(metrics):
                at = self._positions.of(track, own)
                yield track, Part(split, into, at, metrics, track.rows)

    def put(self, kept_run: KeptRun, curve: NDArray[np.float64], logged: NDArray[np.bool_]) -> None:
        """Fill one cell: arrays (split, metric, x) that hold NaN and False."""
        for track, part in self.parts(kept_run):
            part.put(track.curves.values, curve)
            part.mark(logged)

    def mark(self, kept_run: KeptRun, logged: NDArray[np.bool_]) -> None:
        """Say of one cell, an array (split, metric, x) of False, what was logged."""
        for _, part in self.parts(kept_run):
            part.mark(logged)


Index = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Part:
    """Where values of one split of a run come from, and where they go in its cell.

    Rows ``metrics`` and columns ``rows`` of the values of its ``Curves`` go to ``into`` (metric)
    and ``at`` (x) of the plane ``split``.
    """

    split: int
    into: Index
    at: Index
    metrics: NDArray[np.intp]
    rows: Index

    def put(self, values: NDArray[np.float64], curve: NDArray[np.float64]) -> None:
        """Write them into a cell (split, metric, x)."""
        if len(self.metrics) < len(values):
            values = values[self.metrics]
        curve[self.split][self._where] = values[:, self.rows]

    def mark(self, logged: NDArray[np.bool_]) -> None:
        """Say in a cell (split, metric, x) that they were logged."""
        logged[self.split][self._where] = True

    def within(self, places: Sequence[NDArray[np.intp]]) -> Part | None:
        """Give what of it is in a part of the cell.

        Parameters
        ----------
        places : sequence of ndarray
            For each split, metric and x of the cell, where it stands in the part; -1: nowhere.
        """
        split, into, at = (
            place[i] for place, i in zip(places, (self.split, self.into, self.at), strict=True)
        )
        if split < 0 or (into < 0).all() or (at < 0).all():
            return None
        rows = np.arange(len(at)) if isinstance(self.rows, slice) else self.rows
        metrics = self.metrics[into >= 0]
        into, rows, at = into[into >= 0], rows[at >= 0], at[at >= 0]
        return Part(int(split), into, _as_slice(at), metrics, rows)

    @property
    def _where(self) -> Any:
        if isinstance(self.into, slice) or isinstance(self.at, slice):
            return self.into, self.at
        return np.ix_(self.into, self.at)


def _as_slice(at: NDArray[np.intp]) -> Index:
    """A run of neighbours as a slice, which is written several times as fast."""
    if len(at) and at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


class _Metrics:
    """Where the metrics of a track stand among the labels; tracks mostly share theirs."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._at = {name: i for i, name in enumerate(labels)}
        self._known: dict[tuple[tuple[str, ...], bytes], tuple[Index, NDArray[np.intp]]] = {}

    def of(self, track: Track) -> tuple[Index, NDArray[np.intp]]:
        """Positions among the labels, and the rows of ``curves.values`` that go there."""
        key = (track.curves.metrics, track.metrics.tobytes())
        if key not in self._known:
            pairs = [(self._at.get(track.curves.metrics[i]), i) for i in track.metrics.tolist()]
            into = np.array([m for m, _ in pairs if m is not None], dtype=np.intp)
            rows = np.array([i for m, i in pairs if m is not None], dtype=np.intp)
            rising = len(into) < 2 or bool((np.diff(into) == 1).all())
            self._known[key] = (_as_slice(into) if rising else into), rows
        return self._known[key]


class Positions:
    """Where the x of a track stands among the labels; runs mostly share theirs."""

    def __init__(self, axis: XAxis) -> None:
        self._axis = axis
        self._known: dict[tuple[str, bytes], Index] = {}

    def own(self, kept_run: KeptRun) -> NDArray[Any] | None:
        """Sorted x of one run, where runs are aligned by order."""
        own = [track.x for track in kept_run.attempt.tracks if len(track.metrics)]
        if self._axis.align == "union" or not own:
            return None
        return np.unique(np.concatenate(own))

    def of(self, track: Track, own: NDArray[Any] | None) -> Index:
        """Positions of the x of a track, among all labels or those of its own run."""
        if own is not None:
            return _as_slice(np.searchsorted(own, track.x))
        key = (track.x.dtype.str, track.x.tobytes())
        if key not in self._known:
            self._known[key] = _as_slice(np.searchsorted(self._axis.labels, track.x))
        return self._known[key]
