"""What `curves` shows: a statistic of the runs of each line along x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.plot.ends import of_runs
from runcube.plot.lines import in_lines, own_name, renamed, stacked, with_dims
from runcube.plot.on_x import curves_on
from runcube.plot.statistic import array_name, check_statistic, said_of, with_interval
from runcube.stats import smooth, summarize, values_and_logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.plot.statistic import Statistic
    from runcube.stats import RNG, Data


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
    min_n: int = 1,
    statuses: str | Sequence[str] | None = None,
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
    min_n : int
        Points with values of fewer runs have no statistic.
    statuses : str or sequence of str, optional
        Only runs that ended so, of ``"complete"``, ``"incomplete"`` and ``"failed"``. By default
        all runs count with what they logged, as for :func:`runcube.final` and
        :func:`runcube.summarize`.
    runs : bool
        Whether the single runs are returned as well.

    Returns
    -------
    Dataset
        On ``line`` and x: ``center``, ``lower`` and ``upper`` (NaN without an interval), ``n``,
        ``n_nonfinite``, and ``n_diverging``, how many runs log their first NaN or infinity there;
        ``is_full``, where n is the largest of the line: elsewhere its statistic is of other runs,
        and may jump for that alone; on ``line``, ``n_too_few``, the points below ``min_n``;
        with ``smoothing`` ``raw``, the statistic of what was logged; with ``runs`` the values of
        each, (line, run, x). Hyperparameters, split and metric are coordinates along ``line``.
        Lines without any logged value are left out. Attrs say what was done, and of how many runs
        of each status it is (``statuses``, ``runs``, ``runs_left_out``).

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
    check_statistic(statistic)
    if not min_n >= 1:
        raise PlanError(f"min_n={min_n!r}: expected a number of runs, 1 or more")
    data, ends = of_runs(renamed(data), statuses)
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
    n = raw["n"]
    is_drawn = n >= min_n
    found = {name: own.where(is_drawn) for name, own in with_interval(shown, statistic).items()}
    found |= {
        "n": n,
        "is_full": is_drawn & (n == n.max(axis)),
        "n_too_few": ((n > 0) & ~is_drawn).sum(axis),
        "n_nonfinite": raw["n_nonfinite"],
        "n_diverging": (bad & (bad.cumsum(axis) == 1)).sum(dims),
    }
    if smoothing is not None:
        found["raw"] = raw[statistic].where(is_drawn)
    if runs:
        found["runs"] = stacked(drawn, "run", dims)
    result = in_lines(xr.Dataset(found), data, (axis, "run"))
    held = (result["n"] + result["n_nonfinite"]).sum(axis) > 0
    result = result.isel(line=np.flatnonzero(held.values))
    result.attrs = said_of(raw)
    result.attrs |= {"statistic": statistic, "x": axis, "name": array_name(data), "min_n": min_n}
    result.attrs |= ends
    if smoothing is not None:
        result.attrs["smoothing"] = smoothing
    return result
