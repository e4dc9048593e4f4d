"""`bootstrap`: an interval of any statistic of the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.core import PlanError
from runcube.stats.intervals import interval_of_resamples
from runcube.stats.labelled import applied, dims_of, seed_of, values_and_logged
from runcube.stats.resamples import EXACT_UP_TO, resamples

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    import xarray as xr
    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG, Data

# Values of one block of resampled copies, some 40 MB.
_BLOCK = 5_000_000
_LEAST = 2


def bootstrap(
    data: Data,
    statistic: Callable[..., Any],
    *,
    dim: Hashable | Sequence[Hashable] = "seed",
    ci: float = 0.95,
    method: Literal["scaled", "percentile", "basic"] = "scaled",
    n_resamples: int = 10_000,
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
    rng : Generator, int or None
        For reproducible resamples.

    Returns
    -------
    Dataset
        ``estimate``, ``se`` (the bootstrap's standard error) and ``n``, on the remaining dims, and
        ``ci`` with a dim ``ci_bound`` (lower, upper). NaN where there are fewer than two values.

    Raises
    ------
    UnknownNameError
        If the data has no such dim.
    PlanError
        If a Dataset is no cube, or a method is unknown.

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
    seed = seed_of(rng)
    names = ["n", "estimate", "se", "lower", "upper"]
    kwargs = {"statistic": statistic, "method": method, "level": ci, "n_resamples": n_resamples}
    found = applied(_kernel, values, logged, dims, names, kwargs | {"seed": seed})
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
    }
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
) -> NDArray[np.float64]:
    shape = values.shape[:-1]
    used = np.where(logged & np.isfinite(values), values, np.nan).reshape(-1, values.shape[-1])
    ordered = np.sort(used, axis=1)
    n = np.isfinite(used).sum(axis=1)
    found = np.full((len(used), 5), np.nan)
    found[:, 0] = n
    for count in np.unique(n[n >= _LEAST]).tolist():
        cells = np.flatnonzero(n == count)
        some = resamples(count, n_resamples, seed)
        step = max(1, _BLOCK // (len(some.counts) * count))
        for at in range(0, len(cells), step):
            own = ordered[cells[at : at + step], :count]
            whole = np.asarray(statistic(own, axis=-1), dtype=np.float64)
            drawn = _of_copies(own, some.counts, statistic)
            bounds = interval_of_resamples(drawn, whole, method, level, count, some)
            weight = some.probability
            mean = np.average(drawn, axis=1, weights=weight)
            se = np.sqrt(np.average((drawn - mean[:, None]) ** 2, axis=1, weights=weight))
            found[cells[at : at + step], 1:] = np.column_stack([whole, se, bounds])
    return found.reshape(*shape, 5)


def _of_copies(
    ordered: NDArray[np.float64], counts: NDArray[np.float64], statistic: Callable[..., Any]
) -> NDArray[np.float64]:
    """Return a statistic of copies of the values (cells, n), drawn as counts say."""
    resample, value = np.nonzero(counts)
    times = counts[resample, value].astype(np.int64)
    drawn = np.repeat(value, times).reshape(len(counts), ordered.shape[1])
    copies = ordered[:, drawn].reshape(-1, ordered.shape[1])
    found = np.asarray(statistic(copies, axis=-1), dtype=np.float64)
    return found.reshape(len(ordered), len(counts))
