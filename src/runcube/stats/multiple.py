"""Corrections for several tests at once, and what a p-value allows to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TOO_FEW = "too few seeds for a test"
_NO_SPREAD = "no spread between seeds, no test"


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for their number, along the last axis (Holm 1979).

    Parameters
    ----------
    p : (..., tests) array-like
        NaN is no test, and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, float("nan")]).tolist()
    [0.02, 0.04, nan]
    """
    ordered, order, m = _sorted(p)
    rank = np.arange(ordered.shape[-1])
    adjusted = np.maximum.accumulate(np.minimum(1.0, (m - rank) * ordered), axis=-1)
    return _in_place(adjusted, order)


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted to the rate of false discoveries (Benjamini and Hochberg 1995).

    Parameters
    ----------
    p : (..., tests) array-like
        NaN is no test, and does not count.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04]).tolist()
    [0.02, 0.04]
    """
    ordered, order, m = _sorted(p)
    rank = np.arange(1, ordered.shape[-1] + 1)
    scaled = np.where(np.isnan(ordered), np.inf, m * ordered / rank)
    adjusted = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.where(np.isnan(ordered), np.nan, np.minimum(1.0, adjusted))
    return _in_place(adjusted, order)


def _sorted(p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, axis=-1, kind="stable")  # NaN goes last
    m = np.isfinite(values).sum(axis=-1, keepdims=True)
    return np.take_along_axis(values, order, axis=-1), order, m


def _in_place(ordered: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    found = np.empty_like(ordered)
    np.put_along_axis(found, order, ordered, axis=-1)
    return found


def verdicts(
    p: NDArray[np.float64],
    least: NDArray[np.float64],
    difference: NDArray[np.float64],
    seeds: NDArray[Any],
    alpha: float,
) -> NDArray[np.object_]:
    """Return in words what tests allow to say.

    Parameters
    ----------
    p : ndarray of float64
        Adjusted p-values.
    least : ndarray of float64
        The smallest adjusted p-value that so many seeds can give.
    difference : ndarray of float64
        a - b.
    seeds : ndarray of int64
        The smaller number of seeds of both sides.
    alpha : float
    """
    found = np.full(p.shape, "undecided", dtype=object)
    found[p <= alpha] = np.where(difference[p <= alpha] > 0, "a is higher", "b is higher")
    hopeless = least > alpha
    found[hopeless] = [
        f"cannot be significant with {n} seed{'s' * (n != 1)}" for n in seeds[hopeless].tolist()
    ]
    found[np.isnan(p)] = _NO_SPREAD
    found[np.isnan(p) & ~(seeds > 1)] = _TOO_FEW
    return found


def verdicts_of_superiority(bounds: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return what the rule of Bouthillier et al. (2021) says of P(A > B).

    Parameters
    ----------
    bounds : (..., 2) float64
        Its interval: "a is higher" if all of it lies above 1/2, and a part above 3/4.
    """
    lower, upper = bounds[..., 0], bounds[..., 1]
    found = np.full(lower.shape, "undecided", dtype=object)
    found[lower > 0.5] = "a is higher, not meaningfully"
    found[upper < 0.5] = "b is higher, not meaningfully"
    found[(lower > 0.5) & (upper > 0.75)] = "a is higher"
    found[(upper < 0.5) & (lower < 0.25)] = "b is higher"
    found[np.isnan(lower)] = _TOO_FEW
    return found


def with_equivalence(
    words: NDArray[np.object_], p: NDArray[np.float64], alpha: float
) -> NDArray[np.object_]:
    """Return verdicts that say as well which differences are within a margin.

    Parameters
    ----------
    words : ndarray of object
        From ``verdicts``.
    p : ndarray of float64
        Adjusted, of the tests of equivalence.
    alpha : float
    """
    is_higher = np.char.find(words.astype(str), "is higher") >= 0
    inside = np.where(is_higher, words + ", within the margin", "equivalent within the margin")
    return np.where(p <= alpha, inside, words)
