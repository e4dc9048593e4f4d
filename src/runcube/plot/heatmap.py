"""`heatmap`: the mean for each pair of labels of two hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError
from runcube.plot.ends import runs_said
from runcube.plot.labels import counted, interval_of, labels_of, name_of, value_label
from runcube.plot.lines import columns_of, telling_apart
from runcube.plot.marks import shortened_cmap
from runcube.plot.pair_data import heatmap as heatmap_data
from runcube.plot.panels import one_panel
from runcube.plot.run_data import distribution as distribution_data
from runcube.plot.scales import calls_for_log
from runcube.plot.style import theme as in_theme
from runcube.tables import decimals_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from runcube.stats import Data

# Cells that are narrower than this, in inches, have no text.
_LEAST_CELL = 0.42
_MOST_TICKS = 20
_LARGE = 1e5
_MOST_HATCHED = 10_000


def heatmap(
    data: Data,
    *,
    x: str | None = None,
    y: str | None = None,
    ax: Axes | None = None,
    rest: Literal["mean", "median", "best"] = "mean",
    mode: Literal["max", "min"] | None = None,
    bins: int | None = None,
    dim: str | Sequence[str] = "seed",
    ci: float = 0.95,
    statuses: str | Sequence[str] | None = None,
    log: bool | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
) -> Axes | Figure:
    """Draw the mean of the runs for each pair of labels of two hyperparameters.

    Each cell says its value, half of its interval where it is one configuration, and the number of
    runs; a cell without any finite value is hatched. The caption says what was done with the other
    hyperparameters.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, of one metric and split; of a cube with its x-axis, the last logged
        value of each run.
    x, y : str, optional
        The hyperparameters; by default those with the most labels.
    ax : Axes, optional
        Where to draw.
    rest, mode, bins, dim, ci, statuses
        As for :func:`runcube.plot.data.heatmap`: what becomes of the other hyperparameters.
    log : bool, optional
        Whether colours are logarithmic; by default where values call for it.
    names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter; the message has the nearest names.
    PlanError
        If the data has several metrics or splits, or fewer than two hyperparameters.

    See Also
    --------
    runcube.plot.data.heatmap : what is drawn, as arrays.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.heatmap(ds.sel(metric="acc1", split="val"), x="lr", y="weight_decay")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('lr', 'weight_decay')
    """
    names = names or {}
    runs: Any = {"dim": dim, "statuses": statuses}
    x, y = _keys(data, x, y, runs)
    found = heatmap_data(data, x=x, y=y, rest=rest, mode=mode, bins=bins, ci=ci, **runs)
    y, x = (str(own) for own in found["value"].dims)
    values = found["value"].values
    is_log = calls_for_log(values) if log is None else bool(log and (values > 0).any())
    with in_theme(theme):
        made = one_panel(ax, width, height=0.9 + 0.42 * min(len(values), 12))
        own = made.axes[0]
        mesh = _draw(own, values, is_log)
        size = made.panel_width - 1.1
        is_text = size / max(values.shape[1], 1) >= _LEAST_CELL and len(values) <= 12
        # Where colours are logarithmic no number of decimals suits all cells.
        has_room = size / max(values.shape[1], 1) >= 2 * _LEAST_CELL
        is_half = is_text and has_room and not calls_for_log(values)
        if is_text:
            _write(own, found, mesh, is_half)
        for axis, key in ((own.xaxis, x), (own.yaxis, y)):
            labels = labels_of(found[key].values.tolist(), names)
            every = max(1, -(-len(labels) // _MOST_TICKS))
            axis.set_ticks([*range(0, len(labels), every)], labels[::every])
            axis.set_label_text(name_of(key, found[key], names))
        own.tick_params(length=0)
        if sum(map(len, labels_of(found[x].values.tolist(), names))) > 8 * size:
            own.tick_params(axis="x", labelrotation=45)
            made.grow(0.04 * max(map(len, labels_of(found[x].values.tolist(), names))))
        if np.isfinite(values).any():
            bar = made.figure.colorbar(
                mesh, ax=own, label=value_label(found, names).replace(", ", ",\n"), pad=0.02
            )
            bar.outline.set_visible(False)
        return made.finish([], _caption(found, is_text, is_half))


def _keys(data: Data, x: str | None, y: str | None, runs: Any) -> tuple[str, str]:
    if x is not None and y is not None:
        return x, y
    found = distribution_data(data, ci=None, **runs)
    keys = [k for k in telling_apart(found) if k not in ("metric", "split", x, y)]
    keys += [k for k in columns_of(found) if k not in (*keys, "metric", "split", x, y)]
    keys.sort(key=lambda key: -len(np.unique(found[key].values)))
    free = iter(keys)
    own = [x or next(free, None), y or next(free, None)]
    if own[0] is None or own[1] is None:
        raise PlanError("heatmap: expected two hyperparameters; give x= and y=")
    return own[0], own[1]


def _draw(ax: Axes, values: Any, is_log: bool) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Rectangle

    finite = values[np.isfinite(values) & ((values > 0) | (not is_log))]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low == high:
        high = low + (abs(low) or 1.0) * 1e-6
    norm = (LogNorm if is_log else Normalize)(low, high)
    places = [np.arange(size) for size in values.shape[::-1]]
    empty = np.where(np.isfinite(values), np.nan, 1.0)
    hatched: dict[str, Any] = {"hatch": "////", "facecolor": "none", "edgecolor": "0.6", "lw": 0}
    for row, column in np.argwhere(np.isfinite(empty)) if empty.size <= _MOST_HATCHED else ():
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **hatched))
    masked = np.ma.masked_invalid(values)
    if values.size:
        ax.pcolormesh(*places, masked, cmap=shortened_cmap(), norm=norm, shading="nearest")
    mesh = ScalarMappable(norm, shortened_cmap())
    ax.set_xlim(-0.5, max(values.shape[1], 1) - 0.5)
    ax.set_ylim(-0.5, max(len(values), 1) - 0.5)
    ax.set_facecolor("white")
    ax.spines[:].set_visible(False)
    return mesh


def _write(ax: Axes, found: xr.Dataset, mesh: Any, is_half: bool) -> None:
    values = found["value"].values
    half = (found["upper"].values - found["lower"].values) / 2
    is_wide = calls_for_log(values)
    places = decimals_of(values.ravel().tolist(), half.ravel().tolist())
    for row, column in np.ndindex(values.shape):
        value, n = values[row, column], int(found["n"].values[row, column])
        lost = int(found["n_nonfinite"].values[row, column])
        if not np.isfinite(value):
            text, colour = (f"▲ {lost}" if lost else ""), "0.2"
        else:
            own, error = shown(float(value), float(half[row, column]), places)
            own = f"{value:.3g}" if is_wide or abs(value) >= _LARGE else own
            text = f"{own} ± {error}" if is_half and error else own
            text += f"\nn = {n}" + (f", ▲ {lost}" if lost else "")
            red, green, blue, _ = mesh.to_rgba(value)
            colour = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)


def _caption(found: xr.Dataset, is_text: bool, is_half: bool) -> str:
    there = found["n"].values > 0
    if not there.any():
        return "No run has a finite value."
    said = ["Mean over runs"]
    if rule := found.attrs["rule"]:
        said[0] += f", {rule}"
    if not is_text:
        said[0] += f" (n = {counted(found['n'].values[there])})"
    if is_half and np.isfinite(found["lower"].values).any():
        said.append(f"±: half of the {interval_of(found.attrs)}")
    if not there.all():
        said.append("Hatched: no finite value")
    if count := int(found["n_nonfinite"].sum()):
        said.append(f"▲: runs that end in NaN or infinity ({count} in all)")
    return " ".join([". ".join(said) + ".", runs_said(found.attrs)])
