"""`results`: the table of a paper, from one value per run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.cube import x_dim
from runcube.stats import may_be_best, summarize, values_and_logged
from runcube.tables.digits import decimals_of, shown
from runcube.tables.layout import Cell, Table

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
    places : int, optional
        Decimals, in place of those that the uncertainty leaves: down a column the same, such that
        the half widths have two significant digits.
    names : mapping, optional
        What to call dims and labels: ``{"lr": "learning rate", "acc1": "top 1"}``.

    Returns
    -------
    Table
        With ``to_markdown``, ``to_latex``, ``to_html``, ``to_csv``, and ``frame`` with the numbers.
        Bold is what may be the best of its column (Hsu 1984): not merely "not significantly
        different". Rows without any run are left out.

    Raises
    ------
    UnknownNameError
        If the data has no such dim, or ``mode`` lacks a metric.
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
    | 0.2 | 0.0 | **95.55 ± 0.80** | **96.88 ± 0.87** |
    """
    values, logged = values_and_logged(data)
    if dim not in values.dims:
        known = [str(d) for d in values.dims]
        raise UnknownNameError(f"dim={dim!r}: no such dim{nearest(dim, known)}")
    own = [str(c) for c in columns if c in values.dims]
    rows = [str(d) for d in values.dims if d not in (*own, dim)]
    _check_rows(data, values, rows)
    values = values.where(logged).transpose(*rows, *own, dim)
    found = summarize(values, dim=dim, ci=ci)
    names = names or {}
    labels = _labels_of_columns(values, own)
    # Of a single column, what was selected says what it is.
    chosen = [str(values[c].item()) for c in columns if c in values.coords and not values[c].ndim]
    heads = [
        " ".join(names.get(text, text) for text in (label.values() or chosen)) or "value"
        for label in labels
    ]
    keys, texts = _row_labels(values, rows, names)
    finite = values.where(np.isfinite(values)).values
    flat = finite.reshape(-1, len(labels), values.sizes[dim])
    mean = found["mean"].values.reshape(-1, len(labels))
    half = (found["ci"].sel(ci_bound="upper").values.reshape(mean.shape)) - mean
    n = found["n"].values.reshape(mean.shape)
    is_best = np.zeros(mean.shape, dtype=bool)
    for column, label in enumerate(labels if mode is not None else ()):
        sign = 1.0 if _mode_of(mode, label) == "max" else -1.0
        # A single run says nothing of a spread: its row is not ranked.
        ranked = n[:, column] > 1
        is_best[ranked, column] = may_be_best(sign * flat[ranked, column], ci, variances)
    kept = np.flatnonzero((n > 0).any(axis=1))
    decimals = [
        decimals_of(mean[kept, c].tolist(), half[kept, c].tolist()) if places is None else places
        for c in range(len(labels))
    ]
    cells = [
        [
            Cell(*shown(mean[r, c], half[r, c], decimals[c]), int(n[r, c]), bool(is_best[r, c]))
            for c in range(len(labels))
        ]
        for r in kept.tolist()
    ]
    table = Table(keys, [texts[r] for r in kept.tolist()], heads, cells, pd.DataFrame())
    frame = _frame(keys, texts, heads, kept, (mean, half, n, is_best))
    caption = _caption(table, ci, dim, variances if mode is not None else None)
    return Table(table.keys, table.rows, table.columns, cells, frame, caption)


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


def _row_labels(
    values: xr.DataArray, rows: Sequence[str], names: Mapping[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Return what tells rows apart, and the labels of each."""
    keys = [d for d in rows if d != "config"]
    if "config" in rows:
        keys += [
            str(n)
            for n, c in values.coords.items()
            if c.dims == ("config",) and "hparam" in c.attrs and not _is_number_of(values, str(n))
        ]
    sizes = {d: values.sizes[d] for d in rows}
    columns = []
    for key in keys:
        coord = (
            values[key] if key in values.coords else xr.DataArray(np.arange(sizes[key]), dims=key)
        )
        spread = coord.broadcast_like(xr.DataArray(np.zeros([*sizes.values()]), dims=rows))
        columns.append(np.ravel(spread.transpose(*rows).values).tolist())
    count = int(np.prod([*sizes.values()]))
    texts = [[_label(column[r], names) for column in columns] for r in range(count)]
    return [names.get(key, key) for key in keys], texts


def _is_number_of(values: xr.DataArray, name: str) -> bool:
    """Return whether a coordinate holds the numbers of a text label."""
    label = values.coords.get(name.removesuffix("_value"))
    is_own = label is not None and label.attrs.get("hparam") == values[name].attrs["hparam"]
    return name.endswith("_value") and is_own


def _label(value: object, names: Mapping[str, str]) -> str:
    text = f"{value:.6g}" if isinstance(value, float) and value % 1 else str(value)
    return names.get(text, text)


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
    kept: NDArray[np.intp],
    numbers: tuple[NDArray[np.float64], ...],
) -> pd.DataFrame:
    columns: dict[tuple[str, str], object] = {
        (key, ""): [texts[r][place] for r in kept.tolist()] for place, key in enumerate(keys)
    }
    for place, head in enumerate(heads):
        for name, values in zip(("mean", "half_width", "n", "may_be_best"), numbers, strict=True):
            columns[head, name] = values[kept, place]
    frame = pd.DataFrame(columns)
    frame.columns = pd.MultiIndex.from_tuples([*columns])
    return frame


def _caption(table: Table, ci: float, dim: str, variances: str | None) -> str:
    n = table.same_n
    over = f"{n} {dim}s" if n is not None else f"{dim}s, their number in brackets"
    text = f"Mean ± half of the {100 * ci:g} % interval (Student's t) over {over}."
    if variances is None:
        return text
    has_single = any(cell.n == 1 for row in table.cells for cell in row)
    single = "; single runs are not ranked" if has_single else ""
    return (
        f"{text} Bold: the best of a column and all that may be it (Hsu, {100 * ci:g} %,"
        f" {variances} variances){single}."
    )
