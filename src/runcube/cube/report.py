"""Reports on the sweep of a cube: configurations, missing runs, constants."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import PlanError, Status, printable
from runcube.cube.cells import ABSENT, CellRows, full_key, json_value, x_dim
from runcube.cube.expected import expected_runs
from runcube.cube.problems import problems
from runcube.plan import show_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray


def table(ds: xr.Dataset) -> pd.DataFrame:
    """Return a table of the configurations: their hyperparameters, and how their runs ended.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Returns
    -------
    DataFrame
        A row per configuration that has a run: its hyperparameters (those that vary with the seed
        are left out), ``seeds`` and ``runs``, how many of the runs are ``complete``,
        ``incomplete`` and ``failed``, and with how many seeds a complete run is ``missing`` (all
        int64). The index ``config`` is the position along the dim ``config`` where there is one,
        else it counts from 0.

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
    >>> ds.sweep.table().query("incomplete > 0")[["weights", "lr", "weight_decay", "complete"]]
            weights     lr  weight_decay  complete
    config
    2          None  0.004           0.1         4
    21      DEFAULT  1.400           0.0         4
    """
    import pandas as pd

    expected = expected_runs(ds)
    cells = expected.cells
    held: NDArray[np.bool_] = np.any(cells.held, axis=1)
    columns: dict[str, NDArray[Any]] = {
        name: cells.column(ds, name)[held, 0] for name in cells.names if "seed" not in ds[name].dims
    }
    columns["seeds"] = columns["runs"] = cells.held[held].sum(axis=1)
    for status in (Status.COMPLETE, Status.INCOMPLETE, Status.FAILED):
        columns[status.value] = (cells.status[held] == status.value).sum(axis=1)
    lost = np.zeros(len(held), dtype=np.int64)  # of a crashed run and its rerun: in the first row
    lost[expected.rows] = expected.is_missing.sum(axis=1)
    columns["missing"] = lost[held]
    rows = np.flatnonzero(held) if "config" in cells.dims else np.arange(int(held.sum()))
    return pd.DataFrame(columns, index=pd.Index(rows, name="config"))


def completeness(ds: xr.Dataset) -> pd.DataFrame:
    """Return how each run ended, as a table of configurations and seeds.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Returns
    -------
    DataFrame
        A row per configuration that has a run, indexed by its hyperparameters (those that vary with
        the seed are left out), or by ``config`` where there are none; a column per seed, with
        ``complete``, ``incomplete``, ``failed`` or ``absent``: the best of a run and its rerun.

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
    >>> (ds.sweep.completeness() == "complete").sum().to_dict()
    {0: 23, 1: 23, 2: 24, 3: 24, 4: 24}
    """
    import pandas as pd

    expected = expected_runs(ds)
    cells, rows = expected.cells, expected.rows
    names = [name for name in cells.names if "seed" not in ds[name].dims]
    labels = [cells.column(ds, name)[rows, 0] for name in names]
    index: pd.Index[Any] = pd.Index(rows, name="config")
    if len(names) == 1:
        index = pd.Index(labels[0], name=names[0])
    elif names:
        index = pd.MultiIndex.from_arrays(labels, names=names)
    return pd.DataFrame(expected.status, index=index, columns=pd.Index(cells.seeds, name="seed"))


def missing(ds: xr.Dataset, *, all_combinations: bool = False) -> pd.DataFrame:
    """Return a table of the configurations and seeds that have no complete run.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    all_combinations : bool
        Also those combinations of labels that have no run with any seed (grid layout only).

    Returns
    -------
    DataFrame
        A row per configuration and seed: the hyperparameters, ``seed``, ``status`` (text) and the
        ``path`` of the log (text, ``""`` without one). A hyperparameter whose value no run
        determines is NaN or None.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or with ``all_combinations`` in the configs layout.

    See Also
    --------
    missing_configs : the same for a launcher.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ds.sweep.missing()[["weights", "lr", "weight_decay", "seed", "status"]]
       weights     lr  weight_decay  seed      status
    0     None  0.004           0.1     1  incomplete
    1  DEFAULT  1.400           0.0     0  incomplete
    """
    import pandas as pd

    expected = expected_runs(ds, all_combinations=all_combinations)
    cells, at = expected.cells, expected.missing
    frame = pd.DataFrame(index=pd.RangeIndex(len(at[0])))
    for name in cells.names:
        known = cells.known(ds, name)[at]
        values = pd.Series(cells.column(ds, name)[at])
        frame[name] = values if known.all() else values.where(known)
    frame["seed"] = cells.seeds[at[1]]
    frame["status"] = cells.status[at]
    frame["path"] = cells.column(ds, "path")[at] if "path" in ds.variables else ""
    return frame


def missing_configs(ds: xr.Dataset, *, all_combinations: bool = False) -> list[dict[str, Any]]:
    """Return the configurations and seeds that have no complete run, as a launcher takes them.

    Parameters
    ----------
    ds, all_combinations
        As for :func:`missing`. Values that ``relabel=`` changed stay changed.

    Returns
    -------
    list of dict
        One per configuration and seed: full dotted key to value as JSON has it, which is None, a
        number, a bool or a list again where a text label stands for one. A key that the run would
        not have is left out, and so is the seed where runs draw their own. ``_status`` is the
        run's status, ``_path`` its log.

    Raises
    ------
    PlanError
        As :func:`missing`.

    Notes
    -----
    A string ``"None"`` or ``"True"`` on an axis that never holds the value itself has the same
    label as the value, and is returned as the value.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ds.sweep.missing_configs()[0]
    {'model.weights': None, ..., 'seed': ..., '_status': 'incomplete', '_path': ...}
    """
    expected = expected_runs(ds, all_combinations=all_combinations)
    cells, at = expected.cells, expected.missing
    columns: dict[str, list[Any]] = {}
    for name in cells.names:
        values = _json_values(ds, name, cells)
        known = cells.known(ds, name)
        columns[full_key(ds, name)] = [
            values[cell] if known[cell] else ABSENT for cell in zip(*at, strict=True)
        ]
    columns |= _seed_values(ds, cells, at)
    columns["_status"] = cells.status[at].tolist()
    if "path" in ds.variables:
        columns["_path"] = [path or ABSENT for path in cells.column(ds, "path")[at].tolist()]
    return [
        {key: value for key, value in zip(columns, row, strict=True) if value is not ABSENT}
        for row in zip(*columns.values(), strict=True)
    ]


def constant(ds: xr.Dataset) -> dict[str, Any]:
    """Return the hyperparameters that are the same in all runs.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected, with its attrs.

    Returns
    -------
    dict
        Full dotted key to value as JSON has it.

    Raises
    ------
    PlanError
        If the attr that holds them is gone.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ds.sweep.constant["epochs"]
    20
    """
    if "constant_hparams" not in ds.attrs:
        raise PlanError("constant: the attr 'constant_hparams' is gone; ask the cube as loaded")
    held: dict[str, Any] = json.loads(ds.attrs["constant_hparams"])
    return held


def as_html(ds: xr.Dataset) -> str:
    """Return a summary of a cube for a notebook.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Returns
    -------
    str
        HTML: runs by status, cells without a run, the layout, the labels of each dim, the number
        of problems as `runcube.problems` lists them.

    Raises
    ------
    PlanError
        If the Dataset is no cube.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cube.report import as_html
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> "120: 118 complete, 2 incomplete" in as_html(ds)
    True
    """
    cells = CellRows.of(ds)
    counts = Counter(cells.status[cells.held].tolist())
    ends = ", ".join(f"{n} {status}" for status, n in counts.most_common())
    layout = "configs" if "config" in cells.dims else "grid"
    runs, absent = int(cells.held.sum()), int((~cells.held).sum())
    rows = [("runs", f"{runs}: {ends}"), ("layout", layout)]
    if absent:
        rows.insert(1, ("absent", f"{absent} of {cells.held.size} cells have no run"))
    names = (*cells.names, "seed", "split", "metric", x_dim(ds))
    rows += [(name, _labels_of(ds[name])) for name in names if name and name in ds.coords]
    if {"problems", "path", "run_id"} <= ds.coords.keys() and (count := len(problems(ds))):
        rows.append(("problems", f"{count}: ds.sweep.problems()"))
    body = "".join(
        f'<tr><th style="text-align:left">{escape(printable(name))}</th>'
        f'<td style="text-align:left">{escape(printable(text))}</td></tr>'
        for name, text in rows
    )
    return f'<div class="runcube-cube"><b>Sweep</b><table>{body}</table></div>'


def _labels_of(coord: xr.DataArray) -> str:
    values = np.ravel(coord.values)
    if coord.dims != (coord.name,):
        values = values[np.sort(np.unique(values, return_index=True)[1])]
    on = f" on ({', '.join(map(str, coord.dims))})" if coord.dims not in ((), (coord.name,)) else ""
    return f"{len(values)}{on}: {show_labels(values)}"


def _json_values(ds: xr.Dataset, name: str, cells: CellRows) -> NDArray[np.object_]:
    """Return the values of a hyperparameter as JSON has them, (configurations, seeds)."""
    numbers = f"{name}_value"
    known = cells.column(ds, numbers).astype(object) if numbers in ds.coords else None
    labels = cells.column(ds, name).astype(object)
    values: NDArray[np.object_] = np.frompyfunc(json_value, 2, 1)(labels, known)
    return values


def _seed_values(
    ds: xr.Dataset, cells: CellRows, at: Sequence[NDArray[np.intp]]
) -> dict[str, list[Any]]:
    """Return the seed of each missing run by its full key.

    A drawn seed is ``ABSENT`` in cells without a run. Nothing is returned where there is no seed
    key: replicate numbers are no seeds.
    """
    if "seed" not in ds.variables or "hparam" not in ds["seed"].attrs:
        return {}
    if "seed_value" not in ds.variables:
        return {full_key(ds, "seed"): [json_value(s, None) for s in cells.seeds[at[1]].tolist()]}
    drawn = cells.column(ds, "seed_value")[at].tolist()
    held = cells.held[at].tolist()
    values = [json_value(s, None) if h else ABSENT for s, h in zip(drawn, held, strict=True)]
    return {full_key(ds, "seed"): values}
