"""Fewer points of long curves, so that a page stays small: extremes and non-finite ones stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def kept_points(
    values: NDArray[np.float64], logged: NDArray[np.bool_], most: int
) -> NDArray[np.intp]:
    """Return the places along x that are kept of the curves of one metric and split.

    The places are the same for all runs, so that their mean is exact there. Of each of several
    stretches of x, they are those of the lowest and the highest value of any run, and those at
    which each run that logged a NaN or infinity there has one; and the first and last of all.

    Parameters
    ----------
    values : (runs, x) float64
    logged : (runs, x) bool
    most : int
        Kept points, but for those that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.sin(np.arange(1000) / 50)[None]
    >>> values[0, 500] = np.nan
    >>> kept = kept_points(values, np.ones((1, 1000), dtype=bool), 20)
    >>> len(kept) < 30, 500 in kept, values[0].argmin() in kept or np.nanargmin(values[0]) in kept
    (True, True, True)
    """
    n = values.shape[1]
    used = np.flatnonzero(logged.any(axis=0))
    if len(used) <= most:
        return used if len(used) else np.arange(n)[:1]
    kept = {int(used[0]), int(used[-1])}
    finite = logged & np.isfinite(values)
    bad = logged & ~finite
    low = np.min(values, axis=0, initial=np.inf, where=finite)
    high = np.max(values, axis=0, initial=-np.inf, where=finite)
    for places in np.array_split(used, max(1, (most - 2) // 2)):
        kept |= {int(places[low[places].argmin()]), int(places[high[places].argmax()])}
        here = bad[:, places]
        open_runs = here.any(axis=1)
        while open_runs.any():
            place = int(here[open_runs].sum(axis=0).argmax())
            kept.add(int(places[place]))
            open_runs &= ~here[:, place]
    return np.array(sorted(kept), dtype=np.intp)
