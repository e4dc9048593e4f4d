"""`bootstrap`: an interval of any statistic of the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.core import PlanError
from runcube.stats.apart import set_apart
from runcube.stats.grouped import groups_of
from runcube.stats.intervals import interval_of_resamples
from runcube.stats.labelled import applied, dims_of, seed_of, values_and_logged
from runcube.stats.resamples import EXACT_UP_TO, resamples

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    import xarray as xr
    from numpy.typing import NDArray

    from runcube.stats.grouped import Groups
    from runcube.stats.labelled import RNG, Data

# Values of one block of resampled copies, some 40 MB.
_BLOCK = 5_000_000
_LEAST = 2


@set_apart("estimate se n ci ci_bound")
def bootstrap(
    data: Data,
    statistic: Callable[..., Any],
    *,
    dim: Hashable | Sequence[Hashable] = "seed",
    ci: float = 0.95,
    method: Literal["scaled", "percentile", "basic"] = "scaled",
    n_resamples: int = 10_000,
    strata: str | None = None,
    cluster: str | None = None,
    rng: RNG = None,
) -> xr.Dataset:
    """Return a statistic of the seeds with its standard error and interval by bootstrap.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`summarize`. What is not finite is left out.
    statistic : callable
        Takes an array (cells, values) and ``axis=-1``, and returns one number for each cell:
        ``np.ptp``, ``scipy.stats.trim_mean`` with its share bound by ``functools.partial``, …
    dim : str or sequence of str
        What is resampled and reduced.
    ci : float
        Level of the interval.
    method : {"scaled", "percentile", "basic"}
        ``"scaled"`` widens the percentile interval about the estimate by the factor that it is
        short of Student's where values are few: for statistics of location.
    n_resamples : int
        For more than 8 values; up to 8 all resamples are enumerated.
    strata : str, optional
        One of the dims that are reduced, or a coordinate on them: each of its labels is resampled
        by itself. As for :func:`summarize`.
    cluster : str, optional
        One of the dims that are reduced, or a coordinate on them: what shares a label is drawn
        together. A resample then has as many clusters as there are, and more or fewer values where
        they differ in size.
    rng : Generator, int or None
        For reproducible resamples.

    Returns
    -------
    Dataset
        ``estimate``, ``se`` (the bootstrap's standard error) and ``n``, on the remaining dims, and
        ``ci`` with a dim ``ci_bound`` (lower, upper). NaN where there are fewer than two values;
        ``se`` and ``ci`` also where each stratum has one value or cluster.

    Raises
    ------
    UnknownNameError
        If the data has no such dim.
    PlanError
        If a Dataset is no cube, a method is unknown, or ``strata`` and ``cluster`` are as
        :func:`summarize` does not take them.

    References
    ----------
    Hesterberg (2015), What teachers should know about the bootstrap, The American Statistician.

    Examples
    --------
    >>> import numpy as np, runcube as rc, xarray as xr
    >>> acc = xr.DataArray([[1.0, 2.0, 4.0], [1.0, 1.0, np.nan]], dims=("lr", "seed"))
    >>> rc.bootstrap(acc, np.ptp).estimate.values
    array([3., 0.])
    """
    if method not in ("scaled", "percentile", "basic"):
        raise PlanError(f"method={method!r}: expected 'scaled', 'percentile' or 'basic'")
    if not 0 < ci < 1:
        raise PlanError(f"ci={ci!r}: expected a level such as 0.95")
    values, logged = values_and_logged(data)
    dims = dims_of(values, dim, "dim")
    groups = groups_of(data, values, dims, strata, cluster)
    seed = seed_of(rng)
    names = ["n", "estimate", "se", "lower", "upper"]
    kwargs = {"statistic": statistic, "method": method, "level": ci, "n_resamples": n_resamples}
    found = applied(_kernel, values, logged, dims, names, kwargs | {"seed": seed, "groups": groups})
    result = found.to_dataset("_statistic")[["n", "estimate", "se"]]
    result["n"] = result["n"].astype(np.int64)
    result["ci"] = found.sel(_statistic=["lower", "upper"]).rename(_statistic="ci_bound")
    name = getattr(statistic, "__name__", type(statistic).__name__)
    result.attrs = {
        "summary_dim": ", ".join(dims),
        "nonfinite": "omit",
        "ci_of": name,
        "ci_level": ci,
        "ci_method": method,
        "ci_source": f"bootstrap; all resamples up to {EXACT_UP_TO} values, else {n_resamples}",
        "rng_seed": str(seed),
    } | {k: v for k, v in (("strata", strata), ("cluster", cluster)) if v is not None}
    return result


def _kernel(
    values: NDArray[np.float64],
    logged: NDArray[np.bool_],
    *,
    statistic: Callable[..., Any],
    method: str,
    level: float,
    n_resamples: int,
    seed: int,
    groups: Groups | None,
) -> NDArray[np.float64]:
    shape = values.shape[:-1]
    used = np.where(logged & np.isfinite(values), values, np.nan).reshape(-1, values.shape[-1])
    if groups is None:  # then it only counts how many there are
        used = np.sort(used, axis=1)
    found = np.full((len(used), 5), np.nan)
    found[:, 0] = np.isfinite(used).sum(axis=1)
    patterns, pattern_of = np.unique(np.isfinite(used), axis=0, return_inverse=True)
    for number, there in enumerate(patterns):
        cells = np.flatnonzero(pattern_of.reshape(-1) == number)
        count = int(there.sum())
        if count < _LEAST:
            continue
        own = None if groups is None else groups.of(there)
        units, strata = (count, 1) if own is None else own.sizes
        some = None
        if units > strata:  # else nothing is known of the spread
            some = (
                resamples(count, n_resamples, seed)
                if own is None
                else own.resamples(n_resamples, seed)
            )
        step = max(1, _BLOCK // (count if some is None else int(some.counts.sum())))
        for at in range(0, len(cells), step):
            rows = cells[at : at + step]
            block = used[rows][:, there]
            whole = np.asarray(statistic(block, axis=-1), dtype=np.float64)
            found[rows, 1] = whole
            if some is None:
                continue
            drawn = _of_copies(block, some.counts, statistic)
            found[rows, 3:] = interval_of_resamples(
                drawn, whole, method, level, units, some, strata=strata
            )
            mean = np.average(drawn, axis=1, weights=some.probability)
            square = (drawn - mean[:, None]) ** 2
            found[rows, 2] = np.sqrt(np.average(square, axis=1, weights=some.probability))
    return found.reshape(*shape, 5)


def _of_copies(
    values: NDArray[np.float64], counts: NDArray[np.float64], statistic: Callable[..., Any]
) -> NDArray[np.float64]:
    """Return a statistic of copies of the values (cells, n), drawn as counts say.

    Resamples of one size go together: clusters may differ in theirs.
    """
    found = np.empty((len(values), len(counts)))
    sizes = counts.sum(axis=1).astype(np.int64)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        resample, value = np.nonzero(counts[rows])
        times = counts[rows][resample, value].astype(np.int64)
        copies = values[:, np.repeat(value, times)].reshape(-1, size)
        own = np.asarray(statistic(copies, axis=-1), dtype=np.float64)
        found[:, rows] = own.reshape(len(values), len(rows))
    return found
