"""Permutation tests by the absolute t: of one comparison, and of whole families at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Arrangements that are enumerated; more are drawn.
ENUMERATED = 50_000
# Values, and statistics from 0 to 1, that are equal but for rounding are ties.
_SLACK = 1e-12
_BLOCK = 1_000_000


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Ways in which a design may have turned out; the first one is what was observed.

    Parameters
    ----------
    rows : (arrangements, n) float64
        1 where a value belongs to the first group and 0 to the second; of pairs, their signs.
    is_exact : bool
        Whether these are all that there are.
    """

    rows: NDArray[np.float64]
    is_exact: bool


def labels(n_a: int, n_b: int, n_resamples: int, seed: int) -> Arrangements:
    """Return which of all values are in the first group: all ways up to 50,000, else random ones.

    What was observed counts among those that are drawn (Phipson and Smyth 2010).
    """
    if comb(n_a + n_b, n_a) <= ENUMERATED:
        return Arrangements(_choices(n_a + n_b, n_a), is_exact=True)
    rng = np.random.default_rng([seed, n_a, n_b])
    first = np.zeros((n_resamples + 1, n_a + n_b))
    first[:, :n_a] = 1
    rng.permuted(first[1:], axis=1, out=first[1:])
    return Arrangements(first, is_exact=False)


def signs(n: int, n_resamples: int, seed: int) -> Arrangements:
    """Return signs of pairs: all of them up to 50,000, else random ones."""
    if 2**n <= ENUMERATED:
        return Arrangements(_signs(n), is_exact=True)
    rng = np.random.default_rng([seed, n])
    drawn = rng.choice([1.0, -1.0], size=(n_resamples + 1, n))
    drawn[0] = 1
    return Arrangements(drawn, is_exact=False)


@lru_cache(maxsize=16)
def _choices(n: int, k: int) -> NDArray[np.float64]:
    chosen = np.zeros((comb(n, k), n))
    for row, picked in enumerate(combinations(range(n), k)):
        chosen[row, list(picked)] = 1
    return chosen


@lru_cache(maxsize=16)
def _signs(n: int) -> NDArray[np.float64]:
    return np.array([*product([1.0, -1.0], repeat=n)])


