"""Scales: limits, logarithms, gaps and groups of values. Nothing here draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import PlanError
from runcube.stats import binned

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

_MOST_LABELS = 30


def stretches(values: NDArray[np.float64]) -> list[slice]:
    """Return where values are finite without a gap, for bands and lines.

    Examples
    --------
    >>> import numpy as np
    >>> stretches(np.array([1.0, 2.0, np.nan, 3.0]))
    [slice(0, 2, None), slice(3, 4, None)]
    """
    edges = np.flatnonzero(np.diff(np.isfinite(values), prepend=False, append=False))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def pieces(
    values: NDArray[np.float64], is_full: NDArray[np.bool_] | None
) -> list[tuple[slice, bool]]:
    """Return the parts of two points and more of which a line is drawn, and whether each is full.

    A part is full where both ends of all its segments are; without ``is_full`` every part is.

    Examples
    --------
    >>> import numpy as np
    >>> pieces(np.ones(5), np.array([True, True, True, False, False]))
    [(slice(0, 3, None), True), (slice(2, 5, None), False)]
    """
    found = []
    for own in (part for part in stretches(values) if part.stop - part.start > 1):
        full = np.ones(own.stop - own.start, bool) if is_full is None else is_full[own]
        segments = full[:-1] & full[1:]
        starts = np.flatnonzero(np.diff(segments, prepend=~segments[:1]))
        for start, stop in zip(starts, [*starts[1:], len(segments)], strict=True):
            part = slice(own.start + int(start), own.start + int(stop) + 1)
            found.append((part, bool(segments[start])))
    return found


def own_points(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the points of x that are a line's own; what is not finite there is a gap.

    Runs that log at other x share an axis that is the union of theirs. A line with values at fewer
    than half of the points within its range is logged on a grid of its own: the points between
    are no gaps of it.

    Examples
    --------
    >>> import numpy as np
    >>> nan = np.nan
    >>> own_points(np.array([1.0, nan, 2.0, 3.0])).tolist()
    [0, 1, 2, 3]
    >>> own_points(np.array([1.0, nan, nan, 2.0, nan, nan, 3.0])).tolist()
    [0, 3, 6]
    """
    there = np.flatnonzero(np.isfinite(values))
    if len(there) and 2 * len(there) < there[-1] - there[0] + 1:
        return there
    return np.arange(len(values))


def calls_for_log(values: NDArray[np.float64]) -> bool:
    """Return whether values are all above 0 and span two orders of magnitude, but for the tails.

    Examples
    --------
    >>> import numpy as np
    >>> calls_for_log(np.geomspace(1e-4, 1, 9)), calls_for_log(np.linspace(0, 100, 9))
    (True, False)
    """
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() <= 0:
        return False
    low, high = np.quantile(finite, [0.05, 0.95])
    return bool(high >= 100 * low)


def bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of a histogram; one bin for values that floats hardly tell apart.

    Examples
    --------
    >>> import numpy as np
    >>> bin_edges(np.array([1.0, 2.0, 3.0, 4.0])).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(low) / 2 or 0.5
        return np.array([low - room, high + room])
    return np.histogram_bin_edges(values, bins="auto")


def clipped(values: NDArray[np.float64], share: float) -> tuple[float, float, int]:
    """Return the limits that leave out the tails of finite values, and how many are outside.

    Parameters
    ----------
    values : ndarray
    share : float
        The quantile of the upper limit, such as 0.99; the lower one is that of 1 - ``share``.

    Returns
    -------
    low, high : float
        NaN where no value is finite.
    n_outside : int

    Raises
    ------
    PlanError
        If the share is not above 0.5 and up to 1.

    Examples
    --------
    >>> import numpy as np
    >>> clipped(np.array([0.0, 1.0, 2.0, 3.0, 100.0]), 0.75)
    (1.0, 3.0, 2)
    """
    if not 0.5 < share <= 1:
        raise PlanError(f"clip={share!r}: expected a quantile above 0.5, such as 0.99")
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan, np.nan, 0
    low, high = np.quantile(finite, [round(1 - share, 12), share])
    return float(low), float(high), int(((finite < low) | (finite > high)).sum())


def groups(column: xr.DataArray, bins: int | None) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the labels of a column, in order, and which of them each line has."""
    values = column.values
    if values.dtype.kind in "if":
        labels, group = np.unique(values, return_inverse=True)
        wanted = bins or (10 if len(labels) > _MOST_LABELS else None)
        if wanted is not None and len(labels) > wanted:
            labels, group = binned(values.astype(np.float64), wanted)
        return labels, group.reshape(-1)
    labels, first, group = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return labels[order], np.argsort(order)[group.reshape(-1)]
