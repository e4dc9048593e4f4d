"""Dask arrays of a lazy cube, which hand a list of positions on to the logs.

Dask puts integers and slices right on top of a block into the task that reads it, so that only what
is selected is read. It does not do that for lists and points, and would read whole blocks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from dask.array import Array
from dask.base import tokenize
from dask.utils import IndexCallable

from runcube.lazy import block_shape

if TYPE_CHECKING:
    from collections.abc import Hashable


class Blocks(Array):
    """A dask array that remembers what it selects; what is calculated from it is a plain one."""

    # The same values without dask, and the name that this array had then: assigning to a dask
    # array gives it other values under another name.
    lazy: xr.Variable
    made_as: str

    def __getitem__(self, index: Any) -> Any:
        key = _outer(index, self.ndim) if self.name == self.made_as else None
        if key is None:
            return super().__getitem__(index)
        lazy = self.lazy[key]
        if not any(isinstance(pick, list) for pick in key):
            return _remembering(super().__getitem__(index), lazy)
        for pick, size in zip(key, self.shape, strict=True):
            if isinstance(pick, list):
                np.empty(size, dtype=bool)[pick]  # raises where it must, as a lazy array does not
        name = f"runcube-list-{tokenize(self.name, key)}"
        return in_blocks(lazy, self._sizes(), name).data

    @property
    def vindex(self) -> IndexCallable:
        """Select points, by arrays that are broadcast against each other."""
        return IndexCallable(self._points)

    def _points(self, key: tuple[Any, ...]) -> Any:
        picks = dict(zip(self.lazy.dims, key, strict=False))
        arrays = {dim: pick for dim, pick in picks.items() if not isinstance(pick, slice)}
        if self.name != self.made_as or not all(map(_is_positions, arrays.values())):
            return super().vindex[key]
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        points = [f"point {i}" for i in range(len(shape))]
        at = {dim: xr.Variable(points, np.broadcast_to(a, shape)) for dim, a in arrays.items()}
        lazy = self.lazy.isel(picks | at).transpose(*points, ...)
        sizes = self._sizes() | dict(zip(points, block_shape((*shape, 1, 1, 1)), strict=False))
        return in_blocks(lazy, sizes, f"runcube-points-{tokenize(self.name, key)}").data

    def _sizes(self) -> dict[Hashable, int]:
        return dict(zip(self.lazy.dims, (max(1, *n) for n in self.chunks), strict=True))

    def copy(self) -> Array:
        """Give an array of its own, as xarray asks for when it aligns."""
        made = super().copy()
        return _remembering(made, self.lazy) if self.name == self.made_as else made


def in_blocks(lazy: xr.Variable, sizes: Mapping[Hashable, Any], name: str) -> xr.Variable:
    """Give a variable that is read when it is used as one of dask arrays.

    Parameters
    ----------
    lazy : Variable
    sizes : mapping of dim to size
        Of the blocks, as dask takes them, for each dim of the variable at least.
    name : str
        Its name in the graph, another one for other values.
    """
    here = {dim: sizes[dim] for dim in lazy.dims}
    made = lazy.chunk(here, name=name)
    made.data = _remembering(made.data, lazy)
    return made


def _remembering(array: Array, lazy: xr.Variable) -> Blocks:
    made = Blocks(array.dask, array.name, array.chunks, meta=array)
    made.lazy, made.made_as = lazy, array.name
    return made


def _is_positions(pick: Any) -> bool:
    return isinstance(pick, np.ndarray) and pick.dtype.kind in "iu"


def _outer(index: Any, ndim: int) -> tuple[Any, ...] | None:
    """Spell an index of numbers, slices and at most one list plainly; None: it is another."""
    key = index if isinstance(index, tuple) else (index,)
    picks = [_pick(pick) for pick in key]
    if len(key) > ndim or None in picks or sum(isinstance(pick, list) for pick in picks) > 1:
        return None
    return (*picks, *[slice(None)] * (ndim - len(picks)))


def _pick(pick: Any) -> int | slice | list[Any] | None:
    if isinstance(pick, int | np.integer) and not isinstance(pick, bool):
        return int(pick)
    if isinstance(pick, slice):
        return pick
    if isinstance(pick, np.ndarray | Sequence) and not isinstance(pick, str):
        array = np.asarray(pick)
        if array.ndim == 1 and (array.dtype.kind in "iub" or not array.size):
            return list(array.tolist())
    return None
