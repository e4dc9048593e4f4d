"""`best_of_k`: what a search of k configurations finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.plot.encode import colours_of, dashes_of, keys_left
from runcube.plot.ends import of_runs, runs_said
from runcube.plot.labels import counted, name_of, value_label
from runcube.plot.lines import column_name, in_lines, own_name, renamed
from runcube.plot.marks import colour_bar, legend_entries, line
from runcube.plot.panels import one_panel
from runcube.plot.run_data import one_value
from runcube.plot.scales import calls_for_log
from runcube.plot.style import theme as in_theme
from runcube.stats import best_of_k as expected_best
from runcube.stats import values_and_logged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from runcube.stats import Data

# From so many k on, their axis is logarithmic.
_MANY = 30
# Seconds are shown in the largest of these of which there are two.
_TIMES = ((3600, "h"), (60, "min"), (1, "s"))


def best_of_k(
    data: Data,
    *,
    mode: Literal["max", "min"],
    over: str | Sequence[str] | None = None,
    report: Data | None = None,
    hue: str | None = None,
    ax: Axes | None = None,
    dim: str = "seed",
    statuses: str | Sequence[str] | None = None,
    cost: Literal["runs", "train_time"] | xr.DataArray | None = None,
    logy: bool | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
) -> Axes | Figure:
    """Draw the expected best of k configurations against k, each by the mean of its seeds.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run of the split that chooses, such as ``rc.final(ds.sel(split="val"))``;
        of a cube with its x-axis, the last logged value of each run.
    mode : {"max", "min"}
        Which end is better.
    over : str or sequence of str, optional
        The dims of what was searched: by default all hyperparameters, or ``config``.
    report : Dataset or DataArray, optional
        The same runs on the split that is reported. It is drawn as well: what the search would
        really get.
    hue : str, optional
        A dim that was not searched: a curve for each of its labels.
    ax, names, width, theme
        As for :func:`curves`.
    dim : str
        The seeds, which are averaged first; a run of NaN or infinity makes its configuration as
        bad as the worst.
    statuses : str or sequence of str, optional
        Only runs that ended so; as for :func:`curves`.
    cost : {"runs", "train_time"} or DataArray, optional
        The x-axis: what k configurations cost, as for :func:`runcube.best_of_k`, in place of k. An
        array says what each run cost, its attrs ``long_name`` and ``units`` what that is; seconds
        are shown as minutes or hours where they are many.
    logy : bool, optional
        Whether the y-axis is logarithmic; by default where values call for it.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If there is no such dim.
    PlanError
        As :func:`runcube.best_of_k`.

    See Also
    --------
    runcube.best_of_k : what is drawn.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs").sel(metric="acc1")
    >>> val, test = ds.sel(split="val"), ds.sel(split="eval")
    >>> ax = rc.plot.best_of_k(val, mode="max", report=test, hue="weights")
    >>> ax.get_xlabel(), len(ax.lines)
    ('k configurations', 4)
    >>> ax = rc.plot.best_of_k(val, mode="max", hue="weights", cost="train_time")
    >>> ax.get_xlabel()
    'train time (s)'
    """
    names = names or {}
    kept, ends = of_runs(renamed(data), statuses)
    reported = None if report is None else of_runs(renamed(report), statuses)[0]
    how: dict[str, Any] = {"mode": mode, "over": over, "dim": dim}
    how["cost"] = renamed(cost) if isinstance(cost, xr.DataArray) else cost
    curves = _curves(kept, reported, hue and own_name(hue), **how)
    hue = hue and column_name(curves, hue, "hue")
    keys = [key for key in keys_left(curves, ("which", "split")) if key != hue]
    colours, _ = colours_of(curves, hue, [key for key in (hue, *keys) if key], names)
    colours = replace(colours, markers=[])
    dashes = dashes_of(curves, "which" if report is not None else None, names)
    every = np.arange(curves.sizes["line"])
    values, (title, at) = curves["value"].values, _along(curves, names)
    with in_theme(theme):
        made = one_panel(ax, width)
        panel = made.axes[0]
        looks = zip(colours.of(every), dashes.of(every), strict=True)
        for x, own, ((colour, _), dash) in zip(at, values, looks, strict=True):
            line(panel, x, own, colour=colour, dashes=dash)
        if calls_for_log(values) if logy is None else logy and (values > 0).any():
            panel.set_yscale("log")
        if curves.sizes["k"] > _MANY:
            panel.set_xscale("log")
        panel.set_xlabel(title)
        panel.set_ylabel(value_label(curves, names))
        if colours.numbers is not None:
            colour_bar(made.figure, made.axes, colours)
        counts = [counted(curves["n"].values[lines]) for lines in colours.lines]
        text = f"{_caption(curves)} {runs_said(ends)}"
        return made.finish(legend_entries(colours, dashes, counts), text)


def _curves(
    data: Data, report: Data | None, hue: str | None, *, over: Any, dim: str, **how: Any
) -> xr.Dataset:
    """Return the expected best along k of each line, and what k configurations cost."""
    chosen_by, value_is = one_value(data)
    values, logged = values_and_logged(chosen_by)
    averaged = [dim] if dim in values.dims else []
    kept = ("metric", "split", hue, dim)
    searched = [over] if isinstance(over, str) else over
    searched = [str(d) for d in values.dims if d not in kept] if searched is None else searched
    how |= {"over": searched, "dim": averaged}
    parts = [("chosen by", expected_best(chosen_by, **how))]
    if report is not None:
        parts.append(("reported", expected_best(chosen_by, report=one_value(report)[0], **how)))
    lost = (logged & ~np.isfinite(values)).any(averaged).sum(searched)
    first = parts[0][1]
    attrs: dict[str, Any] = {"value_is": value_is, "cost": first.attrs.get("cost", "")}
    if attrs["cost"]:
        given = how["cost"].attrs if isinstance(how["cost"], xr.DataArray) else {}
        attrs["long_name"] = given.get("long_name", attrs["cost"].replace("_", " "))
        attrs["units"] = first["cost"].attrs["units"]
        attrs["n_cost_unknown"] = int(first["n_cost_unknown"].sum())
    lines = [
        in_lines(_with_cost(found).assign(n_nonfinite=lost), chosen_by, ("k",))
        for _, found in parts
    ]
    words = np.repeat([word for word, _ in parts], [own.sizes["line"] for own in lines])
    if report is not None:  # the word says which split it is
        lines = [own.drop_vars("split", errors="ignore") for own in lines]
    whole = xr.concat(lines, "line", data_vars="minimal", join="outer")
    whole = whole.assign_coords(which=("line", words, {"long_name": "value"}))
    return whole.assign_attrs(attrs)


def _with_cost(found: xr.Dataset) -> xr.Dataset:
    """Return what was found with the cost as a variable of its own, on lines as the others."""
    return found.drop_attrs().reset_coords([n for n in ("cost",) if n in found.coords])


def _along(curves: xr.Dataset, names: Mapping[str, str]) -> tuple[str, NDArray[np.float64]]:
    """Return the label of the x-axis and where the points of each line are, (lines, k)."""
    if "cost" not in curves:
        k = curves["k"].values.astype(np.float64)
        return "k configurations", np.broadcast_to(k, curves["value"].shape)
    at, attrs = curves["cost"].values, dict(curves.attrs)
    if attrs["units"] == "s":
        most = np.nan_to_num(at).max(initial=0.0)
        factor, attrs["units"] = next(own for own in _TIMES if most >= 2 * own[0] or own[0] == 1)
        at = at / factor
    if attrs["long_name"] == attrs["units"]:  # "runs"
        del attrs["units"]
    return name_of(attrs["cost"], curves["cost"].assign_attrs(attrs), names), at


def _caption(curves: xr.Dataset) -> str:
    said = [
        f"Expected best of k out of n = {counted(curves['n'].values)} configurations, each by"
        " the mean of its seeds (Tang et al. 2020); no interval."
    ]
    if "cost" in curves:
        said.append("Along x: what k of them cost with all their seeds, on average.")
        if count := curves.attrs["n_cost_unknown"]:
            said.append(f"Runs whose cost is not known, taken as the mean of the others: {count}.")
    if int(curves["n_nonfinite"].sum()):
        said.append("Configurations with a run of NaN or infinity count as the worst.")
    return " ".join(said)
