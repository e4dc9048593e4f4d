"""What is put on Axes: lines with gaps, bands, marks, captions, legends. No statistics in here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.plot.encode import entries
from runcube.plot.scales import pieces, stretches
from runcube.plot.style import CMAP, DASHES, FONT, LIGHTEST, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from runcube.plot.encode import Colours, Dashes

# An entry of a legend: what is drawn, and its text. Without a mark it is a heading.
Entry = tuple[Any, str]
# Width of a line where it has fewer runs, as a share of its own.
_THIN = 0.5


def line(
    ax: Axes,
    x: NDArray[Any],
    y: NDArray[np.float64],
    *,
    colour: Any,
    dashes: Any = "-",
    width: float | None = None,
    alpha: float = 1.0,
    marker: str = "",
    zorder: float = 3.0,
    is_full: NDArray[np.bool_] | None = None,
) -> None:
    """Draw a line with its gaps, thinner beside points that are not full.

    A lone point between gaps gets a marker.
    """
    import matplotlib as mpl

    lone = [own.start for own in stretches(y) if own.stop - own.start == 1]
    wide = mpl.rcParams["lines.linewidth"] if width is None else width
    how: dict[str, Any] = {"color": colour, "alpha": alpha, "zorder": zorder}
    for own, is_thick in pieces(y, is_full):
        every = max(1, (own.stop - own.start) // 5)
        how["linewidth"] = wide if is_thick else _THIN * wide
        ax.plot(x[own], y[own], linestyle=dashes, marker=marker, markevery=every, **how)
    if lone:
        ax.plot(x[lone], y[lone], linestyle="none", marker=marker or "o", **how)


def changes(
    ax: Axes, x: NDArray[Any], y: NDArray[np.float64], n: NDArray[np.int64], colour: Any
) -> None:
    """Draw ticks across a line where the number of its runs changes."""
    there = np.flatnonzero(np.isfinite(y))
    at = there[1:][np.diff(n[there]) != 0]
    if len(at):
        how: dict[str, Any] = {"color": colour, "markersize": 6, "markeredgewidth": 0.7}
        ax.plot(x[at], y[at], linestyle="none", marker="|", zorder=3, **how)


def band(
    ax: Axes,
    x: NDArray[Any],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    *,
    colour: Any,
) -> None:
    """Draw an interval along x, stretch by stretch; where one point stands alone, a bar."""
    for own in stretches(lower + upper):
        if own.stop - own.start > 1:
            ax.fill_between(
                x[own], lower[own], upper[own], color=colour, alpha=0.22, lw=0, zorder=1
            )
        else:
            ax.vlines(x[own], lower[own], upper[own], color=colour, alpha=0.5, lw=1, zorder=1)


def diverging(ax: Axes, x: NDArray[Any], colour: Any) -> None:
    """Draw triangles at the upper edge, where runs log their first value that is not finite."""
    if len(x):
        ax.plot(
            *(x, np.full(len(x), 0.985)),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="^",
            markersize=5,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.4,
            clip_on=False,
            zorder=6,
        )


def caption(ax: Axes, text: str, inches: float) -> None:
    """Write a text below the label of the x-axis, as wide as the Axes."""
    text = wrapped(text, inches)
    if text:
        ax.annotate(
            text,
            xy=(0, 0),
            xycoords=("axes fraction", ax.xaxis.label),
            xytext=(0, -3),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=FONT,
            color=MUTED,
            annotation_clip=False,
        )


def wrapped(text: str, inches: float) -> str:
    """Return a text in lines of so many inches, in the font of captions."""
    # Captions in DejaVu Sans are up to some 0.5 em a character wide.
    return "\n".join(textwrap.wrap(text, max(20, int(inches * 72 / (0.5 * FONT)))))


def legend_entries(
    colours: Colours,
    dashes: Dashes | None,
    counts: Sequence[str],
    look: Literal["line", "point", "dashes"] = "line",
) -> list[Entry]:
    """Return the entries of one legend: what colours stand for, then what line styles stand for.

    Parameters
    ----------
    colours, dashes
    counts : sequence of str
        How many runs each colour has, to be written behind its label; behind the heading where
        all have as many.
    look : {"line", "point", "dashes"}
        Whether each label is shown by a line, by its marker alone, or by dashes of its own.
    """
    from matplotlib.lines import Line2D

    found: list[Entry] = []
    if colours.title and colours.numbers is None:
        is_same = len({*counts}) == 1
        found.append((None, colours.title + (f"  (n = {counts[0]})" if is_same else "")))
        shown = entries(colours.labels)
        for i in shown:
            how: dict[str, Any] = {"marker": colours.markers[i] if colours.markers else ""}
            if look == "dashes":
                how = {"linestyle": DASHES[i % len(DASHES)]}
            elif look == "point":
                how = {"marker": how["marker"] or "o", "linestyle": "none"}
            mark = Line2D([], [], color=colours.colours[i], **how)
            found.append((mark, colours.labels[i] + ("" if is_same else f"  (n = {counts[i]})")))
        if len(shown) < len(colours.labels):
            found.append((None, f"… and {len(colours.labels) - len(shown)} more"))
    if dashes is not None and dashes.title and len(dashes.labels) > 1:
        found.append((None, dashes.title))
        marks = [Line2D([], [], color="0.2", linestyle=own) for own in dashes.dashes]
        found += [(marks[i], dashes.labels[i]) for i in entries(dashes.labels)]
    return found


def legend(place: Figure | Axes, found: Sequence[Entry], n_columns: int = 1, **kwargs: Any) -> int:
    """Draw a legend of entries, headings in bold, and return how many rows it has.

    Parameters
    ----------
    place : Figure or Axes
    found : sequence of entries
    n_columns : int
        How many columns there is room for. Below each other are the entries of one heading.
    **kwargs
        Of matplotlib's legend.
    """
    from matplotlib.lines import Line2D

    if not found:
        return 0
    heads = [at for at, own in enumerate(found) if _is_heading(own)]
    rows = 0
    if heads == [0]:
        kwargs |= {"title": found[0][1], "alignment": "left"}
        rows, found = 1, found[1:]
    elif n_columns > 1 and heads:
        groups = [found[a:b] for a, b in zip(heads, [*heads[1:], len(found)], strict=True)]
        found, n_columns = _side_by_side(groups, n_columns)
    nothing = Line2D([], [], linestyle="none")
    made = place.legend(
        [nothing if mark is None else mark for mark, _ in found],
        # A label that begins with an underscore would be left out.
        [f" {text}" if text.startswith("_") else text for _, text in found],
        ncols=n_columns,
        **kwargs,
    )
    made.get_title().set_fontweight("bold")
    for own, shown in zip(found, made.get_texts(), strict=True):
        if _is_heading(own):
            shown.set_fontweight("bold")
    return rows + -(-len(found) // n_columns)


def _is_heading(entry: Entry) -> bool:
    mark, text = entry
    return mark is None and bool(text) and not text.startswith("…")


def _side_by_side(groups: Sequence[Sequence[Entry]], most: int) -> tuple[list[Entry], int]:
    """Return the entries such that each group begins a column, in the fewest rows."""
    longest = max(map(len, groups))
    for rows in range(2, longest + 1):
        # Below a heading there is one entry less; other columns of a group begin with a gap.
        columns = [-(-(len(own) - 1) // (rows - 1)) for own in groups]
        if sum(columns) <= most:
            break
    else:
        return [entry for own in groups for entry in own], 1
    gap: Entry = (None, "")
    found: list[Entry] = []
    for (heading, *rest), count in zip(groups, columns, strict=True):
        for at in range(count):
            part = rest[at * (rows - 1) : (at + 1) * (rows - 1)]
            found += [gap if at else heading, *part, *[gap] * (rows - 1 - len(part))]
    return found, sum(columns)


def colour_bar(figure: Figure, axes: Sequence[Axes], colours: Colours) -> None:
    """Draw what colours stand for where they are many numbers."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    assert colours.numbers is not None
    low, high = float(colours.numbers.min()), float(colours.numbers.max())
    norm = (LogNorm if colours.is_log else Normalize)(low, high)
    mappable = ScalarMappable(norm, shortened_cmap())
    bar = figure.colorbar(mappable, ax=list(axes), label=colours.title, pad=0.02, aspect=30)
    bar.outline.set_visible(False)


def shortened_cmap() -> Any:
    """Return the colours of numbers, without the lightest."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps[CMAP](np.linspace(0, LIGHTEST, 256)))
