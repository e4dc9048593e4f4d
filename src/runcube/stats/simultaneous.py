"""Comparisons of means that hold all at once: Dunnett, Games and Howell. Kernels in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    # The probability of a larger statistic than w, where the spread is known.
    Tail = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Of the quadratures: trapezoids of smooth functions that vanish at both ends converge fast.
_Z = np.linspace(-8.5, 8.5, 401)
_NODES = 240
_FAR, _KNOTS = 14.0, 1401
_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class Groups:
    """What is needed of the values of each group.

    Parameters
    ----------
    n, mean, variance : (groups, x, cells) float64
        Of the values that are there; groups of fewer than two are NaN throughout, but for ``n``.
    """

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Groups:
        """Summarize values (groups, n, x, cells), NaN where there is none."""
        held = np.isfinite(values)
        n = held.sum(axis=1).astype(np.float64)
        enough = np.where(n > 1, n, np.nan)
        filled = np.where(held, values, 0.0)
        mean = filled.sum(axis=1) / enough
        around = np.where(held, values - mean[:, None], 0.0)
        return cls(n, mean, (around**2).sum(axis=1) / (enough - 1))


def dunnett(
    values: NDArray[np.float64], pairs: Sequence[tuple[int, int]], level: float
) -> NDArray[np.float64]:
    """Return p and intervals of all groups against one of them (Dunnett 1955).

    Parameters
    ----------
    values : (groups, n, x, cells) float64
        NaN where there is no value. Cells are families of their own, that together, for each x,
        are held to the level by Bonferroni.
    pairs : sequence of (int, int)
        The second is the same in all.
    level : float
        Of the intervals.

    Returns
    -------
    (pairs, x, cells, 3) float64
        p, lower, upper. NaN where a group has fewer than two values.
    """
    groups = Groups.of(values)
    own, base = [i for i, _ in pairs], pairs[0][1]
    known = np.isfinite(groups.mean)
    df = np.where(known, groups.n - 1, 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.where(known, (groups.n - 1) * groups.variance, 0).sum(axis=0)
        difference = groups.mean[own] - groups.mean[base]
        error = np.sqrt(squares / df * (1 / groups.n[own] + 1 / groups.n[base]))
        t = np.abs(difference) / error
    families = _families(np.isfinite(difference))
    alpha = (1 - level) / families
    counts = np.where(known, groups.n, 0).astype(np.int64).reshape(len(values), -1)
    patterns, group = np.unique(counts, axis=1, return_inverse=True)
    p, critical = np.full(t.shape, np.nan), np.full(t.shape, np.nan)
    for number, pattern in enumerate(patterns.T.tolist()):
        others = sorted(pattern[i] for i in own if pattern[i])
        if not others or not pattern[base]:
            continue
        here = np.flatnonzero(group.reshape(-1) == number)
        tail = _many_to_one(tuple(n / (n + pattern[base]) for n in others))
        at = np.unravel_index(here, t.shape[1:])
        p[:, at[0], at[1]] = _beyond(tail, t[:, at[0], at[1]], df[at])
        for one in np.unique(alpha[at[0]]).tolist():
            x = alpha[at[0]] == one
            found = _critical(tail, one, float(df[at][0]))
            critical[:, at[0][x], at[1][x]] = found
    return _with_intervals(p, difference, error, critical, families)


def games_howell(
    values: NDArray[np.float64], pairs: Sequence[tuple[int, int]], level: float
) -> NDArray[np.float64]:
    """Return p and intervals of all pairs of groups, of any spreads (Games and Howell 1976).

    Parameters
    ----------
    values, pairs, level
        As for :func:`dunnett`; pairs are all that there are.

    Returns
    -------
    (pairs, x, cells, 3) float64
    """
    groups = Groups.of(values)
    one, other = ([pair[side] for pair in pairs] for side in (0, 1))
    share = groups.variance / groups.n
    difference = groups.mean[one] - groups.mean[other]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(share[one] + share[other])
        df = error**4 / sum(share[i] ** 2 / (groups.n[i] - 1) for i in (one, other))
        t = np.abs(difference) / error
    df = np.where(error > 0, df, 1.0)  # any will do: t is infinite, or nothing
    families = _families(np.isfinite(difference))
    alpha = (1 - level) / families
    count = np.isfinite(groups.mean).sum(axis=0)
    p, critical = np.full(t.shape, np.nan), np.full(t.shape, np.nan)
    for k in np.unique(count[count > 1]).tolist():
        here = (count == k) & np.isfinite(difference)
        p[here] = _beyond(_range(k), np.sqrt(2) * t[here], df[here])
        wanted = np.broadcast_to(alpha[:, None], t.shape)
        for level_of_x in np.unique(wanted[here]).tolist():
            at = here & (wanted == level_of_x)
            critical[at] = _critical_by_df(k, level_of_x)(1 / df[at]) / np.sqrt(2)
    return _with_intervals(p, difference, error, critical, families)


def _families(known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of cells with a comparison at each x; at least 1."""
    return np.asarray(np.maximum(known.any(axis=0).sum(axis=-1), 1))


