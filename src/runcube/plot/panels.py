"""Panels of a figure: one, or small multiples by the labels of hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import PlanError
from runcube.plot.encode import ordered
from runcube.plot.labels import labels_of, name_of
from runcube.plot.marks import caption, legend, wrapped
from runcube.plot.style import FONT, MUTED, inches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from runcube.plot.marks import Entry

_MOST_COLUMNS = 3
_MOST_PANELS = 24
# Inches that a panel with its labels needs.
_LEAST_PANEL = 1.6
# Characters of a legend beside the panels for each inch that is left; longer ones go below.
_LEGEND_BESIDE = 8
# Inches of a figure that has room for a legend beside its panels.
_LEAST_BESIDE = 4.0
# Inches that a line of text takes.
_LINE = 0.16


@dataclass(eq=False)
class Panels:
    """Axes and the lines that each of them shows.

    Parameters
    ----------
    figure : Figure
    axes : list of Axes
    lines : list of (lines,) bool
    is_own : bool
        Whether the figure was made here; else the caller gave the Axes.
    is_grid : bool
        Whether there are small multiples.
    width : float
        Of the figure, in inches.
    n_columns : int
    is_free : bool
        Whether panels have y-axes of their own.
    notes : list of str
        What the caption has to say of the panels.
    """

    figure: Figure
    axes: list[Axes]
    lines: list[NDArray[np.bool_]]
    is_own: bool
    is_grid: bool
    width: float
    n_columns: int = 1
    is_free: bool = False
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[Axes, NDArray[np.bool_]]]:
        return iter(zip(self.axes, self.lines, strict=True))

    @property
    def panel_width(self) -> float:
        """Width of one panel, in inches, roughly."""
        if not self.is_own:
            box = self.axes[0].get_position()
            return float(box.width * self.figure.get_size_inches()[0])
        return self.width - 0.6

    def is_lowest(self, at: int) -> bool:
        """Return whether a panel has none below it."""
        return at + self.n_columns >= len(self.axes)

    def is_leftmost(self, at: int) -> bool:
        """Return whether a panel begins a row, or has a y-axis of its own."""
        return self.is_free or at % self.n_columns == 0

    def grow(self, inches: float) -> None:
        """Make the figure taller, if it was made here."""
        if self.is_own:
            self.figure.set_size_inches(self.width, self.figure.get_size_inches()[1] + inches)

    def finish(self, entries: Sequence[Entry], text: str) -> Axes | Figure:
        """Draw the legend and the caption, and return what the figure function returns."""
        text = " ".join([text, *self.notes]).strip()
        if not self.is_own:
            legend(self.axes[0], entries, loc="best")
            caption(self.axes[0], text, self.panel_width)
            return self.axes[0]
        longest = max((len(label) for mark, label in entries if mark is not None), default=0)
        is_beside = longest <= _LEGEND_BESIDE * (self.width - 2.2) and self.width > _LEAST_BESIDE
        n_columns = 1 if is_beside else max(1, int(self.width / (0.054 * longest + 0.45)))
        text = wrapped(text, self.width - 0.2)
        self.figure.supxlabel(text, x=0.01, ha="left", fontsize=FONT, color=MUTED)
        # The caption stands below: a legend there would be over it.
        where = "outside right upper" if is_beside else "outside upper left"
        rows = legend(self.figure, entries, n_columns, loc=where)
        self.grow(_LINE * ((0 if is_beside else rows) + text.count("\n") + 1))
        return self.figure if self.is_grid else self.axes[0]


def panels(
    found: xr.Dataset,
    *,
    row: str | None,
    col: str | None,
    ax: Axes | None,
    width: str | float | None,
    height: float | None = None,
    names: Mapping[str, str],
    free: Sequence[str] = ("metric",),
    sharex: bool = True,
) -> Panels:
    """Return the panels of lines by the labels of two hyperparameters.

    Parameters
    ----------
    found : Dataset
        Lines, as `runcube.plot.data` returns them.
    row, col : str, optional
        One without the other is wrapped into rows of three.
    ax : Axes, optional
        Where one panel is drawn.
    width : str or float, optional
        Inches, or a name of a width.
    height : float, optional
        Of one panel, in inches.
    names : mapping
        Display names.
    free : sequence of str
        Keys whose labels have y-axes of their own.
    sharex : bool
        Whether panels share their x-axis.

    Raises
    ------
    PlanError
        If ``ax`` is given with ``row`` or ``col``.
    """
    import matplotlib.pyplot as plt

    if ax is not None:
        if row is not None or col is not None:
            raise PlanError("ax=: one Axes holds no rows or columns; select one label of each")
        figure = ax.get_figure(root=True)
        assert figure is not None
        everything = np.ones(found.sizes["line"], dtype=bool)
        return Panels(figure, [ax], [everything], False, False, figure.get_size_inches()[0])
    if row is None and col is None:
        size = inches(width, "text")
        own = height or (0.56 * size if size > 4 else 0.9 * size)
        figure, made = plt.subplots(figsize=(size, own), layout="constrained")
        return Panels(figure, [made], [np.ones(found.sizes["line"], dtype=bool)], True, False, size)
    return _grid(found, (row, col), width, height or 1.9, names, (free, sharex))


def one_panel(
    ax: Axes | None,
    width: str | float | None,
    *,
    n_lines: int = 0,
    height: float | None = None,
) -> Panels:
    """Return one panel, on Axes that are given or on new ones.

    Parameters
    ----------
    ax : Axes, optional
    width : str or float, optional
    n_lines : int
        How many lines there are; all are in the panel.
    height : float, optional
        Inches; by default it goes with the width.
    """
    everything = [np.ones(n_lines, dtype=bool)]
    if ax is not None:
        own = ax.get_figure(root=True)
        assert own is not None
        return Panels(own, [ax], everything, False, False, own.get_size_inches()[0])
    import matplotlib.pyplot as plt

    size = inches(width, "text")
    tall = height or (0.56 * size if size > 4 else 0.9 * size)
    figure, made = plt.subplots(figsize=(size, tall), layout="constrained")
    return Panels(figure, [made], everything, True, False, size)


def bare_panels(count: int, width: str | float | None) -> Panels:
    """Return so many panels with a common y-axis, each with an x-axis of its own."""
    import matplotlib.pyplot as plt

    shown = min(count, _MOST_PANELS)
    size = inches(width, "page")
    n_columns = _n_columns(0, shown, size)
    n_rows = -(-shown // n_columns)
    figure, grid = plt.subplots(
        *(n_rows, n_columns),
        figsize=(size, 1.9 * n_rows + 0.3),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for spare in [*grid.flat][shown:]:
        spare.remove()
    notes = [f"The first {shown} of {count}."] if shown < count else []
    axes = [*grid.flat][:shown]
    return Panels(figure, axes, [], True, True, size, n_columns=n_columns, notes=notes)


def _grid(
    found: xr.Dataset,
    by: tuple[str | None, str | None],
    width: str | float | None,
    height: float,
    names: Mapping[str, str],
    sharing: tuple[Sequence[str], bool],
) -> Panels:
    import matplotlib.pyplot as plt

    parts = [_parts(found, key, names) for key in by]
    cells = [
        (one[0] & two[0], [*filter(None, (one[1], two[1]))]) for one in parts[0] for two in parts[1]
    ]
    size = inches(width, "page")
    n_columns = _n_columns(len(parts[1]) if all(by) else 0, len(cells), size)
    shown = cells[:_MOST_PANELS]
    n_rows = -(-len(shown) // n_columns)
    is_free = any(key in sharing[0] for key in by)
    figure, grid = plt.subplots(
        *(n_rows, n_columns),
        figsize=(size, height * n_rows + 0.5),
        sharex=sharing[1],
        sharey=not is_free,
        squeeze=False,
        layout="constrained",
    )
    axes = [*grid.flat]
    for spare in axes[len(shown) :]:
        spare.remove()
    for at, ((_, titles), own) in enumerate(zip(shown, axes, strict=False)):
        own.set_title("\n".join(titles), fontsize=FONT)
        if at + n_columns >= len(shown):  # nothing is below it
            own.tick_params(labelbottom=True)
    notes = []
    if len(shown) < len(cells):
        notes.append(f"The first {len(shown)} of {len(cells)} panels: select what is to be shown.")
    return Panels(
        *(figure, axes[: len(shown)], [lines for lines, _ in shown], True, True, size),
        n_columns=n_columns,
        is_free=is_free,
        notes=notes,
    )


def _n_columns(given: int, count: int, width: float) -> int:
    """Return how many panels stand in a row: those of the columns, or what wraps well."""
    if given:
        return min(given, _MOST_PANELS)
    most = min(_MOST_COLUMNS, max(1, int(width / _LEAST_PANEL)))
    return 2 if count == 4 and most > 2 else min(most, count)


def _parts(
    found: xr.Dataset, key: str | None, names: Mapping[str, str]
) -> list[tuple[NDArray[np.bool_], str]]:
    """Return the lines of each label of a key, and what the label is called."""
    if key is None:
        return [(np.ones(found.sizes["line"], dtype=bool), "")]
    labels, code = ordered(found[key].values)
    shown = labels_of(labels.tolist(), names)
    title = name_of(key, found[key], names)
    # The y-axis of a panel says its metric.
    is_own = {"metric": [""] * len(shown), "split": shown}
    texts = is_own.get(key, [f"{title} = {own}" for own in shown])
    return [(code == i, text) for i, text in enumerate(texts)] or _parts(found, None, names)
