"""What `compare` computes of two groups of values: kernels in NumPy, many cells at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.stats.estimators import hedges_factor
from runcube.stats.permutations import permuted

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What rounding makes of a mean of equal values, relative to their size.
_ROUNDING = 16 * np.finfo(np.float64).eps
NAMES = (
    "n_a",
    "n_b",
    "n_pairs",
    "correlation",
    "difference",
    "lower",
    "upper",
    "p",
    "p_min",
    "p_equivalent",
    "hedges_g",
    "cliffs_delta",
    "superiority",
    "least_superiority",
    "largest_superiority",
    "ks",
    "ks_at",
    "ks_p",
)


@dataclass(frozen=True)
class Test:
    """Which test is wanted.

    Parameters
    ----------
    name : {"t", "permutation", "brunner-munzel"}
    paired : bool
        Whether values on the same place of both groups are a pair.
    level : float
        Of the interval of the difference.
    n_resamples : int
        Arrangements that are drawn where there are too many to enumerate.
    seed : int
    margin : float, optional
        Differences below it are none that matter.
    """

    name: str
    paired: bool
    level: float
    n_resamples: int
    seed: int
    margin: float | None = None


def contrast(a: NDArray[np.float64], b: NDArray[np.float64], *, test: Test) -> NDArray[np.float64]:
    """Return the comparison of two groups of values.

    Parameters
    ----------
    a, b : (..., n) float64
        NaN where there is no value. Both have the same n where they are paired.
    test : Test

    Returns
    -------
    (..., statistics) float64
        In the order of ``NAMES``.
    """
    shape = a.shape[:-1]
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    if test.paired:
        both = np.isfinite(a) & np.isfinite(b)
        a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    found = np.full((len(a), len(NAMES)), np.nan)
    masks = np.concatenate([np.isfinite(a), np.isfinite(b)], axis=1)
    patterns, group = np.unique(masks, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        cells = group.reshape(-1) == number
        own_a = a[cells][:, pattern[: a.shape[1]]]
        own_b = b[cells][:, pattern[a.shape[1] :]]
        found[cells] = _of_complete(own_a, own_b, test)
    return found.reshape(*shape, len(NAMES))


def _of_complete(a: NDArray[np.float64], b: NDArray[np.float64], test: Test) -> NDArray[np.float64]:
    n_a, n_b = a.shape[1], b.shape[1]
    found: dict[str, Any] = dict.fromkeys(NAMES, np.full(len(a), np.nan))
    found |= {"n_a": np.full(len(a), n_a), "n_b": np.full(len(a), n_b)}
    found["n_pairs"] = np.full(len(a), n_a if test.paired else 0)
    if min(n_a, n_b):
        found["difference"] = a.mean(axis=1) - b.mean(axis=1)
        above = _superiority(a, b)
        found |= {"superiority": above, "cliffs_delta": 2 * above - 1}
        found |= _kolmogorov_smirnov(a, b)
    if min(n_a, n_b) > 1:
        if test.paired:
            found["correlation"] = _correlation(a, b)
        found |= _student(a, b, test) | {"hedges_g": _hedges_g(a, b)}
        found |= _superiority_interval(above, n_a, n_b, test.level)
        found["p_min"] = np.zeros(len(a))
        if test.name == "permutation":
            found["p"], found["p_min"] = permuted(
                a, b, paired=test.paired, n_resamples=test.n_resamples, seed=test.seed
            )
        elif test.name == "brunner-munzel":
            found["p"] = brunner_munzel(a, b)
    return np.stack([found[name] for name in NAMES], axis=1)


def _superiority(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(A > B) with ties half, over all pairs of values."""
    one, other = a[:, :, None], b[:, None, :]
    return np.asarray(((one > other) + 0.5 * (one == other)).mean(axis=(1, 2)))


def _superiority_interval(
    above: NDArray[np.float64], n_a: int, n_b: int, level: float
) -> dict[str, NDArray[np.float64]]:
    lower, upper = _newcombe(n_a, n_b, level)
    at = np.round(above * 2 * n_a * n_b).astype(np.int64)
    return {"least_superiority": lower[at], "largest_superiority": upper[at]}


