"""Bootstrap intervals of values in strata or clusters: what is drawn are units within strata.

Kernels in NumPy. Values keep their places, since a resample draws places.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np

from runcube.stats.estimators import rank_weights
from runcube.stats.intervals import interval_of_resamples
from runcube.stats.resamples import EXACT_UP_TO, Resamples, resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats.summary import Interval

# Combinations of the resamples of all strata that are enumerated; more are drawn.
_ENUMERATED = 20_000
_BLOCK = 5_000_000


@dataclass(frozen=True, eq=False)
class Groups:
    """What is drawn together, and from what.

    Parameters
    ----------
    unit : (values,) intp
        Values of one unit are drawn together: a cluster, or each value by itself.
    stratum : (values,) intp
        Units are drawn within a stratum, as many as there are.
    """

    unit: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def of(self, places: NDArray[np.bool_]) -> Groups:
        """Return the groups of some of the values."""
        return Groups(self.unit[places], self.stratum[places])

    def resamples(self, n_resamples: int, seed: int) -> Resamples:
        """Return how often each value is drawn: all resamples where they are few, else random ones.

        Counts are (resamples, values).
        """
        units, first, place = np.unique(self.unit, return_index=True, return_inverse=True)
        strata = self.stratum[first]
        sizes = np.unique(strata, return_counts=True)[1].tolist()
        is_exact = max(sizes) <= EXACT_UP_TO and (
            prod(comb(2 * n - 1, n) for n in sizes) <= _ENUMERATED
        )
        counts, probability = np.ones((1, 0)), np.ones(1)
        order: list[int] = []
        rng = np.random.default_rng([seed, len(units)])
        for number, size in zip(np.unique(strata), sizes, strict=True):
            order += np.flatnonzero(strata == number).tolist()
            if is_exact:
                some = resamples(size, n_resamples, seed)
                assert some.probability is not None
                before, after = len(counts), len(some.counts)
                counts = np.hstack(
                    [counts.repeat(after, axis=0), np.tile(some.counts, (before, 1))]
                )
                probability = np.outer(probability, some.probability).ravel()
            else:
                drawn = rng.multinomial(size, np.full(size, 1 / size), size=n_resamples)
                counts = np.hstack([counts if counts.size else np.ones((n_resamples, 0)), drawn])
        of_unit = np.empty_like(counts)
        of_unit[:, order] = counts
        found = of_unit[:, place.reshape(-1)]
        return Resamples(found, probability if is_exact else None)

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of units and of strata."""
        return len(np.unique(self.unit)), len(np.unique(self.stratum))


def grouped_interval(
    values: NDArray[np.float64], groups: Groups, interval: Interval
) -> NDArray[np.float64]:
    """Return the interval of each cell (cells, 2) of values (cells, n), NaN where there is none."""
    finite = np.isfinite(values)
    found = np.full((len(values), 2), np.nan)
    patterns, pattern_of = np.unique(finite, axis=0, return_inverse=True)
    for number, there in enumerate(patterns):
        own = groups.of(there)
        if not there.any():
            continue
        n_units, n_strata = own.sizes
        if n_units == n_strata:  # one of each: nothing is known of the spread
            continue
        some = own.resamples(interval.n_resamples, interval.seed)
        cells = np.flatnonzero(pattern_of.reshape(-1) == number)
        step = max(1, _BLOCK // len(some.counts))
        for at in range(0, len(cells), step):
            rows = cells[at : at + step]
            block = values[rows][:, there]
            drawn = _statistics(block, interval.statistic, some.counts)
            whole = _statistics(block, interval.statistic, np.ones((1, block.shape[1])))[:, 0]
            found[rows] = interval_of_resamples(
                drawn, whole, interval.method, interval.level, n_units, some, strata=n_strata
            )
    return found


def _statistics(
    values: NDArray[np.float64], statistic: str | float, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a statistic of each resample of each cell, (cells, resamples)."""
    if statistic == "mean":
        return np.asarray(values @ rank_weights("mean", counts).T)
    found = np.empty((len(values), len(counts)))
    for row, own in zip(found, values, strict=True):
        order = np.argsort(own, kind="stable")
        row[:] = rank_weights(statistic, counts[:, order]) @ own[order]
    return found
