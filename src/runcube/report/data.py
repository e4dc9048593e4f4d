"""What the page draws, as plain values: runs and their labels, x, and packed curves."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import PlanError, printable, value_text
from runcube.cube import (
    CellRows,
    display_name,
    final,
    full_key,
    laid_out,
    which_tell_apart,
    x_dim,
)
from runcube.report.packing import as_text, packed
from runcube.report.thinning import kept_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

# Values that all curves of a page may have: some 2.4 bytes each in base64.
_MOST_VALUES = 1_800_000
_LEAST_POINTS = 50  # of each curve, whatever the page becomes

# Okabe and Ito (2008) without black and yellow, to be seen on white and on black; viridis without
# its ends.
_CATEGORICAL = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1"]
_SEQUENTIAL = (
    "#472f7d #443b84 #3f4788 #39558c #34608d #2f6b8e #2b758e #277f8e #24898e #21918c #1f9c89"
    " #20a486 #28ae80 #37b878 #48c16e #5ec962 #75d054 #8fd744 #a8db34"
).split()


_WITHIN = {"linear": "within", "log": "log10 within", "asinh": "asinh within"}


def shown_text(label: object) -> str:
    """Return a label as it is shown."""
    return printable(value_text(label))


def sweep_data(ds: xr.Dataset, ci: float) -> dict[str, Any]:
    """Return what the script of the page reads, as JSON has it.

    Parameters
    ----------
    ds : Dataset
        A cube with its x-axis, in either layout, lazy or not.
    ci : float
        Level of the intervals.

    Returns
    -------
    dict
        ``n_runs``; ``keys``, by which runs are grouped and filtered: labels, a code for each run,
        places on an axis; ``x``, the quantities along curves; ``curves``, one a metric and split;
        ``t``, the quantile of Student's t for n values, from none on; ``ci``.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or has no run or no x-axis.
    """
    x = x_dim(ds)
    cells = CellRows.of(ds)
    if x is None:
        raise PlanError("report: no x-axis is left; pass the cube with its curves")
    rows, seeds = np.nonzero(cells.held)
    if not len(rows):
        raise PlanError("report: the cube has no run")
    keys = _keys(ds, cells, rows, seeds)
    for key in keys:
        key["codes"] = as_text(key.pop("run_codes").astype(np.uint16))
    return {
        "n_runs": len(rows),
        "keys": keys,
        "x": _x_quantities(ds, cells, x, rows, seeds),
        "curves": _curves(ds, cells, x, rows, seeds),
        "t": _t_quantiles(len(rows), ci),
        "ci": ci,
        "palettes": {"categorical": _CATEGORICAL, "sequential": _SEQUENTIAL},
    }


def configuration_names(ds: xr.Dataset, cells: CellRows) -> list[str]:
    """Return the hyperparameters that tell configurations apart: those that no seed changes."""
    return [name for name in cells.names if "seed" not in ds[name].dims]


def by_what_tells(ds: xr.Dataset, cells: CellRows) -> tuple[list[str], list[str]]:
    """Return the hyperparameters that tell the runs apart, and those that these decide.

    One that differs in more than half of the configurations decides nothing, as in a random search.
    """
    columns = {name: cells.column(ds, name)[cells.held] for name in cells.names}
    most = int(cells.held.any(axis=1).sum()) / 2
    fine = [name for name, own in columns.items() if len(np.unique(own)) > most]
    coarse = [name for name in cells.names if name not in fine]
    places = which_tell_apart([columns[name] for name in coarse])
    main = [*fine, *(coarse[place] for place in places)]
    return (
        [name for name in cells.names if name in main],
        [name for name in cells.names if name not in main],
    )


def _keys(
    ds: xr.Dataset, cells: CellRows, rows: NDArray[np.intp], seeds: NDArray[np.intp]
) -> list[dict[str, Any]]:
    """Return what runs are grouped and filtered by; configuration, seed and status at the end."""
    keys = []
    main, rest = by_what_tells(ds, cells)
    for name in (*main, *rest):
        values = cells.column(ds, name)[rows, seeds]
        labels, codes = np.unique(values, return_inverse=True)
        if values.dtype.kind not in "fiub":  # text keeps the order of the axis
            own = list(dict.fromkeys(np.ravel(ds[name].values).tolist()))
            order = np.argsort([own.index(label) for label in labels.tolist()])
            codes = np.argsort(order)[codes]
            labels = labels[order]
        if 1 < len(labels) < 65535:
            keys.append(
                _key(ds, name, labels, codes, "hparam")
                | {
                    "numeric": values.dtype.kind in "fiu",
                    "places": np.round(_places(labels), 4).tolist(),
                }
            )
    names = configuration_names(ds, cells)
    held = np.unique(rows)
    told = [_labels_of(ds, cells, names, row) for row in held.tolist()]
    shown = [printable(display_name(ds, name)) for name in names]
    titles = [
        ", ".join(map("=".join, zip(shown, own, strict=True))) or f"configuration {row}"
        for own, row in zip(told, held.tolist(), strict=True)
    ]
    times = Counter(titles)
    titles = [
        title if times[title] == 1 else f"{title} ({row})"
        for title, row in zip(titles, held.tolist(), strict=True)
    ]
    labels, codes = np.unique(cells.status[rows, seeds], return_inverse=True)
    keys.append(_key(ds, "status", labels, codes, "status"))
    codes = np.searchsorted(held, rows)
    keys.append(_key(ds, "configuration", titles, codes, "configuration"))
    if names:  # for axes: the labels alone
        together = ", ".join(shown)
        keys[-1] |= {
            "names": together if len(together) < 48 else "configuration",
            "short": [", ".join(own) for own in told],
        }
    keys.append(_key(ds, "seed", cells.seeds, seeds, "seed"))
    return keys


def _places(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return where labels are on an axis from 0 to 1: numbers by value, on a log axis if wide."""
    even = np.linspace(0, 1, len(labels))
    if labels.dtype.kind not in "fiu" or not np.isfinite(labels).all():
        return even
    own = labels.astype(np.float64)
    if own[0] > 0 and own[-1] / 50 > own[0]:
        own = np.log10(own)
    share = (own / 2 - own[0] / 2) / (own[-1] / 2 - own[0] / 2)  # halves: the span may overflow
    return share if np.isfinite(share).all() else even


