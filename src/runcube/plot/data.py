"""What figures show, computed first: labelled arrays on lines and x. Nothing here draws.

Each function takes a cube or an array, in either layout, in memory or lazy, and returns arrays in
memory. A *line* is what is left of the data without the seeds and x: a configuration in a split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube import expected_runs, final, x_dim
from runcube.plot.lines import (
    column_name,
    columns_of,
    in_lines,
    own_name,
    renamed,
    stacked,
    telling_apart,
    with_dims,
)
from runcube.plot.on_x import curves_on, x_name
from runcube.plot.scales import calls_for_log, clipped, groups, stretches
from runcube.stats import smooth, summarize, values_and_logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.stats import RNG, Data

__all__ = [
    "calls_for_log",
    "clipped",
    "column_name",
    "columns_of",
    "coverage",
    "curves",
    "distribution",
    "heatmap",
    "stretches",
    "telling_apart",
]

Statistic = Literal["mean", "median", "iqm"]
_SAID = ("ci_of", "ci_level", "ci_method", "ci_source", "ci_is", "summary_dim", "nonfinite")


def curves(
    data: Data,
    *,
    dim: str | Sequence[str] = "seed",
    x: str | None = None,
    statistic: Statistic = "mean",
    ci: float | None = 0.95,
    method: Any = None,
    simultaneous: bool = False,
    smoothing: float | None = None,
    runs: bool = False,
    rng: RNG = None,
) -> xr.Dataset:
    """Return the curve of each line: a statistic of its runs at each x, with an interval.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it; or an array whose last dim that is no hyperparameter is x,
        in which NaN is missing.
    dim : str or sequence of str
        What is reduced; a dim that was selected away counts as one run.
    x : str, optional
        The x-axis, another quantity along it (``"step"``, ``"samples"``), or ``"elapsed"``: seconds
        since the first record. Where runs have their own values of it, they are resampled.
    statistic : {"mean", "median", "iqm"}
    ci, method, simultaneous, rng
        As for :func:`runcube.summarize`.
    smoothing : float, optional
        The ``alpha`` of :func:`runcube.smooth`, applied to each run.
    runs : bool
        Whether the single runs are returned as well.

    Returns
    -------
    Dataset
        On ``line`` and x: ``center``, ``lower`` and ``upper`` (NaN without an interval), ``n``,
        ``n_nonfinite``, and ``n_diverging``, how many runs log their first NaN or infinity there;
        with ``smoothing`` ``raw``, the statistic of what was logged; with ``runs`` the values of
        each, (line, run, x). Hyperparameters, split and metric are coordinates along ``line``.
        Lines without any logged value are left out. Attrs say what was done.

    Raises
    ------
    UnknownNameError
        If the data has no such dim or x.
    PlanError
        If there is no x-axis, or the arguments contradict each other.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> drawn = rc.plot.data.curves(ds.sel(metric="acc1", split=["train", "val"]))
    >>> dict(drawn.sizes), int(drawn.n.max())
    ({'line': 48, 'epoch': 20}, 5)
    """
    _check_statistic(statistic)
    data = renamed(data)
    data, axis = curves_on(data, None if x is None else own_name(x))
    data, dims = with_dims(data, dim, axis)
    how: dict[str, Any] = {"dim": dims, "statistic": statistic, "ci": ci, "method": method}
    how |= {"simultaneous": simultaneous, "quantiles": (), "rng": rng}
    raw = summarize(data, **how)
    values, logged = values_and_logged(data)
    bad = logged & ~np.isfinite(values)
    shown, drawn = raw, values.where(logged & ~bad)
    if smoothing is not None:
        drawn = smooth(data, smoothing, dim=axis)
        shown = summarize(drawn, **how)
    found = _with_interval(shown, statistic) | {
        "n": raw["n"],
        "n_nonfinite": raw["n_nonfinite"],
        "n_diverging": (bad & (bad.cumsum(axis) == 1)).sum(dims),
    }
    if smoothing is not None:
        found["raw"] = raw[statistic]
    if runs:
        found["runs"] = stacked(drawn, "run", dims)
    result = in_lines(xr.Dataset(found), data, (axis, "run"))
    held = (result["n"] + result["n_nonfinite"]).sum(axis) > 0
    result = result.isel(line=np.flatnonzero(held.values))
    result.attrs = {name: raw.attrs[name] for name in _SAID if name in raw.attrs}
    result.attrs |= {"statistic": statistic, "x": axis, "name": _name(data)}
    if smoothing is not None:
        result.attrs["smoothing"] = smoothing
    return result


def distribution(
    data: Data,
    *,
    dim: str | Sequence[str] = "seed",
    statistic: Statistic = "mean",
    ci: float | None = 0.95,
    method: Any = None,
    rng: RNG = None,
) -> xr.Dataset:
    """Return one value of each run of each line, and what they say together.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, such as ``rc.final(ds)``; of a cube with its x-axis, the last logged
        value of each run.
    dim, statistic, ci, method, rng
        As for :func:`curves`.

    Returns
    -------
    Dataset
        ``value`` (line, run), NaN where there is no finite one; ``lost``, True where the value is
        a logged NaN or infinity; ``center``, ``lower``, ``upper``, ``n``, ``n_nonfinite`` on
        ``line``. The attr ``value_is`` says which value it is.

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
    _check_statistic(statistic)
    data = renamed(data)
    data, value_is = one_value(data)
    data, dims = with_dims(data, dim, None)
    found = summarize(
        data, dim=dims, statistic=statistic, ci=ci, method=method, quantiles=(), rng=rng
    )
    values, logged = values_and_logged(data)
    lost = logged & ~np.isfinite(values)
    drawn = _with_interval(found, statistic) | {
        "n": found["n"],
        "n_nonfinite": found["n_nonfinite"],
        "value": stacked(values.where(logged & ~lost), "run", dims),
        "lost": stacked(lost, "run", dims),
    }
    result = in_lines(xr.Dataset(drawn), data, ("run",))
    result = result.isel(line=np.flatnonzero((result["n"] + result["n_nonfinite"]).values > 0))
    result.attrs = {name: found.attrs[name] for name in _SAID if name in found.attrs}
    result.attrs |= {"statistic": statistic, "value_is": value_is, "name": _name(data)}
    return result


