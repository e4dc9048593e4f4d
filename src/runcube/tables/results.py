"""`results`: the table of a paper, from one value per run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from runcube.core import PlanError, UnknownNameError
from runcube.cube import coordinate_name, x_dim
from runcube.stats import may_be_best, summarize, values_and_logged
from runcube.tables.digits import places_of, shown
from runcube.tables.layout import Cell, Table
from runcube.tables.marks import MARKS, count_runs, legend
from runcube.tables.rows import chosen_keys, needed_keys, row_labels

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.stats import Data

_MOST_ROWS = 10_000


def results(
    data: Data,
    *,
    mode: Literal["max", "min"] | Mapping[str, Literal["max", "min"]] | None,
    columns: Sequence[Hashable] = ("metric", "split"),
    dim: str = "seed",
    ci: float = 0.95,
    variances: Literal["unequal", "equal"] = "unequal",
    keys: Sequence[str] | None = None,
    places: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Table:
    """Return a table of results: mean ± half of its interval, the winner and its ties in bold.

    Parameters
    ----------
    data : DataArray or Dataset
        One value per run, such as ``rc.final(ds)`` returns, with the seeds and without the x-axis.
    mode : {"max", "min"}, mapping or None
        Which end is better; of several metrics, a mapping from each. None if that is not to be
        said: nothing is bold.
    columns : sequence of str
        The dims whose labels become columns, where the data has them; the other dims, or ``config``
        with its hyperparameters, tell rows apart.
    dim : str
        The seeds.
    ci : float
        Level of the intervals, by t, and of what is bold.
    variances : {"unequal", "equal"}
        By which spread it is found what is bold, as in :func:`runcube.select`: each row's own, or
        one that all rows of a column share.
    keys : sequence of str, optional
        The hyperparameters that are shown before the results. By default all but those that are
        the same in all rows, or that another one decides; the caption names them, as it does
        columns without any value, and ``frame`` has both.
    places : int, optional
        Decimals, in place of those that the uncertainty leaves: down a column the same, such that
        the half widths have two significant digits; where half widths differ so much that one of
        them would be zeros, or have more than four, each row has its own.
    names : mapping, optional
        What to call dims and labels: ``{"lr": "learning rate", "acc1": "top 1"}``.

    Returns
    -------
    Table
        With ``to_markdown``, ``to_latex``, ``to_html``, ``to_csv``, and ``frame`` with the numbers.
        Bold is what may be the best of its column (Hsu 1984): not merely "not significantly
        different". Behind a result stands how many runs diverged (``1d``: their value is a logged
        NaN or infinity, as ``nonfinite`` of :func:`runcube.final` says), are incomplete (``1i``) or
        failed (``1f``). A row of which runs diverged is not ranked: its mean is that of the runs
        which survived. Rows without any run are left out.

    Raises
    ------
    UnknownNameError
        If the data has no such dim or key, or ``mode`` lacks a metric.
    PlanError
        If the data has an x-axis, or too many rows.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> last = ds.sel(metric="acc1", split=["val", "eval"], weights="DEFAULT").sweep.final()
    >>> table = rc.tables.results(last.sel(lr=[0.028, 0.2]), mode="max")
    >>> print(table.to_markdown().splitlines()[5])
    | 0.2 | 0 | **95.55 ± 0.80** | **96.88 ± 0.87** |
    """
    values, logged = values_and_logged(data)
    dim = coordinate_name(values, dim, "dim", among=values.dims)
    own = _columns(values, columns)
    rows = [str(d) for d in values.dims if d not in (*own, dim)]
    _check_rows(data, values, rows)
    values, logged = (a.transpose(*rows, *own, dim).compute() for a in (values, logged))
    labels = _labels_of_columns(values, own)
    numbers = _numbers(values, logged, dim, ci, len(labels))
    modes = [] if mode is None else [_mode_of(mode, label) for label in labels]
    numbers["may_be_best"] = _may_be_best(values, numbers, modes, ci, variances)
    has_run = sum(numbers[name] for name in ("n", *MARKS.values())) > 0
    kept = np.flatnonzero(np.any(has_run, axis=1))
    numbers = {name: own[kept] for name, own in numbers.items()}
    names = names or {}
    every, texts = row_labels(values, rows, names, derived=keys is not None)
    texts = [texts[r] for r in kept.tolist()]
    named = [names.get(key, _display_name(values, key)) for key in every]
    if keys is None:
        shown_keys, left_out = needed_keys(named, texts)
    else:
        shown_keys, left_out = chosen_keys(values, every, keys), ""
    heads = _heads(values, labels, columns, names)
    cells = _cells(numbers, places)
    filled = [
        c for c in range(len(heads)) if any(row[c].value or row[c].marks["d"] for row in cells)
    ]
    if len(filled) < len(heads) and filled:
        empty = ", ".join(head for c, head in enumerate(heads) if c not in filled)
        left_out = f"{left_out} Without any value: {empty}.".strip()
    filled = filled or [*range(len(heads))]
    table = Table(
        [named[p] for p in shown_keys],
        [[row[p] for p in shown_keys] for row in texts],
        [heads[c] for c in filled],
        [[row[c] for c in filled] for row in cells],
        _frame(named, texts, heads, numbers),
    )
    said = _caption(table, ci, dim, None if mode is None else variances, numbers)
    return dataclasses.replace(table, caption=" ".join(filter(None, (said, left_out))))


def _columns(values: xr.DataArray, asked: Sequence[Hashable]) -> list[str]:
    """Return the dims that become columns; a cube may lack the metric or the split as a dim."""
    found = []
    for name in asked:
        if name in ("metric", "split") and name not in values.dims:
            continue
        found.append(coordinate_name(values, name, "columns", among=values.dims))
    return [*dict.fromkeys(found)]


def _check_rows(data: Data, values: xr.DataArray, rows: Sequence[str]) -> None:
    x = x_dim(data) if isinstance(data, xr.Dataset) else None
    count = int(np.prod([values.sizes[d] for d in rows]))
    if x is not None or count > _MOST_ROWS:
        hint = "reduce the x-axis first, as rc.final(ds) does"
        raise PlanError(f"results: {count:,} rows of {', '.join(rows)}: {hint}")


def _labels_of_columns(values: xr.DataArray, columns: Sequence[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for name in columns:
        labels = (
            values[name].values.tolist() if name in values.coords else range(values.sizes[name])
        )
        found = [old | {name: str(label)} for old in found for label in labels]
    return found


def _heads(
    values: xr.DataArray,
    labels: Sequence[Mapping[str, str]],
    columns: Sequence[Hashable],
    names: Mapping[str, str],
) -> list[str]:
    """Return what each column is of."""
    # Of a single column, what was selected says what it is.
    chosen = [str(values[c].item()) for c in columns if c in values.coords and not values[c].ndim]
    return [
        " ".join(names.get(text, text) for text in (label.values() or chosen)) or "value"
        for label in labels
    ]


def _display_name(values: xr.DataArray, key: str) -> str:
    return str(values[key].attrs.get("long_name", key)) if key in values.coords else key


def _numbers(
    values: xr.DataArray, logged: xr.DataArray, dim: str, ci: float, columns: int
) -> dict[str, NDArray[Any]]:
    """Return what is known of each result, (rows, columns): its mean, its interval, its runs."""
    found = summarize(values.where(logged), dim=dim, ci=ci)
    mean = found["mean"]
    # Their dims are those of the values but for names that `summarize` needs for itself.
    half = (found["ci"].sel(ci_bound="upper") - mean).transpose(*mean.dims)
    arrays = {"mean": mean, "half_width": half, **count_runs(values, logged, dim)}
    return {name: own.values.reshape(-1, columns) for name, own in arrays.items()}


def _may_be_best(
    values: xr.DataArray,
    numbers: Mapping[str, NDArray[Any]],
    modes: Sequence[str],
    ci: float,
    variances: Literal["unequal", "equal"],
) -> NDArray[np.bool_]:
    """Return which results are or may be the best of their column, (rows, columns)."""
    n, lost = numbers["n"], numbers["n_diverged"]
    finite = values.where(np.isfinite(values)).values.reshape(*n.shape, -1)
    found = np.zeros(n.shape, dtype=bool)
    for column, mode in enumerate(modes):
        sign = 1.0 if mode == "max" else -1.0
        # A single run says nothing of a spread, and a mean of the survivors is of other runs than
        # those of the rows beside it: neither is ranked.
        ranked = (n[:, column] > 1) & (lost[:, column] == 0)
        found[ranked, column] = may_be_best(sign * finite[ranked, column], ci, variances)
    return found


def _cells(numbers: Mapping[str, NDArray[Any]], places: int | None) -> list[list[Cell]]:
    mean, half = numbers["mean"], numbers["half_width"]
    rows, columns = mean.shape
    decimals = [
        places_of(mean[:, c].tolist(), half[:, c].tolist()) if places is None else [places] * rows
        for c in range(columns)
    ]
    return [
        [
            Cell(
                *shown(mean[r, c], half[r, c], decimals[c][r]),
                int(numbers["n"][r, c]),
                bool(numbers["may_be_best"][r, c]),
                {mark: int(numbers[name][r, c]) for mark, name in MARKS.items()},
            )
            for c in range(columns)
        ]
        for r in range(rows)
    ]


def _mode_of(mode: str | Mapping[str, str] | None, label: Mapping[str, str]) -> str:
    if mode is not None and not isinstance(mode, str):
        metric = label.get("metric", "")
        if metric not in mode:
            raise UnknownNameError(f"mode: no word for the metric {metric!r}: 'max' or 'min'")
        mode = mode[metric]
    if mode not in ("max", "min"):
        raise PlanError(f"mode={mode!r}: expected 'max' or 'min'")
    return mode


def _frame(
    keys: Sequence[str],
    texts: Sequence[Sequence[str]],
    heads: Sequence[str],
    numbers: Mapping[str, NDArray[Any]],
) -> pd.DataFrame:
    columns: dict[tuple[str, str], object] = {
        (key, ""): [row[place] for row in texts] for place, key in enumerate(keys)
    }
    for place, head in enumerate(heads):
        for name, values in numbers.items():
            if not name.endswith("_counted"):
                columns[head, name] = values[:, place]
    frame = pd.DataFrame(columns)
    frame.columns = pd.MultiIndex.from_tuples([*columns])
    return frame


def _caption(
    table: Table,
    ci: float,
    dim: str,
    variances: str | None,
    numbers: Mapping[str, NDArray[Any]],
) -> str:
    n = table.same_n
    over = f"{n} {dim}{'s' * (n != 1)}" if n is not None else f"{dim}s, their number in brackets"
    said = [f"Mean ± half of the {100 * ci:g} % interval (Student's t) over {over}."]
    total = {name: int(own.sum()) for name, own in numbers.items() if name[:2] == "n_"}
    if any(total.values()):
        said.append(f"In brackets, {legend(total)}.")
    if variances is not None:
        cells = [cell for row in table.cells for cell in row]
        words = ["single runs"] * any(cell.n == 1 for cell in cells)
        words += ["means without their diverged runs"] * bool(numbers["n_diverged"].any())
        unranked = f"; {' and '.join(words)} are not ranked" if words else ""
        said.append(
            f"Bold: the best of a column and all that may be it (Hsu, {100 * ci:g} %,"
            f" {variances} variances){unranked}."
        )
    return " ".join(said)
