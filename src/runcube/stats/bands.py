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
    found = np.empty((*used.shape[:2], 2))
    for i, curve in enumerate(used):
        found[i] = _band(curve, level, seed)
    return found.reshape(*shape, 2)


def _band(curve: NDArray[np.float64], level: float, seed: int) -> NDArray[np.float64]:
    """Return the band of one curve (x, n), (x, 2)."""
    n = np.isfinite(curve).sum(axis=1)
    held = n > 1
    bounds = np.full((len(curve), 2), np.nan)
    if not held.any():
        return bounds
    own, n = curve[held], n[held]
    mean = np.nanmean(own, axis=1)
    error = np.nanstd(own, axis=1, ddof=1) / np.sqrt(n)
    seeds = np.isfinite(own).any(axis=0)
    is_whole = bool((n == seeds.sum()).all())
    if is_whole and n[0] >= LEAST_SUP_T:
        critical: float | NDArray[np.float64] = _sup_t(own[:, seeds], level, seed)
    else:
        critical = _bonferroni(n, level)
    bounds[held] = mean[:, None] + (critical * error)[:, None] * np.array([-1.0, 1.0])
    return bounds


def _bonferroni(n: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    from scipy import stats

    return np.asarray(stats.t.ppf(1 - (1 - level) / (2 * len(n)), n - 1))


def _sup_t(curve: NDArray[np.float64], level: float, seed: int) -> float:
    """Return the critical value of the largest |t| along a curve (x, n)."""
    n = curve.shape[1]
    around = curve - curve.mean(axis=1, keepdims=True)
    scale = np.sqrt((around**2).sum(axis=1, keepdims=True))
    around = (around / np.where(scale > 0, scale, 1))[scale[:, 0] > 0]
    if not len(around):
        return 0.0
    rng = np.random.default_rng([seed, n])
    step = max(1, _BLOCK // (n * len(around)))
    largest = []
    for at in range(0, _SIMULATED, step):
        draws = rng.standard_normal((min(step, _SIMULATED - at), n, n))
        curves = draws @ around.T  # as many curves as there are seeds, correlated as theirs
        error = curves.std(axis=1, ddof=1) / np.sqrt(n)
        largest.append(np.abs(curves.mean(axis=1) / error).max(axis=1))
    return float(np.quantile(np.concatenate(largest), level))
