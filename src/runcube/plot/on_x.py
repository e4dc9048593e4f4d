"""Curves on the x-axis that a figure asks for: another quantity along x, or the time elapsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, clock_seconds, elapsed_seconds, nearest
from runcube.cube import x_dim
from runcube.stats import resample, values_and_logged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats import Data

_INNER = ("seed", "config", "split", "metric")


def x_name(data: Data) -> str | None:
    """Return the dim along which curves run; None where there is none.

    Of an array it is the last dim that is no hyperparameter, seed, split or metric.
    """
    if isinstance(data, xr.Dataset):
        return x_dim(data)
    own = [str(d) for d in data.dims if d not in _INNER]
    own = [d for d in own if d not in data.coords or "hparam" not in data[d].attrs]
    return own[-1] if own else None


def curves_on(data: Data, x: str | None) -> tuple[Data, str]:
    """Return the data on the x-axis that is asked for, and its name.

    Parameters
    ----------
    data : Dataset or DataArray
    x : str, optional
        A dim, a coordinate along it, or ``"elapsed"``. By default the axis of the data; where runs
        are aligned by order, the first quantity along it.

    Raises
    ------
    PlanError
        If there is no x-axis.
    UnknownNameError
        If there is no such quantity; the message has the nearest names.
    """
    axis = x_name(data)
    if axis is None:
        raise PlanError(f"no x-axis is left (dims: {', '.join(map(str, data.dims))})")
    along = [str(n) for n, c in data.coords.items() if axis in c.dims and c.dtype.kind in "if"]
    others = [name for name in along if name != axis]
    if x is None:
        x = others[0] if axis == "point" and others else axis
    if x == axis:
        return data, axis
    if x == "elapsed" and x not in along:
        return _on(data, axis, _elapsed(data, axis, others), x)
    if x not in along:
        raise UnknownNameError(f"x={x!r}: no quantity along {axis}{nearest(x, [axis, *others])}")
    return _on(data, axis, data[x], x)


def _elapsed(data: Data, axis: str, names: list[str]) -> xr.DataArray:
    """Return the seconds since the first record of each run."""
    for name in names:
        unit = elapsed_seconds(name) or clock_seconds(name)
        if unit is not None:
            seconds = data[name].astype(np.float64) * unit
            seconds = seconds - seconds.min(axis)
            return seconds.assign_attrs(long_name="elapsed", units="s")
    known = ", ".join(map(repr, names)) or "none"
    raise UnknownNameError(f"x='elapsed': no clock along {axis} (known: {known})")


def _on(data: Data, axis: str, at: xr.DataArray, name: str) -> tuple[Data, str]:
    attrs = {"long_name": name} | at.attrs
    if at.dims == (axis,):
        kept = np.flatnonzero(np.isfinite(at.values.astype(np.float64)))
        own = at.values[kept]
        moved = data.isel({axis: kept}).drop_vars([axis, name], errors="ignore")
        moved = moved.rename({axis: name}).assign_coords({name: (name, own, attrs)})
        return moved, name
    return _resampled(data, axis, at, name), name


def _resampled(data: Data, axis: str, at: xr.DataArray, name: str) -> Data:
    """Return each run on common points, as many as x has, from the values of its own x."""
    values, logged = values_and_logged(data)
    cells = [d for d in values.dims if d in at.dims and d != axis]
    rest = [d for d in values.dims if d not in cells and d != axis]
    values = values.transpose(*cells, *rest, axis).compute()
    logged = logged.transpose(*cells, *rest, axis).compute()
    own = at.transpose(*cells, axis).values.astype(np.float64)
    there = np.isfinite(own)
    low, high = (own[there].min(), own[there].max()) if there.any() else (0.0, 1.0)
    points = np.linspace(low, high if high > low else low + 1, max(2, values.sizes[axis]))
    found = np.full((*values.shape[:-1], len(points)), np.nan)
    bad = np.zeros(found.shape, dtype=bool)
    for cell in np.ndindex(own.shape[:-1]):
        _, order = np.unique(own[cell], return_index=True)
        order = order[there[cell][order]]
        curves, held = values.values[cell][..., order], logged.values[cell][..., order]
        if len(order) and held.any():
            found[cell] = _interpolated(curves, own[cell][order], points)
            bad[cell] = _nearest(held & ~np.isfinite(curves), own[cell][order], points)
    dims = (*cells, *rest, name)
    lost = [n for n, c in data.coords.items() if axis in c.dims or n == name]
    coords = {n: c.variable for n, c in data.coords.items() if n not in lost}
    coords[name] = xr.Variable(name, points, {"long_name": name} | at.attrs)
    if isinstance(data, xr.DataArray):
        found = np.where(bad, np.inf, found)
        return xr.DataArray(found, dims=dims, coords=coords, name=data.name, attrs=data.attrs)
    arrays = {"curve": (dims, np.where(bad, np.nan, found))}
    return xr.Dataset(
        arrays | {"logged": (dims, bad | np.isfinite(found))}, coords=coords, attrs=data.attrs
    )


def _interpolated(
    curves: NDArray[np.float64], own: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    dims = [f"_{i}" for i in range(curves.ndim - 1)]
    array = xr.DataArray(curves, dims=(*dims, "_x"), coords={"_x": own})
    return resample(array, points, dim="_x").values


def _nearest(
    bad: NDArray[np.bool_], own: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return on which points what is not finite falls."""
    found = np.zeros((*bad.shape[:-1], len(points)), dtype=bool)
    place = abs(points[None, :] - own[:, None]).argmin(axis=1)
    for i, at in enumerate(place.tolist()):
        found[..., at] |= bad[..., i]
    return found
