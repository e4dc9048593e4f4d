"""`curves`: what was logged along x, all but the seeds grouped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.plot.curve_data import curves as curves_data
from runcube.plot.encode import colours_of, dashes_of, keys_left
from runcube.plot.ends import runs_said
from runcube.plot.labels import counted, interval_of, name_of, plain, value_name
from runcube.plot.limits import Scale, scale_of, x_calls_for_log
from runcube.plot.lines import column_name
from runcube.plot.marks import band, changes, colour_bar, diverging, legend_entries, line
from runcube.plot.panels import panels
from runcube.plot.scales import own_points
from runcube.plot.style import theme as in_theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from runcube.plot.statistic import Statistic
    from runcube.stats import RNG, Data

_MOST_BANDS = 8
_MANY = 12


def curves(
    data: Data,
    *,
    x: str | None = None,
    hue: str | None = None,
    style: str | None = None,
    row: str | None = None,
    col: str | None = None,
    ax: Axes | None = None,
    dim: str | Sequence[str] = "seed",
    statistic: Statistic = "mean",
    ci: float | None = 0.95,
    method: Any = None,
    simultaneous: bool = False,
    intervals: bool | Literal["auto"] = "auto",
    seeds: bool = False,
    smoothing: float | None = None,
    min_n: int = 1,
    statuses: str | Sequence[str] | None = None,
    clip: float | None = None,
    logx: bool | None = None,
    logy: bool | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
    rng: RNG = None,
) -> Axes | Figure:
    """Draw curves along x: a line for each configuration, its runs averaged, with the interval.

    Everything but the seeds is grouped: no two configurations are averaged unless ``dim`` says so.
    Points that are missing are gaps, unless a line has values at fewer than half of the points of x
    within its range: it is logged on a grid of its own, and drawn through. A triangle at the upper
    edge marks where a run logs its first NaN or infinity; such values are left out of the mean,
    and n says of how many it is. Where n is below its largest along a line, since runs ended,
    diverged or did not log there, the line is thin, and small ticks are where n changes: a step
    there may come from the change of runs alone.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it (``ds.sel(metric="loss")``), in either layout, lazy or not; or
        an array, in which NaN is missing.
    x : str, optional
        The x-axis, another quantity along it (``"step"``, ``"samples"``), or ``"elapsed"``. Where
        runs have their own values of it, each is resampled within its range.
    hue : str, optional
        The hyperparameter, ``"split"`` or ``"metric"`` that colours stand for. Labels have a
        legend, many numbers a colour bar. By default the one that tells lines apart, all together
        where they are few, or the one with the most labels.
    style : str, optional
        What line styles stand for; by default the split.
    row, col : str, optional
        Small multiples: a panel for each label; one of them alone is wrapped. Several metrics have
        a panel each by default.
    ax : Axes, optional
        Where to draw one panel.
    dim : str or sequence of str
        What is averaged: ``["weight_decay", "seed"]`` takes a hyperparameter along.
    statistic : {"mean", "median", "iqm"}
    ci, method, simultaneous, rng
        The interval, as for :func:`runcube.summarize`. The caption names it.
    intervals : bool or "auto"
        Whether they are drawn; by default with up to 8 lines in a panel.
    seeds : bool
        Whether the single runs are drawn too, thin.
    smoothing : float, optional
        The ``alpha`` of :func:`runcube.smooth`: each run is smoothed before the mean is taken, and
        what was logged is drawn behind.
    min_n : int
        Points with values of fewer runs are not drawn; the caption counts them.
    statuses : str or sequence of str, optional
        Only runs that ended so, such as ``"complete"``. By default all runs count with what they
        logged, as for :func:`runcube.final` and :func:`runcube.summarize`. The caption says which.
    clip : float, optional
        A quantile such as 0.99: limits y to the values between it and its opposite. The caption
        says how many points are outside.
    logx, logy : bool, optional
        Logarithmic axes; by default where values are above 0 and span two orders of magnitude.
    names : mapping, optional
        What to call names and labels: ``{"lr": "learning rate", "acc1": "accuracy (%)"}``.
    width : {"column", "text", "page"} or float, optional
        Of the figure: 3.25, 5.5 or 6.75 inches, or any number of them.
    theme : bool
        Whether to draw with the defaults of this package, else with the caller's ``rcParams``.

    Returns
    -------
    Axes or Figure
        The Axes where there is one panel, the Figure where there are several (by ``row``, ``col``
        or several metrics).

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter, dim or x; the message has the nearest names.
    PlanError
        If there is no x-axis, or the arguments contradict each other.

    See Also
    --------
    runcube.plot.data.curves : what is drawn, as arrays.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    >>> ax = rc.plot.curves(acc)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('epoch', 'val acc1')
    >>> figure = acc.sweep.plot.curves(col="lr", seeds=True)
    >>> len(figure.axes)
    4
    """
    how: dict[str, Any] = {"dim": dim, "x": x, "statistic": statistic, "ci": ci, "method": method}
    how |= {"simultaneous": simultaneous, "smoothing": smoothing, "runs": seeds, "rng": rng}
    how |= {"min_n": min_n, "statuses": statuses}
    found = curves_data(data, **how)
    names = names or {}
    hue, style, row, col = _keys(found, hue, style, row, col, is_one=ax is not None)
    colours, hidden = colours_of(found, hue, keys_left(found, (style, row, col)), names)
    dashes = dashes_of(found, style, names)
    with in_theme(theme):
        made = panels(found, row=row, col=col, ax=ax, width=width, names=names)
        most = max((int(lines.sum()) for lines in made.lines), default=0)
        if ci is None or not (most <= _MOST_BANDS if intervals == "auto" else intervals):
            found = found.assign(lower=np.nan * found["lower"], upper=np.nan * found["upper"])
        unseen: dict[str, int] = {}
        common = scale_of(found, clip, logy)
        for at, (own, lines) in enumerate(made):
            places = np.flatnonzero(lines)
            part = found.isel(line=places)
            scale = scale_of(part, clip, logy) if "metric" in (row, col) else common
            _draw(own, part, colours.of(places), dashes.of(places))
            _scale_axes(own, part, scale, logx)
            named = part if len(places) else found  # an empty panel is one of the others
            _name_axes(own, named, names, made.is_lowest(at), made.is_leftmost(at))
            if scale is not common or not at:
                unseen |= {why: unseen.get(why, 0) + count for why, count in scale.unseen.items()}
        if colours.numbers is not None:
            colour_bar(made.figure, made.axes, colours)
        said = "thin, with ticks where n changes" if most <= _MANY else "thinner"
        text = _caption(found.assign_attrs(thin=said), hidden, unseen, names)
        counts = [_n(found.isel(line=own)) for own in colours.lines]
        return made.finish(legend_entries(colours, dashes, counts), text)


def _keys(
    found: xr.Dataset,
    *given: str | None,
    is_one: bool,
) -> list[str | None]:
    """Return what colours, line styles, rows and columns stand for."""
    words = ("hue", "style", "row", "col")
    own = [key and column_name(found, key, word) for key, word in zip(given, words, strict=True)]
    left = keys_left(found, own)
    hue, style, row, col = own
    if "metric" in left and not is_one:
        if col is None:
            col = "metric"
        elif row is None:
            row = "metric"
    if "split" in left and style is None:
        style = "split"
    return [hue, style, row, col]


def _draw(ax: Axes, part: xr.Dataset, colours: Sequence[Any], dashes: Sequence[Any]) -> None:
    """Draw lines with their intervals, single runs, and marks."""
    x = part[part.attrs["x"]].values
    values = {str(name): own.values for name, own in part.data_vars.items()}
    is_many = len(colours) > _MANY
    for at, ((colour, marker), own_dashes) in enumerate(zip(colours, dashes, strict=True)):
        keep = own_points(values["center"][at])
        bounds = (values[name][at][keep] for name in ("lower", "upper"))
        band(ax, x[keep], *bounds, colour=colour)
        thin = [*values["runs"][at]] if "runs" in values else []
        thin += [values["raw"][at]] if "raw" in values else []
        for own in thin:
            kept = own_points(own)
            line(ax, x[kept], own[kept], colour=colour, width=0.5, alpha=0.45, zorder=2)
        how: dict[str, Any] = {"width": 0.7, "alpha": 0.75} if is_many else {"marker": marker}
        how |= {"colour": colour, "dashes": own_dashes, "is_full": values["is_full"][at][keep]}
        line(ax, x[keep], values["center"][at][keep], **how)
        if not is_many:
            changes(ax, x[keep], values["center"][at][keep], values["n"][at][keep], colour)
        diverging(ax, x[values["n_diverging"][at] > 0], colour)


def _scale_axes(ax: Axes, part: xr.Dataset, scale: Scale, logx: bool | None) -> None:
    from matplotlib.ticker import MaxNLocator

    x = part[part.attrs["x"]].values
    held = part["n"].sum("line").values > 0
    if x_calls_for_log(x[held]) if logx is None else logx and (x[held] > 0).any():
        ax.set_xscale("log")
    elif x.dtype.kind == "i":
        how: dict[str, Any] = {"integer": True, "steps": [1, 2, 5, 10], "min_n_ticks": 3}
        ax.xaxis.set_major_locator(MaxNLocator("auto", **how))
    if scale.is_log:
        ax.set_yscale("log")
    if np.isfinite(scale.low):
        ax.set_ylim(scale.low, scale.high)


def _name_axes(
    ax: Axes, part: xr.Dataset, names: Mapping[str, str], is_lowest: bool, is_leftmost: bool
) -> None:
    axis = part.attrs["x"]
    if is_lowest:
        ax.set_xlabel(name_of(axis, part[axis], names))
    if is_leftmost:
        ax.set_ylabel(value_name(part, names))


def _caption(
    found: xr.Dataset,
    hidden: Sequence[str],
    unseen: Mapping[str, int],
    names: Mapping[str, str],
) -> str:
    """Return what the lines, bands and marks are, of how many runs, and what is not seen."""
    if not found.sizes["line"]:
        return "No run has a value."
    over = plain(found.attrs["summary_dim"].replace("seed", "seeds"))
    many = f"{found.sizes['line']} lines: " if found.sizes["line"] > _MANY else ""
    said = [f"{many}{found.attrs['statistic']} over {over}, n = {_n(found)} runs at a point."]
    if np.isfinite(found["lower"]).any():
        kind = interval_of(found.attrs)
        point = "" if found.attrs["ci_is"] == "simultaneous" else ", pointwise"
        said.append(f"Band: {kind}{point}.")
    elif found["n"].max() < 2:
        said.append("One run has no interval.")
    elif "ci_level" in found.attrs:
        said.append("No intervals are drawn.")
    if not (found["is_full"] | found["center"].isnull()).all():
        said.append(f"{found.attrs['thin']}: fewer runs than elsewhere on the line.")
    if count := int(found["n_too_few"].sum()):
        least = found.attrs["min_n"]
        said.append(f"Points of fewer than {least} runs, which are not drawn: {count}.")
    if "smoothing" in found.attrs:
        said.append(f"Smoothed (EMA {found.attrs['smoothing']:g}); thin: as logged.")
    if "runs" in found:
        said.append("Thin: single runs.")
    if hidden:
        which = ", ".join(name_of(key, found[key], names) for key in hidden)
        said.append(f"Lines of one look differ in {which}.")
    if count := int(found["n_diverging"].sum()):
        said.append(f"▲: first NaN or infinity of a run ({count}).")
    said += [f"{why}: {count}." if count else f"{why}." for why, count in unseen.items()]
    said.append(runs_said(found.attrs))
    return " ".join(word[:1].upper() + word[1:] for word in said)


def _n(found: xr.Dataset) -> str:
    """Return of how many runs the points are that are drawn."""
    n = found["n"].values
    return counted(n[n >= found.attrs["min_n"]])