def permuted(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    paired: bool,
    n_resamples: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p by the absolute t over arrangements, and the least possible p.

    The t is Welch's (Janssen 1997; Chung and Romano 2013): exact where both groups are the same,
    and right in the end where they have the same mean alone. Of groups of one size, and of pairs,
    it orders arrangements as the difference of means does.

    Parameters
    ----------
    a, b : (cells, n) float64
        Without NaN; at least two values each.
    paired : bool
        Flip signs of pairs in place of exchanging labels.
    n_resamples, seed : int
        Where there are more than can be enumerated.
    """
    n_a, n_b = a.shape[1], b.shape[1]
    ways = signs(n_a, n_resamples, seed) if paired else labels(n_a, n_b, n_resamples, seed)
    total = len(ways.rows)
    extreme = np.empty(len(a))
    step = max(1, _BLOCK // total)
    for at in range(0, len(a), step):
        one, other = a[at : at + step].T, b[at : at + step].T
        drawn = _statistic(one, other, ways.rows, paired)
        extreme[at : at + step] = (drawn >= drawn[0] - _SLACK).sum(axis=0)
    mirrored = 2 if ways.is_exact and (paired or n_a == n_b) else 1
    return extreme / total, np.full(len(a), mirrored / total)


def _statistic(
    a: NDArray[np.float64], b: NDArray[np.float64], rows: NDArray[np.float64], paired: bool
) -> NDArray[np.float64]:
    """Return t² / (1 + t²) for each arrangement: from 0 to 1, where |t| is infinite.

    It rises with |t|, and rounding moves it by no more than it moves the values, however small
    the spread. Where too few values are left, and where all are the same, it is 0.

    Parameters
    ----------
    a, b : (n, cells) float64
        NaN where there is no value.
    rows : (arrangements, n) float64

    Returns
    -------
    (arrangements, cells) float64
    """
    if paired:
        held = np.isfinite(a) & np.isfinite(b)
        values = _scaled(np.where(held, a - b, 0.0), np.where(held, np.maximum(abs(a), abs(b)), 0))
        n = held.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            squared = (rows @ values / n) ** 2
            spread = np.maximum((values**2).sum(axis=0) / n - squared, 0) / (n - 1)
            found = squared / (squared + spread)
        return np.where((n > 1) & np.isfinite(found), found, 0.0)
    both = np.concatenate([a, b])
    held = np.isfinite(both)
    filled = np.where(held, both, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        around = np.where(held, filled - filled.sum(axis=0) / held.sum(axis=0), 0.0)
        values = _scaled(around, np.abs(filled))
        one = _moments(rows, values, held)
        other = _moments(1 - rows, values, held)
        squared = (one[0] - other[0]) ** 2
        found = squared / (squared + one[1] + other[1])
    return np.where(np.isfinite(found), found, 0.0)


def _scaled(values: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values from -1 to 1, with what only rounding keeps from 0 at 0."""
    noise = _SLACK * size.max(axis=0)
    kept = np.where(np.abs(values) > noise, values, 0.0)
    largest = np.abs(kept).max(axis=0)
    return np.asarray(kept / np.where(largest > 0, largest, 1.0))


def _moments(
    rows: NDArray[np.float64], values: NDArray[np.float64], held: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and squared standard error of those chosen; NaN of fewer than two."""
    n = rows.sum(axis=1, keepdims=True) if held.all() else rows @ held.astype(np.float64)
    mean = rows @ values / n
    variance = np.maximum(rows @ values**2 / n - mean**2, 0) / (n - 1)
    return mean, np.where(n > 1, variance, np.nan)


def max_t(
    values: NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
    *,
    paired: bool,
    n_resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return p adjusted for all comparisons and cells at once, and the least possible one.

    Single-step max |t| of Westfall and Young (1993): one arrangement goes for all cells of a run,
    the missing ones too, and for all pairs of settings, so that what goes together stays together.

    Parameters
    ----------
    values : (settings, n, cells) float64
        NaN where there is no value.
    pairs : sequence of (int, int)
        Settings that are compared.
    paired : bool
        Whether what stands at the same place of all settings is one seed, whose sign is shared.
    n_resamples, seed : int
        Where there are more arrangements than can be enumerated, and where comparisons have
        different numbers of runs.

    Returns
    -------
    (pairs, cells, 2) float64
        NaN where a side has fewer than two values.
    """
    runs = [own[np.isfinite(own).any(axis=1)] for own in values]
    if paired:
        used = np.isfinite(values).any(axis=(0, 2))
        runs = [*values[:, used]]
    found = np.full((len(pairs), values.shape[2], 2), np.nan)
    tested = [k for k, (i, j) in enumerate(pairs) if min(len(runs[i]), len(runs[j])) > 1]
    if not tested or not found.size:
        return found
    sides = [(runs[i], runs[j]) for i, j in (pairs[k] for k in tested)]
    if paired:
        ways = [signs(len(runs[0]), n_resamples, seed)] * len(tested)
    else:
        ways = _shared_labels([(len(a), len(b)) for a, b in sides], n_resamples, seed)
    total = len(ways[0].rows)
    largest = np.zeros(total)
    observed = np.zeros((len(tested), values.shape[2]))
    step = max(1, _BLOCK // values.shape[2])
    for own, (a, b), way in zip(observed, sides, ways, strict=True):
        for at in range(0, total, step):
            drawn = _statistic(a, b, way.rows[at : at + step], paired)
            if at == 0:
                own[:] = drawn[0]
            np.maximum(largest[at : at + step], drawn.max(axis=1), out=largest[at : at + step])
    below = np.searchsorted(np.sort(largest), observed - _SLACK)
    least = [_least(a, b, way, paired) for (a, b), way in zip(sides, ways, strict=True)]
    found[tested, :, 1] = least
    found[tested, :, 0] = np.where(np.isnan(least), np.nan, (total - below) / total)
    return found


def _shared_labels(
    sizes: Sequence[tuple[int, int]], n_resamples: int, seed: int
) -> list[Arrangements]:
    """Return arrangements of the runs of each comparison, all from the same draws."""
    if len(set(sizes)) == 1:
        return [labels(*sizes[0], n_resamples, seed)] * len(sizes)
    n_a, n_b = (max(side) for side in zip(*sizes, strict=True))
    order = np.random.default_rng([seed, n_a, n_b]).random((n_resamples + 1, n_a + n_b))
    order[0] = np.arange(n_a + n_b)
    known = {}
    for own_a, own_b in set(sizes):
        own = order[:, [*range(own_a), *range(n_a, n_a + own_b)]]
        rank = own.argsort(axis=1).argsort(axis=1)
        known[own_a, own_b] = Arrangements((rank < own_a).astype(np.float64), is_exact=False)
    return [known[size] for size in sizes]


def _least(
    a: NDArray[np.float64], b: NDArray[np.float64], way: Arrangements, paired: bool
) -> NDArray[np.float64]:
    """Return the share of arrangements that leave the values of a cell where they are, or swap."""
    own, other = np.isfinite(a), np.isfinite(b)
    if paired:
        n = (own & other).sum(axis=0)
        share = 2.0 ** (1 - n)
        known = n > 1
    else:
        counts = np.stack([own.sum(axis=0), other.sum(axis=0)], axis=1)
        share = np.array([_stay(len(a), len(b), *count) for count in counts.tolist()])
        known = counts.min(axis=1, initial=2) > 1
    if not way.is_exact:
        share = np.maximum(share, 1 / len(way.rows))
    return np.where(known, share, np.nan)


@lru_cache(maxsize=1024)
def _stay(n_a: int, n_b: int, held_a: int, held_b: int) -> float:
    free = n_a + n_b - held_a - held_b
    ways = comb(free, n_a - held_a) + (comb(free, n_a - held_b) if held_b <= n_a else 0)
    return ways / comb(n_a + n_b, n_a) if n_a + n_b else 1.0
