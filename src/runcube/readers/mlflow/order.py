"""In which order points were logged, where nothing but a step and a time says so.

Each metric is a series of its own: that one is logged at step 0 when the others are at 100 means
nothing, unless that metric itself has been further. Then the run was begun anew, or resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_order(
    codes: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of points by periods and, within a period, by steps.

    Parameters
    ----------
    codes : ndarray of int64, (points,)
        Number of the metric of each, in the order in which they were logged.
    steps : ndarray of int64, (points,)

    Returns
    -------
    order : ndarray of int64, (points,)
        What is of one period and step stays in the order in which it was logged.
    periods : ndarray of int64, (points,)
        In that order: times that a metric had stepped back before.
    """
    by_metric = np.lexsort((np.arange(len(codes)), codes))
    own, along = codes[by_metric], steps[by_metric]
    steps_back = bool(((own[1:] == own[:-1]) & (along[1:] < along[:-1])).any())
    periods = _periods(codes, steps) if steps_back else np.zeros(len(codes), np.int64)
    order = np.lexsort((np.arange(len(codes)), steps, periods))
    return order, periods[order]


def _periods(codes: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the period of each point: a metric that steps back within one begins the next."""
    found = np.empty(len(codes), np.int64)
    period = 0
    last: dict[int, tuple[int, int]] = {}
    for place, (code, step) in enumerate(zip(codes.tolist(), steps.tolist(), strict=True)):
        of, at = last.get(code, (-1, 0))
        period += of == period and step < at
        last[code] = period, step
        found[place] = period
    return found
