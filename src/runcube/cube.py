"""Parsed runs and their plan to one Dataset: allocate once, scatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from runcube.arrays import check_memory, text_array
from runcube.axes import identifier
from runcube.cellcoords import Place, cell_coords, seed_coord
from runcube.layouts import grid_attr

if TYPE_CHECKING:
    from runcube.axes import XAxis
    from runcube.contest import Contest, Entry
    from runcube.sweep import Sweep
    from runcube.tracks import Track


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
        Before anything is allocated.
    """
    place = Place.of(sweep, contest.entries)
    axis = contest.axis
    inner = (len(labels.splits), len(labels.metrics), len(axis.labels))
    cells = int(np.prod(place.shape, dtype=np.int64)) * int(np.prod(inner, dtype=np.int64))
    check_memory(
        cells,
        cells * 9,
        "pass layout='configs' (random search, sparse grids), metrics=[...] or splits=[...]",
    )
    coords = seed_coord(sweep) | cell_coords(sweep, contest.entries, place, messages=messages)
    curve, logged, along = _scatter(place, contest, labels, inner)
    dims = (*place.dims, "split", "metric", axis.dim)
    coords |= {
        "split": ("split", text_array(labels.splits)),
        "metric": ("metric", text_array(labels.metrics)),
        axis.dim: (axis.dim, axis.labels),
    }
    for name, (values, attrs) in along.items():
        on = (axis.dim,) if values.ndim == 1 else (*place.dims, axis.dim)
        shape = values.shape if values.ndim == 1 else (*place.shape, len(axis.labels))
        coords[identifier(name, coords)] = (on, values.reshape(shape), attrs)
    ds = xr.Dataset({"curve": (dims, curve), "logged": (dims, logged)}, coords)
    ds.curve.attrs["long_name"] = "logged value"
    ds.logged.attrs["long_name"] = "whether a value was logged"
    ds.attrs["grid"] = grid_attr(sweep)
    return ds


def _scatter(
    place: Place, contest: Contest, labels: Labels, inner: tuple[int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, Any]]:
    """Fill ``curve`` and ``logged``, and collect what else runs along x."""
    count = int(np.prod(place.shape, dtype=np.int64))
    curve = np.full((count, *inner), np.nan)
    logged = np.zeros((count, *inner), dtype=bool)
    split_at = {name: i for i, name in enumerate(labels.splits)}
    positions, metrics = _Positions(contest.axis), _Metrics(labels.metrics)
    along = _Along(contest, count)
    for entry, cell in zip(contest.entries, place.positions.tolist(), strict=True):
        own = positions.own(entry)
        for track in (t for t in entry.trial.tracks if len(t.metrics)):
            at = positions.of(track, own)
            along.take(cell, track, at)
            split = split_at.get(track.curves.split)
            into, rows = metrics.of(track)
            if split is not None and len(rows):
                block = curve[cell, split], logged[cell, split]
                values = track.curves.values
                if len(rows) < len(values):
                    values = values[rows]
                _put(block, into, at, values[:, track.rows])
        along.own_x(cell, own)
        entry.trial.tracks = []
        entry.trial.log.curves = []
    shape = (*place.shape, *inner)
    return curve.reshape(shape), logged.reshape(shape), along.finish()


Index = slice | NDArray[np.intp]


def _as_slice(at: NDArray[np.intp]) -> Index:
    """A run of neighbours as a slice, which is written several times as fast."""
    if len(at) and at[-1] - at[0] == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def _put(
    block: tuple[NDArray[np.float64], NDArray[np.bool_]],
    into: Index,
    at: Index,
    values: NDArray[np.float64],
) -> None:
    """Write rows of metrics into the (metric, x) planes of one cell and split."""
    curve, logged = block
    where: Any = (into, at)
    if not isinstance(into, slice) and not isinstance(at, slice):
        where = np.ix_(into, at)
    curve[where] = values
    logged[where] = True


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
