"""What `select` computes: choosing a configuration by some seeds, reporting it on others.

Kernels in NumPy on (configurations, seeds, x), larger is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import PlanError
from runcube.stats.resamples import resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Means of one block of resamples, some 16 MB.
_BLOCK = 2_000_000
# Pairs of configurations that are compared at once.
_PAIRS = 200_000
#: How the set that may hold the best is found, by what is taken of the variances.
MAY_BE_BEST = {
    "unequal": "Hsu (1984), by Welch's t of each two with Sidak's inequality (Tamhane 1979)",
    "equal": "Hsu (1984), by a pooled variance and Dunnett's largest t",
}


@dataclass(frozen=True, eq=False)
class Scores:
    """Curves of the runs of a sweep, of the split that chooses and of the one that is reported.

    Parameters
    ----------
    chosen_by : (configurations, seeds, x) float64
        Larger is better; NaN where there is no value.
    reported : (configurations, seeds, x) float64
    epoch : {"best", "last", "each"}
        Which x counts: that at which the mean over seeds is best, or one of each run: its last, or
        its own best.
    """

    chosen_by: NDArray[np.float64]
    reported: NDArray[np.float64]
    epoch: str

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether there is a run with any value, (configurations, seeds)."""
        return np.asarray(np.isfinite(self.chosen_by).any(axis=2))

    def choose(self, weights: NDArray[np.float64]) -> tuple[int, NDArray[np.intp]]:
        """Return the best configuration by weighted seeds, and the x of each run that counts.

        Parameters
        ----------
        weights : (seeds,) float64
            How often each seed counts.

        Returns
        -------
        configuration : int
            -1 if there is none.
        at : (configurations, seeds) intp
        """
        at = self._at(weights)
        means = weighted_mean(_taken(self.chosen_by, at), weights)
        if np.isnan(means).all():
            return -1, at
        return int(np.nanargmax(means)), at

    def means(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the split that chooses, (resamples, configurations).

        Parameters
        ----------
        weights : (resamples, seeds) float64
            How often each seed counts.
        """
        values = self.chosen_by
        if self.epoch != "best":  # of which the x are those of each run
            values = _taken(values, self._at(weights[0]))[:, :, None]
        by_seed = np.moveaxis(values, 1, 0)
        finite = np.isfinite(by_seed)
        sums = np.tensordot(weights, np.where(finite, by_seed, 0.0), 1)
        if finite.all():
            return np.asarray(sums.max(axis=2) / weights.sum(axis=1)[:, None])
        reached = np.tensordot(weights, finite.astype(np.float64), 1)
        # As in ``_at``: an x that only some of the runs reached counts where none has more.
        most = reached.max(axis=2, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(reached == most, sums / reached, -np.inf)
        return np.asarray(np.where(most[:, :, 0] > 0, means.max(axis=2), np.nan))

    def at_chosen_x(self, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both splits at the x that counts, (configurations, seeds) each."""
        return _taken(self.chosen_by, at), _taken(self.reported, at)

    def _at(self, weights: NDArray[np.float64]) -> NDArray[np.intp]:
        finite = np.isfinite(self.chosen_by)
        if self.epoch == "last":
            count = finite.shape[2]
            return np.asarray(count - 1 - np.argmax(finite[:, :, ::-1], axis=2))
        if self.epoch == "each":
            return np.asarray(np.argmax(np.where(finite, self.chosen_by, -np.inf), axis=2))
        by_seed = np.moveaxis(self.chosen_by, 1, 2)
        means = weighted_mean(by_seed, weights)
        # An x that only some of the runs reached says less: it counts where none has more.
        reached = (np.isfinite(by_seed) * weights).sum(axis=2)
        means = np.where(reached == reached.max(axis=1, keepdims=True), means, np.nan)
        best = np.argmax(np.where(np.isnan(means), -np.inf, means), axis=1)
        return np.broadcast_to(best[:, None], self.chosen_by.shape[:2])


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis of what is there; NaN where nothing is."""
    there = np.isfinite(values) * weights
    total = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((np.where(np.isfinite(values), values, 0.0) * there).sum(axis=-1) / total)


def _taken(values: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.take_along_axis(values, at[:, :, None], axis=2)[:, :, 0]


def cross_fitted(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return what each seed reports of the choice that the other seeds made.

    Returns
    -------
    value : (seeds,) float64
        NaN where the chosen configuration has no run with this seed, or there is no other seed.
    chosen : (seeds,) intp
        The configuration that the others chose; -1 for none.
    """
    count = scores.chosen_by.shape[1]
    values, chosen = np.full(count, np.nan), np.full(count, -1)
    for seed in range(count):
        others = np.ones(count)
        others[seed] = 0
        best, at = scores.choose(others)
        chosen[seed] = best
        if best >= 0 and scores.held[best, seed]:
            values[seed] = scores.at_chosen_x(at)[1][best, seed]
    return values, chosen


def optimism(scores: Scores, n_resamples: int, seed: int) -> float:
    """Return by how much the choice flatters the value that it is made by, by bootstrap.

    A lower bound: it finds about seven tenths of the true one.
    """
    n = scores.chosen_by.shape[1]
    if n < 2:
        return float("nan")
    some = resamples(n, n_resamples, seed)
    whole = scores.means(np.ones((1, n)))[0]
    gains = np.empty(len(some.counts))
    step = max(1, _BLOCK // scores.chosen_by[:, 0].size)
    for at in range(0, len(gains), step):
        means = scores.means(some.counts[at : at + step])
        best = np.argmax(np.where(np.isnan(means), -np.inf, means), axis=1)
        gains[at : at + step] = means[np.arange(len(best)), best] - whole[best]
    there = np.isfinite(gains)
    weight = np.ones(len(gains)) if some.probability is None else some.probability
    if not there.any():
        return float("nan")
    return float(np.average(gains[there], weights=weight[there]) * np.sqrt(n / (n - 1)))


def shrunken(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means (configurations,) drawn towards their mean as far as seeds are noise.

    Empirical Bayes with a normal prior, its variance by moments (Efron and Morris 1975).
    """
    n = np.isfinite(values).sum(axis=1)
    means = weighted_mean(values, np.ones(values.shape[1]))
    noise = _pooled_variance(values)
    known = n > 0
    if known.sum() < 3 or not np.isfinite(noise):
        return means
    error = noise / np.where(known, n, 1)
    centre = means[known].mean()
    between = max(float(means[known].var(ddof=1) - error[known].mean()), 0.0)
    share = between / (between + error) if between + error.max() > 0 else np.ones_like(error)
    return np.asarray(centre + share * (means - centre))


def _pooled_variance(values: NDArray[np.float64]) -> float:
    n = np.isfinite(values).sum(axis=1)
    means = weighted_mean(values, np.ones(values.shape[1]))
    df = np.clip(n - 1, 0, None).sum()
    return float(np.nansum((values - means[:, None]) ** 2) / df) if df else float("nan")


def may_be_best(
    values: NDArray[np.float64], level: float, variances: str = "unequal"
) -> NDArray[np.bool_]:
    """Return which configurations may be the best one (Hsu 1984).

    With probability ``level`` the best is among them: one leaves the set if another one is better
    by more than chance allows.

    Parameters
    ----------
    values : (configurations, seeds) float64
        NaN where there is no run.
    level : float
    variances : {"unequal", "equal"}
        Welch's t of each two, by Sidak's inequality (T2 of Tamhane 1979): one of a single run stays
        in, and sends nobody out. Or a pooled variance and Dunnett's largest t, which holds the
        level only where all configurations spread alike.

    Raises
    ------
    PlanError
        If ``variances`` is another word.
    """
    if variances not in MAY_BE_BEST:
        raise PlanError(f"variances={variances!r}: expected {' or '.join(map(repr, MAY_BE_BEST))}")
    n = np.isfinite(values).sum(axis=1)
    known = np.flatnonzero(n)
    found = np.zeros(len(values), dtype=bool)
    found[known] = True
    if len(known) > 1 and n.max() > 1:
        among = _among_unequal if variances == "unequal" else _among_equal
        found[known] = among(values[known], n[known], level)
    return found


def _among_unequal(
    values: NDArray[np.float64], n: NDArray[np.int64], level: float
) -> NDArray[np.bool_]:
    from scipy import special, stats

    each = level ** (1 / (len(n) - 1))
    means = weighted_mean(values, np.ones(values.shape[1]))
    several = np.flatnonzero(n > 1)
    means, n = means[several], n[several]
    square = np.nanvar(values[several], axis=1, ddof=1) / n  # of the standard error
    least = stats.t.ppf(each, 2 * (n.max() - 1))  # with the most degrees of freedom
    found = np.ones(len(values), dtype=bool)
    step = max(1, _PAIRS // len(n))
    for at in range(0, len(n), step):
        own = slice(at, at + step)
        both = square[own, None] + square
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (means - means[own, None]) / np.sqrt(both)
            df = both**2 / ((square**2 / (n - 1))[own, None] + square**2 / (n - 1))
        # Where neither spreads, what is better is better.
        out = np.isnan(df) & (t > 0)
        far = (t > least) & ~out
        out[far] = special.stdtr(df[far], t[far]) > each
        out[np.arange(len(out)), np.arange(at, at + len(out))] = False
        found[several[own]] = ~out.any(axis=1)
    return found


def _among_equal(
    values: NDArray[np.float64], n: NDArray[np.int64], level: float
) -> NDArray[np.bool_]:
    means = weighted_mean(values, np.ones(values.shape[1]))
    scale = np.sqrt(_pooled_variance(values))
    sizes, of, counts = np.unique(n, return_inverse=True, return_counts=True)
    critical = _largest_t(tuple(sizes), tuple(counts), int((n - 1).sum()), level)[of]
    found = np.empty(len(n), dtype=bool)
    for i in range(len(n)):
        bound = critical[i] * scale * np.sqrt(1 / n[i] + 1 / n)
        bound[i] = 0
        found[i] = (means - means[i] <= bound).all()
    return found


@lru_cache(maxsize=64)
def _largest_t(
    sizes: tuple[int, ...], counts: tuple[int, ...], df: int, level: float
) -> NDArray[np.float64]:
    """Return the one-sided quantile of the largest t of all others against one of each size.

    The integral of Dunnett (1955): given the mean of the one and the pooled spread, the others are
    independent.
    """
    from scipy import optimize, special, stats

    z, weight_z = np.polynomial.legendre.leggauss(160)
    z, weight_z = 8 * z, 8 * weight_z * stats.norm.pdf(8 * z)
    share, weight_s = np.polynomial.legendre.leggauss(80)
    spread = np.sqrt(stats.chi2.ppf(0.5 + share / 2, df) / df)[:, None]
    n, total = np.array(sizes, dtype=np.float64), sum(counts)

    def excess(critical: float, one: int) -> float:
        below = np.ones((len(spread), len(z)))
        for other, count in enumerate(counts):
            reach = critical * spread * np.sqrt(1 / n[one] + 1 / n[other])
            chance = special.ndtr((z / np.sqrt(n[one]) + reach) * np.sqrt(n[other]))
            below *= chance ** (count - (other == one))
        return float(weight_s / 2 @ below @ weight_z) - level

    low = stats.t.ppf(level, df)
    high = stats.t.ppf(level ** (1 / (total - 1)), df)
    return np.array([optimize.brentq(excess, low - 1, high + 1, (i,)) for i in range(len(n))])
