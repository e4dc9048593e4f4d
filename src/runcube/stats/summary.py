"""What `summarize` computes: a kernel on the last axis, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runcube.stats.estimators import LOCATION, rank_weights
from runcube.stats.intervals import (
    bootstrap_interval,
    chi2_interval,
    interval_of_resamples,
    t_interval,
    wilson_interval,
)
from runcube.stats.resamples import resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats.grouped import Groups

METHODS = ("t", "scaled", "percentile", "basic", "bca", "studentized", "wilson", "chi2")
_BOOTSTRAP = frozenset({"scaled", "percentile", "basic", "bca", "studentized"})
_DEFAULT = {"mean": "t", "std": "chi2"}
# Fewer values than these give an interval no meaning.
# Values of one block of resamples, some 40 MB.
_BLOCK = 5_000_000
_LEAST = {"wilson": 1, "bca": 3, "studentized": 5}


@dataclass(frozen=True)
class Interval:
    """Which confidence interval is wanted.

    Parameters
    ----------
    statistic : {"mean", "median", "iqm", "std"} or float
        A number is a quantile.
    method : str
        One of ``METHODS``.
    level : float
    n_resamples : int
    seed : int
    """

    statistic: str | float
    method: str
    level: float
    n_resamples: int
    seed: int

    @property
    def is_random(self) -> bool:
        """Whether it is made of resamples."""
        return self.method in _BOOTSTRAP

    def of(self, ordered: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the interval of each cell (cells, 2) of sorted values (cells, n)."""
        n = ordered.shape[1]
        if n < _LEAST.get(self.method, 2):
            return np.full((len(ordered), 2), np.nan)
        if self.method == "t":
            return t_interval(ordered, self.level)
        if self.method == "chi2":
            return chi2_interval(ordered, self.level)
        if self.method == "wilson":
            return wilson_interval(ordered, self.level)
        some = resamples(n, self.n_resamples, self.seed)
        return bootstrap_interval(ordered, self.statistic, self.method, self.level, some)


def default_method(statistic: str | float) -> str:
    """Return the method of an interval that covers best where seeds are few."""
    return _DEFAULT.get(str(statistic), "scaled")


def summary(
    values: NDArray[np.float64],
    logged: NDArray[np.bool_],
    *,
    quantiles: tuple[float, ...],
    interval: Interval | None,
    keep_nonfinite: bool,
    groups: Groups | None = None,
) -> NDArray[np.float64]:
    """Return the statistics of the last axis.

    Parameters
    ----------
    values : (..., n) float64
    logged : (..., n) bool
        False where there is no value.
    quantiles : tuple of float
    interval : Interval, optional
    keep_nonfinite : bool
        Whether a value that is not finite makes statistics NaN; else it is only counted.
    groups : Groups, optional
        Strata and clusters of the values.

    Returns
    -------
    (..., statistics) float64
        As ``names_of`` lists them.
    """
    shape = values.shape[:-1]
    values = np.where(logged, values, np.nan).reshape(-1, values.shape[-1])
    finite = np.isfinite(values)
    n = finite.sum(axis=1)
    n_nonfinite = logged.reshape(values.shape).sum(axis=1) - n
    # What is not finite goes behind what is: the first n of a row are its values.
    ordered = np.sort(np.where(finite, values, np.nan), axis=1)
    width = len(names_of(quantiles, interval))
    found = np.full((len(values), width), np.nan)
    found[:, 0], found[:, 1] = n, n_nonfinite
    is_used = (n > 0) & ((n_nonfinite == 0) | (not keep_nonfinite))
    for count in np.unique(n[is_used]).tolist():
        cells = is_used & (n == count)
        own = ordered if cells.all() else ordered[cells]
        plain = interval if groups is None else None
        columns = _of_complete(own[:, :count], quantiles, plain)
        found[cells, 2 : 2 + columns.shape[1]] = columns
    if groups is not None and interval is not None:
        found[is_used, -2:] = _grouped_interval(
            np.where(finite, values, np.nan)[is_used], groups, interval
        )
    return found.reshape(*shape, width)


def names_of(quantiles: tuple[float, ...], interval: Interval | None) -> list[str]:
    """Return the names of the statistics along the last axis of ``summary``."""
    names = ["n", "n_nonfinite", "mean", "std", "sem", "median", "iqm", "min", "max"]
    names += [f"q{level:g}" for level in quantiles]
    return names + (["lower", "upper"] if interval is not None else [])


def _of_complete(
    ordered: NDArray[np.float64], quantiles: tuple[float, ...], interval: Interval | None
) -> NDArray[np.float64]:
    n = ordered.shape[1]
    once = np.ones((1, n))
    std = ordered.std(axis=1, ddof=1) if n > 1 else np.full(len(ordered), np.nan)
    location = {name: ordered @ rank_weights(name, once)[0] for name in LOCATION}
    columns = [
        location["mean"],
        std,
        std / np.sqrt(n),
        location["median"],
        location["iqm"],
        ordered[:, 0],
        ordered[:, -1],
        *(ordered @ rank_weights(level, once)[0] for level in quantiles),
    ]
    if interval is not None:
        columns += [*interval.of(ordered).T]
    return np.stack(columns, axis=1)


def _grouped_interval(
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
