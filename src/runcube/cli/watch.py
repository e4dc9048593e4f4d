"""The state of a sweep in progress: runs by status, and the best run so far."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import UnknownNameError, nearest
from runcube.cube import final, full_key, hyperparameters

if TYPE_CHECKING:
    import xarray as xr

# Parts of the names of metrics of which lower is better: the one guess, which `watch`
# and `report` show.
_LOWER_IS_BETTER = ("loss", "error", "err", "nll", "perplexity", "ppl", "mse", "mae", "rmse", "ece")
# What Optuna calls the objectives of a trial, and where its studies say what they are for.
_OBJECTIVE = re.compile(r"(?:intermediate_)?values?(?:_(?P<number>\d+))?")
_STUDY = "study.direction"
STATUSES = ("complete", "incomplete", "failed")
_FAVOURITES = ("acc1", "acc", "accuracy", "top1", "f1", "auc", "reward", "return", "loss")
_SPLITS = ("val", "valid", "validation", "dev", "eval", "test", "train", "all")


def counts(ds: xr.Dataset) -> dict[str, int]:
    """Return the number of runs by status.

    Parameters
    ----------
    ds : Dataset
        A cube.

    Returns
    -------
    dict of str to int
        ``complete``, ``incomplete`` and ``failed``, in this order.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs", metrics="acc1")
    >>> counts(ds)
    {'complete': 118, 'incomplete': 2, 'failed': 0}
    """
    status = ds["status"].values
    return {name: int((status == name).sum()) for name in STATUSES}


def best(
    ds: xr.Dataset,
    *,
    metric: str | None = None,
    split: str | None = None,
    lowest: bool | None = None,
) -> dict[str, Any]:
    """Return the run with the best last value so far.

    Parameters
    ----------
    ds : Dataset
        A cube.
    metric, split : str, optional
        By default, of those that most runs logged, an accuracy, a reward or a loss of the
        validation split, where these exist.
    lowest : bool, optional
        Whether lower is better; by default the metric's name decides.

    Returns
    -------
    dict
        ``metric``, ``split``, ``mode`` (``"min"`` where lower is better), ``value``, ``run_id``,
        ``status`` and the labels of the run; empty if nothing was logged there.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cli.watch import best
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs", metrics="acc1")
    >>> found = best(ds)
    >>> found["metric"], found["split"], found["mode"], found["status"]
    ('acc1', 'val', 'max', 'complete')
    """
    metric = chosen_metric(ds, metric)
    split = _chosen("split", ds["split"].values.tolist(), split, _SPLITS)
    if metric is None or split is None:
        return {}
    last = final(ds.sel(metric=[metric], split=[split])).squeeze(["metric", "split"])
    values = last.transpose(*ds["status"].dims).values
    finite = np.isfinite(values)
    if not finite.any():
        return {}
    if lowest is None:
        lowest = lower_is_better(metric, ds)
    masked = np.where(finite, values, np.inf if lowest else -np.inf)
    flat = int(masked.argmin() if lowest else masked.argmax())
    at = dict(zip(ds["status"].dims, np.unravel_index(flat, values.shape), strict=True))
    run = ds[["status", "run_id", "seed", *hyperparameters(ds)]].isel(at)
    labels = {name: run[name].values.tolist() for name in (*hyperparameters(ds), "seed")}
    return {
        "metric": metric,
        "split": split,
        "mode": "min" if lowest else "max",
        "value": float(values.reshape(-1)[flat]),
        "run_id": str(run["run_id"].values),
        "status": str(run["status"].values),
        **labels,
    }


def chosen_metric(ds: xr.Dataset, asked: str | None) -> str | None:
    """Return the metric asked for, else an accuracy, a reward, a loss, or the first one.

    Unasked, only metrics count that most runs logged, if there are any.
    """
    known = [str(name) for name in ds["metric"].values.tolist()]
    if asked is None and known and "curve" in ds:
        runs = ds["status"].dims
        along = [dim for dim in ds["curve"].dims if dim not in (*runs, "metric")]
        logged = ds["curve"].notnull().any(along).sum(runs).values
        known = [name for name, n in zip(known, logged, strict=True) if 2 * n > logged.max()]
    return _chosen("metric", known, asked, _FAVOURITES)


def lower_is_better(metric: str, ds: xr.Dataset) -> bool:
    """Return whether lower is better: as the study of the runs says, else by the metric's name.

    The name is a guess, to be shown. Optuna's studies have a direction for each objective.
    """
    objective = _OBJECTIVE.fullmatch(metric)
    if objective is not None:
        found = {_direction(text, int(objective["number"] or 0)) for text in _directions(ds)}
        if len(found) == 1:
            return found == {"minimize"}
    return any(part in metric.lower() for part in _LOWER_IS_BETTER)


def _directions(ds: xr.Dataset) -> set[str]:
    """Return what studies say of the directions of their objectives."""
    constant = json.loads(ds.attrs.get("constant_hparams", "{}")).get(_STUDY)
    names = [name for name in hyperparameters(ds) if full_key(ds, name) == _STUDY]
    found = {str(label) for name in names for label in np.ravel(ds[name].values).tolist()}
    if constant:
        found.add(constant if isinstance(constant, str) else json.dumps(constant))
    return found - {"absent"}


def _direction(text: str, number: int) -> str:
    """Return the direction of one objective, of a text or a list as JSON of them."""
    try:
        each = json.loads(text) if text.startswith("[") else [text]
    except ValueError:  # a text of somebody's own that only looks like a list
        each = [text]
    return str(each[number]) if number < len(each) else ""


def _chosen(what: str, known: list[str], asked: str | None, liked: tuple[str, ...]) -> str | None:
    """Return the name asked for, else the one that is liked most, None where there is none.

    Raises
    ------
    UnknownNameError
        If the name asked for is not known, though others are.
    """
    if asked is not None and known:
        if asked not in known:
            raise UnknownNameError(f"{what}={asked!r}: not in the logs{nearest(asked, known)}")
        return asked
    exact = [name for name in liked if name in known]
    near = [name for part in liked for name in known if part in name.lower()]
    return next(iter([*exact, *near, *known]), None)
