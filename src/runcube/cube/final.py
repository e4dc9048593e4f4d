"""One number of each curve: its end, its best, its value at the best of another, divergence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, check_choice, nearest
from runcube.cube.cells import x_dim
from runcube.cube.kernels import best_of, last_of, mean_of_last, take

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

How = Literal["last", "best", "mean"]
Mode = Literal["max", "min"]
_Array = TypeVar("_Array", xr.DataArray, xr.Variable)


def final(
    ds: xr.Dataset | xr.DataArray,
    *,
    how: How = "last",
    mode: Mode | None = None,
    last: int | None = None,
) -> xr.DataArray:
    """Return the value that each run ends with, of each metric in each split.

    The end of a run is its own last logged value. ``curve.isel(epoch=-1)`` is that of the longest
    run: it is NaN for every run that stopped before.

    Parameters
    ----------
    ds : Dataset or DataArray
        A cube, in either layout, whole or selected (``ds.sel(metric="acc1", split="val")``): its
        ``logged`` decides what counts, so that a run that diverged ends with the NaN that it
        logged. Of a bare DataArray (``ds.curve.sel(...)``) NaN is missing, and such a run ends
        with its last number: give the Dataset wherever you can. Dask arrays stay lazy.
    how : {"last", "best", "mean"}
        ``"last"``: the last logged value. ``"best"``: the best value at any x; ``mode`` says which
        is better. ``"mean"``: the mean of the ``last`` logged values.
    mode : {"max", "min"}, optional
        For ``how="best"``, which needs it: whether the highest or the lowest value is the best,
        for every metric of the selection. It is never guessed from a name.
    last : int, optional
        For ``how="mean"``, which needs it: the number of values. A run that logged fewer has the
        mean of those; the coordinate ``n_values`` tells.

    Returns
    -------
    DataArray
        ``curve`` without its x-axis, (*cell dims*, split, metric), of its dtype; NaN where nothing
        was logged. Beside it the x of the choice, float64, NaN where nothing was chosen:
        ``last_<x>``, or ``best_<x>`` (the first, where several are equally good); the same of
        every other quantity along x (``last_step``). ``how="mean"`` has the x of the last value,
        and ``n_values``, int64. ``nonfinite``, bool: whether the value is a NaN or infinity that
        the run logged, and not missing; statistics and tables count it (of a bare DataArray only
        infinities are known). A name that is taken gets an underscore.

    Raises
    ------
    PlanError
        If the Dataset is no cube, has no x-axis any more, or the arguments are not valid.

    See Also
    --------
    at_best : all metrics and splits where one of them is best.
    diverged : which curves hold a logged NaN or infinity.

    Notes
    -----
    NaN and ±inf are never the best: an infinity is what a diverged run logs, and ``mode="min"``
    would praise a run for a loss of -inf. A run that logged no finite number has NaN, in place of
    the inf that ``curve.max("epoch")`` may return. In a mean they count: one logged NaN among the
    last values makes it NaN, and is not skipped.

    Mask with the status of the result, ``end.where(end.status == "complete")``: the status of the
    whole cube would bring back what was selected away. A mask leaves ``nonfinite`` as it is: a run
    that diverged is counted as such, whether its value is shown or not.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> val = ds.sel(metric="acc1", split="val")
    >>> end = rc.final(val)
    >>> end.dims
    ('weights', 'lr', 'weight_decay', 'seed')
    >>> int(end.last_epoch.min()), int(end.last_epoch.max())
    (10, 19)
    >>> run = {"weights": "DEFAULT", "lr": 0.2, "weight_decay": 0.1, "seed": 0}
    >>> lost = rc.final(ds.sel(metric="loss", split="train", weights="None", lr=1.4)).nonfinite
    >>> lost.sum("seed").values.tolist()
    [3, 3, 3]
    >>> best = rc.final(val, how="best", mode="max").sel(run)
    >>> best.item(), int(best.best_epoch)
    (90.0, 5)
    >>> tail = rc.final(val, how="mean", last=5).sel(run)
    >>> round(tail.item(), 2), tail.n_values.item()
    (87.9, 5)
    """
    _check(how, mode, last)
    values, logged, x = _curves(ds, "final")
    if how == "best":
        at = _along(best_of, (x,), values, logged, dtype=np.intp, mode=mode)
        end = _taken(values, at, x, "best").rename("final")
        return _with_nonfinite(end, logged.any(x))
    at = _along(last_of, (x,), logged, dtype=np.intp)
    end = _taken(values, at, x, "last").rename("final")
    if how == "mean":
        mean = _along(mean_of_last, (x,), values, logged, dtype=float, last=last)
        end = end.copy(data=mean.transpose(*end.dims).astype(end.dtype).data)
        end = _beside(end, {"n_values": logged.sum(x).clip(max=last).variable})
    return _with_nonfinite(end, at >= 0)


def at_best(ds: xr.Dataset | xr.DataArray, *, metric: str, split: str, mode: Mode) -> xr.DataArray:
    """Return every metric and split of each run where one metric of one split is best.

    This is what early stopping reports: each run's epoch is chosen on the validation split, and
    the test split is read there.

    Parameters
    ----------
    ds : Dataset or DataArray
        A cube, in either layout, or a selection that holds this metric and split; or its curves
        alone, as for :func:`final`. Dask arrays stay lazy.
    metric, split : str
        What is compared.
    mode : {"max", "min"}
        Whether the highest or the lowest value is the best.

    Returns
    -------
    DataArray
        ``curve`` without its x-axis, (*cell dims*, split, metric); NaN where a metric has no value
        at that x. A run that logged no finite number of the metric compared has NaN throughout.
        The coordinate ``best_<x>``, float64, (*cell dims*), is the x that was chosen, the first
        where several are equally good; the same of every other quantity along x. ``nonfinite`` is
        as of :func:`final`, True too where a run has no best since it logged no finite number.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        As :func:`final`.

    See Also
    --------
    final : the end of each curve, or the best of each for itself.

    Notes
    -----
    The best is that of ``final(how="best")``: NaN and ±inf never are.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> best = rc.at_best(ds, metric="acc1", split="val", mode="max")
    >>> best.dims
    ('weights', 'lr', 'weight_decay', 'seed', 'split', 'metric')
    >>> test = best.sel(metric="acc1", split="eval")
    >>> test = test.where(test.status == "complete")
    >>> test.mean("seed").sel(weights="DEFAULT", lr=0.2).values.round(2).tolist()
    [96.52, 96.98, 92.95]
    >>> test.best_epoch.sel(weights="DEFAULT", lr=0.2, weight_decay=0.1).values.tolist()
    [5.0, 0.0, 0.0, 2.0, 2.0]
    """
    check_choice("mode", mode, get_args(Mode))
    values, logged, x = _curves(ds, "at_best")
    asked = {"split": split, "metric": metric}
    places = {dim: _place(values, dim, label) for dim, label in asked.items()}
    here = {dim: place for dim, place in places.items() if dim in values.dims}
    values, logged = (_one_block(array, *here) for array in (values, logged))
    # Selected in the kernel: a second selection of a lazy cube would read what is around it.
    at = _along(best_of, (*here, x), values, logged, dtype=np.intp, mode=mode, at=(*here.values(),))
    best = _taken(values, at, x, "best").rename("at_best")
    return _with_nonfinite(best, _at(logged, at, x) == 1, logged.any(x) & (at < 0))


def diverged(ds: xr.Dataset) -> xr.DataArray:
    """Return which curves hold a logged NaN or infinity.

    What is missing does not count: a run that was killed, or logs a metric at some x only, has not
    diverged.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected; lazy ones stay lazy. A DataArray does not do:
        it cannot tell a logged NaN from a missing value.

    Returns
    -------
    DataArray
        Bool, ``curve`` without its x-axis, (*cell dims*, split, metric): a run whose loss is NaN
        still has an accuracy, so select what is meant, or ``.any(["split", "metric"])``. Where x
        was selected away (``ds.isel(epoch=-1)``), of the value that is left.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or a DataArray is given.

    See Also
    --------
    final : a run that diverged ends with the NaN or infinity that it logged.
    runcube.divergence : at which x, and also where a curve leaves those of the other runs.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> bad = rc.diverged(ds.sel(metric="loss", split="train"))
    >>> bad.sum("seed").sel(weights="None").to_pandas()
    weight_decay  0.00  0.01  0.10
    lr
    0.004            0     0     0
    0.028            0     0     0
    0.200            0     0     0
    1.400            3     3     3
    """
    given: object = ds
    if isinstance(given, xr.DataArray):
        raise PlanError(
            "diverged: a DataArray does not tell a logged NaN from a missing value; "
            "give the cube or a selection of it, ds.sel(...)"
        )
    x = x_dim(ds)
    bad = _logged(ds) & ~np.isfinite(ds["curve"])
    return (bad if x is None else bad.any(x)).drop_attrs(deep=False).rename("diverged")


def _check(how: How, mode: Mode | None, last: int | None) -> None:
    check_choice("how", how, get_args(How))
    if how == "best" and mode is None:
        raise PlanError('how="best" needs mode="max" or mode="min": which values are better')
    if mode is not None:
        check_choice("mode", mode, get_args(Mode))
    if how == "mean" and last is None:
        raise PlanError('how="mean" needs last=: the number of values, as in last=5')
    whole = isinstance(last, int | np.integer) and not isinstance(last, bool)
    if last is not None and not (whole and last > 0):
        raise PlanError(f"last={last!r}: expected a number of values, 1 or more")
    for name, value, of in (("mode", mode, "best"), ("last", last, "mean")):
        if value is not None and how != of:
            raise PlanError(f'{name}={value!r} means nothing with how="{how}", only with "{of}"')


def _place(values: xr.DataArray, dim: str, asked: str) -> int:
    """Return the place of a label along a dim, 0 where it is all that was selected."""
    known = np.atleast_1d(values[dim].values).tolist() if dim in values.coords else []
    if asked not in known:
        raise UnknownNameError(f"at_best: {dim}={asked!r} is not there{nearest(asked, known)}")
    return int(known.index(asked))


def _curves(ds: xr.Dataset | xr.DataArray, asking: str) -> tuple[xr.DataArray, xr.DataArray, str]:
    """Return values and whether they were logged, in one block along x, and the name of x."""
    if isinstance(ds, xr.DataArray):
        values, logged = ds, ds.notnull()
        beside = {"split", "metric", "seed", "config"}
        if "status" in ds.coords:
            beside |= set(map(str, ds["status"].dims))
        left = [d for d in map(str, ds.dims) if d not in beside and "hparam" not in ds[d].attrs]
    else:
        left = [dim for dim in (x_dim(ds),) if dim is not None]
        values, logged = ds["curve"], _logged(ds)
    if len(left) > 1:
        raise PlanError(f"{asking}: which dim is x cannot be told ({', '.join(left)}); give ds")
    if not left:
        raise PlanError(f"{asking}: no x-axis is left (dims: {', '.join(map(str, values.dims))})")
    return _one_block(values, left[0]), _one_block(logged, left[0]), left[0]


def _logged(ds: xr.Dataset) -> xr.DataArray:
    # A mask on the whole Dataset (`ds.where`) makes numbers of it, NaN where it hides a run.
    logged: xr.DataArray = ds["logged"] == 1
    return logged


def _one_block(array: xr.DataArray, *dims: str) -> xr.DataArray:
    whole = _whole(array.variable, *dims)
    return array if whole is array.variable else array.copy(data=whole.data)


def _whole(variable: xr.Variable, *dims: str) -> xr.Variable:
    """Return a variable whose blocks, where it has any, are not cut along these dims."""
    cut = {dim: -1 for dim in dims if len(variable.chunksizes.get(dim, ())) > 1}
    return variable.chunk(cut) if cut else variable


def _taken(values: xr.DataArray, at: xr.DataArray, x: str, choice: str) -> xr.DataArray:
    """Return the values at a place along x, and beside them each quantity along x, there."""
    # Variables: a DataArray of each would carry all other coordinates, of which there may be many.
    along = {x: values[x].variable}
    along |= {str(n): v for n, v in values.coords.variables.items() if x in v.dims}
    quantities = {name: v for name, v in along.items() if v.dtype.kind in "iuf"}
    beside = {f"{choice}_{n}": _at(_whole(v, x), at.variable, x) for n, v in quantities.items()}
    return _beside(_at(values, at, x), beside)


def nonfinite_of(data: xr.DataArray) -> xr.DataArray | None:
    """Return where values are a NaN or infinity that was logged, as :func:`final` says beside them.

    None where nothing is said of it.
    """
    name = "nonfinite"
    while name in data.coords and "hparam" in data.coords[name].attrs:
        name += "_"
    found = data.coords.get(name)
    return found if found is not None and found.dtype == bool else None


def _with_nonfinite(end: xr.DataArray, *logged: xr.DataArray) -> xr.DataArray:
    """Return values with the coordinate ``nonfinite``: which were logged as NaN or infinity."""
    where = logged[0] if len(logged) == 1 else logged[0] | logged[1]
    return _beside(end, {"nonfinite": (where & ~np.isfinite(end)).variable})


def _at(values: _Array, at: _Array, x: str) -> _Array:
    taken: _Array = xr.apply_ufunc(
        take,
        values,
        at,
        input_core_dims=[[x], []],
        dask="parallelized",
        output_dtypes=[values.dtype if values.dtype.kind == "f" else float],
        keep_attrs="override",
    )
    return taken


def _along(
    kernel: Callable[..., NDArray[Any]],
    dims: tuple[str, ...],
    *arrays: xr.DataArray,
    dtype: Any,
    **arguments: Any,
) -> xr.DataArray:
    reduced: xr.DataArray = xr.apply_ufunc(
        kernel,
        *arrays,
        input_core_dims=[dims] * len(arrays),
        kwargs=arguments,
        dask="parallelized",
        output_dtypes=[dtype],
    )
    return reduced


def _beside(array: xr.DataArray, coords: dict[str, xr.Variable]) -> xr.DataArray:
    taken = {*map(str, array.coords), *map(str, array.dims)}
    named = {}
    for name, coord in coords.items():
        while name in taken:
            name += "_"  # noqa: PLW2901, until it is free
        named[name] = coord.transpose(*(dim for dim in array.dims if dim in coord.dims))
    return array.assign_coords(named)
