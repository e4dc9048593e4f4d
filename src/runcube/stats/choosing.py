"""What `select` computes: choosing a configuration by some seeds, reporting it on others.

Kernels in NumPy on (configurations, seeds, x), larger is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runcube.stats.resamples import resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIMULATED = 100_000


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
        """Return the mean of the split that chooses, (configurations,)."""
        return weighted_mean(_taken(self.chosen_by, self._at(weights)), weights)

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
    whole = scores.means(np.ones(n))
    gains = np.array([_gain(scores, counts, whole) for counts in some.counts])
    there = np.isfinite(gains)
    weight = np.ones(len(gains)) if some.probability is None else some.probability
    if not there.any():
        return float("nan")
    return float(np.average(gains[there], weights=weight[there]) * np.sqrt(n / (n - 1)))


def _gain(scores: Scores, counts: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    means = scores.means(counts)
    if np.isnan(means).all():
        return float("nan")
    best = int(np.nanargmax(means))
    return float(means[best] - whole[best])


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


def may_be_best(values: NDArray[np.float64], level: float, seed: int) -> NDArray[np.bool_]:
    """Return which configurations may be the best one (Hsu 1984, pooled variance).

    With probability ``level`` the best is among them.

    Parameters
    ----------
    values : (configurations, seeds) float64
        NaN where there is no run.
    level : float
    seed : int
    """
    n = np.isfinite(values).sum(axis=1)
    means = weighted_mean(values, np.ones(values.shape[1]))
    known = n > 0
    df = int(np.clip(n - 1, 0, None).sum())
    found = np.zeros(len(values), dtype=bool)
    if known.sum() < 2 or not df:
        found[known] = True
        return found
    scale = np.sqrt(_pooled_variance(values))
    rivals = np.flatnonzero(known)
    critical = _many_one(tuple(n[rivals].tolist()), df, level, seed)
    for place, i in enumerate(rivals):
        others = np.delete(rivals, place)
        error = scale * np.sqrt(1 / n[i] + 1 / n[others])
        found[i] = bool((means[others] - means[i] <= critical[place] * error).all())
    return found


def _many_one(sizes: tuple[int, ...], df: int, level: float, seed: int) -> NDArray[np.float64]:
    """Return for each configuration the critical value of its comparison with all others.

    One-sided quantiles of Dunnett's largest t, by simulation; equal sizes share one.
    """
    rng = np.random.default_rng([seed, df, len(sizes)])
    n = np.array(sizes, dtype=np.float64)
    steps = max(1, min(_SIMULATED, 20_000_000 // len(sizes)))
    noise = rng.standard_normal((steps, len(sizes))) / np.sqrt(n)
    spread = np.sqrt(rng.chisquare(df, size=(steps, 1)) / df)
    known: dict[int, float] = {}
    for place, size in enumerate(sizes):
        if size not in known:
            others = np.delete(np.arange(len(sizes)), place)
            error = np.sqrt(1 / n[place] + 1 / n[others])
            largest = ((noise[:, others] - noise[:, [place]]) / error / spread).max(axis=1)
            known[size] = float(np.quantile(largest, level))
    return np.array([known[size] for size in sizes])