def heatmap(
    data: Data,
    *,
    x: str,
    y: str,
    rest: Literal["mean", "median", "best"] = "mean",
    mode: Literal["max", "min"] | None = None,
    bins: int | None = None,
    dim: str | Sequence[str] = "seed",
    ci: float = 0.95,
) -> xr.Dataset:
    """Return the mean of the runs for each pair of labels of two hyperparameters.

    Parameters
    ----------
    data : Dataset or DataArray
        As for :func:`distribution`, one metric and split.
    x, y : str
        The hyperparameters.
    rest : {"mean", "median", "best"}
        What is shown where several configurations share both labels: the mean or median of their
        means, or the best mean, which needs ``mode``.
    mode : {"max", "min"}, optional
        Which end is better.
    bins : int, optional
        Join the labels of a number into so many bins, equally full, labelled by their medians;
        by default 10 where a number has more than 30 labels.
    dim
        As for :func:`distribution`.
    ci : float
        Level of Student's interval, where a pair of labels has one configuration.

    Returns
    -------
    Dataset
        On (y, x): ``value``, NaN without a finite run; ``lower`` and ``upper``, NaN unless there is
        one configuration; ``n``, finite runs in the value; ``n_configs``; ``n_nonfinite``. Attrs
        ``rule`` and ``value_is`` say what a value is.

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter.
    PlanError
        If the data has several metrics or splits, ``"best"`` lacks ``mode``, or as
        :func:`distribution`.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> acc = ds.sel(metric="acc1", split="val")
    >>> drawn = rc.plot.data.heatmap(acc, x="lr", y="weight_decay", rest="best", mode="max")
    >>> drawn.value.dims, drawn.attrs["rule"]
    (('weight_decay', 'lr'), 'best over weights')
    """
    if rest not in ("mean", "median", "best") or (rest == "best" and mode not in ("max", "min")):
        raise PlanError(
            f"rest={rest!r}, mode={mode!r}: expected 'mean', 'median', or 'best' with a mode"
        )
    found = distribution(data, dim=dim, ci=ci)
    keys = telling_apart(found)
    several = [name for name in ("metric", "split") if name in keys]
    if several:
        raise PlanError(f"heatmap: select one {several[0]}: ds.sel({several[0]}=…)")
    x, y = (column_name(found, name, argument) for name, argument in ((x, "x"), (y, "y")))
    if x == y:
        raise PlanError(f"x={x!r}, y={y!r}: expected two hyperparameters")
    columns, rows = groups(found[x], bins), groups(found[y], bins)
    shape = (len(rows[0]), len(columns[0]))
    cells = _pairs(found, rows[1] * shape[1] + columns[1], shape, rest, mode)
    labels = {y: (y, rows[0], found[y].attrs), x: (x, columns[0], found[x].attrs)}
    result = xr.Dataset({name: ((y, x), own) for name, own in cells.items()}, coords=labels)
    own = {n: found[n][0] for n in ("metric", "split") if n in found.coords and found.sizes["line"]}
    result = result.assign_coords({n: c.item() for n, c in own.items()})
    others = [key for key in keys if key not in (x, y)]
    is_joined = int(cells["n_configs"].max(initial=0)) > 1
    result.attrs = found.attrs | {
        "rule": f"{rest} over {', '.join(others) or 'configurations'}" if is_joined else ""
    }
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


