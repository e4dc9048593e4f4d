"""`parallel`: configurations as lines across their hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError
from runcube.plot.encode import ordered
from runcube.plot.ends import runs_said
from runcube.plot.labels import counted, labels_of, name_of, value_label
from runcube.plot.lines import column_name, columns_of
from runcube.plot.marks import shortened_cmap
from runcube.plot.panels import one_panel
from runcube.plot.run_data import distribution as distribution_data
from runcube.plot.scales import calls_for_log
from runcube.plot.style import theme as in_theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from runcube.stats import Data

_MOST_TICKS = 8
_MOST_AXES = 10


def parallel(
    data: Data,
    *,
    keys: Sequence[str] | None = None,
    mode: Literal["max", "min"] | None = None,
    ax: Axes | None = None,
    dim: str = "seed",
    statuses: str | Sequence[str] | None = None,
    log: bool | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
) -> Axes | Figure:
    """Draw each configuration as a line across its hyperparameters, coloured by its mean.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, of one metric and split; of a cube with its x-axis, the last logged
        value of each run.
    keys : sequence of str, optional
        The hyperparameters, from left to right; by default all that vary, up to 10.
    mode : {"max", "min"}, optional
        Which end is better: the best are drawn last, on top.
    ax, names, width, theme
        As for :func:`curves`.
    dim : str
        The seeds, which are averaged.
    statuses : str or sequence of str, optional
        Only runs that ended so; as for :func:`curves`.
    log : bool, optional
        Whether values are logarithmic; by default where they call for it.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter; the message has the nearest names.
    PlanError
        If the data has several metrics or splits, or no hyperparameter varies.

    See Also
    --------
    runcube.plot.data.distribution : what is drawn, as arrays.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.parallel(ds.sel(metric="acc1", split="val"), mode="max")
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['weights', 'lr', 'weight_decay', 'val acc1, last value']
    """
    names = names or {}
    if mode not in (None, "max", "min"):
        raise PlanError(f"mode={mode!r}: expected 'max' or 'min'")
    found = distribution_data(data, dim=dim, ci=None, statuses=statuses)
    every = _keys(found, keys)
    own = every[:_MOST_AXES]
    values = found["center"].values
    is_log = calls_for_log(values) if log is None else bool(log and (values > 0).any())
    columns = [_column(found[key].values, names) for key in own]
    columns.append(_numbers(values, is_log))
    titles = [*(name_of(key, found[key], names) for key in own), value_label(found, names)]
    with in_theme(theme):
        made = one_panel(ax, width or "page")
        panel = made.axes[0]
        _lines(panel, columns, mode)
        for at, (_, ticks) in enumerate(columns):
            _axis(panel, at, ticks)
        panel.set_xticks([*range(len(titles))], titles)
        panel.set_xlim(-0.15, len(titles) - 0.75)
        panel.set_ylim(-0.05, 1.05)
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
        panel.tick_params(axis="x", length=0)
        return made.finish([], _caption(found, values, len(every) - len(own)))


def _keys(found: xr.Dataset, keys: Sequence[str] | None) -> list[str]:
    several = [n for n in ("metric", "split") if len(np.unique(found[n].values)) > 1]
    if several:
        raise PlanError(f"parallel: select one {several[0]}: ds.sel({several[0]}=…)")
    if keys is not None:
        return [column_name(found, key, "keys") for key in keys]
    own = [key for key in columns_of(found) if len(np.unique(found[key].values)) > 1]
    # The number of a configuration says nothing beside its hyperparameters.
    own = [key for key in own if key != "config"] or own
    if not own:
        raise PlanError("parallel: no hyperparameter varies")
    return own


def _column(
    values: NDArray[Any], names: Mapping[str, str]
) -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    """Return where each line crosses an axis, from 0 to 1, and the ticks of the axis."""
    labels, code = ordered(values)
    if values.dtype.kind in "if" and len(labels) > _MOST_TICKS:
        return _numbers(values.astype(np.float64), calls_for_log(labels.astype(np.float64)))
    places = np.linspace(0, 1, len(labels)) if len(labels) > 1 else np.array([0.5])
    every = max(1, -(-len(labels) // (2 * _MOST_TICKS)))
    shown = labels_of(labels.tolist(), names)
    ticks = [(float(places[i]), shown[i]) for i in range(0, len(labels), every)]
    return places[code], ticks


def _numbers(
    values: NDArray[np.float64], is_log: bool
) -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    from matplotlib.ticker import LogLocator, MaxNLocator

    there = np.isfinite(values) & ((values > 0) | (not is_log))
    if not there.any():
        return np.full(len(values), np.nan), []
    low, high = float(values[there].min()), float(values[there].max())

    def height(own: NDArray[np.float64]) -> NDArray[np.float64]:
        if low == high:
            return np.full(own.shape, 0.5)
        if is_log:
            return np.asarray(np.log(own / low) / np.log(high / low))
        return (own - low) / (high - low)

    heights = np.full(len(values), np.nan)
    heights[there] = height(values[there])
    locator = LogLocator() if is_log else MaxNLocator(5)
    ticks = np.asarray(locator.tick_values(low, high) if low < high else [low])
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    ends = np.array([low, high]) if len(ticks) < 2 else ticks
    return heights, [(float(height(np.array([own]))[0]), f"{own:.4g}") for own in ends]


def _lines(ax: Axes, columns: Sequence[tuple[NDArray[np.float64], Any]], mode: str | None) -> None:
    """Draw the configurations, the best on top; those without a finite mean are grey and end."""
    heights = np.stack([own for own, _ in columns], axis=1)
    score = heights[:, -1]
    order = np.argsort(np.nan_to_num(-score if mode == "min" else score, nan=-np.inf))
    cmap = shortened_cmap()
    alpha = 0.8 if len(heights) <= 60 else 0.35
    for at in order.tolist():
        is_there = np.isfinite(score[at])
        ax.plot(
            np.arange(heights.shape[1]),
            heights[at],
            color=cmap(score[at]) if is_there else "0.6",
            linestyle="-" if is_there else ":",
            linewidth=1.0,
            alpha=alpha,
        )


def _axis(ax: Axes, at: int, ticks: Sequence[tuple[float, str]]) -> None:
    ax.vlines(at, 0, 1, color="0.3", linewidth=0.8, zorder=4)
    for height, text in ticks:
        ax.annotate(
            *(text, (at, height)),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            zorder=5,
        )


def _caption(found: xr.Dataset, values: NDArray[np.float64], more: int) -> str:
    there = np.isfinite(values)
    over = found.attrs["summary_dim"].replace("seed", "seeds")
    said = [
        f"{len(values)} configurations, coloured by the mean over {over},"
        f" n = {counted(found['n'].values[there])} runs each."
    ]
    if lost := int((~there).sum()):
        said.append(f"Grey, dotted: no finite value ({lost}).")
    if more:
        said.append(f"{more} more hyperparameters vary: keys= chooses.")
    return " ".join([*said, runs_said(found.attrs)])
