"""Draw the pictures of the documents: ``python docs/figures.py``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import xarray as xr

import runcube as rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).parent
NAMES = {"lr": "learning rate", "weight_decay": "weight decay", "acc1": "accuracy (%)"}
NAMES |= {"val": "validation", "eval": "test"}
RENAME = {
    "rename": {"model.weights": "init"},
    "relabel": {"model.weights": {None: "random", "DEFAULT": "pretrained"}},
}


def diverging() -> xr.DataArray:
    """Return made-up curves (seed, epoch) of runs of which a third diverges."""
    rng = np.random.default_rng(3)
    epoch = np.arange(40)
    loss = np.exp(-epoch / 12) * rng.lognormal(0, 0.15, (9, 1)) + rng.normal(0.1, 0.015, (9, 40))
    for seed, end in enumerate((11, 19, 26)):
        loss[seed, end - 3 : end] *= (1.5, 2.5, 4)
        loss[seed, end] = np.inf
        loss[seed, end + 1 :] = np.nan
    coords = {"seed": np.arange(9), "epoch": epoch}
    return xr.DataArray(loss, coords, ("seed", "epoch"), name="validation loss")


def thin() -> Figure:
    """Draw runs of which a third diverges, all points and those of seven runs and more."""
    with rc.plot.theme():
        figure, axes = mpl.pyplot.subplots(
            1, 2, figsize=(6.75, 2.8), sharey=True, layout="constrained"
        )
    for ax, min_n in zip(axes, (1, 7), strict=True):
        rc.plot.curves(diverging(), ax=ax, min_n=min_n)
        ax.set_title(f"min_n={min_n}", fontsize=8)
    return figure


def main() -> None:
    """Write every picture to ``docs/images``."""
    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs(HERE.parent / "examples" / "logs", **RENAME)
    val, test = (ds.sel(metric="acc1", split=split) for split in ("val", "eval"))
    best = ds.sel(init="pretrained", weight_decay=0.0)
    plot = rc.plot
    figures = {
        "curves": plot.curves(
            val.sel(weight_decay=0.0), col="init", hue="lr", statuses="complete", names=NAMES
        ),
        "splits": plot.curves(best.sel(metric="loss"), names=NAMES, intervals=False),
        "column": plot.curves(
            val.sel(lr=0.2, init="random"), seeds=True, width="column", names=NAMES
        ),
        "thin": thin(),
        "multiples": plot.curves(val, row="init", col="weight_decay", names=NAMES),
        "strip": plot.distribution(val.sel(weight_decay=0.0), x="lr", hue="init", names=NAMES),
        "ecdf": plot.distribution(val.sel(weight_decay=0.0, lr=0.2), kind="ecdf", names=NAMES),
        "heatmap": plot.heatmap(val.sel(init="pretrained"), x="lr", y="weight_decay", names=NAMES),
        "coverage": plot.coverage(ds, names=NAMES),
        "compare": plot.compare(
            val.sel(init="pretrained", weight_decay=0.0), over="lr", baseline=0.2, names=NAMES
        ),
        "importance": plot.importance(ds, metric="acc1", mode="max", rng=0, names=NAMES),
        "marginals": plot.marginals(ds, metric="acc1", mode="max", names=NAMES),
        "best_of_k": plot.best_of_k(val, mode="max", report=test, hue="init", names=NAMES),
        "parallel": plot.parallel(val, mode="max", names=NAMES),
    }
    for name, figure in figures.items():
        plot.save(figure, HERE / "images" / f"{name}.png", dpi=130)


if __name__ == "__main__":
    main()
