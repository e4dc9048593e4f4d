"""Parsed runs and their plan to one Dataset: allocate once, scatter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.arrays import check_memory, text_array
from runcube.axes import identifier
from runcube.cellcoords import Place, cell_coords, seed_coord
from runcube.layouts import grid_attr
from runcube.scatter import Positions, Scatter
from runcube.workers import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.contest import Contest
    from runcube.scatter import Index, Labels
    from runcube.sweep import Sweep
    from runcube.tracks import Track


_SPARSER = "pass layout='configs' (random search, sparse grids)"
_FEWER = ", metrics=[...] or splits=[...]"
# Numbers, status and references to texts that stand in each cell.
_CELL_BYTES = 80
_LARGE = 1 << 26


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
    positions = Positions(contest.axis)
    along = _Along(contest, place.count)
    for entry, cell in zip(contest.entries, place.positions.tolist(), strict=True):
        own = positions.own(entry)
        for track in entry.trial.tracks:
            if len(track.metrics) and (own is not None or len(track.curves.x) > 1):
                along.take(cell, track, positions.of(track, own))
        along.own_x(cell, own)
    return along.finish()


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
