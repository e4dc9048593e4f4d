"""Bands that hold along a whole curve, in place of an interval at each x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer seeds say too little of how the points of a curve go together.
LEAST_SUP_T = 8
_SIMULATED = 4000
_BLOCK = 2_000_000
# Curves that share their draws; each remembers its largest t of every draw.
_TOGETHER = 1000


def band(
    values: NDArray[np.float64], logged: NDArray[np.bool_], *, level: float, seed: int
) -> NDArray[np.float64]:
    """Return a band of the mean that holds at all x at once.

    Sup-t from 8 seeds on: the critical value is a quantile of the largest absolute t along curves
    of normal values that are correlated as the seeds' curves are. Bonferroni with fewer seeds, and
    where some seeds lack a part of the curve.

    Parameters
    ----------
    values : (..., x, n) float64
    logged : (..., x, n) bool
    level : float
    seed : int

    Returns
    -------
    (..., x, 2) float64
    """
    shape = values.shape[:-1]
    used = np.where(logged & np.isfinite(values), values, np.nan)
    used = used.reshape(-1, *values.shape[-2:])
    found = np.full((*used.shape[:2], 2), np.nan)
    n = np.isfinite(used).sum(axis=2)
    whole: dict[int, list[int]] = {}
    for i in np.flatnonzero((n > 1).any(axis=1)).tolist():
        held = n[i] > 1
        seeds = int(np.isfinite(used[i][held]).any(axis=0).sum())
        if seeds >= LEAST_SUP_T and (n[i][held] == seeds).all():
            whole.setdefault(seeds, []).append(i)
        else:
            found[i, held] = _around_mean(used[i][held], _bonferroni(n[i][held], level))
    for places in whole.values():
        for at in range(0, len(places), _TOGETHER):
            some = places[at : at + _TOGETHER]
            curves = [_complete(used[i][n[i] > 1]) for i in some]
            for i, own, critical in zip(some, curves, _sup_t(curves, level, seed), strict=True):
                found[i, n[i] > 1] = _around_mean(own, critical)
    return found.reshape(*shape, 2)


def _complete(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a curve (x, n) without the seeds that it lacks."""
    return curve[:, np.isfinite(curve).any(axis=0)]


def _around_mean(
    curve: NDArray[np.float64], critical: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the bounds of a curve (x, n), (x, 2)."""
    n = np.isfinite(curve).sum(axis=1)
    half = critical * np.nanstd(curve, axis=1, ddof=1) / np.sqrt(n)
    mean = np.nanmean(curve, axis=1)
    return np.stack([mean - half, mean + half], axis=1)


def _bonferroni(n: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    from scipy import stats

    return np.asarray(stats.t.ppf(1 - (1 - level) / (2 * len(n)), n - 1))


def _sup_t(curves: list[NDArray[np.float64]], level: float, seed: int) -> NDArray[np.float64]:
    """Return the critical value of the largest |t| along each of some curves (x, n).

    In each draw as many curves are made as there are seeds, correlated as theirs: normal values
    (n, n) times the deviations (n, x) of the curve. So the mean at an x is linear in the mean of
    the normal values, and the variance is a quadratic form of their covariance: both are taken
    once for all curves.
    """
    n = curves[0].shape[1]
    one, other = np.triu_indices(n)
    twice = np.where(one == other, 1.0, 2.0) / (n * (n - 1))
    deviations = [_standardised(curve) for curve in curves]
    largest = np.zeros((len(curves), _SIMULATED))
    rng = np.random.default_rng([seed, n])
    step = max(1, _BLOCK // n**2)
    for at in range(0, _SIMULATED, step):
        draws = rng.standard_normal((min(step, _SIMULATED - at), n, n))
        mean = draws.mean(axis=1)
        around = draws - mean[:, None]
        products = (around.swapaxes(1, 2) @ around)[:, one, other] * twice
        for found, own in zip(largest, deviations, strict=True):
            if len(own):
                square = (mean @ own.T) ** 2 / (products @ (own[:, one] * own[:, other]).T)
                found[at : at + step] = np.sqrt(square.max(axis=1))
    return np.asarray(np.quantile(largest, level, axis=1))


def _standardised(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return deviations from the mean, of length 1, where there are any."""
    around = curve - curve.mean(axis=1, keepdims=True)
    length = np.sqrt((around**2).sum(axis=1, keepdims=True))
    return np.asarray((around / np.where(length > 0, length, 1))[length[:, 0] > 0])
