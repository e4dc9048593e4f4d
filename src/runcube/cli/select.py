"""Selections of a cube from text, and their values as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import xarray as xr

from runcube.core import PlanError, Status, UnknownNameError, close_names, listed, value_text
from runcube.cube import at_best as choose_at_best
from runcube.cube import (
    check_cube,
    coordinate_name,
    final,
    find_name,
    full_key,
    hyperparameters,
    laid_out,
    of_status,
    table,
    which_tell_apart,
    x_dim,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

_Data = TypeVar("_Data", xr.Dataset, xr.DataArray)
Mode = Literal["max", "min"]

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN = 12
# Ways to write the value whose label is "None".
_NULLS = ("none", "null")


def where(ds: xr.Dataset, wanted: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """Return the part of a cube with the labels asked for; dims stay, with fewer labels.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    wanted : mapping of str to sequence of str
        Coordinate (or full key of a hyperparameter) to the values to keep, as text. The dtype of
        the coordinate decides what a text means: ``"0.1"`` is a number on a float axis. ``null``
        and ``none`` are the label ``None``, unless a text of the logs is spelt so.

    Returns
    -------
    Dataset
        The cube with fewer labels. A coordinate on several dims masks instead: other cells become
        absent.

    Raises
    ------
    UnknownNameError
        If there is no such coordinate or value; the message has the nearest ones.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cli.select import where
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> where(ds, {"optim.lr": ["0.2"], "seed": ["0", "1"]}).curve.shape[:4]
    (2, 1, 3, 2)
    """
    check_cube(ds)
    for asked, texts in wanted.items():
        coord = ds[coordinate(ds, asked)]
        keep = _matches(coord, texts, asked)
        if len(coord.dims) == 1:
            ds = ds.isel({coord.dims[0]: np.flatnonzero(keep)})
        elif coord.dims:
            mask = xr.DataArray(keep, dims=coord.dims)
            curve, logged = ds["curve"].where(mask), ds["logged"] & mask
            ds = ds.assign(curve=curve.transpose(*ds["curve"].dims), logged=logged)
            if set(mask.dims) <= set(ds["status"].dims):
                status = ds["status"].where(mask, Status.ABSENT.value)
                ds = ds.assign_coords(status=status.transpose(*ds["status"].dims))
    return ds


def coordinate(ds: xr.Dataset, asked: str) -> str:
    """Return the name of a coordinate that was asked for by name or full key.

    Raises
    ------
    UnknownNameError
        If there is none; the message has the nearest ones.
    """
    found = find_name(ds, asked)
    if found is not None and found in ds.coords:
        return found
    hyper = hyperparameters(ds)
    by_key = [full_key(ds, name) for name in hyper]
    names = [*hyper, *(n for n in ("seed", "split", "metric") if n in ds.coords)]
    names += [x] if (x := x_dim(ds)) is not None else []
    raise UnknownNameError(f"{asked}: no such name; {_nearest(asked, names, by_key)}")


def label(ds: xr.Dataset, name: str, text: str) -> Any:
    """Return the label of a coordinate that a text stands for.

    Raises
    ------
    UnknownNameError
        If there is none; the message has the nearest ones.
    """
    values = ds[name].values
    return values[_matches(ds[name], [text], name)][0].item()


def _matches(coord: xr.DataArray, texts: Iterable[str], asked: str) -> NDArray[np.bool_]:
    """Return where a coordinate has one of the values."""
    values = coord.values
    keep = np.zeros(values.shape, dtype=bool)
    for text in texts:
        parsed = _parse(text, values.dtype.kind)
        found = np.zeros(values.shape, dtype=bool) if parsed is None else values == parsed
        if values.dtype.kind == "U" and not found.any() and text.lower() in _NULLS:
            found = values == "None"
        if not found.any():
            raise UnknownNameError(f"{asked}={text}: no such value; {_there_is(text, values)}")
        keep |= found
    return keep


def _parse(text: str, kind: str) -> Any:
    """Return the value of a text on an axis of this dtype, None if it has none."""
    try:
        if kind == "b":
            return _BOOLS.get(text.strip().lower())
        if kind == "i":
            return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
        if kind == "f":
            return float(text)
    except ValueError:
        return None
    return text


def _there_is(text: str, values: NDArray[Any]) -> str:
    """Return the known labels as text, the nearest first."""
    labels = _distinct(values)
    if values.dtype.kind in "if" and (number := _parse(text, "f")) is not None:
        labels.sort(key=lambda label: abs(label - number))
    shown = [value_text(label) for label in labels if label != ""]  # "": a cell without a run
    return _nearest(text, shown) if values.dtype.kind not in "if" else _some(shown)


def _nearest(asked: str, names: Iterable[str], hidden: Iterable[str] = ()) -> str:
    """Return names as text, the near ones first; those of ``hidden`` only if they are near."""
    shown = list(dict.fromkeys(names))
    near = close_names(asked, [*shown, *hidden])
    return _some([*near, *(name for name in shown if name not in near)])


def _some(names: Sequence[str]) -> str:
    return "known: " + listed(names, _SHOWN, ", … ({} more)")


def counted_runs(data: _Data, *, all_runs: bool) -> tuple[_Data, int]:
    """Return the values of the runs that count, and how many runs were left out as not complete.

    Parameters
    ----------
    data : Dataset or DataArray
        A cube, in either layout, whole or selected, or values of each run with its status.
    all_runs : bool
        Whether runs that are not complete count as well; else NaN and False are in their place.
    """
    ended_well = data["status"].isin([Status.COMPLETE.value, Status.ABSENT.value])
    out = 0 if all_runs else int((~ended_well).sum())
    return (of_status(data, "complete"), out) if out else (data, 0)


def parts(ds: xr.Dataset, asked: str | None) -> list[tuple[dict[str, str], xr.Dataset]]:
    """Return the part of a cube for each value of a hyperparameter, with the value as text.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    asked : str, optional
        The hyperparameter; by default the cube is one part, of no value.

    Raises
    ------
    UnknownNameError
        If there is no such coordinate; the message has the nearest ones.
    """
    if asked is None:
        return [({}, ds)]
    name = coordinate(ds, asked)
    held = laid_out(ds[name].variable, ds["status"].sizes)
    held = held[(ds["status"] != Status.ABSENT.value).values]
    labels = [label for label in _distinct(ds[name].values) if label in held]
    return [({asked: value_text(o)}, where(ds, {name: [str(o)]})) for o in labels]


def _distinct(values: NDArray[Any]) -> list[Any]:
    return [*dict.fromkeys(np.ravel(values).tolist())]


def values_table(ds: xr.Dataset, *, last: bool = False, over: Sequence[str] = ()) -> pd.DataFrame:
    """Return the logged values of a selection.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    last : bool
        Only the last logged value of each curve.
    over : sequence of str
        Dims to summarize.

    Returns
    -------
    DataFrame
        A row per logged value: its labels and ``value``. With ``over`` a row per group: ``mean``,
        ``se`` (sample standard deviation / sqrt(n), NaN for one value), ``n`` values that are
        numbers, and ``nan`` logged NaNs, which mean and n leave out.

    Raises
    ------
    UnknownNameError
        If ``over`` names no dim.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cli.select import values_table
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> picked = ds.sel(metric="acc1", split="val", weights="None", lr=0.2)
    >>> values_table(picked, last=True, over=["seed"]).columns.tolist()
    ['weight_decay', 'mean', 'se', 'n', 'nan']
    """
    import pandas as pd

    x = x_dim(ds)
    values, logged = ds["curve"], ds["logged"]
    if last and x is not None:
        values, logged = final(ds), logged.any(x)
    over = [coordinate_name(values, dim, "over", among=values.dims) for dim in over]
    results = _summary(values, logged, over) if over else {"value": values}
    kept = logged.any(over) if over else logged
    rows = kept.values.reshape(-1)
    columns = {
        name: laid_out(ds[name].variable, kept.sizes).reshape(-1)[rows]
        for name in _label_columns(ds, kept, over)
    }
    columns |= {name: array.values.reshape(-1)[rows] for name, array in results.items()}
    return pd.DataFrame(columns)


def one_value(
    ds: xr.Dataset,
    *,
    at: Mapping[str, Sequence[str]],
    at_best: Mapping[str, str],
    modes: Mapping[str, Mode],
) -> tuple[xr.DataArray, str]:
    """Return one value of each run, of each metric in each split.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    at : mapping of str to sequence of str
        x to the one value to take, as text; empty for the last logged value of each run.
    at_best : mapping of str to str
        The metric and the split of which the best decides; empty as well.
    modes : mapping of str to {"max", "min"}
        Which end of a metric is better.

    Returns
    -------
    values : DataArray
        (*cell dims*, split, metric), NaN where there is none.
    words : str
        What the values are.

    Raises
    ------
    PlanError
        If more is asked for than one value, or of a best it is not known which end that is.
    UnknownNameError
        If there is no such metric, split, x or value.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cli.select import one_value
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> one_value(ds, at={}, at_best={"acc1": "val"}, modes={"acc1": "max"})[1]
    'each run where its acc1 of val is highest'
    """
    if len(at) + len(at_best) > 1:
        raise PlanError("--at and --at-best: expected one of them, once")
    for metric, split in at_best.items():
        if metric not in modes:
            raise PlanError(f"--at-best {metric}: --mode says which end is best, max or min")
        end = "highest" if modes[metric] == "max" else "lowest"
        best = choose_at_best(ds, metric=metric, split=split, mode=modes[metric])
        return best, f"each run where its {metric} of {split} is {end}"
    for name, texts in at.items():
        x = x_dim(ds)
        if name != x or len(texts) != 1:
            raise PlanError(f"--at {name}: expected one value of the x-axis, {x}=VALUE")
        return final(where(ds, at)), f"each run at {name} {texts[0]}"
    return final(ds), "the last logged value of each run"


def _summary(
    values: xr.DataArray, logged: xr.DataArray, over: Sequence[str]
) -> dict[str, xr.DataArray]:
    """Return mean, standard error, number of values and number of NaNs over dims."""
    values = values.astype(float)
    count = values.count(over)
    mean = values.mean(over)
    # The standard error of infinities is NaN, which is meant.
    with np.errstate(invalid="ignore"):
        squares = ((values - mean) ** 2).sum(over)
    error = (squares / (count - 1).where(count > 1) / count) ** 0.5
    error = error.where(np.isfinite(mean))
    return {"mean": mean, "se": error, "n": count, "nan": logged.sum(over) - count}


def _label_columns(ds: xr.Dataset, kept: xr.DataArray, over: Sequence[str]) -> list[str]:
    """Return the coordinates that label the rows: hyperparameters, other dims, x of each run."""
    dims = set(kept.dims)
    names = [n for n in hyperparameters(ds) if ds[n].dims and set(ds[n].dims) <= dims]
    names += [str(d) for d in kept.dims if d in ds.coords and d not in names]
    x = x_dim(ds)
    if x in dims and not over:
        along = (str(n) for n in ds.coords if n not in names and x in ds[n].dims)
        names += [n for n in along if set(ds[n].dims) <= dims]
    return names


def followers(ds: xr.Dataset) -> list[str]:
    """Return the hyperparameters that tell no more configurations apart than those before them."""
    frame = table(ds)
    names = [name for name in hyperparameters(ds) if name in frame.columns]
    kept = which_tell_apart([frame[name].to_numpy() for name in names])
    return [name for place, name in enumerate(names) if place not in kept]
