"""Parsed runs and their plan to one Dataset: allocate once, scatter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from runcube.arrays import check_memory, text_array
from runcube.axes import identifier
from runcube.cellcoords import Place, cell_coords, seed_coord
from runcube.layouts import grid_attr
from runcube.workers import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.axes import XAxis
    from runcube.contest import Contest, Entry
    from runcube.sweep import Sweep
    from runcube.tracks import Track


_SPARSER = "pass layout='configs' (random search, sparse grids)"
_FEWER = ", metrics=[...] or splits=[...]"
# Numbers, status and references to texts that stand in each cell.
_CELL_BYTES = 80
_LARGE = 1 << 26


@dataclass(frozen=True)
class Labels:
    """Labels of the inner dims, in order of first appearance or as asked for."""

    splits: tuple[str, ...]
    metrics: tuple[str, ...]


def build_cube(
    sweep: Sweep, contest: Contest, labels: Labels, *, messages: bool = False
) -> xr.Dataset:
    """Scatter the runs that won their cells into ``curve`` and ``logged``.

    The trials of ``contest`` are emptied on the way, so that at most one copy of the data stands
    beside the cube.

    Parameters
    ----------
    sweep : Sweep
    contest : Contest
    labels : Labels
    messages : bool
        Add the coordinate ``messages``.

    Returns
    -------
    Dataset
        ``curve`` and ``logged`` on (*cell dims*, split, metric, x), without attrs but ``grid``.

    Raises
    ------
    CubeTooLargeError
        If the cube would not fit in memory; raised before it is allocated.
    """
    place = Place.of(sweep, contest.entries)
    shape = cube_shape(place, contest, labels)
    cells = int(np.prod(shape, dtype=np.int64))
    check_memory(cells, cells * 9 + _frame_bytes(contest, place), f"{_SPARSER}{_FEWER}")
    ds = cube_frame(sweep, contest, labels, place, messages=messages)
    count = place.count
    inner = shape[len(place.shape) :]
    curve = _all_nan((count, *inner))
    logged = np.zeros((count, *inner), dtype=bool)
    scatter = Scatter(contest.axis, labels)
    for entry, cell in zip(contest.entries, place.positions.tolist(), strict=True):
        scatter.put(entry, curve[cell], logged[cell])
        entry.trial.tracks = []
        entry.trial.log.curves = []
    dims = cube_dims(place, contest)
    return with_values(ds, dims, curve.reshape(shape), logged.reshape(shape))


def _all_nan(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Give a new array of NaN; a large one is filled by several threads.

    To get new memory from the system takes several times as long as to write it, and it is given
    to all CPUs at once.
    """
    out = np.empty(shape)
    if out.nbytes < _LARGE:
        out.fill(np.nan)
        return out
    count = usable_cpus()
    with ThreadPoolExecutor(count) as threads:
        for _ in threads.map(lambda part: part.fill(np.nan), np.array_split(out, count)):
            pass
    return out


def cube_shape(place: Place, contest: Contest, labels: Labels) -> tuple[int, ...]:
    """Shape of ``curve``: cell dims, split, metric, x."""
    inner = (len(labels.splits), len(labels.metrics), len(contest.axis.labels))
    return (*place.shape, *inner)


def cube_dims(place: Place, contest: Contest) -> tuple[str, ...]:
    """Dims of ``curve`` and ``logged``, as :func:`cube_shape` has their sizes."""
    return (*place.dims, "split", "metric", contest.axis.dim)


def with_values(ds: xr.Dataset, dims: Sequence[str], curve: Any, logged: Any) -> xr.Dataset:
    """Add ``curve`` and ``logged`` to a frame: arrays on :func:`cube_dims`."""
    data = {
        "curve": (dims, curve, {"long_name": "logged value"}),
        "logged": (dims, logged, {"long_name": "whether a value was logged"}),
    }
    return xr.Dataset(data, ds.coords, ds.attrs)


def cube_frame(
    sweep: Sweep, contest: Contest, labels: Labels, place: Place, *, messages: bool = False
) -> xr.Dataset:
    """Everything of a cube but its values: coordinates, and the attr ``grid``.

    Raises
    ------
    CubeTooLargeError
    """
    axis = contest.axis
    check_memory(place.count, _frame_bytes(contest, place), _SPARSER)
    coords = seed_coord(sweep) | cell_coords(sweep, contest.entries, place, messages=messages)
    coords |= {
        "split": ("split", text_array(labels.splits)),
        "metric": ("metric", text_array(labels.metrics)),
        axis.dim: (axis.dim, axis.labels),
    }
    for name, (values, attrs) in _along(contest, place).items():
        on = (axis.dim,) if values.ndim == 1 else (*place.dims, axis.dim)
        shape = values.shape if values.ndim == 1 else (*place.shape, len(axis.labels))
        coords[identifier(name, coords)] = (on, values.reshape(shape), attrs)
    return xr.Dataset(coords=coords, attrs={"grid": grid_attr(sweep)})


