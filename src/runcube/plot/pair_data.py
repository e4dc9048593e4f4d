"""What `heatmap` shows: a value for each pair of labels of two hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.plot.lines import column_name, telling_apart
from runcube.plot.run_data import distribution
from runcube.plot.scales import groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.stats import Data


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
    statuses: str | Sequence[str] | None = None,
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
    dim, statuses
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
    found = distribution(data, dim=dim, ci=ci, statuses=statuses)
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
