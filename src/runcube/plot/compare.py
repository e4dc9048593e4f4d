"""`compare`: differences between the settings of a hyperparameter, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError
from runcube.plot.ends import of_runs, runs_said
from runcube.plot.labels import label_of, name_of
from runcube.plot.lines import own_name, renamed
from runcube.plot.matched import matched
from runcube.plot.panels import one_panel
from runcube.plot.run_data import one_value
from runcube.plot.style import COLOURS
from runcube.plot.style import theme as in_theme
from runcube.stats import compare_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from runcube.stats import RNG, Data

_MOST_ROWS = 60
# Characters of a row's text from which on it has two lines, in a wider figure.
_LONG = 36


def compare(
    data: Data,
    *,
    over: str,
    baseline: Any = None,
    ax: Axes | None = None,
    dim: str = "seed",
    test: Literal["t", "permutation", "brunner-munzel"] = "t",
    paired: bool | Literal["auto"] = "auto",
    ci: float = 0.95,
    adjust: Literal["holm", "bh", "dunnett", "games-howell", "max-t"] = "holm",
    statuses: str | Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
    rng: RNG = None,
) -> Axes | Figure:
    """Draw the differences between the settings along a dim, with intervals and verdicts.

    A filled point is a difference that the test decides, adjusted for the number of comparisons;
    an open one is undecided, or cannot be decided by so few seeds, which its text says. Settings
    are compared where all other hyperparameters are equal, in either layout.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, such as ``rc.final(ds)``; of a cube with its x-axis, the last logged
        value of each run.
    over : str
        The hyperparameter. Of several other settings each has comparisons of its own.
    baseline, dim, test, paired, ci, adjust, rng
        As for :func:`runcube.compare_all`.
    ax, statuses, names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If there is no such dim or label.
    PlanError
        As :func:`runcube.compare_all`, if there are more than 60 comparisons, and in the configs
        layout if no two configurations differ in ``over`` alone.

    See Also
    --------
    runcube.compare_all : what is drawn.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    >>> ax = rc.plot.compare(acc, over="lr", baseline=0.2)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['0.004 − 0.2', '0.028 − 0.2', '1.4 − 0.2']
    """
    names = names or {}
    own, ends = of_runs(renamed(data), statuses)
    own, value_is = one_value(own)
    over = own_name(over)
    if "config" in own.dims and over not in own.dims:
        own = matched(own, over)
    _check_number(own, over, baseline)
    found = compare_all(
        own,
        over=over,
        baseline=baseline,
        dim=dim,
        test=test,
        paired=paired,
        ci=ci,
        adjust=adjust,
        rng=rng,
    )
    others = [str(d) for d in found["p"].dims if d != "pair"]
    beside = {str(n): c for n, c in own.coords.items() if c.dims == ("config",)}
    if "config" in others:
        found = found.assign_coords(beside)
        others = [key for dim in others for key in (beside if dim == "config" else [dim])]
    rows = [row for row in _rows(found) if int(row["n_a"]) and int(row["n_b"])]
    if not rows:
        raise PlanError(f"over={over!r}: no two settings have runs, so there is nothing to compare")
    _check_rows(len(rows))
    texts = [_text(row, others, names) for row in rows]
    if is_long := max(map(len, texts)) > _LONG:
        texts = [_text(row, others, names, "\n") for row in rows]
    with in_theme(theme):
        height = 0.36 if is_long and others else 0.24
        made = one_panel(
            ax, width or ("page" if is_long else None), height=0.7 + height * len(rows)
        )
        panel = made.axes[0]
        _draw(panel, rows, texts)
        title = f"difference in {_metric(own, names)}"
        panel.set_xlabel(title if value_is == "value" else f"{title}, {value_is}")
        keys = [name_of(key, own.coords.get(key), names) for key in (over, *others)]
        panel.set_ylabel(keys[0] + (f" ({', '.join(keys[1:])})" if others else ""))
        return made.finish([], f"{_caption(found, len(rows))} {runs_said(ends)}")


def _check_number(data: Data, over: str, baseline: Any) -> None:
    """Raise before anything is computed if there are too many comparisons in any case."""
    count = data.sizes.get(over, 1)
    _check_rows(count - 1 if baseline is not None else count * (count - 1) // 2)


def _check_rows(count: int) -> None:
    if count > _MOST_ROWS:
        raise PlanError(f"compare: {count} comparisons; give a baseline, or select fewer")


def _rows(found: xr.Dataset) -> list[xr.Dataset]:
    """Return the comparisons one by one: all of the first labels of the other dims, then on."""
    flat = found.transpose("pair", ...)
    others = [str(d) for d in found["p"].dims if d != "pair"]
    return [
        flat.isel(pair=pair, **dict(zip(others, place, strict=True)))
        for place in np.ndindex(*(found.sizes[d] for d in others))
        for pair in range(found.sizes["pair"])
    ]


def _draw(ax: Axes, rows: Sequence[xr.Dataset], texts: Sequence[str]) -> None:
    for at, row in enumerate(rows):
        _row(ax, at, row)
    ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set_yticks([*range(len(rows))], texts)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def _row(ax: Axes, at: int, row: xr.Dataset) -> None:
    difference = float(row["difference"])
    low, high = (float(own) for own in row["ci"].values)
    word = str(row["verdict"].values)
    is_decided = word.endswith("is higher")
    colour = COLOURS[0]
    if np.isfinite(low) and np.isfinite(high):
        ax.hlines(at, low, high, color=colour, linewidth=1.3)
    ax.plot(
        *([difference], [at], "o"),
        color=colour,
        markerfacecolor=colour if is_decided else "white",
        markersize=5,
    )
    n = _n(row)
    said = f"n = {n}" + ("" if is_decided or word == "undecided" else f"; {word}")
    ax.annotate(
        *(said, (1, at)),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color="0.35",
    )


def _text(row: xr.Dataset, others: Sequence[str], names: Mapping[str, str], gap: str = " ") -> str:
    """Return what is compared, and for which labels of the other dims."""
    a, b = (label_of(row[side].values[()], names) for side in "ab")
    said = [label_of(row[key].values[()], names) for key in others if key in row.coords]
    return f"{a} − {b}" + (f"{gap}({', '.join(said)})" if said else "")


def _n(row: xr.Dataset) -> str:
    if pairs := int(row["n_pairs"]):
        return f"{pairs} pairs"
    a, b = int(row["n_a"]), int(row["n_b"])
    return f"{a}" if a == b else f"{a}, {b}"


def _metric(data: Data, names: Mapping[str, str]) -> str:
    words = []
    for key in ("split", "metric"):
        if key in data.coords and data[key].ndim == 0:
            label = str(data[key].values)
            words += [label_of(label, names)] if (key, label) != ("split", "all") else []
    return " ".join(words) or "value"


def _caption(found: xr.Dataset, count: int) -> str:
    attrs = found.attrs
    return (
        f"Bar: {100 * attrs['ci_level']:g} % interval of the difference of means"
        f" ({attrs['ci_method']}). Filled: decided by {attrs['test_source']}, p adjusted for"
        f" {count} comparisons ({attrs['adjust_source']}), at {1 - attrs['ci_level']:.2g};"
        " open: undecided."
    )
