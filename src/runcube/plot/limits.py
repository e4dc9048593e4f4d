"""The y-axis of curves: its limits, whether it is logarithmic, and what is then not seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.plot.scales import calls_for_log, clipped

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# How far beyond the lines an interval widens the axis, in heights of the lines.
_BAND_ROOM = 0.25
_MARGIN = 0.05


@dataclass
class Scale:
    """A y-axis.

    Parameters
    ----------
    low, high : float
        Limits; NaN where there is nothing finite.
    is_log : bool
    unseen : dict of str to int
        Why points or intervals are not, or not wholly, seen, and how many of them.
    """

    low: float
    high: float
    is_log: bool
    unseen: dict[str, int] = field(default_factory=dict)


def scale_of(found: xr.Dataset, clip: float | None, logy: bool | None) -> Scale:
    """Return the y-axis for some lines.

    Parameters
    ----------
    found : Dataset
        As `runcube.plot.data.curves` returns them.
    clip : float, optional
        The quantile to clip to.
    logy : bool, optional
        By default where values call for it.
    """
    drawn = [found[name].values.ravel() for name in ("center", "raw", "runs") if name in found]
    points = np.concatenate(drawn)
    points = points[np.isfinite(points)]
    is_log = calls_for_log(points) if logy is None else logy
    unseen: dict[str, int] = {}
    if is_log and not (points > 0).any():
        is_log = False
        if points.size:
            unseen["no value is above 0: the y-axis is not logarithmic"] = 0
    if is_log and (count := int((points <= 0).sum())):
        unseen["points at or below 0, not on the logarithmic axis"] = count
        points = points[points > 0]
    if not points.size:
        return Scale(np.nan, np.nan, is_log, unseen)
    if clip is not None:
        low, high, count = clipped(points, clip)
        unseen[f"points outside the {100 * (1 - clip):.4g}–{100 * clip:.4g} % quantiles"] = count
    else:
        low, high = float(points.min()), float(points.max())
        low, high = _with_bands(found, low, high, is_log, unseen)
    return Scale(*_with_margin(low, high, is_log), is_log, unseen)


def x_calls_for_log(values: NDArray[Any]) -> bool:
    """Return whether x spans two orders of magnitude, with as many points in each.

    Examples
    --------
    >>> import numpy as np
    >>> x_calls_for_log(np.geomspace(1, 1000, 9)), x_calls_for_log(np.arange(1, 1000))
    (True, False)
    """
    own = values.astype(np.float64)
    own = own[np.isfinite(own)]
    if own.size < 4 or own.min() <= 0 or own.max() < 100 * own.min():
        return False
    return bool(np.median(own) <= 2 * np.sqrt(own.min() * own.max()))


def _with_bands(
    found: xr.Dataset, low: float, high: float, is_log: bool, unseen: dict[str, int]
) -> tuple[float, float]:
    """Return limits that hold the intervals, unless these would press the lines together."""
    lower, upper = found["lower"].values, found["upper"].values
    is_there = np.isfinite(lower) & np.isfinite(upper)
    if not is_there.any():
        return low, high
    to, back = (np.log, np.exp) if is_log else (lambda v: v, lambda v: v)
    room = _BAND_ROOM * (to(high) - to(low))
    if room == 0:
        room = np.inf
    # On a logarithmic axis a bound at or below 0 is beyond any edge, and asks for no room.
    seen = lower[is_there & ((lower > 0) | (not is_log))].min(initial=low)
    bounds = max(to(seen), to(low) - room), min(to(upper[is_there].max()), to(high) + room)
    limits = (min(low, float(back(bounds[0]))), max(high, float(back(bounds[1]))))
    # What rounding takes is no cut.
    slack = 1e-9 * abs(limits[1] - limits[0])
    is_cut = is_there & ((lower < limits[0] - slack) | (upper > limits[1] + slack))
    if is_cut.any():
        unseen["lines with an interval beyond the edge"] = int(is_cut.any(axis=-1).sum())
    return limits


def _with_margin(low: float, high: float, is_log: bool) -> tuple[float, float]:
    if is_log:
        ratio = (high / low) ** _MARGIN if high > low else 1.5
        return low / ratio, high * ratio
    room = _MARGIN * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room
