"""The statistic that figures show of runs, with its interval and what `summarize` says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError

if TYPE_CHECKING:
    from runcube.stats import Data

Statistic = Literal["mean", "median", "iqm"]
_SAID = ("ci_of", "ci_level", "ci_method", "ci_source", "ci_is", "summary_dim", "nonfinite")


def check_statistic(statistic: str) -> None:
    """Raise `PlanError` unless it is one of the statistics."""
    if statistic not in ("mean", "median", "iqm"):
        raise PlanError(f"statistic={statistic!r}: expected 'mean', 'median' or 'iqm'")


def with_interval(found: xr.Dataset, statistic: str) -> dict[str, xr.DataArray]:
    """Return ``center``, ``lower`` and ``upper``; without an interval its bounds are NaN."""
    center = found[statistic]
    if "ci" not in found:
        nothing = xr.full_like(center, np.nan)
        return {"center": center, "lower": nothing, "upper": nothing}
    bounds = {
        name: found["ci"].sel(ci_bound=name, drop=True).transpose(*center.dims)
        for name in ("lower", "upper")
    }
    return {"center": center, **bounds}


def array_name(data: Data) -> str:
    """Return the name of an array; what cubes call their values says nothing."""
    name = "" if isinstance(data, xr.Dataset) or data.name is None else str(data.name)
    return "" if name in ("curve", "final") else name


def said_of(found: xr.Dataset) -> dict[str, Any]:
    """Return the attrs by which ``summarize`` says what it did."""
    return {name: found.attrs[name] for name in _SAID if name in found.attrs}
