"""Variables of a lazy cube, which pass lists and points on to the logs when they are in blocks.

Dask puts integers and slices right on top of a block into the task that reads it, so that only what
is selected is read. It does not do that for lists and points, and would read whole blocks for them.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from xarray.core import indexing

from runcube.lazy.array import LazyCube, block_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The same values without dask, by the id of the graph that has them: gone as soon as that is gone.
# Anything that changes values, computes them or keeps them in memory makes another graph.
_LAZY: dict[int, BlockVariable] = {}


class KnownVariable(xr.Variable):
    """A coordinate that stays in memory when ``xr.open_dataset`` makes dask arrays of variables.

    All logs were read once to know it, and as a dask array it would be of no use to operations that
    take values: ``where(..., drop=True)``, ``groupby``.
    """

    __slots__ = ()

    def chunk(self, *arguments: Any, **options: Any) -> Any:
        """Return a plain variable, which is in memory, and can be made a dask array after that."""
        del arguments, options
        return self.to_base_variable()

    def __reduce__(self) -> Any:
        return xr.Variable, (self.dims, self._data, self._attrs, self._encoding)


def with_known(ds: xr.Dataset) -> xr.Dataset:
    """Return a Dataset whose coordinates stay in memory when xarray opens it."""
    coords = [name for name in ds.coords if name not in ds.indexes]
    parts = {
        name: KnownVariable(v.dims, v._data, v.attrs, v.encoding)  # noqa: SLF001
        for name, v in ((name, ds[name].variable) for name in coords)
    }
    # As coordinates they would be made plain variables again.
    return ds.reset_coords(coords).assign(parts).set_coords(coords)


class BlockVariable(xr.Variable):
    """A variable whose values are read when they are needed, by itself or in dask arrays."""

    __slots__ = ()

    def chunk(self, *arguments: Any, **options: Any) -> Self:
        """Return a variable of dask arrays, as xarray does; names change as soon as a log does."""
        cube = _cube(self._data)
        if cube is None:
            return super().chunk(*arguments, **options)
        of_array = {**(options.pop("from_array_kwargs", None) or {})}
        name = options.pop("name", None) or of_array.get("name")
        if name is not None:
            of_array["name"] = f"{name}-{cube.origins.token}"
        options["from_array_kwargs"] = of_array
        made = super().chunk(*arguments, **options)
        # Not this variable itself, which may be given other values.
        made.remember(BlockVariable(self.dims, self._data))
        return made

    def compute(self, **options: Any) -> Any:
        """Return a plain variable with the values in memory."""
        return self.to_base_variable().load(**options)

    def __reduce__(self) -> Any:
        parts = self.dims, self._data, self._attrs, self._encoding
        if self._lazy is not None:
            return _with_lazy, (*parts, self._lazy)
        # What does not come from logs any more can be read where there is no runcube.
        is_read = isinstance(self._data, indexing.ExplicitlyIndexed)
        return (BlockVariable if is_read else xr.Variable), parts

    def __getitem__(self, key: Any) -> Any:
        lazy = self._lazy
        if lazy is None or lazy.dims != self.dims:
            return super().__getitem__(key)
        picks = key if isinstance(key, tuple) else (key,)
        if all(map(_is_basic, picks)):
            made = super().__getitem__(key)
            made.remember(lazy[key])
            return made
        found = [None if _is_basic(pick) else _positions(pick) for pick in picks]
        if any(f is None and not _is_basic(pick) for f, pick in zip(found, picks, strict=True)):
            return super().__getitem__(key)
        _check_bounds(self.shape, found)
        once, again = _repeated(self.dims, self.shape, picks, found)
        if not again:
            return self._in_blocks_of_own(lazy[key], picks)
        # Each run once, from the logs, and repeated in memory: draws of a bootstrap, mostly.
        drawn = self[once].to_base_variable().isel(again).transpose(*lazy[key].dims)
        return self._replace(dims=drawn.dims, data=drawn.data)

    def _in_blocks_of_own(self, selected: BlockVariable, picks: Sequence[Any]) -> Self:
        """Return dask arrays of what lists and points select."""
        from dask.base import tokenize  # which takes a while

        points = [dim for dim in selected.dims if dim not in self.dims]
        of_points = block_shape((*(selected.sizes[dim] for dim in points), 1, 1, 1))
        sizes: dict[Any, Any] = {dim: max(1, *n) for dim, n in self.chunksizes.items()}
        sizes |= dict(zip(points, of_points, strict=False))
        name = f"runcube-selected-{tokenize(getattr(self._data, 'name', None), picks)}"
        chosen = selected.chunk({dim: sizes[dim] for dim in selected.dims}, name=name)
        # Attrs and encoding are those of today.
        made = self._replace(dims=chosen.dims, data=chosen.data)
        made.remember(selected)
        return made

    @property
    def _lazy(self) -> BlockVariable | None:
        return _LAZY.get(id(getattr(self._data, "dask", None)))

    def remember(self, lazy: BlockVariable) -> None:
        """Remember the variable that has the same values without dask."""
        from dask.highlevelgraph import HighLevelGraph  # which takes a while

        graph = getattr(self._data, "dask", None)
        # Graphs of other kinds (dask can be told to plan queries) are not known again.
        if isinstance(graph, HighLevelGraph) and id(graph) not in _LAZY:
            weakref.finalize(graph, _LAZY.pop, id(graph), None).atexit = False
            _LAZY[id(graph)] = lazy


def _with_lazy(dims: Any, data: Any, attrs: Any, encoding: Any, lazy: Any) -> BlockVariable:
    """Return the variable of what ``BlockVariable.__reduce__`` returned."""
    made = BlockVariable(dims, data, attrs, encoding)
    made.remember(lazy)
    return made


def _cube(data: Any) -> LazyCube | None:
    """Return the cube behind the layers that xarray puts around it, None for other data."""
    while isinstance(data, indexing.ExplicitlyIndexed) and not isinstance(data, LazyCube):
        data = getattr(data, "array", None)
    return data if isinstance(data, LazyCube) else None


def _is_basic(pick: Any) -> bool:
    return isinstance(pick, int | np.integer | slice) and not isinstance(pick, bool)


def _positions(pick: Any) -> NDArray[Any] | None:
    """Return numbers or a mask in memory, of a list, an array or points; None of others."""
    if isinstance(pick, list):
        pick = np.asarray(pick, None if pick else int)
    array = pick if isinstance(pick, np.ndarray) else getattr(pick, "data", None)
    fits = isinstance(array, np.ndarray) and array.ndim > 0 and array.dtype.kind in "iub"
    return array if fits else None


def _repeated(
    dims: Sequence[Any],
    shape: Sequence[int],
    picks: Sequence[Any],
    found: Sequence[NDArray[Any] | None],
) -> tuple[tuple[Any, ...], dict[Any, Any]]:
    """Return picks with each number once, and by dim where they are repeated from.

    Points along dims of other picks stay as they are.
    """
    once, again = [*picks], {}
    along = [_dims_of(dim, pick) for dim, pick in zip(dims, picks, strict=False)]
    along += [(dim,) for dim in dims[len(picks) :]]
    for n, pick in enumerate(found):
        others = {dim for m, theirs in enumerate(along) if m != n for dim in theirs}
        own = {*along[n], dims[n]}
        if pick is None or pick.dtype.kind == "b" or not others.isdisjoint(own):
            continue
        wide = pick.astype(np.intp)  # a small type does not hold the size
        known, at = np.unique(np.where(wide < 0, wide + shape[n], wide), return_inverse=True)
        if len(known) < pick.size:
            once[n] = known
            again[dims[n]] = xr.Variable(along[n], at.reshape(pick.shape))
    return tuple(once), again


def _dims_of(dim: Any, pick: Any) -> tuple[Any, ...]:
    """Return the dims of a selection that come from one of its picks."""
    if isinstance(pick, int | np.integer):
        return ()
    return tuple(getattr(pick, "dims", (dim,)))


def _check_bounds(shape: Sequence[int], picks: Sequence[NDArray[Any] | None]) -> None:
    """Raise where numpy would; lazy arrays do not until they are read."""
    for axis, (size, pick) in enumerate(zip(shape, picks, strict=False)):
        if pick is not None:
            index: tuple[Any, ...] = (*[slice(None)] * axis, pick)
            np.empty((*[1] * axis, size), bool)[index]
