"""Statistics of the values of seeds as weights of the sorted values, or from moments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Statistics that are weighted sums of the sorted values (L-statistics).
LOCATION = ("mean", "median", "iqm")
_FEW = 8


def rank_weights(statistic: str | float, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight that a statistic gives to each of the sorted values.

    Parameters
    ----------
    statistic : {"mean", "median", "iqm"} or float
        A number is the quantile, by linear interpolation (Hyndman and Fan's type 7).
    counts : (resamples, n) float64
        How often each of the sorted values occurs.

    Returns
    -------
    (resamples, n) float64
        Rows sum to 1.

    Examples
    --------
    >>> rank_weights("iqm", np.ones((1, 3))).round(3).tolist()
    [[0.167, 0.667, 0.167]]
    """
    if statistic == "mean":
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    stop = counts.cumsum(axis=1)
    start = stop - counts
    total = stop[:, -1:]
    if statistic == "iqm":
        inside = np.minimum(stop, 0.75 * total) - np.maximum(start, 0.25 * total)
        return np.asarray(np.clip(inside, 0, None) / (0.5 * total))
    level = 0.5 if statistic == "median" else float(statistic)
    at = (total - 1) * level
    below, share = np.floor(at), at - np.floor(at)
    above = np.minimum(below + 1, total - 1)
    is_below = (start <= below) & (below < stop)
    is_above = (start <= above) & (above < stop)
    weights: NDArray[np.float64] = is_below * (1 - share) + is_above * share
    return weights


def spread(
    ordered: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (ddof 1) of each resample.

    Parameters
    ----------
    ordered : (cells, n) float64
    counts : (resamples, n) float64

    Returns
    -------
    mean, std : (cells, resamples) float64
    """
    n = ordered.shape[1]
    centre = ordered.mean(axis=1, keepdims=True)
    around = ordered - centre
    mean = around @ counts.T / n
    if n <= _FEW:  # by differences, in which nothing cancels
        i, j = np.triu_indices(n, 1)
        squares = (ordered[:, i] - ordered[:, j]) ** 2 @ (counts[:, i] * counts[:, j]).T / n
    else:
        squares = np.clip(around**2 @ counts.T - n * mean**2, 0, None)
        squares[:, counts.max(axis=1) == n] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean + centre, np.sqrt(squares / (n - 1))


def resampled(
    statistic: str | float, ordered: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a statistic of each resample of the sorted values of each cell.

    Parameters
    ----------
    statistic : {"mean", "median", "iqm", "std"} or float
    ordered : (cells, n) float64
        Sorted values.
    counts : (resamples, n) float64

    Returns
    -------
    (cells, resamples) float64
    """
    if statistic == "std":
        return spread(ordered, counts)[1]
    return weighted(ordered, rank_weights(statistic, counts))


def weighted(ordered: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weighted sums of sorted values, (cells, sums).

    They are statistics of location: no rounding error puts them outside of the values.
    """
    found = ordered @ weights.T
    return np.clip(found, ordered[:, :1], ordered[:, -1:], out=found)


def hedges_factor(df: int) -> float:
    """Return the factor that makes a standardised difference unbiased (Hedges 1981).

    Examples
    --------
    >>> round(hedges_factor(4), 4)
    0.7979
    """
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
