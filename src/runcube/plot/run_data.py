"""What figures of one value of each run show, and how each run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.cube import expected_runs, final, x_dim
from runcube.plot.ends import of_runs
from runcube.plot.lines import in_lines, own_name, renamed, stacked, with_dims
from runcube.plot.on_x import x_name
from runcube.plot.statistic import array_name, check_statistic, said_of, with_interval
from runcube.stats import summarize, values_and_logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.plot.statistic import Statistic
    from runcube.stats import RNG, Data


def distribution(
    data: Data,
    *,
    dim: str | Sequence[str] = "seed",
    statistic: Statistic = "mean",
    ci: float | None = 0.95,
    method: Any = None,
    statuses: str | Sequence[str] | None = None,
    rng: RNG = None,
) -> xr.Dataset:
    """Return one value of each run of each line, and what they say together.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, such as ``rc.final(ds)``; of a cube with its x-axis, the last logged
        value of each run.
    dim, statistic, ci, method, statuses, rng
        As for :func:`curves`.

    Returns
    -------
    Dataset
        ``value`` (line, run), NaN where there is no finite one; ``lost``, True where the value is
        a logged NaN or infinity; ``center``, ``lower``, ``upper``, ``n``, ``n_nonfinite`` on
        ``line``. The attr ``value_is`` says which value it is; others of which runs, as for
        :func:`curves`.

    Raises
    ------
    UnknownNameError
        If the data has no such dim.
    PlanError
        If a Dataset is no cube, or the arguments contradict each other.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> drawn = rc.plot.data.distribution(ds.sel(metric="acc1", split="val", weights="None"))
    >>> dict(drawn.sizes), drawn.attrs["value_is"]
    ({'line': 12, 'run': 5}, 'last value')
    """
    check_statistic(statistic)
    data, ends = of_runs(renamed(data), statuses)
    data, value_is = one_value(data)
    data, dims = with_dims(data, dim, None)
    found = summarize(
        data, dim=dims, statistic=statistic, ci=ci, method=method, quantiles=(), rng=rng
    )
    values, logged = values_and_logged(data)
    lost = logged & ~np.isfinite(values)
    drawn = with_interval(found, statistic) | {
        "n": found["n"],
        "n_nonfinite": found["n_nonfinite"],
        "value": stacked(values.where(logged & ~lost), "run", dims),
        "lost": stacked(lost, "run", dims),
    }
    result = in_lines(xr.Dataset(drawn), data, ("run",))
    result = result.isel(line=np.flatnonzero((result["n"] + result["n_nonfinite"]).values > 0))
    result.attrs = said_of(found)
    result.attrs |= {"statistic": statistic, "value_is": value_is, "name": array_name(data)}
    result.attrs |= ends
    return result


def coverage(ds: xr.Dataset) -> xr.DataArray:
    """Return how each run ended, with the configurations as lines.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it.

    Returns
    -------
    DataArray
        ``complete``, ``incomplete``, ``failed`` or ``absent`` on (line, seed): a line for each
        configuration that has a run, its hyperparameters as coordinates. What is not complete is
        what ``ds.sweep.missing()`` lists.

    Raises
    ------
    PlanError
        If the Dataset is no cube.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> drawn = rc.plot.data.coverage(ds)
    >>> drawn.dims, int((drawn == "complete").sum())
    (('line', 'seed'), 118)
    """
    expected = expected_runs(ds)
    cells, rows = expected.cells, expected.rows
    coords = {
        own_name(name): ("line", cells.column(ds, name)[rows, 0], ds[name].attrs)
        for name in cells.names
        if "seed" not in ds[name].dims
    }
    if "config" in cells.dims:
        coords["config"] = ("line", rows, {})
    own = ds["seed"].attrs if "seed" in ds.coords else {}
    return xr.DataArray(
        expected.status,
        dims=("line", "seed"),
        coords=coords | {"seed": ("seed", cells.seeds, own)},
        name="status",
    )


def one_value(data: Data) -> tuple[Data, str]:
    """Return the data without x, and which value of each run it has.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`distribution`.
    """
    axis = x_dim(data) if isinstance(data, xr.Dataset) else x_name(data)
    if axis is None:
        name = data.name if isinstance(data, xr.DataArray) else None
        return data, "last value" if name == "final" else "value"
    end = final(data)
    if isinstance(data, xr.DataArray):
        return end, "last value"
    return xr.Dataset({"curve": end, "logged": values_and_logged(data)[1].any(axis)}), "last value"
