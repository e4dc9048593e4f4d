"""Variables of a lazy cube in blocks of dask, which hand lists and points on to the logs.

Dask puts integers and slices right on top of a block into the task that reads it, so that only what
is selected is read. It does not do that for lists and points, and would read whole blocks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from dask.base import tokenize

from runcube.lazy import block_shape

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping


class BlockVariable(xr.Variable):
    """A variable of dask arrays that remembers what it selects.

    Whatever changes its values gives the array another name, or makes a plain variable.
    """

    __slots__ = ("lazy", "made_as")

    # The same values without dask, and the name of the array that has them.
    lazy: xr.Variable | None
    made_as: str

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy, self.made_as = None, ""

    def _replace(self, *arguments: Any, **options: Any) -> Self:
        made = super()._replace(*arguments, **options)
        made.lazy, made.made_as = self.lazy, self.made_as
        return made

    def __getitem__(self, key: Any) -> Any:
        lazy = self.lazy
        if lazy is None or lazy.dims != self.dims or self.data_name != self.made_as:
            return super().__getitem__(key)
        picks = key if isinstance(key, tuple) else (key,)
        if all(map(_is_basic, picks)):
            made = super().__getitem__(key)
            made.lazy, made.made_as = lazy[key], made.data_name
            return made
        if not all(_is_basic(pick) or _is_positions(pick) for pick in picks):
            return super().__getitem__(key)
        for pick, size in zip(picks, self.shape, strict=False):
            if not _is_basic(pick):
                np.empty(size, bool)[np.asarray(pick)]  # raises where it must, as lazy ones do not
        selected = lazy[key]
        points = [dim for dim in selected.dims if dim not in self.dims]
        of_points = block_shape((*(selected.sizes[dim] for dim in points), 1, 1, 1))
        sizes = {dim: max(1, *n) for dim, n in self.chunksizes.items()}
        sizes |= dict(zip(points, of_points, strict=False))
        name = f"runcube-selected-{tokenize(self.made_as, key)}"
        chosen = in_blocks(selected, sizes, name)
        # Attrs and encoding are those of today.
        made = self._replace(dims=chosen.dims, data=chosen.data)
        made.lazy, made.made_as = chosen.lazy, chosen.made_as
        return made

    @property
    def data_name(self) -> str:
        """Name of the dask array, if it is one."""
        return str(getattr(self._data, "name", ""))


def in_blocks(lazy: xr.Variable, sizes: Mapping[Hashable, Any], name: str) -> BlockVariable:
    """Give a variable that is read when it is used as one of dask arrays.

    Parameters
    ----------
    lazy : Variable
    sizes : mapping of dim to size
        Of the blocks, as dask takes them, for each dim of the variable at least.
    name : str
        Its name in the graph, another one for other values.
    """
    plain = lazy.chunk({dim: sizes[dim] for dim in lazy.dims}, name=name)
    made = BlockVariable(plain.dims, plain.data, plain.attrs, plain.encoding)
    made.lazy, made.made_as = lazy, plain.data.name
    return made


def _is_basic(pick: Any) -> bool:
    return isinstance(pick, int | np.integer | slice) and not isinstance(pick, bool)


def _is_positions(pick: Any) -> bool:
    """Whether a pick is numbers or a mask that are in memory: a list, an array, or points."""
    if isinstance(pick, list):
        pick = np.asarray(pick, int if not pick else None)
    array = pick if isinstance(pick, np.ndarray) else getattr(pick, "data", None)
    return isinstance(array, np.ndarray) and array.ndim > 0 and array.dtype.kind in "iub"
