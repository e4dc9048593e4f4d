"""The nine figures as small pictures and as texts, to be compared: ``make baseline`` draws them.

Fonts and the layout that follows from them differ between versions of matplotlib by more than a
lost line does. So a picture is of a figure without its texts, in places that do not depend on them;
the texts stand beside it, to be compared word for word.
"""

import json
import warnings
from pathlib import Path

import matplotlib as mpl

import runcube as rc

BASELINE = Path(__file__).parent / "plot" / "baseline"
TEXTS = BASELINE / "texts.json"
SIZE, DPI = (3.2, 2.0), 50


def sweep():
    """Return the sweep of the examples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(Path(__file__).parents[1] / "examples" / "logs")


def figures(ds):
    """Return a function that draws each figure, by name."""
    plot = rc.plot
    val, test = (ds.sel(metric="acc1", split=split) for split in ("val", "eval"))
    one = ds.sel(metric="acc1", weights="DEFAULT", weight_decay=0.0, split=["val", "eval"])
    of = {"metric": "acc1", "mode": "max"}
    holed = rc.final(val.sel(weights="DEFAULT"))
    holed = holed.where((holed.lr < 1) | (holed.weight_decay < 0.1))
    return {
        "curves": lambda: plot.curves(one, width="column"),
        "distribution": lambda: plot.distribution(
            val.sel(weight_decay=0.0), x="lr", hue="weights", width="column"
        ),
        "heatmap": lambda: plot.heatmap(holed, x="lr", y="weight_decay"),
        "coverage": lambda: plot.coverage(ds.sel(weights="DEFAULT"), width="column"),
        "compare": lambda: plot.compare(one.sel(split="val"), over="lr", baseline=0.2),
        "importance": lambda: plot.importance(ds, **of, rng=0, n_resamples=99),
        "marginals": lambda: plot.marginals(ds, **of),
        "best_of_k": lambda: plot.best_of_k(
            val, mode="max", report=test, hue="weights", cost="runs", width="column"
        ),
        "parallel": lambda: plot.parallel(val.sel(lr=[0.2, 1.4]), mode="max"),
    }


def drawn(figure):
    """Return a figure, laid out, in the style that all machines share."""
    with mpl.rc_context():
        mpl.rcdefaults()
        made = figure().get_figure()
        made.canvas.draw()
    return made


def texts_of(figure):
    """Return the texts of a figure, in the order in which they are drawn."""
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    beyond = set()  # labels of ticks that are not on the axis
    for axis in axes:
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        outside = [tick for tick in ticks if not low <= tick.get_loc() <= high]
        beyond |= {text for tick in outside for text in (tick.label1, tick.label2)}
    found = [text for text in figure.findobj(mpl.text.Text) if text.get_visible()]
    return [text for text in found if text.get_text().strip() and text not in beyond]


def place_of(ax):
    """Return where Axes stand, in parts of the figure: left, bottom, width, height."""
    if ax.get_label() == "<colorbar>":
        return 0.92, 0.02, 0.03, 0.96
    spec = ax.get_subplotspec()
    n_rows, n_columns = spec.get_gridspec().get_geometry()
    width, height = 0.86 / n_columns, 0.96 / n_rows
    low = 0.02 + (n_rows - spec.rowspan.stop) * height
    return 0.02 + spec.colspan.start * width, low, 0.95 * width, 0.95 * height


def write(figure, path):
    """Write the picture of a figure that was drawn, without its texts."""
    figure.set_layout_engine("none")
    figure.set_size_inches(SIZE)
    for ax in figure.axes:
        ax.set_position(place_of(ax))
    for legend in figure.legends:
        legend.set_visible(False)
    for text in figure.findobj(mpl.text.Text):
        text.set_visible(False)
    with rc.plot.theme():  # matplotlib 3.9 takes the width of hatches when it writes
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def main():
    """Draw every picture anew."""
    mpl.use("Agg")
    BASELINE.mkdir(exist_ok=True)
    texts = {}
    for name, figure in figures(sweep()).items():
        made = drawn(figure)
        texts[name] = [text.get_text() for text in texts_of(made)]
        write(made, BASELINE / f"{name}.png")
    text = json.dumps(texts, ensure_ascii=False, indent=1)
    TEXTS.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
