"""Positions of the values of runs in a cube, and how they are written there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.curves import Attempt, KeptRun, Track, XAxis

# Runs that are written together, and values of each split of one, at most: what is copied for it.
_TOGETHER, _SHORT = 1 << 8, 1 << 10


@dataclass(frozen=True)
class InnerLabels:
    """Labels of the inner dims, in order of first appearance or as asked for.

    Parameters
    ----------
    splits : tuple of str
        Labels of ``split``, (splits,).
    metrics : tuple of str
        Labels of ``metric``, (metrics,).
    """

    splits: tuple[str, ...]
    metrics: tuple[str, ...]


class Scatter:
    """Writes the values of runs to their positions in cells.

    Parameters
    ----------
    axis : XAxis
        The x-axis of the cube.
    labels : InnerLabels
        Labels of ``split`` and ``metric``.
    """

    def __init__(self, axis: XAxis, labels: InnerLabels) -> None:
        self._split_at = {name: i for i, name in enumerate(labels.splits)}
        self._positions = Positions(axis)
        self._metrics = _Metrics(labels.metrics)

    def places(self, kept_run: KeptRun) -> Iterator[tuple[Track, Index]]:
        """Yield the tracks of a run, each with the positions of its x among the labels."""
        own = self._positions.own(kept_run)
        for track in kept_run.attempt.tracks:
            yield track, self._positions.of(track, own)

    def reach(self, kept_run: KeptRun) -> int:
        """Return the number of labels of x up to the last one at which a run may have a value."""
        ends = (
            at.stop if isinstance(at, slice) else int(at.max(initial=-1)) + 1
            for _, at in self.places(kept_run)
        )
        return max(ends, default=0)

    def parts(self, kept_run: KeptRun) -> Iterator[tuple[Track, Part]]:
        """Yield the tracks of a run that are in the cube, each with its source and target."""
        own = self._positions.own(kept_run)
        for track in kept_run.attempt.tracks:
            split = self._split_at.get(track.curves.split)
            into, metrics = self._metrics.of(track)
            if split is not None and len(metrics):
                at = self._positions.of(track, own)
                yield track, Part(split, into, at, metrics, track.rows)

    def put_each(
        self,
        kept_runs: Sequence[KeptRun],
        cells: NDArray[np.intp],
        curve: NDArray[np.float64],
        logged: NDArray[np.bool_],
    ) -> None:
        """Write runs into their cells, short ones of one course together.

        Parameters
        ----------
        kept_runs : sequence of KeptRun, (runs,)
        cells : (runs,) intp
            The cell of each.
        curve, logged : ndarray, (cells, split, metric, x)
            They hold NaN and False.
        """
        alike: dict[tuple[Any, ...], list[int]] = {}
        for number, kept_run in enumerate(kept_runs):
            alike.setdefault(self._alike(kept_run) or (number,), []).append(number)
        for members in alike.values():
            for start in range(0, len(members), _TOGETHER):
                some = members[start : start + _TOGETHER]
                together = [kept_runs[i].attempt for i in some]
                if len(some) == 1:
                    self.put(kept_runs[some[0]], curve[cells[some[0]]], logged[cells[some[0]]])
                else:
                    self._put_alike(kept_runs[some[0]], together, cells[some], curve, logged)

    def _alike(self, kept_run: KeptRun) -> tuple[Any, ...]:
        """Return what short runs have in common whose values have the same places; else ()."""
        attempt = kept_run.attempt
        curves = attempt.log.curves
        is_short = all(part.logged.size <= _SHORT for part in curves)
        if not (attempt.is_plain and is_short and self._positions.is_union):
            return ()
        return attempt.course, *(part.metrics for part in curves)

    def _put_alike(
        self,
        first: KeptRun,
        attempts: Sequence[Attempt],
        cells: NDArray[np.intp],
        curve: NDArray[np.float64],
        logged: NDArray[np.bool_],
    ) -> None:
        """Write runs with the parts of the first one."""
        parts = [*self.parts(first)]
        for number, curves in enumerate(first.attempt.log.curves):
            own = [part for track, part in parts if track.curves is curves]
            if own:
                each = [attempt.log.curves[number].values for attempt in attempts]
                values = np.concatenate(each).reshape(len(each), *curves.values.shape)
            for part in own:
                part.put_each(values, cells, curve, logged)

    def put(self, kept_run: KeptRun, curve: NDArray[np.float64], logged: NDArray[np.bool_]) -> None:
        """Write a run into its cell: arrays (split, metric, x) that hold NaN and False."""
        for track, part in self.parts(kept_run):
            part.put(track.curves.values, curve)
            part.mark(logged)

    def mark(self, kept_run: KeptRun, logged: NDArray[np.bool_]) -> None:
        """Write True where a run logged a value into its cell, (split, metric, x) of False."""
        for _, part in self.parts(kept_run):
            part.mark(logged)


Index = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Part:
    """Values of one split of a run: their source in its ``Curves``, and their target in its cell.

    Parameters
    ----------
    split : int
        Target: position along ``split`` of the cell.
    into : (part metrics,) intp, or slice
        Target: positions along ``metric``.
    at : (part rows,) intp, or slice
        Target: positions along x.
    metrics : (part metrics,) intp
        Source: rows of ``Curves.values``, which is (metrics, rows).
    rows : (part rows,) intp, or slice
        Source: columns of ``Curves.values``.
    """

    split: int
    into: Index
    at: Index
    metrics: NDArray[np.intp]
    rows: Index

    def put(self, values: NDArray[np.float64], curve: NDArray[np.float64]) -> None:
        """Write the values into a cell (split, metric, x)."""
        if len(self.metrics) < len(values):
            values = values[self.metrics]
        curve[self.split][self._where] = values[:, self.rows]

    def put_each(
        self,
        values: NDArray[np.float64],
        cells: NDArray[np.intp],
        curve: NDArray[np.float64],
        logged: NDArray[np.bool_],
    ) -> None:
        """Write values (runs, metrics, rows) into the cells of runs: (cells, split, metric, x)."""
        if len(self.metrics) < values.shape[1]:
            values = values[:, self.metrics]
        where: tuple[Any, ...] = (cells, self.split, self.into, self.at)
        if not (isinstance(self.into, slice) and isinstance(self.at, slice)):
            into, at = (
                np.arange(size)[i] for size, i in zip(curve.shape[2:], where[2:], strict=True)
            )
            where = (cells[:, None, None], self.split, into[:, None], at)
        curve[where] = values[:, :, self.rows]
        logged[where] = True

    def mark(self, logged: NDArray[np.bool_]) -> None:
        """Write True into a cell (split, metric, x) where the values go."""
        logged[self.split][self._where] = True

    @property
    def _where(self) -> Any:
        if isinstance(self.into, slice) or isinstance(self.at, slice):
            return self.into, self.at
        return np.ix_(self.into, self.at)


def _as_slice(at: NDArray[np.intp]) -> Index:
    """Return consecutive positions as a slice, which is written several times as fast."""
    if len(at) and at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


class _Metrics:
    """Positions of the metrics of tracks among the labels, kept since tracks mostly share them.

    Parameters
    ----------
    labels : tuple of str
        Labels of ``metric``, (metrics,).
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._at = {name: i for i, name in enumerate(labels)}
        self._known: dict[tuple[tuple[str, ...], bytes], tuple[Index, NDArray[np.intp]]] = {}

    def of(self, track: Track) -> tuple[Index, NDArray[np.intp]]:
        """Return positions among the labels, and the rows of ``curves.values`` that go there."""
        key = (track.curves.metrics, track.metrics.tobytes())
        if key not in self._known:
            pairs = [(self._at.get(track.curves.metrics[i]), i) for i in track.metrics.tolist()]
            into = np.array([m for m, _ in pairs if m is not None], dtype=np.intp)
            rows = np.array([i for m, i in pairs if m is not None], dtype=np.intp)
            rising = len(into) < 2 or bool((np.diff(into) == 1).all())
            self._known[key] = (_as_slice(into) if rising else into), rows
        return self._known[key]


class Positions:
    """Positions of the x of tracks among the labels, kept since runs mostly share them.

    Parameters
    ----------
    axis : XAxis
        The x-axis of the cube.
    """

    def __init__(self, axis: XAxis) -> None:
        self._axis = axis
        self._known: dict[tuple[str, bytes], Index] = {}

    @property
    def is_union(self) -> bool:
        """Whether a position is that of a label, whatever run is there."""
        return self._axis.align == "union"

    def own(self, kept_run: KeptRun) -> NDArray[Any] | None:
        """Return the sorted x of one run, where runs are aligned by order, else None."""
        own = [track.x for track in kept_run.attempt.tracks if len(track.metrics)]
        if self.is_union or not own:
            return None
        return np.unique(np.concatenate(own))

    def of(self, track: Track, own: NDArray[Any] | None) -> Index:
        """Return the positions of the x of a track, among all labels or those of its own run."""
        if own is not None:
            return _as_slice(np.searchsorted(own, track.x))
        key = (track.x.dtype.str, track.x.tobytes())
        if key not in self._known:
            self._known[key] = _as_slice(np.searchsorted(self._axis.labels, track.x))
        return self._known[key]
