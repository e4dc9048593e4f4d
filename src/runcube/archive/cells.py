"""What the cells of an archive hold: values and messages, read from the file as they are needed."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.netcdf import NETCDF_LOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    import netCDF4
    from numpy.typing import NDArray

# Values that are kept in memory, as they lie together in the chunks of the file.
_CACHE_BYTES = 1 << 26
_WINDOW_BYTES = 1 << 22


class Cells:
    """The cells of an archive, numbered as in the flattened cell dims, the last dim fastest.

    Parameters
    ----------
    file : netCDF4.Dataset
        The archive, open for as long as anything may be asked for.

    Attributes
    ----------
    curve : netCDF4.Variable
    shape : tuple of int
        Labels along each cell dim.
    """

    def __init__(self, file: netCDF4.Dataset) -> None:
        self.curve = file.variables["curve"]
        self.curve.set_auto_maskandscale(False)
        self.shape: tuple[int, ...] = self.curve.shape[:-3]
        self._step: list[int] = self.curve.chunking()[:-3]  # type: ignore[assignment]
        self._boxes: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        texts = file.groups["text"]
        self._texts = texts.variables["messages"]
        sizes = np.ma.getdata(texts.variables["messages_sizes"][:])
        # Where the text of each cell begins, and where the last one ends.
        self._text_at: list[int] = [0, *np.cumsum(sizes).tolist()]
        self._window = (0, b"")

    @property
    def chunk(self) -> tuple[int, ...]:
        """Chunk of ``curve``: labels along each of its dims."""
        with NETCDF_LOCK:
            return tuple(self.curve.chunking())  # type: ignore[arg-type]

    def at(self, index: Sequence[NDArray[np.intp]]) -> list[int]:
        """Return the cells that are at these indices, one per dim; -1 beyond the cube."""
        if not self.shape:
            return [0]
        reached = np.all([i < size for i, size in zip(index, self.shape, strict=True)], axis=0)
        inside = tuple(np.where(reached, i, 0) for i in index)
        flat = np.where(reached, np.ravel_multi_index(inside, self.shape), -1)
        cells: list[int] = flat.tolist()
        return cells

    def values(self, cell: int) -> NDArray[Any]:
        """Return the values (splits, metrics, x) of a cell; its chunk is kept for neighbours."""
        index = np.unravel_index(cell, self.shape)
        box = tuple(int(i) // step for i, step in zip(index, self._step, strict=True))
        if box not in self._boxes:
            region = tuple(slice(i * s, (i + 1) * s) for i, s in zip(box, self._step, strict=True))
            with NETCDF_LOCK:
                self._boxes[box] = np.asarray(self.curve[region])
            while (
                len(self._boxes) > 1 and sum(b.nbytes for b in self._boxes.values()) > _CACHE_BYTES
            ):
                self._boxes.popitem(last=False)
        self._boxes.move_to_end(box)
        inside = tuple(int(i) % step for i, step in zip(index, self._step, strict=True))
        found: NDArray[Any] = self._boxes[box][inside]
        return found

    def text(self, cell: int) -> bytes:
        """Return the packed messages of a cell that holds a run."""
        start, stop = self._text_at[cell : cell + 2]
        first, data = self._window
        if not first <= start <= stop <= first + len(data):
            # Texts are asked for one after the other: fetch some more at a time.
            with NETCDF_LOCK:
                data = bytes(self._texts[start : max(stop, start + _WINDOW_BYTES)].tobytes())
            first, self._window = start, (start, data)
        return data[start - first : stop - first]

    def text_size(self, cell: int) -> int:
        """Return the size in bytes of the packed messages of a cell that holds a run."""
        start, stop = self._text_at[cell : cell + 2]
        return stop - start