def _frame_bytes(contest: Contest, place: Place) -> int:
    """About what the coordinates need: texts of each cell are as wide as the longest of all."""
    paths = (len(entry.trial.log.header.source.path) for entry in contest.entries)
    return place.count * (_CELL_BYTES + 2 * 4 * max(paths, default=0))


def _along(contest: Contest, place: Place) -> dict[str, tuple[NDArray[Any], dict[str, str]]]:
    """Collect what else runs along x."""
    positions = _Positions(contest.axis)
    along = _Along(contest, place.count)
    for entry, cell in zip(contest.entries, place.positions.tolist(), strict=True):
        own = positions.own(entry)
        for track in entry.trial.tracks:
            if len(track.metrics) and (own is not None or len(track.curves.x) > 1):
                along.take(cell, track, positions.of(track, own))
        along.own_x(cell, own)
    return along.finish()


class Scatter:
    """Writes the values of runs to their places in cells.

    Parameters
    ----------
    axis : XAxis
    labels : Labels
    """

    def __init__(self, axis: XAxis, labels: Labels) -> None:
        self._split_at = {name: i for i, name in enumerate(labels.splits)}
        self._positions = _Positions(axis)
        self._metrics = _Metrics(labels.metrics)

    def places(self, entry: Entry) -> Iterator[tuple[Track, Index]]:
        """Give the tracks of a run, each with where its x stands among the labels."""
        own = self._positions.own(entry)
        for track in entry.trial.tracks:
            yield track, self._positions.of(track, own)

    def parts(self, entry: Entry) -> Iterator[tuple[Track, Part]]:
        """Give the tracks of a run that are in the cube, and where each comes from and goes."""
        own = self._positions.own(entry)
        for track in entry.trial.tracks:
            split = self._split_at.get(track.curves.split)
            into, metrics = self._metrics.of(track)
            if split is not None and len(metrics):
                at = self._positions.of(track, own)
                yield track, Part(split, into, at, metrics, track.rows)

    def put(self, entry: Entry, curve: NDArray[np.float64], logged: NDArray[np.bool_]) -> None:
        """Fill one cell: arrays (split, metric, x) that hold NaN and False."""
        for track, part in self.parts(entry):
            part.put(track.curves.values, curve)
            part.mark(logged)

    def mark(self, entry: Entry, logged: NDArray[np.bool_]) -> None:
        """Say of one cell, an array (split, metric, x) of False, what was logged."""
        for _, part in self.parts(entry):
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


class _Positions:
    """Where the x of a track stands among the labels; runs mostly share theirs."""

    def __init__(self, axis: XAxis) -> None:
        self._axis = axis
        self._known: dict[tuple[str, bytes], Index] = {}

    def own(self, entry: Entry) -> NDArray[Any] | None:
        """Sorted x of one run, where runs are aligned by order."""
        own = [track.x for track in entry.trial.tracks if len(track.metrics)]
        if self._axis.align == "union" or not own:
            return None
        return np.unique(np.concatenate(own))

    def of(self, track: Track, own: NDArray[Any] | None) -> Index:
        if own is not None:
            return _as_slice(np.searchsorted(own, track.x))
        key = (track.x.dtype.str, track.x.tobytes())
        if key not in self._known:
            self._known[key] = _as_slice(np.searchsorted(self._axis.labels, track.x))
        return self._known[key]


class _Along:
    """Quantities that run along x beside it: one for all runs where they agree, else one a run."""

    def __init__(self, contest: Contest, count: int) -> None:
        self._axis = contest.axis
        self._shape = (count, len(contest.axis.labels))
        self._found: dict[str, NDArray[np.float64]] = {}
        self._whole: dict[str, bool] = {}

    def take(self, cell: int, track: Track, at: Index) -> None:
        for name, values in track.curves.x.items():
            if name != self._axis.name:
                self._whole[name] = self._whole.get(name, True) and values.dtype.kind == "i"
                self._put(name, cell, at, values[track.rows])

    def own_x(self, cell: int, own: NDArray[Any] | None) -> None:
        if own is not None:
            self._whole[self._axis.name] = False
            self._put(self._axis.name, cell, np.arange(len(own)), own)

    def _put(self, name: str, cell: int, at: Index, values: NDArray[Any]) -> None:
        if name not in self._found:
            self._found[name] = np.full(self._shape, np.nan)
        row = self._found[name][cell]
        # The first split that has it speaks; the others fill its gaps.
        row[at] = np.where(np.isnan(row[at]), values, row[at])

    def finish(self) -> dict[str, tuple[NDArray[Any], dict[str, str]]]:
        """Arrays (x,) or (cells, x) by logged name, with the attrs of their coordinates."""
        return {
            name: (self._shared(name, values), {"long_name": name})
            for name, values in self._found.items()
        }

    def _shared(self, name: str, values: NDArray[np.float64]) -> NDArray[Any]:
        if not values.size or name == self._axis.name:
            return values
        least, most = np.fmin.reduce(values), np.fmax.reduce(values)
        if not ((least == most) | np.isnan(least)).all():
            return values
        if self._whole[name] and not np.isnan(least).any():
            return np.asarray(least, dtype=np.int64)
        return np.asarray(least)
