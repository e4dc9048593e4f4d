"""Curves along x: on other points, smoothed, their area, and when they reach a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.stats.apart import set_apart
from runcube.stats.labelled import values_and_logged, x_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from runcube.stats.labelled import Data


def resample(data: Data, x: ArrayLike | int, *, dim: str | None = None) -> xr.DataArray:
    """Return curves on other points of x, by linear interpolation within each run.

    Nothing is extrapolated: a run is NaN before its first and after its last finite value. A NaN or
    infinity between them, logged or missing, is bridged: :func:`diverged` finds those runs.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it, or an array whose last dim is x unless ``dim`` says so.
    x : array-like or int
        The points; a number asks for as many, evenly spaced between the first and the last.
    dim : str, optional
        The x-axis.

    Returns
    -------
    DataArray
        With the new points along the x-axis, float64.

    Raises
    ------
    PlanError
        If there is no x-axis, or x is not increasing.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> curve = xr.DataArray([0.0, 1.0, 4.0], dims="epoch", coords={"epoch": [0, 1, 3]})
    >>> rc.resample(curve, [0.5, 2, 4]).values
    array([0.5, 2.5, nan])
    """
    values, dim = _curves(data, dim)
    at = values[dim].values.astype(np.float64)
    points = np.linspace(at[0], at[-1], x) if isinstance(x, int) else np.asarray(x, np.float64)
    if points.ndim != 1 or (np.diff(points) <= 0).any():
        raise PlanError("x: expected increasing points, or how many")

    def on_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.full((len(rows), len(points)), np.nan)
        for row, own in zip(found, rows, strict=True):
            there = np.isfinite(own)
            if there.any():
                row[:] = np.interp(points, at[there], own[there], left=np.nan, right=np.nan)
        return found

    found = _mapped(on_rows, values, dim, points.size)
    return found.assign_coords({dim: (dim, points, values[dim].attrs)})


def smooth(
    data: Data, alpha: float = 0.9, *, dim: str | None = None, by_x: bool = True
) -> xr.DataArray:
    """Return curves smoothed by an exponential moving average without bias at its start.

    A value k steps ago has the weight ``alpha ** k``; weights are divided by their sum. A NaN is
    skipped and stays one, and does not spread. Smooth runs before their mean is taken.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`resample`.
    alpha : float
        From 0 (as it is) to below 1.
    dim : str, optional
        The x-axis.
    by_x : bool
        Whether steps are differences of x, in units of their median, so that a gap counts as one;
        else each logged value is one step.

    Returns
    -------
    DataArray
        As the data, float64.

    Raises
    ------
    PlanError
        If there is no x-axis, or ``alpha`` is out of range.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> rc.smooth(xr.DataArray([1.0, 3.0], dims="epoch"), 0.5).round(3).values
    array([1.   , 2.333])
    """
    if not 0 <= alpha < 1:
        raise PlanError(f"alpha={alpha!r}: expected a number from 0 to below 1")
    values, dim = _curves(data, dim)
    at = values[dim].values.astype(np.float64) if dim in values.coords else None
    steps = np.ones(values.sizes[dim])
    if by_x and at is not None and len(at) > 1:
        steps[1:] = np.diff(at) / np.median(np.diff(at))

    def on_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        total, weight = np.zeros(len(rows)), np.zeros(len(rows))
        found = np.full_like(rows, np.nan)
        for i, own in enumerate(rows.T):
            there = np.isfinite(own)
            fades = alpha ** steps[i] if by_x else np.where(there, alpha, 1.0)
            total = total * fades + np.where(there, own, 0.0)
            weight = weight * fades + there
            found[there, i] = total[there] / weight[there]
        return found

    return _mapped(on_rows, values, dim, values.sizes[dim])


def best_so_far(data: Data, *, mode: Literal["max", "min"], dim: str | None = None) -> xr.DataArray:
    """Return the best value of each run up to each x.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`resample`.
    mode : {"max", "min"}
        Which end is better.
    dim : str, optional
        The x-axis.

    Returns
    -------
    DataArray
        As the data; NaN before the first value of a run and after its last.

    Raises
    ------
    PlanError
        If there is no x-axis, or ``mode`` is another word.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> rc.best_so_far(xr.DataArray([1.0, 3.0, 2.0], dims="epoch"), mode="max").values
    array([1., 3., 3.])
    """
    _check_mode(mode)
    values, dim = _curves(data, dim)
    best = np.fmax if mode == "max" else np.fmin

    def on_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        there = np.isfinite(rows)
        ended = ~np.flip(np.logical_or.accumulate(np.flip(there, axis=1), axis=1), axis=1)
        found = best.accumulate(np.where(there, rows, np.nan), axis=1)
        return np.where(ended, np.nan, found)

    return _mapped(on_rows, values, dim, values.sizes[dim])


def auc(data: Data, *, dim: str | None = None) -> xr.DataArray:
    """Return the mean height of each curve over the range of x that all curves share.

    The area by trapezoids, divided by the range: it has the unit of the metric.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`resample`. Runs without any finite value do not narrow the range; one that
        diverged early does.
    dim : str, optional
        The x-axis.

    Returns
    -------
    DataArray
        Without the x-axis; attrs ``from`` and ``to`` say the range. NaN where a run has no value.

    Raises
    ------
    PlanError
        If there is no x-axis, or curves share no range.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> curve = xr.DataArray([0.0, 2.0, 2.0], dims="epoch", coords={"epoch": [0, 1, 3]})
    >>> rc.auc(curve).item()
    1.6666666666666667
    """
    values, dim = _curves(data, dim)
    at = values[dim].values.astype(np.float64)
    there = np.isfinite(values.transpose(..., dim).values).reshape(-1, len(at))
    there = there[there.any(axis=1)]
    start = at[there.argmax(axis=1)].max(initial=at[0])
    stop = at[len(at) - 1 - there[:, ::-1].argmax(axis=1)].min(initial=at[-1])
    if start >= stop:
        raise PlanError(f"auc: the curves share no range of {dim} (from {start:g} to {stop:g})")
    points = np.unique([start, *at[(at > start) & (at < stop)], stop])
    found = resample(values, points, dim=dim)
    area: xr.DataArray = xr.apply_ufunc(
        lambda own: np.trapezoid(own, points, axis=-1) / (stop - start),
        found,
        input_core_dims=[[dim]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return area.rename("auc").assign_attrs({"from": float(start), "to": float(stop)})


@set_apart("x reached last median restricted_mean n n_reached")
def time_to(
    data: Data,
    threshold: float,
    *,
    mode: Literal["max", "min"],
    over: str | None = "seed",
    dim: str | None = None,
) -> xr.Dataset:
    """Return when runs reach a threshold; a run that never does is censored, and not late.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`resample`, one metric and split.
    threshold : float
    mode : {"max", "min"}
        Whether it is reached from below or from above.
    over : str or None
        The dim over which ``median`` and ``restricted_mean`` are taken.
    dim : str, optional
        The x-axis.

    Returns
    -------
    Dataset
        ``x``, the first x at which a run is there, NaN if it never is; ``reached``, bool; ``last``,
        up to which x it was watched. Without ``over``: ``median``, the x by which half of the runs
        are there by Kaplan and Meier (NaN where that is not seen), and ``restricted_mean``, the
        mean up to the last x of the longest run, what the others did not show estimated.

    Raises
    ------
    PlanError
        If there is no x-axis, or ``mode`` is another word.

    References
    ----------
    Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.

    Examples
    --------
    >>> import runcube as rc, xarray as xr
    >>> acc = xr.DataArray(
    ...     [[10.0, 50.0, 90.0], [10.0, 20.0, 30.0]],
    ...     dims=("seed", "epoch"),
    ...     coords={"seed": [0, 1], "epoch": [1, 2, 3]},
    ... )
    >>> found = rc.time_to(acc, 50, mode="max")
    >>> found.x.values, found["median"].item(), found.restricted_mean.item()
    (array([ 2., nan]), 2.0, 2.5)
    """
    _check_mode(mode)
    values, dim = _curves(data, dim)
    values = values.where(abs(values) < np.inf)
    hit = (values >= threshold) if mode == "max" else (values <= threshold)
    at = xr.ones_like(values) * values[dim].astype(np.float64)
    result = xr.Dataset(
        {
            "x": at.where(hit).min(dim),
            "reached": hit.any(dim),
            "last": at.where(values.notnull()).max(dim),
        }
    )
    if over is not None:
        duration = result["x"].where(result["reached"], result["last"])
        for number, name in enumerate(("median", "restricted_mean")):
            result[name] = xr.apply_ufunc(
                lambda own, seen, number=number: _kaplan_meier(own, seen)[..., number],
                duration,
                result["reached"],
                input_core_dims=[[over], [over]],
                dask="parallelized",
                output_dtypes=[np.float64],
                dask_gufunc_kwargs={"allow_rechunk": True},
            )
    result.attrs = {"threshold": threshold, "mode": mode}
    return result


def _kaplan_meier(
    durations: NDArray[np.float64], reached: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return median and restricted mean of the last axis, (..., 2)."""
    found = np.full((*durations.shape[:-1], 2), np.nan)
    for place in np.ndindex(durations.shape[:-1]):
        own, seen = durations[place], reached[place]
        own, seen = own[np.isfinite(own)], seen[np.isfinite(own)]
        if not len(own):
            continue
        times = np.unique(own)
        at_risk = np.array([(own >= t).sum() for t in times])
        events = np.array([(seen & (own == t)).sum() for t in times])
        left = np.cumprod(1 - events / at_risk)
        half = np.flatnonzero(left <= 0.5 + 1e-12)
        found[place][0] = times[half[0]] if len(half) else np.nan
        before = np.concatenate([[1.0], left[:-1]])
        found[place][1] = (before * np.diff(times, prepend=0.0)).sum()
    return found


def _curves(data: Data, dim: str | None) -> tuple[xr.DataArray, str]:
    values, logged = values_and_logged(data)
    dim = dim or x_of(data, values.dims)
    if dim not in values.dims:
        raise PlanError(f"dim={dim!r}: no such dim (known: {', '.join(map(str, values.dims))})")
    return values.where(logged), dim


def _mapped(
    kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    values: xr.DataArray,
    dim: str,
    size: int,
) -> xr.DataArray:
    """Return what a kernel on rows (rows, x) makes of curves, the dims in their order."""

    def on_last_axis(own: Any) -> Any:
        return kernel(own.reshape(-1, own.shape[-1])).reshape(*own.shape[:-1], size)

    order: Sequence[Any] = values.dims
    found: xr.DataArray = xr.apply_ufunc(
        on_last_axis,
        values,
        input_core_dims=[[dim]],
        output_core_dims=[[dim]],
        exclude_dims={dim} if size != values.sizes[dim] else set(),
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {dim: size}, "allow_rechunk": True},
        keep_attrs=True,
    )
    return found.transpose(*order)


def _check_mode(mode: str) -> None:
    if mode not in ("max", "min"):
        raise PlanError(f"mode={mode!r}: expected 'max' or 'min'")
