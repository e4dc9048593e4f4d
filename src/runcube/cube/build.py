"""Parsed runs and their plan to one Dataset: allocate once, scatter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import check_memory, text_array, usable_cpus
from runcube.cube.coords import CellIndex, cell_coords, seed_coord
from runcube.cube.layouts import grid_attr
from runcube.cube.placement import Positions, Scatter
from runcube.curves import along_x, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.cube.placement import InnerLabels
    from runcube.curves import KeptRun, Selection, XAxis
    from runcube.plan import Sweep


_SPARSER = "pass layout='configs' (random search, sparse grids)"
_FEWER = ", metrics=[...] or splits=[...]"
# Numbers, status and references to texts in each cell.
_CELL_BYTES = 80
_LARGE = 1 << 26


def build_cube(
    sweep: Sweep, selection: Selection, labels: InnerLabels, *, messages: bool = False
) -> xr.Dataset:
    """Return the cube: the kept runs scattered into ``curve`` and ``logged``.

    Parameters
    ----------
    sweep : Sweep
        The plan, with the layout and the cell of each run.
    selection : Selection
        The run of each cell, and the x-axis.
    labels : InnerLabels
        Labels of ``split`` and ``metric``.
    messages : bool
        Add the coordinate ``messages``.

    Returns
    -------
    Dataset
        ``curve`` (float64) and ``logged`` (bool) on (*cell dims*, split, metric, x), without attrs
        but ``grid``.

    Raises
    ------
    CubeTooLargeError
        If the cube would not fit in memory; raised before it is allocated.
    """
    cell_index = CellIndex.of(sweep, selection.kept_runs)
    shape = cube_shape(cell_index, selection, labels)
    cells = int(np.prod(shape, dtype=np.int64))
    check_memory(cells, cells * 9 + _frame_bytes(selection, cell_index), f"{_SPARSER}{_FEWER}")
    ds = cube_frame(sweep, selection, labels, cell_index, messages=messages)
    count = cell_index.count
    inner = shape[len(cell_index.shape) :]
    curve = _all_nan((count, *inner))
    logged = np.zeros((count, *inner), dtype=bool)
    scatter = Scatter(selection.axis, labels)
    scatter.put_each(selection.kept_runs, cell_index.positions, curve, logged)
    dims = cube_dims(cell_index, selection)
    return with_values(ds, dims, curve.reshape(shape), logged.reshape(shape))


def _all_nan(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a new array of NaN; a large one is filled by several threads.

    To get new memory from the system takes several times as long as to write it, and all CPUs can
    get it at once.
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


def cube_shape(cell_index: CellIndex, selection: Selection, labels: InnerLabels) -> tuple[int, ...]:
    """Return the shape of ``curve``: cell dims, split, metric, x."""
    inner = (len(labels.splits), len(labels.metrics), len(selection.axis.labels))
    return (*cell_index.shape, *inner)


def cube_dims(cell_index: CellIndex, selection: Selection) -> tuple[str, ...]:
    """Return the dims of ``curve`` and ``logged``, whose sizes are :func:`cube_shape`."""
    return (*cell_index.dims, "split", "metric", selection.axis.dim)


def with_values(ds: xr.Dataset, dims: Sequence[str], curve: Any, logged: Any) -> xr.Dataset:
    """Return a frame with ``curve`` and ``logged`` added: arrays on :func:`cube_dims`."""
    data = {
        "curve": (dims, curve, {"long_name": "logged value"}),
        "logged": (dims, logged, {"long_name": "whether a value was logged"}),
    }
    return xr.Dataset(data, ds.coords, ds.attrs)


def cube_frame(
    sweep: Sweep,
    selection: Selection,
    labels: InnerLabels,
    cell_index: CellIndex,
    *,
    messages: bool = False,
) -> xr.Dataset:
    """Return a cube without its values: coordinates, and the attr ``grid``.

    Parameters
    ----------
    sweep, selection, labels, messages
        As for :func:`build_cube`.
    cell_index : CellIndex
        The cell of each kept run.

    Raises
    ------
    CubeTooLargeError
        If the coordinates would not fit in memory; raised before they are allocated.
    """
    axis = selection.axis
    check_memory(cell_index.count, _frame_bytes(selection, cell_index), _SPARSER)
    coords = seed_coord(sweep) | cell_coords(
        sweep, selection.kept_runs, cell_index, messages=messages
    )
    coords |= {
        "split": ("split", text_array(labels.splits)),
        "metric": ("metric", text_array(labels.metrics)),
        axis.dim: (axis.dim, axis.labels, _long_name(axis)),
    }
    for name, (values, attrs) in _along(selection, cell_index).items():
        on = (axis.dim,) if values.ndim == 1 else (*cell_index.dims, axis.dim)
        shape = values.shape if values.ndim == 1 else (*cell_index.shape, len(axis.labels))
        short = identifier(name, coords)
        named = attrs if short == name else {**attrs, "long_name": name}
        coords[short] = (on, values.reshape(shape), named)
    return xr.Dataset(coords=coords, attrs={"grid": grid_attr(sweep)})


def _long_name(axis: XAxis) -> dict[str, str]:
    """Return the attrs of the dim x: its name as logged, where the dim has another."""
    is_other = axis.align == "union" and axis.name != axis.dim
    return {"long_name": axis.name} if is_other and isinstance(axis.name, str) else {}


def _frame_bytes(selection: Selection, cell_index: CellIndex) -> int:
    """Return about the bytes of the coordinates: every text is as wide as the longest of all."""
    paths = (len(kept_run.attempt.log.header.source.path) for kept_run in selection.kept_runs)
    return cell_index.count * (_CELL_BYTES + 2 * 4 * max(paths, default=0))


def _along(
    selection: Selection, cell_index: CellIndex
) -> dict[str, tuple[NDArray[Any], dict[str, str]]]:
    """Return the other quantities along x, (x,) or (cells, x), by logged name, with their attrs."""
    if not any(_has_others(kept_run, selection.axis) for kept_run in selection.kept_runs):
        return {}
    along = _Along(selection, cell_index.count)
    for kept_run, cell in zip(selection.kept_runs, cell_index.positions.tolist(), strict=True):
        along.take(cell, kept_run)
    return along.finish()


def _has_others(kept_run: KeptRun, axis: XAxis) -> bool:
    """Return whether a run has more along x than its labels."""
    attempt = kept_run.attempt
    is_other = axis.align == "order" or attempt.is_numbered
    return is_other or any(track.curves.x.keys() != {axis.name} for track in attempt.tracks)


class _Along:
    """Other quantities along x: one array for all runs where they agree, else one per run.

    Parameters
    ----------
    selection : Selection
    count : int
        Number of cells.
    """

    def __init__(self, selection: Selection, count: int) -> None:
        self._axis = selection.axis
        self._positions = Positions(selection.axis)
        self._shape = (count, len(selection.axis.labels))
        self._held = np.zeros(self._shape, dtype=bool)
        self._found: dict[str, NDArray[np.float64]] = {}
        self._whole: dict[str, bool] = {}

    def take(self, cell: int, kept_run: KeptRun) -> None:
        """Take the quantities of the run of a cell."""
        attempt = kept_run.attempt
        own = self._positions.own(kept_run)
        tracks = [track for track in attempt.tracks if len(track.metrics)]
        for track in tracks:
            self._held[cell, self._positions.of(track, own)] = True
        for name in {name: None for track in tracks for name in track.curves.x}:
            # The x of a run that is numbered is not where its points stand.
            if name != self._axis.name or attempt.is_numbered:
                x, values, _ = along_x(tracks, name)
                at = np.searchsorted(self._axis.labels if own is None else own, x)
                self._put(name, cell, at, values)
        if own is not None and not attempt.is_numbered:
            self._put(self._axis.name, cell, np.arange(len(own)), own)

    def _put(self, name: str, cell: int, at: NDArray[np.intp], values: NDArray[Any]) -> None:
        if name not in self._found:
            self._found[name] = np.full(self._shape, np.nan)
        self._whole[name] = self._whole.get(name, True) and values.dtype.kind == "i"
        self._found[name][cell, at] = values

    def finish(self) -> dict[str, tuple[NDArray[Any], dict[str, str]]]:
        """Return arrays (x,) or (cells, x) by logged name, with the attrs of their coordinates."""
        return {
            name: (self._shared(name, values), {"long_name": name})
            for name, values in self._found.items()
        }

    def _shared(self, name: str, values: NDArray[np.float64]) -> NDArray[Any]:
        if not values.size or name == self._axis.name:
            return values
        least, most = np.fmin.reduce(values), np.fmax.reduce(values)
        agree = ((least == most) | np.isnan(least)).all()
        # A run with a point where others have the quantity, and it has not, does not agree.
        if not agree or (self._held & np.isnan(values) & ~np.isnan(least)).any():
            return values
        if self._whole[name] and not np.isnan(least).any():
            return np.asarray(least, dtype=np.int64)
        return np.asarray(least)
