"""Bootstrap resamples as counts: how often each seed was drawn, exact where there are few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 8


@dataclass(frozen=True, eq=False)
class Resamples:
    """Resamples of ``n`` values.

    Parameters
    ----------
    counts : (resamples, n) float64
        How often each value was drawn; rows sum to n.
    probability : (resamples,) float64, optional
        Of each resample; None where all are equally probable.
    """

    counts: NDArray[np.float64]
    probability: NDArray[np.float64] | None = None

    @property
    def is_exact(self) -> bool:
        """Whether these are all resamples that there are."""
        return self.probability is not None


def resamples(n: int, n_resamples: int, seed: int) -> Resamples:
    """Return all resamples of up to 8 values, else random ones.

    There are C(2n - 1, n) distinct resamples: 126 of 5 values, 6,435 of 8. Their multinomial
    probabilities make the bootstrap exact: no randomness is left.

    Parameters
    ----------
    n : int
        Number of values, at least 1.
    n_resamples : int
        How many are drawn where there are more than 8 values.
    seed : int
        Of the random generator.

    Examples
    --------
    >>> some = resamples(3, 1000, seed=0)
    >>> some.counts.shape, float(some.probability.sum())
    ((10, 3), 1.0)
    """
    return _exact(n) if n <= EXACT_UP_TO else _drawn(n, n_resamples, seed)


@lru_cache(maxsize=EXACT_UP_TO)
def _exact(n: int) -> Resamples:
    draws = np.array(list(combinations_with_replacement(range(n), n)))
    counts = (draws[:, :, None] == np.arange(n)).sum(axis=1)
    ways = np.array([factorial(i) for i in range(n + 1)], dtype=np.float64)
    probability = factorial(n) / ways[counts].prod(axis=1) / float(n) ** n
    return Resamples(_frozen(counts.astype(np.float64)), _frozen(probability))


@lru_cache(maxsize=8)
def _drawn(n: int, n_resamples: int, seed: int) -> Resamples:
    rng = np.random.default_rng([seed, n])
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    return Resamples(_frozen(counts.astype(np.float64)))


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.setflags(write=False)
    return values
