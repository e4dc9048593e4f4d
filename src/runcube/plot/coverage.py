"""`coverage`: how each run of a sweep ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.plot.labels import label_of, labels_of, name_of
from runcube.plot.lines import telling_apart
from runcube.plot.panels import one_panel
from runcube.plot.run_data import coverage as coverage_data
from runcube.plot.style import theme as in_theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour, hatch: they differ in lightness and in hatch, so that grey tells them apart too.
_LOOKS = {
    "complete": ("#0072B2", ""),
    "incomplete": ("#E69F00", "////"),
    "failed": ("#000000", "xxxx"),
    "absent": ("#FFFFFF", ""),
}
_MOST_NAMED = 40
_MOST_PATCHES = 4_000


def coverage(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
) -> Axes | Figure:
    """Draw how each run ended: a row for each configuration, a column for each seed.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout.
    ax, names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes
        The legend counts the runs by status; rows have names where there are up to 40.

    Raises
    ------
    PlanError
        If the Dataset is no cube.

    See Also
    --------
    runcube.plot.data.coverage : what is drawn, as an array.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.coverage(ds)
    >>> ax.get_xlabel(), len(ax.get_yticklabels())
    ('seed', 24)
    """
    names = names or {}
    found = coverage_data(ds)
    keys = telling_apart(found)
    rows = found.sizes["line"]
    with in_theme(theme):
        height = 0.6 + 0.17 * rows if rows <= _MOST_NAMED else 4.0
        made = one_panel(ax, width, height=height)
        own = made.axes[0]
        _draw(own, found.values)
        seeds = labels_of(found["seed"].values.tolist(), names)
        every = max(1, -(-len(seeds) // 15))
        own.set_xticks([*range(0, len(seeds), every)], seeds[::every])
        own.set_xlabel(name_of("seed", found["seed"], names))
        title = ", ".join(name_of(key, found[key], names) for key in keys)
        if rows <= _MOST_NAMED:
            own.set_yticks([*range(rows)], _rows(found, keys, names))
        else:
            own.set_yticks([])
            title = f"{rows} configurations by {title}" if title else f"{rows} configurations"
        own.set_ylabel(title)
        own.tick_params(length=0)
        own.spines[:].set_visible(False)
        return made.finish(_legend(found.values), "Each field is a run.")


def _draw(ax: Axes, status: np.ndarray) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    words = [*_LOOKS]
    code = np.zeros(status.shape)
    for number, word in enumerate(words):
        code[status == word] = number
    cmap = ListedColormap([colour for colour, _ in _LOOKS.values()])
    places = [np.arange(size) for size in status.shape[::-1]]
    if status.size:
        ax.pcolormesh(*places, code, cmap=cmap, vmin=-0.5, vmax=3.5, shading="nearest")
    # Fields too small for borders have none, and hatches alone.
    width = 1.0 if len(status) <= _MOST_NAMED else 0.0
    is_marked = np.isin(status, [word for word, (_, hatch) in _LOOKS.items() if hatch])
    for row, column in np.argwhere(is_marked | (width > 0))[:_MOST_PATCHES]:
        _, hatch = _LOOKS[str(status[row, column])]
        place = (column - 0.5, row - 0.5)
        ax.add_patch(Rectangle(place, 1, 1, fill=False, ec="white", lw=width, hatch=hatch))
    ax.set_xlim(-0.5, max(status.shape[1], 1) - 0.5)
    ax.set_ylim(max(status.shape[0], 1) - 0.5, -0.5)


def _legend(status: np.ndarray) -> list[tuple[object, str]]:
    from matplotlib.patches import Patch

    found: list[tuple[object, str]] = []
    for word, (colour, hatch) in _LOOKS.items():
        count = int((status == word).sum())
        edge = "0.6" if word == "absent" else "white"
        found.append((Patch(fc=colour, hatch=hatch, ec=edge), f"{word}  ({count})"))
    return found


def _rows(found: xr.DataArray, keys: Sequence[str], names: Mapping[str, str]) -> list[str]:
    columns = [found[key].values for key in keys]
    return [
        ", ".join(label_of(own, names) for own in row) for row in zip(*columns, strict=True)
    ] or [""] * found.sizes["line"]
