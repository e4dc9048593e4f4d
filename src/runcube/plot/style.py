"""How figures look: sizes, fonts, colours, dashes; in contexts alone, nothing global is changed."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), Color universal design; ordered so that neighbours differ in lightness.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
# Numbers go from dark to light; the lightest yellow is too faint on white.
CMAP, LIGHTEST = "viridis", 0.88
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.3)), (0, (6, 1.5, 1, 1.5)))
# No triangle: it marks what is not finite.
MARKERS = "osDPXvd"
MUTED = "0.35"
FONT = 8.0
# Inches: a column of two, the text of one column, a page of two columns.
WIDTHS = {"column": 3.25, "text": 5.5, "page": 6.75}

_PAPER: Any = {
    "font.size": FONT,
    "axes.labelsize": FONT,
    "axes.titlesize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "legend.title_fontsize": FONT,
    "legend.frameon": False,
    "legend.columnspacing": 1.2,
    "legend.handletextpad": 0.5,
    "figure.titlesize": FONT,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}
# Text stays text that can be searched and set in another font.
_TEXT: Any = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}


@contextmanager
def theme(on: bool = True) -> Iterator[None]:
    """Draw with the defaults of this package, in a ``with`` block.

    Parameters
    ----------
    on : bool
        Whether; else the caller's ``rcParams`` hold.

    Examples
    --------
    >>> import matplotlib, runcube as rc
    >>> with rc.plot.theme():
    ...     matplotlib.rcParams["font.size"], matplotlib.rcParams["pdf.fonttype"]
    (8.0, 42)
    """
    import matplotlib as mpl

    with mpl.rc_context((_PAPER | _TEXT) if on else {}):
        yield


def save(figure: Figure | Axes, path: str | Path, **kwargs: Any) -> None:
    """Write a figure as a file in which text is text: PDF with TrueType fonts, SVG with its words.

    Parameters
    ----------
    figure : Figure or Axes
        Of Axes, the figure that they are in.
    path : str or Path
        Its suffix is the format: ``.pdf``, ``.svg``, ``.png``, …
    **kwargs
        For ``Figure.savefig``; the default resolution is 300 dpi.

    Examples
    --------
    >>> import pathlib, tempfile, xarray as xr, runcube as rc
    >>> ax = rc.plot.curves(xr.DataArray([1.0, 2.0], dims="epoch"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rc.plot.save(ax, pathlib.Path(folder) / "curve.svg")
    ...     "<text" in (pathlib.Path(folder) / "curve.svg").read_text()
    True
    """
    import matplotlib as mpl

    whole = figure.get_figure()  # of a figure itself, itself
    assert whole is not None
    with mpl.rc_context(_TEXT | {"savefig.dpi": 300}):
        whole.savefig(Path(path), **kwargs)  # type: ignore[union-attr]


def inches(width: str | float | None, default: str) -> float:
    """Return a width in inches.

    Raises
    ------
    PlanError
        If it is neither a number above 1 nor one of the names.

    Examples
    --------
    >>> inches("column", "text"), inches(None, "page")
    (3.25, 6.75)
    """
    wanted = default if width is None else width
    found = WIDTHS.get(wanted, 0.0) if isinstance(wanted, str) else float(wanted)
    if not found > 1:
        raise PlanError(f"width={width!r}: expected inches, or one of {', '.join(WIDTHS)}")
    return found
