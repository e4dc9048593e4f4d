"""`distribution`: one value of each run, as points, boxes, bars or a cumulative curve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import check_choice
from runcube.plot.encode import colours_of, keys_left, ordered
from runcube.plot.ends import runs_said
from runcube.plot.labels import counted, interval_of, labels_of, name_of, value_label
from runcube.plot.lines import column_name
from runcube.plot.marks import legend_entries
from runcube.plot.panels import panels
from runcube.plot.run_data import distribution as distribution_data
from runcube.plot.scales import bin_edges, calls_for_log
from runcube.plot.style import DASHES
from runcube.plot.style import theme as in_theme
from runcube.stats import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from runcube.plot.encode import Colours
    from runcube.plot.statistic import Statistic
    from runcube.stats import RNG, Data

Kind = Literal["strip", "box", "hist", "ecdf"]
_MOST_PLACES = 40


def distribution(
    data: Data,
    *,
    x: str | None = None,
    hue: str | None = None,
    row: str | None = None,
    col: str | None = None,
    ax: Axes | None = None,
    kind: Kind = "strip",
    dim: str | Sequence[str] = "seed",
    statistic: Statistic = "mean",
    ci: float | None = 0.95,
    method: Any = None,
    statuses: str | Sequence[str] | None = None,
    log: bool | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
    rng: RNG = None,
) -> Axes | Figure:
    """Draw one value of each run: how the seeds of each configuration spread.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, such as ``rc.final(ds)``; of a cube with its x-axis, the last logged
        value of each run.
    x : str, optional
        The hyperparameter along the x-axis of points and boxes; by default the one that tells
        configurations apart, or the one with the most labels.
    hue, row, col, ax
        As for :func:`curves`.
    kind : {"strip", "box", "hist", "ecdf"}
        ``"strip"``: each run as a point, with the mean and its interval. ``"box"``: median,
        quartiles, and whiskers to the furthest run within 1.5 interquartile ranges, with the runs.
        ``"hist"``: counts. ``"ecdf"``: the share of runs up to each value; of two groups the
        largest gap is marked, with the p of Kolmogorov and Smirnov.
    dim, statistic, ci, method, rng
        As for :func:`curves`: what ``"strip"`` shows beside the runs.
    statuses : str or sequence of str, optional
        Only runs that ended so; as for :func:`curves`.
    log : bool, optional
        Whether the axis of values is logarithmic; by default where they call for it.
    names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes or Figure
        As :func:`curves`.

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter or dim; the message has the nearest names.
    PlanError
        If the arguments contradict each other.

    See Also
    --------
    runcube.plot.data.distribution : what is drawn, as arrays.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.distribution(ds.sel(metric="acc1", split="val", weight_decay=0.0), x="lr")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('lr', 'val acc1, last value')
    """
    check_choice("kind", kind, ("strip", "box", "hist", "ecdf"))
    names = names or {}
    how: dict[str, Any] = {"statistic": statistic, "ci": ci, "method": method, "rng": rng}
    found = distribution_data(data, dim=dim, statuses=statuses, **how)
    x, hue, row, col = _keys(found, (x, hue, row, col), kind, ax is not None)
    colours, hidden = colours_of(found, hue, keys_left(found, (x, row, col)), names)
    labels, place = _places(found, x, names)
    is_beside = kind in ("strip", "box")
    with in_theme(theme):
        made = panels(found, row=row, col=col, ax=ax, width=width, names=names, sharex=is_beside)
        for at, (own, lines) in enumerate(made):
            places = np.flatnonzero(lines)
            part = found.isel(line=places)
            titles = name_of(x, found[x], names) if x else "", value_label(part, names)
            is_log = _is_log(part if made.is_free else found, log)
            if is_beside:
                _beside(own, part, place[places], colours, places, kind)
                _ticks(own, labels)
                _name(own, titles, made.is_lowest(at), made.is_leftmost(at))
            else:
                _along(own, part, colours, places, kind, is_log)
                what = "runs" if kind == "hist" else "share of runs"
                _name(own, (titles[1], what), made.is_lowest(at), made.is_leftmost(at))
            if is_log:
                (own.set_yscale if is_beside else own.set_xscale)("log")
        text = _caption(found, kind, hidden, names)
        if kind == "ecdf":
            text += _gap(made.axes, found, colours)
        counts = [counted(found["n"].values[own]) for own in colours.lines]
        look: Any = {"ecdf": "dashes", "hist": "line"}.get(kind, "point")
        if kind == "hist":
            colours = replace(colours, markers=[])
        return made.finish(legend_entries(colours, None, counts, look), text)


def _is_log(found: xr.Dataset, log: bool | None) -> bool:
    values = found["value"].values
    return calls_for_log(values) if log is None else bool(log and (values > 0).any())


def _keys(
    found: xr.Dataset, given: Sequence[str | None], kind: str, is_one: bool
) -> list[str | None]:
    words = ("x", "hue", "row", "col")
    own = [key and column_name(found, key, word) for key, word in zip(given, words, strict=True)]
    x, hue, row, col = own
    left = keys_left(found, own)
    if "metric" in left and not is_one:
        col, row = (col, row or "metric") if col else ("metric", row)
        left.remove("metric")
    others = [key for key in left if key != "split"] or left
    if x is None and kind in ("strip", "box") and others:
        x = max(others, key=lambda key: len(np.unique(found[key].values)))
    return [x, hue, row, col]


def _places(
    found: xr.Dataset, x: str | None, names: Mapping[str, str]
) -> tuple[list[str], NDArray[np.intp]]:
    """Return what stands along x, and where each line is."""
    if x is None:
        return [""], np.zeros(found.sizes["line"], dtype=np.intp)
    labels, place = ordered(found[x].values)
    return labels_of(labels.tolist(), names), place


def _beside(
    ax: Axes,
    part: xr.Dataset,
    place: NDArray[np.intp],
    colours: Colours,
    lines: NDArray[np.intp],
    kind: str,
) -> None:
    """Draw the runs of each line over the label of x that it has, the colours side by side."""
    code = colours.code[lines]
    arrays = {str(name): own.values for name, own in part.data_vars.items()}
    n_colours = max(1, len(colours.labels))
    step = 0.8 / n_colours if n_colours <= 8 else 0.0
    for i, line in enumerate(lines.tolist()):
        at = place[i] + (code[i] - (n_colours - 1) / 2) * step
        values = arrays["value"][i][np.isfinite(arrays["value"][i])]
        colour = colours.colours[colours.code[line]]
        room = 0.3 * (step or 0.8)
        # The same places each time: in the order of the values, to and fro.
        jitter = room * (np.argsort(np.argsort(values)) % 5 - 2) / 2.5
        if kind == "box":
            _box(ax, at, values, colour, min(step or 0.5, 0.5) * 0.8)
        marker = colours.markers[code[i]] if colours.markers else "o"
        ax.plot(
            *(at + jitter, values, marker),
            color=colour,
            markersize=3,
            alpha=0.55,
            markeredgewidth=0,
            zorder=2,
        )
        if kind == "strip":
            _mean(ax, at, [arrays[name][i] for name in ("center", "lower", "upper")], colour)
        if count := int(arrays["n_nonfinite"][i]):
            edge: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "clip_on": False}
            ax.plot([at], [0.985], "^", color=colour, **edge)
            ax.annotate(
                *(str(count), (at, 0.985)),
                xycoords=ax.get_xaxis_transform(),
                xytext=(3, -1),
                textcoords="offset points",
                va="top",
                fontsize=8,
            )


def _ticks(ax: Axes, labels: Sequence[str]) -> None:
    """Write the labels along x, as many as there is room for."""
    every = max(1, -(-len(labels) // _MOST_PLACES))
    is_long = sum(map(len, labels[::every])) > 40
    ax.set_xticks(
        *([*range(0, len(labels), every)], labels[::every]),
        rotation=45 if is_long else 0,
        ha="right" if is_long else "center",
        rotation_mode="anchor",
    )
    ax.set_xlim(-0.6, len(labels) - 0.4)


def _mean(ax: Axes, at: float, own: Sequence[float], colour: Any) -> None:
    center, low, high = own
    if np.isfinite(low) and np.isfinite(high):
        ax.vlines(at, low, high, color=colour, linewidth=1.3, zorder=3)
    ax.plot([at], [center], "_", color=colour, markersize=9, markeredgewidth=1.8, zorder=4)


def _box(ax: Axes, at: float, values: NDArray[np.float64], colour: Any, width: float) -> None:
    if len(values):
        ax.boxplot(
            [values],
            positions=[at],
            widths=width,
            showfliers=False,
            manage_ticks=False,
            boxprops={"color": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            medianprops={"color": colour, "linewidth": 1.8},
        )


def _along(
    ax: Axes, part: xr.Dataset, colours: Colours, lines: NDArray[np.intp], kind: str, is_log: bool
) -> None:
    """Draw the runs of each colour along their values."""
    whole = part["value"].values[np.isfinite(part["value"].values)]
    if not whole.size:
        return
    bins = bin_edges(np.log(whole[whole > 0]) if is_log else whole)
    for i, label in enumerate(colours.labels):
        values = part["value"].values[colours.code[lines] == i]
        values = np.sort(values[np.isfinite(values)])
        if not values.size:
            continue
        how: dict[str, Any] = {"color": colours.colours[i], "label": label}
        if kind == "hist":
            edges = (np.exp(bins) if is_log else bins).tolist()
            ax.hist(values, edges, histtype="stepfilled", alpha=0.25, **how)
            ax.hist(values, edges, histtype="step", **how)
        else:
            ax.ecdf(values, linestyle=DASHES[i % len(DASHES)], **how)
            ax.set_ylim(0, 1.03)


def _gap(axes: Sequence[Axes], found: xr.Dataset, colours: Colours) -> str:
    """Mark where the shares of two groups are furthest apart, and return what that says."""
    if len(colours.labels) != 2 or len(axes) != 1:
        return ""
    groups = [found["value"].values[own].ravel() for own in colours.lines]
    one, other = (xr.DataArray(own[np.isfinite(own)], dims="seed") for own in groups)
    if not one.size or not other.size:
        return ""
    test = compare(one, other, paired=False)
    at = float(test["ks_at"])
    shares = [float((own.values <= at).mean()) for own in (one, other)]
    axes[0].vlines(at, min(shares), max(shares), color="0.2", linestyle=":", linewidth=1.5)
    return (
        f" Dotted: the largest gap, {float(test['ks']):.2f} at {at:.4g}"
        f" (Kolmogorov–Smirnov, p = {float(test['ks_p']):.2g})."
    )


def _name(ax: Axes, titles: tuple[str, str], is_lowest: bool, is_leftmost: bool) -> None:
    if is_lowest:
        ax.set_xlabel(titles[0])
    if is_leftmost:
        ax.set_ylabel(titles[1])


def _caption(found: xr.Dataset, kind: str, hidden: Sequence[str], names: Mapping[str, str]) -> str:
    if not found.sizes["line"]:
        return "No run has a value."
    said = [f"Each point is a run, n = {counted(found['n'].values)}."]
    if kind in ("hist", "ecdf"):
        said = [f"{int(found['n'].sum())} runs."]
    if kind == "box":
        said.append("Box: median and quartiles; whiskers: 1.5 interquartile ranges at most.")
    if kind == "strip":
        interval = interval_of(found.attrs)
        said.append(f"Dash: {found.attrs['statistic']}" + (f", {interval}." if interval else "."))
    if hidden:
        which = ", ".join(name_of(key, found[key], names) for key in hidden)
        said.append(f"Groups of one look differ in {which}.")
    if count := int(found["n_nonfinite"].sum()):
        said.append(f"{'▲: ' if kind in ('strip', 'box') else ''}NaN or infinity ({count} runs).")
    return " ".join([*said, runs_said(found.attrs)])
