"""Confidence intervals of one statistic of the values of seeds, for many cells at once.

Kernels in NumPy on complete values (cells, n); every interval is (cells, 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.stats.estimators import rank_weights, resampled, spread, weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats.resamples import Resamples

# Values of one block of resamples, some 4 MB: what stays in a core's cache.
_BLOCK = 500_000
# From so many resamples on, a sample of them shows which ones may be the tails.
_MANY = 1000
_SAMPLE = 500


def t_interval(ordered: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return Student's interval of the mean."""
    from scipy import stats

    n = ordered.shape[1]
    mean = ordered.mean(axis=1)
    half = stats.t.ppf(0.5 + level / 2, n - 1) * ordered.std(axis=1, ddof=1) / np.sqrt(n)
    return np.stack([mean - half, mean + half], axis=1)


def chi2_interval(ordered: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return the interval of the standard deviation that is exact for normal data."""
    from scipy import stats

    df = ordered.shape[1] - 1
    std = ordered.std(axis=1, ddof=1)
    bounds = stats.chi2.ppf([0.5 + level / 2, 0.5 - level / 2], df)
    return np.asarray(std[:, None] * np.sqrt(df / bounds))


def wilson_interval(ordered: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return the interval of a proportion by Wilson (1927)."""
    from scipy import stats

    n, z = ordered.shape[1], float(stats.norm.ppf(0.5 + level / 2))
    share = ordered.mean(axis=1)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return np.stack([np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)], axis=1)


