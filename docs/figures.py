"""Draw the pictures of the documents: ``python docs/figures.py``."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl

import runcube as rc

HERE = Path(__file__).parent
NAMES = {"lr": "learning rate", "weight_decay": "weight decay", "acc1": "accuracy (%)"}
NAMES |= {"val": "validation", "eval": "test"}
RENAME = {
    "rename": {"model.weights": "init"},
    "relabel": {"model.weights": {None: "random", "DEFAULT": "pretrained"}},
}


def main() -> None:
    """Write every picture to ``docs/images``."""
    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs(HERE.parent / "examples" / "logs", **RENAME)
    val, test = (ds.sel(metric="acc1", split=split) for split in ("val", "eval"))
    best = ds.sel(init="pretrained", weight_decay=0.0)
    complete = val.curve.where(val.curve.status == "complete")
    plot = rc.plot
    figures = {
        "curves": plot.curves(complete.sel(weight_decay=0.0), col="init", hue="lr", names=NAMES),
        "splits": plot.curves(best.sel(metric="loss"), names=NAMES, intervals=False),
        "column": plot.curves(
            val.sel(lr=0.2, init="random"), seeds=True, width="column", names=NAMES
        ),
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
