"""The two layouts of a cube, grid and configs, and the lossless conversions between them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import (
    PlanError,
    Status,
    absent_cells,
    check_memory,
)
from runcube.cube.cells import check_cube, hyperparameters
from runcube.cube.names import coordinate_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.plan import Sweep


# Variables with one value per run: these have every cell dim, also where no hyperparameter is one.
_PER_RUN = frozenset(
    "curve logged run_id path status train_time n_problems problems run_config messages "
    "seed_value".split()
)


def grid_attr(sweep: Sweep) -> str:
    """Return as JSON what the layouts need of a plan: dims, ordered labels, dtypes."""
    on = {c.name: c.dims for c in sweep.coords}
    on |= {f"{c.name}_value": c.dims for c in sweep.coords if c.value is not None}
    on |= {f"{a.name}_value": (a.name,) for a in sweep.axes if a.value is not None}
    rows = len(np.unique(sweep.cells[:, :-1], axis=0)) if len(sweep.axes) else 1
    return _attr({axis.name: axis.labels for axis in sweep.axes}, on, rows)


def _attr(
    labels: Mapping[str, NDArray[Any]], coords: Mapping[str, Sequence[Any]], configs: int
) -> str:
    dims = [
        {"name": name, "dtype": values.dtype.str, "labels": values.tolist()}
        for name, values in labels.items()
    ]
    own = {name: [d for d in dims if d in labels] for name, dims in coords.items()}
    # A coordinate on all dims or on none needs no entry.
    partial = {name: own[name] for name in sorted(own) if 0 < len(own[name]) < len(labels)}
    return json.dumps({"dims": dims, "coords": partial, "configs": configs})


def to_configs(ds: xr.Dataset) -> xr.Dataset:
    """Return a cube with one dim ``config`` in place of the hyperparameter dims.

    Configurations are the cells that hold a run with any seed, in C order of the dims. The inverse
    is :func:`to_grid`; both keep every value, label, dtype and attr.

    Parameters
    ----------
    ds : Dataset
        A cube in either layout; one in the configs layout is returned as it is.

    Returns
    -------
    Dataset
        ``curve`` (float64) and ``logged`` (bool) on (config, seed, split, metric, x), with the
        hyperparameters as coordinates along ``config``.

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
    >>> dict(ds.sizes)  # doctest: +ELLIPSIS
    {'weights': 2, 'lr': 4, 'weight_decay': 3, 'seed': 5, 'split': 3, 'metric': 4, 'epoch': ...}
    >>> dict(rc.to_configs(ds).sizes)  # doctest: +ELLIPSIS
    {'config': 24, 'seed': 5, 'split': 3, 'metric': 4, 'epoch': ...}
    """
    check_cube(ds)
    if "config" in ds.dims:
        return ds
    hyper = [str(d) for d in ds["status"].dims if d != "seed"]
    held = ds["status"] != Status.ABSENT.value
    if "seed" in held.dims:
        held = held.any("seed")
    codes = dict(zip(hyper, np.nonzero(held.values), strict=True)) if hyper else {}
    count = len(codes[hyper[0]]) if hyper else 1
    variables = {
        name: _gather(variable, codes)
        if name in _PER_RUN or set(variable.dims) & set(hyper)
        else variable
        for name, variable in ds.variables.items()
    }
    out = _rebuild(ds, variables)
    on = {str(n): ds[n].dims for n in ds.coords if n not in hyper}
    out.attrs["grid"] = _attr({d: ds[d].values for d in hyper}, on, count)
    return out


def _gather(variable: xr.Variable, codes: Mapping[str, NDArray[np.intp]]) -> xr.Variable:
    """Return a variable at the cells of each configuration; ``config`` is its first dim."""
    if isinstance(variable, xr.IndexVariable):
        variable = variable.to_base_variable()
    mine = {d: xr.Variable("config", codes[d]) for d in codes if d in variable.dims}
    others = [d for d in variable.dims if d not in mine]
    whole: Any = variable  # whose methods have no types
    picked: xr.Variable = whole.isel(mine) if mine else whole.set_dims(("config", *others))
    return picked.transpose("config", *others)


def to_grid(ds: xr.Dataset, *, dims: str | Sequence[str] | None = None) -> xr.Dataset:
    """Return a cube with one dim for each of the hyperparameters that tell its rows apart.

    Cells without a run are NaN, ``""``, ``absent``, False or 0; every dtype is kept.

    Parameters
    ----------
    ds : Dataset
        A cube in either layout; one in the grid layout is returned as it is.
    dims : str or sequence of str, optional
        Coordinates along ``config`` that become dims. By default those of the plan, which are in
        the attr ``grid``.

    Returns
    -------
    Dataset
        ``curve`` (float64) and ``logged`` (bool) on (*hyperparameters*, seed, split, metric, x).

    Raises
    ------
    PlanError
        If the Dataset is no cube, a dim is not along ``config`` alone, the dims are unknown since
        the attr ``grid`` is gone, or two rows fall into one cell.
    UnknownNameError
        If a dim is no hyperparameter; the message has the nearest names.
    CubeTooLargeError
        If the grid would not fit in memory; raised before anything is allocated.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> rc.to_grid(rc.to_configs(ds)).identical(ds)
    True
    """
    check_cube(ds)
    dims = None if dims is None else _known_names(ds, dims)
    if "config" not in ds.dims:
        return ds
    labels, partial = _wanted_grid(ds, dims)
    codes = _codes(ds, labels)
    _check_grid(ds, labels, codes)
    variables: dict[Any, xr.Variable] = {}
    for name, variable in ds.variables.items():
        if name in labels:
            attrs = variable.attrs
            variables[name] = xr.Variable(str(name), labels[str(name)], attrs, variable.encoding)
        elif "config" in variable.dims:
            onto = {d: labels[d] for d in partial.get(str(name), list(labels))}
            variables[name] = _scatter(name, variable, onto, codes)
        else:
            variables[name] = variable
    out = _rebuild(ds, variables)
    on = {str(n): out[n].dims for n in out.coords if n not in labels}
    out.attrs["grid"] = _attr(labels, on, ds.sizes["config"])
    return out


def _known_names(ds: xr.Dataset, dims: object) -> list[str]:
    """Return the names that ``dims`` has, one or several, each once.

    Raises
    ------
    PlanError
        If it has other things.
    UnknownNameError
        If one is no hyperparameter.
    """
    given = [dims] if isinstance(dims, str) else [*dims] if isinstance(dims, Iterable) else [None]
    names = [name for name in given if isinstance(name, str)]
    if len(names) < len(given):
        raise PlanError(f"dims={dims!r}: expected a name or a list of names, as in dims=['lr']")
    known = hyperparameters(ds) + [str(n) for n in ds.coords if ds[n].dims == ("config",)]
    what = "no such hyperparameter"
    return [*dict.fromkeys(coordinate_name(ds, n, "dims", among=known, what=what) for n in names)]


def _wanted_grid(
    ds: xr.Dataset, dims: Sequence[str] | None
) -> tuple[dict[str, NDArray[Any]], dict[str, list[str]]]:
    """Return the labels of each dim in order, and the coordinates on some of the dims only."""
    plan = json.loads(ds.attrs.get("grid", "{}"))
    if dims is None and "dims" not in plan:
        raise PlanError("to_grid: the attr 'grid' is gone; name the dims: to_grid(ds, dims=[...])")
    known = {d["name"]: np.array(d["labels"], dtype=d["dtype"]) for d in plan.get("dims", [])}
    names = list(known) if dims is None else list(dims)
    missing = [n for n in names if n not in ds.coords or ds[n].dims != ("config",)]
    if missing:
        raise PlanError(f"to_grid: not along config alone: {', '.join(missing)}")
    # After a selection only the labels that are left become dims; the whole keeps empty ones.
    whole = ds.sizes["config"] == plan.get("configs")
    labels = {}
    for name in names:
        values = ds[name].values
        if name not in known:
            known[name] = values[np.sort(np.unique(values, return_index=True)[1])]
        order = known[name]
        labels[name] = order if whole else order[np.isin(order, values)]
        if not np.isin(values, order).all():
            labels[name] = np.unique(values)
    return labels, plan.get("coords", {}) if dims is None else {}


def _codes(ds: xr.Dataset, labels: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.intp]]:
    codes = {}
    for name, order in labels.items():
        by_value = np.argsort(order, kind="stable")
        codes[name] = by_value[np.searchsorted(order[by_value], ds[name].values)]
    return codes


def _check_grid(
    ds: xr.Dataset, labels: Mapping[str, NDArray[Any]], codes: Mapping[str, NDArray[np.intp]]
) -> None:
    shape = tuple(len(order) for order in labels.values())
    grown = int(np.prod(shape, dtype=np.int64)) / max(1, ds.sizes["config"])
    cells = int(ds["curve"].size * grown)
    if ds["curve"].chunks is None:
        check_memory(cells, cells * 9, "stay in the configs layout")
    rows = np.stack([*codes.values()], axis=1) if codes else np.zeros((ds.sizes["config"], 0), int)
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        at = int(first[counts > 1][0])
        shown = {name: ds[name].values[at].item() for name in labels}
        raise PlanError(
            f"to_grid: {int((counts > 1).sum())} cells would hold several rows of config, the "
            f"first {shown}; stay in the configs layout, or select rows first"
        )


def _scatter(
    name: Any,
    variable: xr.Variable,
    labels: Mapping[str, NDArray[Any]],
    codes: Mapping[str, NDArray[np.intp]],
) -> xr.Variable:
    others = [d for d in variable.dims if d != "config"]
    if not labels:
        return variable.isel(config=0)
    if variable.chunks is not None:
        return _scatter_later(variable, labels, codes)
    values = variable.transpose("config", *others).values
    shape = tuple(len(order) for order in labels.values()) + values.shape[1:]
    if name == "status":
        values = values.astype(f"<U{max(values.dtype.itemsize // 4, len(Status.ABSENT))}")
    cells = absent_cells(shape, values)
    if name == "status":
        cells[...] = Status.ABSENT.value
    cells[tuple(codes[d] for d in labels)] = values
    return xr.Variable((*labels, *others), cells, variable.attrs, variable.encoding)


def _scatter_later(
    variable: xr.Variable,
    labels: Mapping[str, NDArray[Any]],
    codes: Mapping[str, NDArray[np.intp]],
) -> xr.Variable:
    """Return the same of a dask array of numbers: each cell takes its row."""
    others = [d for d in variable.dims if d != "config"]
    row = np.full([len(order) for order in labels.values()], -1)
    row[tuple(codes[d] for d in labels)] = np.arange(variable.sizes["config"])
    at = xr.Variable([*labels], row.clip(0))
    picked: Any = variable.isel(config=at).transpose(*labels, *others)
    empty = absent_cells((), np.zeros(0, variable.dtype))
    cells: xr.Variable = picked.where(xr.Variable([*labels], row >= 0), empty)
    return cells


def _rebuild(ds: xr.Dataset, variables: Mapping[Any, xr.Variable]) -> xr.Dataset:
    data = {n: v for n, v in variables.items() if n in ds.data_vars}
    coords = {n: v for n, v in variables.items() if n not in ds.data_vars}
    return xr.Dataset(data, coords, dict(ds.attrs))
