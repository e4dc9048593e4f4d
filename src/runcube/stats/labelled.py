"""Cubes and arrays in, values and what was logged out: what all faces of this package share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube import coordinate_name, nonfinite_of, x_dim

if TYPE_CHECKING:
    from collections.abc import Iterable

RNG: TypeAlias = np.random.Generator | int | None
Data: TypeAlias = xr.DataArray | xr.Dataset


def values_and_logged(data: Data) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the values of a cube or an array, and where there are any.

    Parameters
    ----------
    data : Dataset or DataArray
        A cube or a selection of it, whose ``logged`` tells a NaN that was logged from a value that
        is missing; or an array, in which NaN is missing, but where it has the coordinate
        ``nonfinite`` of :func:`runcube.final`.

    Raises
    ------
    PlanError
        If a Dataset is no cube.
    """
    if isinstance(data, xr.DataArray):
        logged, nonfinite = data.notnull(), nonfinite_of(data)
        return data.astype(np.float64), logged if nonfinite is None else logged | nonfinite
    if not isinstance(data, xr.Dataset):
        raise TypeError(f"expected a cube or a DataArray, got {type(data).__name__}")
    lost = [name for name in ("curve", "logged") if name not in data.variables]
    if lost:
        raise PlanError(f"not a runcube cube: no variable {lost[0]!r}")
    # A mask on the whole Dataset (`ds.where`) makes numbers of it, NaN where it hides a run.
    logged = data["logged"] if data["logged"].dtype == bool else data["logged"] == 1
    return data["curve"].astype(np.float64), logged


def dims_of(values: xr.DataArray, dim: Hashable | Sequence[Hashable], argument: str) -> list[str]:
    """Return the dims that an argument names: by their names, or by keys of hyperparameters.

    Raises
    ------
    UnknownNameError
        If the array has no such dim.
    """
    names = [dim] if isinstance(dim, str) or not isinstance(dim, Sequence) else list(dim)
    return [coordinate_name(values, name, argument, among=values.dims) for name in names]


def x_of(data: Data, known: Iterable[Hashable]) -> str:
    """Return the dim along which curves run.

    Raises
    ------
    PlanError
        If there is none, or if an array has several dims that may be it.
    """
    if isinstance(data, xr.Dataset):
        found = x_dim(data)
        if found is None:
            raise PlanError(f"no x-axis is left (dims: {', '.join(map(str, data['curve'].dims))})")
        return found
    last = [str(d) for d in known]
    if not last:
        raise PlanError("no dim is left along which curves could run")
    return last[-1]


def are_labels(data: Data, dim: str) -> bool:
    """Return whether seeds are labels that settings share; numbered replicates are not."""
    own = data.coords.get(dim)
    is_number = own is None or own.attrs.get("long_name") == "replicate"
    return not is_number and "seed_value" not in data.coords


def seed_of(rng: RNG) -> int:
    """Return the seed of all resamples of one call."""
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return int(rng)
    return int(np.random.default_rng(rng).integers(2**32))


def applied(
    kernel: Any,
    values: xr.DataArray,
    logged: xr.DataArray,
    dims: Sequence[str],
    names: Sequence[str],
    kwargs: dict[str, Any],
) -> xr.DataArray:
    """Return what a kernel makes of the reduced dims, lazily where the values are lazy.

    Parameters
    ----------
    kernel : callable
        Takes values and what was logged, (..., n), and returns (..., statistics).
    values, logged : DataArray
    dims : sequence of str
        What is reduced.
    names : sequence of str
        Labels of the statistics.
    kwargs : dict
        Of the kernel.

    Returns
    -------
    DataArray
        On the remaining dims and ``_statistic``.
    """

    def on_last_axis(own: Any, held: Any) -> Any:
        flat = (*own.shape[: own.ndim - len(dims)], -1)
        return kernel(own.reshape(flat), held.reshape(flat), **kwargs)

    found: xr.DataArray = xr.apply_ufunc(
        on_last_axis,
        values,
        logged,
        input_core_dims=[list(dims), list(dims)],
        output_core_dims=[["_statistic"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"_statistic": len(names)}, "allow_rechunk": True},
        keep_attrs=True,
    )
    return found.assign_coords(_statistic=list(names))