def _labels_of(ds: xr.Dataset, cells: CellRows, names: Sequence[str], row: int) -> list[str]:
    return [shown_text(cells.column(ds, name)[row, 0].item()) for name in names]


def _key(
    ds: xr.Dataset,
    name: str,
    labels: Sequence[Any] | NDArray[Any],
    codes: NDArray[np.intp],
    role: str,
) -> dict[str, Any]:
    own = labels.tolist() if isinstance(labels, np.ndarray) else labels
    is_there = name in ds.coords and role in ("hparam", "seed")
    return {
        "name": printable(name),
        "shown": printable(display_name(ds, name) if is_there else name),
        "title": printable(full_key(ds, name) if is_there else name),
        "role": role,
        "numeric": False,
        "labels": [shown_text(label) for label in own],
        "run_codes": codes,
    }


def _x_quantities(
    ds: xr.Dataset, cells: CellRows, x: str, rows: NDArray[np.intp], seeds: NDArray[np.intp]
) -> list[dict[str, Any]]:
    """Return x and what else runs along the curves; per run where runs disagree."""
    names = [x] + [
        str(n) for n, c in ds.coords.items() if n != x and x in c.dims and c.dtype.kind in "fiu"
    ]
    found = []
    for name in names:
        coord = ds[name] if name in ds.coords else ds[x]
        own: dict[str, Any] = {"name": printable(str(coord.attrs.get("long_name", name)))}
        if coord.dims == (x,):
            own["shared"] = as_text(coord.values.astype(np.float64))
        else:
            values = _by_run(coord.variable, cells, x, rows, seeds).astype(np.float64)
            own["own"] = asdict(packed(values, ~np.isnan(values)))
        found.append(own)
    return found


def _curves(
    ds: xr.Dataset, cells: CellRows, x: str, rows: NDArray[np.intp], seeds: NDArray[np.intp]
) -> list[dict[str, Any]]:
    from runcube.plot.data import calls_for_log

    inner = {d: np.atleast_1d(ds[d].values).tolist() for d in ("metric", "split") if d in ds.coords}
    asked: list[dict[str, Any]] = [
        {"metric": metric, "split": split}
        for metric in enumerate(inner.get("metric", ["value"]))
        for split in enumerate(inner.get("split", [""]))
    ]
    last = final(ds)
    share = _MOST_VALUES / max(1, int(ds["logged"].sum()))
    curves = []
    for names in asked:
        chosen = {name: at for name, (at, _) in names.items() if name in ds.dims}
        values, logged = (
            _by_run(ds[name].variable.isel(chosen), cells, x, rows, seeds)
            for name in ("curve", "logged")
        )
        n_x = int(logged.any(axis=0).sum())
        if not n_x:
            continue
        kept = kept_points(values, logged, max(_LEAST_POINTS, int(share * n_x)))
        curve = asdict(packed(values[:, kept], logged[:, kept]))
        curve["last"] = as_text(_by_run(last.variable.isel(chosen), cells, None, rows, seeds))
        curve |= {
            "metric": printable(str(names["metric"][1])),
            "split": printable(str(names["split"][1])),
            "precision": f"{_WITHIN[curve['scale']]} {curve['error']:.2g}",
            "is_wide": calls_for_log(values[logged]),
            "n_runs": int(logged.any(axis=1).sum()),
            "n_x": len(kept),
            "of_x": n_x,
        }
        if len(kept) < logged.shape[1]:
            curve["kept"] = as_text(kept.astype(np.uint32))
        curves.append(curve)
    return curves


def _by_run(
    variable: xr.Variable,
    cells: CellRows,
    x: str | None,
    rows: NDArray[np.intp],
    seeds: NDArray[np.intp],
) -> NDArray[Any]:
    """Return values on cell dims and x as (runs, x), or without x as (runs,)."""
    sizes = dict(zip(cells.dims, cells.sizes, strict=True))
    if x is not None:
        sizes[x] = variable.sizes[x]
    full = laid_out(variable, sizes)
    return full.reshape(-1, *full.shape[len(cells.dims) - 1 :])[rows, seeds]


def _t_quantiles(most: int, ci: float) -> list[float | None]:
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    n = np.arange(2, max(most, 2) + 1)
    return [None, None, *np.round(stdtrit(n - 1, (1 + ci) / 2), 6).tolist()]
