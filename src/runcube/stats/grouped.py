"""Bootstrap resamples of values in strata or clusters: what is drawn are units within strata."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np

from runcube.stats.resamples import EXACT_UP_TO, Resamples, resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Combinations of the resamples of all strata that are enumerated; more are drawn.
_ENUMERATED = 20_000


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
