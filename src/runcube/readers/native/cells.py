"""Cells of a decoded column: some of them, and what one of them was in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.kernel import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.kernel import Cells


def chosen(cells: Cells, keep: NDArray[np.bool_]) -> Cells:
    """Return some of the cells of a column."""
    kinds = cells.kinds[keep]
    seen = sum(1 << kind for kind in np.flatnonzero(np.bincount(kinds)).tolist())
    return type(cells)(cells.rows[keep], kinds, cells.values[keep], cells.words, cells.items, seen)


def value_of(cells: Cells, at: int) -> Any:
    """Return the value of a cell as it was logged."""
    kind, value = int(cells.kinds[at]), float(cells.values[at])
    if kind == Kind.STRING:
        return cells.words[int(value)]
    if kind in (Kind.LIST, Kind.RAW):
        return cells.items[int(value)]
    if kind in (Kind.TRUE, Kind.FALSE):
        return kind == Kind.TRUE
    return int(value) if kind in (Kind.INT, Kind.BIGINT) and np.isfinite(value) else value
