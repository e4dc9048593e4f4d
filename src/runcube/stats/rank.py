"""`rank`: the place of each configuration, and how sure the seeds make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.core import PlanError
from runcube.cube import CellRows
from runcube.stats.choosing import weighted_mean
from runcube.stats.labelled import are_labels, seed_of
from runcube.stats.resamples import Resamples, resamples
from runcube.stats.runs import on_cells, run_values

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG

_SLACK = 1e-12
# Means that are ranked at once: what stays in a core's cache.
_BLOCK = 50_000


def rank(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    epoch: Literal["best", "last", "each"] = "best",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    ci: float = 0.95,
    n_resamples: int = 10_000,
    rng: RNG = None,
) -> xr.Dataset:
    """Return the rank of each configuration by its mean over seeds, with an interval.

    Seeds are resampled: all configurations on the same seeds where seeds are labels that they
    share, else each on its own. Deviations of resampled means are scaled by sqrt(n / (n - 1)), by
    which they fall short. Intervals describe how ranks move with the seeds; which configurations
    may be the best, at a level that holds, is what :func:`select` says in ``may_be_best``.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout, lazy or not.
    metric : str
    mode : {"max", "min"}
        Which end is better: rank 1.
    split : str
    epoch, diverged
        As for :func:`select`. The x is that which all seeds choose.
    ci : float
        Level of the interval.
    n_resamples : int
        Up to 8 seeds that are labels, all resamples are enumerated instead.
    rng : Generator, int or None
        For reproducible resamples.

    Returns
    -------
    Dataset
        On the dims of the configurations: ``rank``, float64, equal means share theirs; ``ci`` with
        a dim ``ci_bound``; ``p_first``, the share of resamples in which it is the best, shared by
        equal ones; ``mean`` and ``n``. NaN where there is no run; ``ci`` and ``p_first`` also where
        a configuration has fewer than two seeds.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        If the Dataset is no cube, no run has a value, or an argument is out of range.

    References
    ----------
    Hall and Miller (2009), Using the bootstrap to quantify the authority of an empirical ranking.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> found = rc.rank(ds.sel(weights="DEFAULT", weight_decay=0.0), metric="acc1", mode="max")
    >>> found["rank"].values.tolist(), found.ci.sel(lr=0.2).values.tolist()
    ([3.0, 2.0, 1.0, 4.0], [1.0, 1.0])
    """
    if not 0 < ci < 1:
        raise PlanError(f"ci={ci!r}: expected a level such as 0.95")
    values = run_values(ds, metric, split, mode, epoch, diverged)
    sign = 1.0 if mode == "max" else -1.0
    seed = seed_of(rng)
    is_shared = "seed" in ds.dims and are_labels(ds, "seed")
    n = np.isfinite(values).sum(axis=1)
    means = weighted_mean(values, np.ones(values.shape[1]))
    bounds, first = _resampled(values, means, is_shared, (ci, n_resamples, seed))
    alone = n < 2
    bounds[alone], first[alone] = np.nan, np.nan
    found = {
        "rank": ("cells", _ranks(means[None])[0]),
        "ci": (("cells", "ci_bound"), bounds),
        "p_first": ("cells", first),
        "mean": ("cells", sign * means),
        "n": ("cells", n),
    }
    result = on_cells(found, ds, CellRows.of(ds)).assign_coords(ci_bound=["lower", "upper"])
    result = result.drop_vars("seed", errors="ignore")
    result.attrs = {
        "metric": metric,
        "mode": mode,
        "split": split,
        "epoch": epoch,
        "diverged": diverged,
        "ci_level": ci,
        "resampled": "seeds of all configurations together" if is_shared else "seeds of each",
        "rng_seed": str(seed),
    }
    return result


def _resampled(
    values: NDArray[np.float64],
    means: NDArray[np.float64],
    is_shared: bool,
    how: tuple[float, int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the interval of each rank, and how often it is the first."""
    ci, n_resamples, seed = how
    there = np.isfinite(values)
    n = there.sum(axis=1)
    if is_shared:
        some = resamples(values.shape[1], n_resamples, seed)
        drawn = _means_of(values, some.counts)
        # A resample that draws none of the seeds of a configuration says nothing new of it.
        drawn = np.where(np.isnan(drawn), means, drawn)
    else:
        some = Resamples(np.empty((n_resamples, 0)))
        drawn = np.repeat(means[:, None], n_resamples, axis=1)
        rng = np.random.default_rng([seed, 1])
        for i in np.flatnonzero(n):
            own = values[i, there[i]]
            places = rng.integers(len(own), size=(n_resamples, len(own)))
            drawn[i] = np.take(own, places.T).mean(axis=0)
        drawn = drawn.T
    scale = np.sqrt(n / np.clip(n - 1, 1, None))
    ranks = _ranks(means + scale * (drawn - means))
    weight = some.probability
    if weight is None:
        weight = np.full(len(ranks), 1 / len(ranks))
    best = ranks == np.nanmin(ranks, axis=1, keepdims=True)
    first = weight @ (best / best.sum(axis=1, keepdims=True))
    bounds = np.full((len(n), 2), np.nan)
    twice = np.where(n, 2 * ranks, 0).T.astype(np.intp)  # equal means share half a rank
    for i in np.flatnonzero(n):
        reached = np.bincount(twice[i], weight).cumsum()
        low = np.argmax(reached > (1 - ci) / 2 + _SLACK)
        high = np.argmax(reached >= 0.5 + ci / 2 - _SLACK)
        bounds[i] = low / 2, high / 2
    return bounds, first


def _means_of(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of what is there in each resample, (resamples, configurations)."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = counts @ np.where(there, values, 0.0).T
        return np.asarray(sums / (counts @ there.T.astype(np.float64)))


def _ranks(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks along the last axis, the largest first; equal ones share theirs, NaN has none.

    Means that differ by rounding alone are equal.
    """
    from scipy import stats

    slack = _SLACK * np.abs(means[np.isfinite(means)]).max(initial=0.0)
    found = np.empty(means.shape)
    step = max(1, _BLOCK // means.shape[1])
    for at in range(0, len(means), step):
        own = means[at : at + step]
        is_finite = np.isfinite(own)
        digits = np.where(is_finite, own, -np.inf)
        if slack > 0:
            digits = np.round(digits / slack / 8) * slack * 8
        found[at : at + step] = np.where(is_finite, stats.rankdata(-digits, axis=-1), np.nan)
    return found