@lru_cache(maxsize=64)
def _newcombe(n_a: int, n_b: int, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bounds of each P(A > B) that can be found, 0, 1/2, 1, ... of all pairs of values.

    By method 5 of Newcombe (2006): the values that lie no further from the estimate than normal
    quantiles of their own standard error, that of Hanley and McNeil (1982).
    """
    from scipy import stats

    z = stats.norm.ppf(0.5 + level / 2)
    half = (n_a + n_b) / 2 - 1
    found = np.arange(2 * n_a * n_b + 1) / (2 * n_a * n_b)

    def bound(end: float) -> NDArray[np.float64]:
        inside, outside = found, np.full_like(found, end)
        for _ in range(60):
            t = (inside + outside) / 2
            spread = t * (1 - t) * (1 + half * (1 - t) / (2 - t) + half * t / (1 + t))
            held = (found - t) ** 2 <= z**2 * spread / (n_a * n_b)
            inside, outside = np.where(held, t, inside), np.where(held, outside, t)
        return inside

    return bound(0.0), bound(1.0)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    one, other = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
        )


def _student(a: NDArray[np.float64], b: NDArray[np.float64], test: Test) -> dict[str, Any]:
    """Return p and the interval by Welch, or by Student over pairs, and p of equivalence."""
    from scipy import stats

    n_a, n_b = a.shape[1], b.shape[1]
    difference = a.mean(axis=1) - b.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if test.paired:
            error = (a - b).std(axis=1, ddof=1) / np.sqrt(n_a)
            df: Any = n_a - 1
        else:
            own, other = a.var(axis=1, ddof=1) / n_a, b.var(axis=1, ddof=1) / n_b
            error = np.sqrt(own + other)
            df = (own + other) ** 2 / (own**2 / (n_a - 1) + other**2 / (n_b - 1))
        p = 2 * stats.t.sf(np.abs(difference / error), df)
        half = stats.t.ppf(0.5 + test.level / 2, df) * error
    # Sides without any spread are the same, or nothing can be said of what separates them: their
    # metric takes few values, and its spread is not known to be 0.
    size = np.maximum(np.abs(a).max(axis=1), np.abs(b).max(axis=1))
    flat = error <= _ROUNDING * size
    is_same = np.abs(difference) <= _ROUNDING * size
    half = np.where(flat, np.where(is_same, 0.0, np.nan), half)
    p = np.where(flat, np.where(is_same, 1.0, np.nan), p)
    found = {"p": p, "lower": difference - half, "upper": difference + half}
    if test.margin is not None:
        inside = test.margin - np.abs(difference)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = stats.t.sf(inside / error, df)
        known = np.where(inside > 0, np.where(is_same, 0.0, np.nan), 1.0)
        found["p_equivalent"] = np.where(flat, known, p)
    return found


def _hedges_g(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the difference in pooled standard deviations without bias (Hedges 1981)."""
    n_a, n_b = a.shape[1], b.shape[1]
    df = n_a + n_b - 2
    pooled = ((n_a - 1) * a.var(axis=1, ddof=1) + (n_b - 1) * b.var(axis=1, ddof=1)) / df
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = (a.mean(axis=1) - b.mean(axis=1)) / np.sqrt(pooled)
    return np.asarray(hedges_factor(df) * effect)


def brunner_munzel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p of P(A > B) + P(A = B)/2 = 1/2 by Brunner and Munzel (2000)."""
    from scipy import stats

    n_a, n_b = a.shape[1], b.shape[1]
    both = stats.rankdata(np.concatenate([a, b], axis=1), axis=1)
    rank_a, rank_b = both[:, :n_a], both[:, n_a:]
    placed_a = rank_a - stats.rankdata(a, axis=1)
    placed_b = rank_b - stats.rankdata(b, axis=1)
    var_a, var_b = placed_a.var(axis=1, ddof=1), placed_b.var(axis=1, ddof=1)
    spread = n_a * var_a + n_b * var_b
    shift = rank_b.mean(axis=1) - rank_a.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = n_a * n_b * shift / ((n_a + n_b) * np.sqrt(spread))
        df = spread**2 / ((n_a * var_a) ** 2 / (n_a - 1) + (n_b * var_b) ** 2 / (n_b - 1))
        p = 2 * stats.t.sf(np.abs(w), df)
    apart = np.where(shift == 0, 1.0, 0.0)
    return np.asarray(np.where(spread == 0, apart, p))


def _kolmogorov_smirnov(a: NDArray[np.float64], b: NDArray[np.float64]) -> dict[str, Any]:
    """Return the largest gap between both distributions, where it is, and its exact p."""
    values = np.sort(np.concatenate([a, b], axis=1), axis=1)
    below_a = (a[:, None, :] <= values[:, :, None]).mean(axis=2)
    below_b = (b[:, None, :] <= values[:, :, None]).mean(axis=2)
    gap = np.abs(below_a - below_b)
    at = gap.argmax(axis=1)
    rows = np.arange(len(a))
    ks = gap[rows, at]
    n_a, n_b = a.shape[1], b.shape[1]
    steps = np.round(ks * n_a * n_b).astype(np.int64)
    known = {step: _ks_p(step, n_a, n_b) for step in np.unique(steps).tolist()}
    p = np.array([known[step] for step in steps.tolist()])
    return {"ks": ks, "ks_at": values[rows, at], "ks_p": p}


@lru_cache(maxsize=1024)
def _ks_p(steps: int, n_a: int, n_b: int) -> float:
    """Return the probability of a gap of ``steps / (n_a * n_b)`` or more without a difference.

    Exact, by counting the orders of the values in which the gap stays below (Hodges 1957).
    """
    inside = [1] + [0] * n_b
    for i in range(n_a + 1):
        for j in range(n_b + 1):
            if abs(i * n_b - j * n_a) >= steps:
                inside[j] = 0
            elif j and i + j:
                inside[j] += inside[j - 1]
    return 1 - inside[n_b] / comb(n_a + n_b, n_a)