def _check_statistic(statistic: str) -> None:
    if statistic not in ("mean", "median", "iqm"):
        raise PlanError(f"statistic={statistic!r}: expected 'mean', 'median' or 'iqm'")


def _with_interval(found: xr.Dataset, statistic: str) -> dict[str, xr.DataArray]:
    center = found[statistic]
    if "ci" not in found:
        nothing = xr.full_like(center, np.nan)
        return {"center": center, "lower": nothing, "upper": nothing}
    bounds = {
        name: found["ci"].sel(ci_bound=name, drop=True).transpose(*center.dims)
        for name in ("lower", "upper")
    }
    return {"center": center, **bounds}


def _name(data: Data) -> str:
    """Return the name of an array; what cubes call their values says nothing."""
    name = "" if isinstance(data, xr.Dataset) or data.name is None else str(data.name)
    return "" if name in ("curve", "final") else name


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
    return xr.Dataset({"curve": end, "logged": data["logged"].any(axis)}), "last value"


def _pairs(
    found: xr.Dataset,
    place: NDArray[np.intp],
    shape: tuple[int, int],
    rest: str,
    mode: str | None,
) -> dict[str, NDArray[Any]]:
    """Return what the configurations of each pair of labels say, (rows, columns)."""
    mean, n = found["center"].values, found["n"].values
    cells: dict[str, NDArray[Any]] = {
        name: np.full(shape, np.nan) for name in ("value", "lower", "upper")
    }
    for name in ("n", "n_configs", "n_nonfinite"):
        cells[name] = np.zeros(shape, dtype=np.int64)
    for at in np.unique(place).tolist():
        cell = np.unravel_index(at, shape)
        lines = np.flatnonzero(place == at)
        cells["n_nonfinite"][cell] = found["n_nonfinite"].values[lines].sum()
        lines = lines[np.isfinite(mean[lines])]
        cells["n_configs"][cell] = len(lines)
        if not len(lines):
            continue
        if rest == "best":
            lines = lines[[np.argmax(mean[lines]) if mode == "max" else np.argmin(mean[lines])]]
        cells["value"][cell] = (np.median if rest == "median" else np.mean)(mean[lines])
        cells["n"][cell] = n[lines].sum()
        if cells["n_configs"][cell] == 1:
            cells["lower"][cell] = found["lower"].values[lines[0]]
            cells["upper"][cell] = found["upper"].values[lines[0]]
    return cells
