"""The last value that each run logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube.cells import x_dim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def final(ds: xr.Dataset) -> xr.DataArray:
    """Return the last value that each run logged, of each metric in each split.

    A run that diverged ends with the NaN that it logged, not with its last finite value.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected; lazy ones stay lazy.

    Returns
    -------
    DataArray
        ``curve`` without its x-axis, (*cell dims*, split, metric), float64; NaN where nothing was
        logged. The coordinate ``last_<x>``, float64, is the x of each value.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or has no x-axis any more.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> last = ds.sel(metric="acc1", split="val").sweep.final()
    >>> last.dims
    ('weights', 'lr', 'weight_decay', 'seed')
    >>> int(last.sel(lr=0.2).last_epoch.max())
    19
    """
    dim = x_dim(ds)
    if dim is None:
        raise PlanError(f"final: no x-axis is left (dims: {', '.join(map(str, ds.curve.dims))})")
    logged = ds["logged"]
    last = _along(_last, ds["curve"], logged, dim)
    where = _along(_last, ds[dim], logged, dim)
    return last.assign_coords({f"last_{dim}": where.variable}).rename("final")


def _along(
    kernel: Callable[..., NDArray[np.float64]], values: xr.DataArray, logged: xr.DataArray, dim: str
) -> xr.DataArray:
    reduced: xr.DataArray = xr.apply_ufunc(
        kernel,
        values,
        logged,
        input_core_dims=[[dim], [dim]],
        dask="parallelized",
        output_dtypes=[np.float64],
        keep_attrs=True,
    )
    return reduced


def _last(values: NDArray[Any], logged: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the value at the last True of ``logged`` along the last axis; NaN without one."""
    if not logged.shape[-1]:
        return np.full(logged.shape[:-1], np.nan)
    at = logged.shape[-1] - 1 - np.argmax(logged[..., ::-1], axis=-1)
    values = np.broadcast_to(values, logged.shape)
    taken = np.take_along_axis(values, at[..., None], axis=-1)[..., 0]
    return np.where(logged.any(axis=-1), taken, np.nan)
