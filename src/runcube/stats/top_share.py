"""What `importance` computes of a random search: how the share of good configurations varies.

PED-ANOVA (Watanabe et al. 2023) is the analysis of variance of whether a configuration is among the
best: the Pearson divergence between the density of a key among the best and among all is the
variance, along this key, of the share that is among the best, divided by the square of that share.
Kernels in NumPy on (configurations,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers of more values than this are continuous.
LEVELS = 10
_POINTS = 500


def best(scores: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Return which configurations are among the best: a share of them, at least 5, with ties."""
    count = min(len(scores), max(5, round(share * len(scores))))
    return np.asarray(scores >= np.sort(scores)[-count])


def points_of(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the configurations that stand for all: each, or some of many."""
    return np.sort(rng.permutation(n)[:_POINTS])


def likeness(
    labels: NDArray[Any],
    numbers: NDArray[np.float64],
    n_best: int,
    points: NDArray[np.intp],
    n_keys: int = 1,
) -> NDArray[np.float64]:
    """Return how much each configuration says of the neighbourhood of some of them.

    Parameters
    ----------
    labels : (configurations,)
        Values of a key.
    numbers : (configurations,) float64
        The same as numbers, NaN where they are none.
    n_best : int
        How many are among the best: decides the width of a neighbourhood.
    points : (points,) intp
        The configurations whose neighbourhoods they are.
    n_keys : int
        How many keys neighbours agree in: of a pair neighbourhoods are wider (Scott 1992).

    Returns
    -------
    (points, configurations) float64
        1 for the same label; where a key is continuous, a Gaussian of the difference in rank,
        reflected at both ends, which no transformation of the key changes. That of a pair is the
        product.
    """
    is_number = np.isfinite(numbers)
    if len(np.unique(numbers[is_number])) <= LEVELS:
        return np.asarray((labels[points][:, None] == labels[None]).astype(np.float64))
    from scipy import stats

    rank = np.zeros(len(labels))
    rank[is_number] = (stats.rankdata(numbers[is_number]) - 0.5) / is_number.sum()
    width = (1.06 if n_keys == 1 else 1.0) / np.sqrt(12) * max(n_best, 2) ** (-1 / (n_keys + 4))
    one, other = rank[points][:, None], rank[None]
    weights = sum(
        np.exp(-0.5 * (gap / width) ** 2) for gap in (one - other, one + other, 2 - one - other)
    )
    both = is_number[points][:, None] & is_number[None]
    same = labels[points][:, None] == labels[None]
    return np.asarray(np.where(both, weights, same & ~is_number[points][:, None]))


def variance_of_share(
    weights: NDArray[np.float64],
    points: NDArray[np.intp],
    is_best: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the part of the variance of being among the best that a key explains.

    Parameters
    ----------
    weights : (points, configurations) float64
    points : (points,) intp
    is_best : (configurations, repetitions) float64
        0 or 1.
    counts : (configurations, repetitions) or (configurations, 1) float64
        How often each configuration counts.

    Returns
    -------
    (repetitions,) float64
        From 0 to 1; NaN where all or none are among the best.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        near = (weights @ (counts * is_best)) / (weights @ counts)
        of = counts[points]
        whole = (near * of).sum(axis=0, where=of > 0) / of.sum(axis=0)
        along = ((near - whole) ** 2 * of).sum(axis=0, where=of > 0) / of.sum(axis=0)
        share = (counts * is_best).sum(axis=0) / counts.sum(axis=0)
        return np.asarray(np.where(share < 1, along / (share * (1 - share)), np.nan))
