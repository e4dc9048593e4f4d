"""`best_of_k`: what a search of k configurations finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError, check_choice
from runcube.stats.apart import set_apart
from runcube.stats.labelled import dims_of, values_and_logged

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import Data


@set_apart("k value n cost n_cost_unknown")
def best_of_k(
    data: Data,
    *,
    over: Hashable | Sequence[Hashable],
    mode: Literal["max", "min"],
    k: Sequence[int] | None = None,
    report: Data | None = None,
    dim: Hashable | Sequence[Hashable] = (),
    cost: Literal["runs", "train_time"] | xr.DataArray | None = None,
) -> xr.Dataset:
    """Return the expected best of k configurations, as a search that stops after k would find it.

    An unbiased estimate over all subsets of k of those that ran (Tang et al. 2020). With ``report``
    the best is chosen by ``data`` and the value of ``report`` is averaged: what the search would
    really get, since the best validation value of k flatters.

    Parameters
    ----------
    data : Dataset or DataArray
        One value per run, such as ``rc.final(ds.sel(metric=, split="val"))``. What is not finite
        counts as the worst.
    over : str or sequence of str
        The dims of what was searched.
    mode : {"max", "min"}
        Which end is better.
    k : sequence of int, optional
        By default 1 to the number of values.
    report : Dataset or DataArray, optional
        Of the same runs, another split.
    dim : str or sequence of str
        Such as ``"seed"``: a configuration is the mean of its runs, and costs all of them. With a
        run whose value is a logged NaN or infinity it is as bad as the worst; of an array, where
        NaN is missing, with ``final.where(~rc.diverged(ds), np.inf)``.
    cost : {"runs", "train_time"} or DataArray, optional
        What a search of k costs: the number of runs, or the seconds of the coordinate
        ``train_time``; or what each run cost, on the labels of the data, its unit in the attr
        ``units``.

    Returns
    -------
    Dataset
        ``value`` (…, k), NaN where there are fewer than k values, and ``n``. With ``cost`` the
        coordinate ``cost`` (…, k), what k configurations cost on average, with its ``units``: k
        times the runs of a configuration times the mean cost of a run whose cost is known; and
        ``n_cost_unknown``, of how many runs it is not. NaN where it is known of none.

    Raises
    ------
    UnknownNameError
        If ``dim`` or ``over`` names no dim.
    PlanError
        If there is no ``train_time``, or an argument is out of range.

    Notes
    -----
    A run whose train time is unknown counts as the average one. Where those were killed early, the
    cost is too high by what they did not use.

    References
    ----------
    Dodge et al. (2019), Show your work. Tang et al. (2020), Showing your work doesn't always work.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> acc = xr.DataArray([1.0, 2.0, 6.0], dims="lr")
    >>> rc.best_of_k(acc, over="lr", mode="max").value.round(3).values
    array([3.   , 4.667, 6.   ])

    With the cost of a search that runs each configuration with all seeds:

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> keys = ["weights", "lr", "weight_decay"]
    >>> final = rc.final(ds.sel(metric="acc1", split="val"))
    >>> found = rc.best_of_k(final, over=keys, dim="seed", mode="max", k=[1, 10], cost="runs")
    >>> found.cost.values.tolist(), found.cost.attrs["units"]
    ([5.0, 50.0], 'runs')
    """
    if mode not in ("max", "min"):
        raise PlanError(f"mode={mode!r}: expected 'max' or 'min'")
    values, logged = values_and_logged(data)
    others, held = (values, logged) if report is None else values_and_logged(report)
    averaged = dims_of(values, dim, "dim")
    ran = logged
    values, logged = _averaged(values, logged, averaged)
    others, held = (
        (values, logged) if report is None else _averaged(others, held, dims_of(others, dim, "dim"))
    )
    dims = dims_of(values, over, "over")
    dims_of(others, dims, "over")
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
    if averaged:
        result.attrs["dim"] = ", ".join(averaged)
    if cost is not None:
        each, result["n_cost_unknown"] = _cost(ran, cost, list(map(str, dims)), averaged)
        by_k = (each * result["k"]).transpose(..., "k").assign_attrs(each.attrs)
        result = result.assign_coords(cost=by_k)
        name = cost if isinstance(cost, str) else cost.name
        result.attrs["cost"] = "given" if name is None else str(name)
    return result


def _averaged(
    values: xr.DataArray, logged: xr.DataArray, dims: list[str]
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return means of what was logged; a NaN or infinity that was logged stays one."""
    if not dims:
        return values, logged
    count = logged.sum(dims)
    total = values.where(abs(values) < np.inf).where(logged, 0.0).sum(dims, skipna=False)
    return total / count.where(count > 0), count > 0


def _cost(
    logged: xr.DataArray, cost: str | xr.DataArray, over: list[str], dim: list[str]
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return what a configuration costs on average, and of how many runs the cost is unknown."""
    # A run costs the same whatever it logs.
    ran = logged.any([d for d in ("split", "metric") if d in logged.dims and d not in over])
    if isinstance(cost, xr.DataArray):
        own = cost.astype(np.float64)
    else:
        check_choice("cost", cost, ("runs", "train_time"))
        own = xr.ones_like(ran, dtype=np.float64).assign_attrs(units="runs")
        if cost == "train_time":
            if "train_time" not in logged.coords:
                raise PlanError("cost='train_time': no such coordinate; a mean over runs has none")
            own = logged.coords["train_time"]
    foreign = [str(d) for d in own.dims if d not in ran.dims]
    if foreign:
        raise PlanError(f"cost: it has dims that the data has not: {', '.join(foreign)}")
    units = str(own.attrs.get("units", ""))
    ran, own = xr.align(ran, own, join="left")
    spent = own.where(ran)
    runs, configs = ran.sum(over + dim), ran.any(dim).sum(over)
    each = spent.mean(over + dim) * runs / configs.where(configs > 0)
    unknown = (ran & spent.isnull()).sum(over + dim).astype(np.int64)
    each = each.reset_coords(drop=True).rename("cost")
    return each.assign_attrs(units=units, long_name="cost"), unknown.reset_coords(drop=True)


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
