"""`best_of_k`: what a search of k configurations finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.plot.encode import colours_of, dashes_of, keys_left
from runcube.plot.labels import counted, value_label
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

    from runcube.stats import Data

# From so many k on, their axis is logarithmic.
_MANY = 30


def best_of_k(
    data: Data,
    *,
    mode: Literal["max", "min"],
    over: str | Sequence[str] | None = None,
    report: Data | None = None,
    hue: str | None = None,
    ax: Axes | None = None,
    dim: str = "seed",
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
    """
    names = names or {}
    curves, value_is = _curves(data, report, mode, over, hue and own_name(hue), dim)
    hue = hue and column_name(curves, hue, "hue")
    keys = [key for key in keys_left(curves, ("which", "split")) if key != hue]
    colours, _ = colours_of(curves, hue, [key for key in (hue, *keys) if key], names)
    colours = replace(colours, markers=[])
    dashes = dashes_of(curves, "which" if report is not None else None, names)
    every = np.arange(curves.sizes["line"])
    values, k = curves["value"].values, curves["k"].values
    with in_theme(theme):
        made = one_panel(ax, width)
        panel = made.axes[0]
        looks = zip(colours.of(every), dashes.of(every), strict=True)
        for own, ((colour, _), dash) in zip(values, looks, strict=True):
            line(panel, k, own, colour=colour, dashes=dash)
        if calls_for_log(values) if logy is None else logy and (values > 0).any():
            panel.set_yscale("log")
        if len(k) > _MANY:
            panel.set_xscale("log")
        panel.set_xlabel("k configurations")
        panel.set_ylabel(value_label(curves.assign_attrs(value_is=value_is), names))
        if colours.numbers is not None:
            colour_bar(made.figure, made.axes, colours)
        counts = [counted(curves["n"].values[lines]) for lines in colours.lines]
        text = (
            f"Expected best of k out of n = {counted(curves['n'].values)} configurations, each by"
            " the mean of its seeds (Tang et al. 2020); no interval."
        )
        if int(curves["n_nonfinite"].sum()):
            text += " Configurations with a run of NaN or infinity count as the worst."
        return made.finish(legend_entries(colours, dashes, counts), text)


def _curves(
    data: Data,
    report: Data | None,
    mode: Literal["max", "min"],
    over: str | Sequence[str] | None,
    hue: str | None,
    dim: str,
) -> tuple[xr.Dataset, str]:
    """Return the expected best along k of each line, and which value of each run it is of."""
    chosen_by, value_is = one_value(renamed(data))
    values, logged = values_and_logged(chosen_by)
    averaged = [dim] if dim in values.dims else []
    kept = ("metric", "split", hue, dim)
    searched = [over] if isinstance(over, str) else over
    searched = [str(d) for d in values.dims if d not in kept] if searched is None else searched
    how: dict[str, Any] = {"over": searched, "mode": mode, "dim": averaged}
    parts = [("chosen by", expected_best(chosen_by, **how))]
    if report is not None:
        reported, _ = one_value(renamed(report))
        parts.append(("reported", expected_best(chosen_by, report=reported, **how)))
    lost = (logged & ~np.isfinite(values)).any(averaged).sum(searched)
    lines = [
        in_lines(found.drop_attrs().assign(n_nonfinite=lost), chosen_by, ("k",))
        for _, found in parts
    ]
    words = np.repeat([word for word, _ in parts], [own.sizes["line"] for own in lines])
    if report is not None:  # the word says which split it is
        lines = [own.drop_vars("split", errors="ignore") for own in lines]
    whole = xr.concat(lines, "line", data_vars="minimal", join="outer")
    return whole.assign_coords(which=("line", words, {"long_name": "value"})), value_is