def _with_intervals(
    p: NDArray[np.float64],
    difference: NDArray[np.float64],
    error: NDArray[np.float64],
    critical: NDArray[np.float64],
    families: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return p times the number of families at each x, and the intervals."""
    flat = error == 0  # values that are all the same leave no doubt, or no difference
    p = np.where(flat, np.where(difference == 0, 1.0, 0.0), p)
    half = np.where(flat, 0.0, critical * error)
    adjusted = np.minimum(1.0, p * families[:, None])
    return np.stack([adjusted, difference - half, difference + half], axis=-1)


@lru_cache(maxsize=256)
def _many_to_one(share: tuple[float, ...]) -> Tail:
    """Return the tail of the largest |z| of comparisons with one, n / (n + n of the one)."""
    from scipy.special import ndtr

    with_one = np.sqrt(np.array(share))[:, None]
    alone = np.sqrt(1 - with_one**2)

    def below(w: NDArray[np.float64]) -> NDArray[np.float64]:
        upper = ndtr((with_one * _Z + w[:, None, None]) / alone)
        lower = ndtr((with_one * _Z - w[:, None, None]) / alone)
        return np.asarray((upper - lower).prod(axis=1))

    return _tabled(below)


@lru_cache(maxsize=256)
def _range(k: int) -> Tail:
    """Return the tail of the range of k normal values."""
    from scipy.special import ndtr

    def below(w: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(k * (ndtr(_Z) - ndtr(_Z - w[:, None])) ** (k - 1))

    return _tabled(below)


def _tabled(below: Callable[[Any], NDArray[np.float64]]) -> Tail:
    """Return the tail as a spline through its values."""
    from scipy.interpolate import CubicSpline

    weight = np.exp(-(_Z**2) / 2)
    weight /= weight.sum()
    w = np.linspace(0, _FAR, _KNOTS)
    blocks = [below(part) @ weight for part in np.array_split(w, 20)]
    spline = CubicSpline(w, 1 - np.concatenate(blocks))
    return lambda at: np.where(at < _FAR, spline(np.minimum(at, _FAR)), 0.0)


def _beyond(tail: Tail, statistic: Any, df: Any) -> NDArray[np.float64]:
    """Return the probability of a larger statistic, whose spread has these degrees of freedom.

    The mean of the tail over the spread s, that is the root of chi-squared / df: by trapezoids over
    log s.
    """
    statistic, df = np.broadcast_arrays(np.asarray(statistic, dtype=np.float64), df)
    q, nu = statistic.reshape(-1), df.reshape(-1)
    found = np.empty(len(q))
    for at in range(0, len(q), _BLOCK):
        own = nu[at : at + _BLOCK, None]
        width = 1 / np.sqrt(2 * own)
        low, high = -34 / own - 8 * width, 8 * width
        y = low + (high - low) * np.linspace(0, 1, _NODES)
        weight = np.exp(own * (y - np.expm1(2 * y) / 2))
        with np.errstate(invalid="ignore", over="ignore"):
            beyond = tail(q[at : at + _BLOCK, None] * np.exp(y))
        found[at : at + _BLOCK] = (weight * beyond).sum(axis=1) / weight.sum(axis=1)
    found = np.where(np.isnan(q), np.nan, np.clip(found, 0.0, 1.0))
    return found.reshape(statistic.shape)


def _root(tail: Tail, alpha: float, df: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the statistics that are exceeded with probability alpha."""
    low, high = np.zeros(len(df)), np.full(len(df), 2.0)
    while (short := _beyond(tail, high, df) > alpha).any():
        high = np.where(short, 2 * high, high)
    for _ in range(45):
        middle = (low + high) / 2
        short = _beyond(tail, middle, df) > alpha
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((low + high) / 2)


def _critical(tail: Tail, alpha: float, df: float) -> float:
    return float(_root(tail, alpha, np.array([df]))[0])


@lru_cache(maxsize=256)
def _critical_by_df(k: int, alpha: float) -> Callable[[Any], NDArray[np.float64]]:
    """Return the critical range as a function of 1 / df: degrees of freedom of Welch are many."""
    from numpy.polynomial import Chebyshev

    def log_root(inverse: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(_root(_range(k), alpha, 1 / np.maximum(inverse, 1e-6)))

    fitted = Chebyshev.interpolate(log_root, 40, domain=[0, 1])
    return lambda inverse: np.exp(fitted(inverse))
