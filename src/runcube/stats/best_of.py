"""`best_of_k`: what a search of k configurations finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.stats.labelled import values_and_logged

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import Data


def best_of_k(
    data: Data,
    *,
    over: Hashable | Sequence[Hashable],
    mode: Literal["max", "min"],
    k: Sequence[int] | None = None,
    report: Data | None = None,
) -> xr.Dataset:
    """Return the expected best of k configurations, as a search that stops after k would find it.

    An unbiased estimate over all subsets of k of those that ran (Tang et al. 2020). With ``report``
    the best is chosen by ``data`` and the value of ``report`` is averaged: what the search would
    really get, since the best validation value of k flatters.

    Parameters
    ----------
    data : Dataset or DataArray
        One value per run, such as ``rc.final(ds.sel(metric=, split="val"), how="last")`` averaged
        over seeds, or each run on its own. What is not finite counts as the worst.
    over : str or sequence of str
        The dims of what was searched.
    mode : {"max", "min"}
        Which end is better.
    k : sequence of int, optional
        By default 1 to the number of values.
    report : Dataset or DataArray, optional
        Of the same runs, another split.

    Returns
    -------
    Dataset
        ``value`` (…, k), NaN where there are fewer than k values, and ``n``.

    Raises
    ------
    PlanError
        If ``over`` names no dim, or an argument is out of range.

    References
    ----------
    Dodge et al. (2019), Show your work. Tang et al. (2020), Showing your work doesn't always work.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> acc = xr.DataArray([1.0, 2.0, 6.0], dims="lr")
    >>> rc.best_of_k(acc, over="lr", mode="max").value.round(3).values
    array([3.   , 4.667, 6.   ])
    """
    if mode not in ("max", "min"):
        raise PlanError(f"mode={mode!r}: expected 'max' or 'min'")
    values, logged = values_and_logged(data)
    others, held = (values, logged) if report is None else values_and_logged(report)
    dims = [over] if isinstance(over, str) or not isinstance(over, (list, tuple)) else list(over)
    unknown = [name for name in dims if name not in values.dims or name not in others.dims]
    if unknown:
        known = ", ".join(map(str, values.dims))
        raise PlanError(f"over={unknown[0]!r}: no such dim (known: {known})")
    total = int(np.prod([values.sizes[name] for name in dims]))
    ks = np.arange(1, total + 1) if k is None else np.asarray(k, dtype=np.int64)
    if (ks < 1).any():
        raise PlanError("k: expected numbers from 1 on")
    sign = 1.0 if mode == "max" else -1.0
    found: xr.DataArray = xr.apply_ufunc(
        _kernel,
        *(sign * values, logged, sign * others, held),
        input_core_dims=[dims] * 4,
        output_core_dims=[["_statistic"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={
            "output_sizes": {"_statistic": len(ks) + 1},
            "allow_rechunk": True,
        },
        kwargs={"ks": ks, "n_dims": len(dims)},
    )
    best = sign * found.isel(_statistic=slice(1, None)).rename(_statistic="k").assign_coords(k=ks)
    result = xr.Dataset({"value": best, "n": found.isel(_statistic=0).astype(np.int64)})
    result.attrs = {"over": ", ".join(map(str, dims)), "mode": mode}
    return result


def _kernel(
    values: NDArray[np.float64],
    logged: NDArray[np.bool_],
    others: NDArray[np.float64],
    held: NDArray[np.bool_],
    *,
    ks: NDArray[np.int64],
    n_dims: int,
) -> NDArray[np.float64]:
    shape = values.shape[: values.ndim - n_dims]
    size = int(np.prod(values.shape[values.ndim - n_dims :]))
    there = (logged & held).reshape(-1, size)
    values, others = values.reshape(-1, size), others.reshape(-1, size)
    found = np.full((len(values), len(ks) + 1), np.nan)
    for row in range(len(values)):
        own, other = (_worst_of_lost(a[row][there[row]]) for a in (values, others))
        order = np.argsort(own, kind="stable")
        found[row, 0] = len(own)
        weights = np.stack([_weights(own[order], int(count)) for count in ks])
        found[row, 1:] = weights @ other[order] if len(own) else np.nan
    return found.reshape(*shape, len(ks) + 1)


def _worst_of_lost(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(values)
    return np.where(finite, values, values[finite].min() if finite.any() else np.nan)


def _weights(ordered: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return how probably each of the sorted values is the best of k; equal ones share theirs."""
    from scipy.special import gammaln

    n = len(ordered)
    if k > n:
        return np.full(n, np.nan)
    i = np.arange(k, n + 1, dtype=np.float64)
    log = gammaln(i) - gammaln(i - k + 1) - gammaln(k)
    log -= gammaln(n + 1) - gammaln(n - k + 1) - gammaln(k + 1)
    weights = np.concatenate([np.zeros(k - 1), np.exp(log)])
    start = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if n else np.array([], int)
    sizes = np.diff(np.r_[start, n])
    return np.repeat(np.add.reduceat(weights, start) / sizes, sizes) if n else weights