def bootstrap_interval(
    ordered: NDArray[np.float64],
    statistic: str | float,
    method: str,
    level: float,
    some: Resamples,
) -> NDArray[np.float64]:
    """Return a bootstrap interval.

    Parameters
    ----------
    ordered : (cells, n) float64
        Sorted values.
    statistic : {"mean", "median", "iqm", "std"} or float
    method : {"percentile", "scaled", "basic", "bca", "studentized"}
    level : float
        Such as 0.95.
    some : Resamples
    """
    found = np.empty((len(ordered), 2))
    step = max(1, _BLOCK // len(some.counts))
    # The same for all blocks.
    weights = None if statistic == "std" else rank_weights(statistic, some.counts)
    for at in range(0, len(ordered), step):
        block = ordered[at : at + step]
        found[at : at + step] = _interval(block, statistic, method, level, some, weights)
    return found


def _interval(
    ordered: NDArray[np.float64],
    statistic: str | float,
    method: str,
    level: float,
    some: Resamples,
    weights: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    n = ordered.shape[1]
    whole = resampled(statistic, ordered, np.ones((1, n)))
    if method == "studentized":
        return _studentized(ordered, whole, level, some)
    values = spread(ordered, some.counts)[1] if weights is None else weighted(ordered, weights)
    if method == "bca":
        tails = _bca_tails(ordered, statistic, values, whole, level, some)
        return np.stack(_tails(values, tails, some), axis=1)
    return interval_of_resamples(values, whole[:, 0], method, level, n, some)


def interval_of_resamples(
    values: NDArray[np.float64],
    whole: NDArray[np.float64],
    method: str,
    level: float,
    n: int,
    some: Resamples,
    *,
    strata: int = 1,
) -> NDArray[np.float64]:
    """Return the interval from a statistic of all resamples.

    Parameters
    ----------
    values : (cells, resamples) float64
    whole : (cells,) float64
        The statistic of the values themselves.
    method : {"percentile", "scaled", "basic"}
    level : float
    n : int
        Number of values in each cell, or of what is drawn.
    some : Resamples
    strata : int
        In how many strata they are.
    """
    tails = np.full((len(values), 2), (1 - level) / 2)
    low, high = _tails(values, tails, some)
    if method == "basic":
        return np.stack([2 * whole - high, 2 * whole - low], axis=1)
    if method == "scaled":
        factor = _scale(n, strata, level)
        low, high = (whole + factor * (bound - whole) for bound in (low, high))
    return np.stack([low, high], axis=1)


def _scale(n: int, strata: int, level: float) -> float:
    """Return by how much a percentile interval is too short where values are few.

    Each stratum takes a degree of freedom; the spread within them is taken as alike.
    """
    from scipy import stats

    t, z = stats.t.ppf(0.5 + level / 2, n - strata), stats.norm.ppf(0.5 + level / 2)
    return float(np.sqrt(n / (n - strata)) * t / z)


def _tails(
    values: NDArray[np.float64], tails: NDArray[np.float64], some: Resamples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values that cut off a share of the resamples below and above.

    The mirror image of the values has the mirror image of the bounds. Of many resamples only the
    outer ones are put in order: those beyond values that a sample of them shows to be too far in.

    Parameters
    ----------
    values : (cells, resamples) float64
    tails : (cells, 2) float64
        Share below and above.
    some : Resamples
    """
    count = values.shape[1]
    if count < _MANY:
        return _cut_off(values, tails, some.probability, count)
    low, high = _inner(values, tails, some)
    is_outer = ~((low[:, None] < values) & (values < high[:, None]))  # what is NaN too
    ends = np.count_nonzero(is_outer, axis=1).cumsum()
    outer, weights = np.split(values[is_outer], ends[:-1]), some.probability
    found = np.empty((2, len(values)))
    for i, row in enumerate(outer):
        own = tails[i : i + 1]
        held = None if weights is None else weights[is_outer[i]]
        below, above = _cut_off(row[None], own, held, count)
        if not (below <= low[i] and above >= high[i]):  # the sample was not like the rest
            below, above = _cut_off(values[i : i + 1], own, weights, count)
        found[:, i] = below[0], above[0]
    return found[0], found[1]


def _inner(
    values: NDArray[np.float64], tails: NDArray[np.float64], some: Resamples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each cell values that almost surely lie within what its tails cut off."""
    count = values.shape[1]
    probability = some.probability
    reached = np.arange(1, count + 1) / count if probability is None else probability.cumsum()
    drawn = np.searchsorted(reached, (np.arange(_SAMPLE) + 0.5) / _SAMPLE * reached[-1])
    sample = np.sort(values[:, drawn], axis=1)
    # Four standard errors of a share.
    wider = tails + 4 * np.sqrt(tails * (1 - tails) / _SAMPLE) + 1 / _SAMPLE
    at = np.minimum((wider * _SAMPLE).astype(int), _SAMPLE - 1)
    rows = np.arange(len(values))
    return sample[rows, at[:, 0]], sample[rows, _SAMPLE - 1 - at[:, 1]]


def _cut_off(
    values: NDArray[np.float64],
    tails: NDArray[np.float64],
    probability: NDArray[np.float64] | None,
    count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what ``_tails`` does of values (cells, some) that hold the outer ones of ``count``."""
    rows, last = np.arange(len(values)), values.shape[1] - 1
    if probability is None:
        beyond = np.minimum(np.floor(count * tails * (1 + 1e-12)).astype(int), count - 1)
        below, above = np.minimum(beyond[:, 0], last), np.maximum(last - beyond[:, 1], 0)
        values = np.partition(values, sorted({*below.tolist(), *above.tolist()}), axis=1)
        return values[rows, below], values[rows, above]
    order = np.argsort(values, axis=1, kind="stable")
    weights, least = probability[order], tails + 1e-12
    below = np.argmax(weights.cumsum(axis=1) > least[:, :1], axis=1)
    above = last - np.argmax(weights[:, ::-1].cumsum(axis=1) > least[:, 1:], axis=1)
    return values[rows, order[rows, below]], values[rows, order[rows, above]]


def _bca_tails(
    ordered: NDArray[np.float64],
    statistic: str | float,
    values: NDArray[np.float64],
    whole: NDArray[np.float64],
    level: float,
    some: Resamples,
) -> NDArray[np.float64]:
    """Return the tails of a bias-corrected and accelerated interval (Efron 1987).

    Ties count half in the bias, and the acceleration is that of this statistic's own jackknife.
    """
    from scipy import stats

    n = ordered.shape[1]
    weight = np.full(values.shape[1], 1 / values.shape[1])
    weight = weight if some.probability is None else some.probability
    slack = 1e-12 * np.maximum(np.abs(whole), np.ptp(ordered, axis=1)[:, None])
    share = (values < whole - slack) @ weight + 0.5 * (np.abs(values - whole) <= slack) @ weight
    bias = stats.norm.ppf(share)
    kept = np.array([np.delete(np.arange(n), i) for i in range(n)])
    left = np.stack([resampled(statistic, ordered[:, k], np.ones((1, n - 1)))[:, 0] for k in kept])
    influence = left.mean(axis=0) - left
    square = (influence**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        acceleration = np.where(square > 0, (influence**3).sum(axis=0) / (6 * square**1.5), 0.0)
    tails = []
    for sign in (-1, 1):
        z = bias + sign * stats.norm.ppf(0.5 + level / 2)
        tails.append(stats.norm.cdf(bias + z / (1 - acceleration * z)))
    found = np.stack([tails[0], 1 - tails[1]], axis=1)
    return np.where(np.isfinite(found), found, (1 - level) / 2)


def _studentized(
    ordered: NDArray[np.float64], whole: NDArray[np.float64], level: float, some: Resamples
) -> NDArray[np.float64]:
    """Return the interval of the mean by bootstrap t; a resample without spread is infinite."""
    n = ordered.shape[1]
    mean, std = spread(ordered, some.counts)
    error = ordered.std(axis=1, ddof=1) / np.sqrt(n)
    flat = std <= 1e-12 * np.maximum(ordered.std(axis=1, ddof=1)[:, None], 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(flat, np.sign(mean - whole) * np.inf, (mean - whole) / (std / np.sqrt(n)))
    t = np.where(np.isnan(t), 0.0, t)
    tails = np.full((len(ordered), 2), (1 - level) / 2)
    low, high = _tails(t, tails, some)
    return np.stack([whole[:, 0] - high * error, whole[:, 0] - low * error], axis=1)
