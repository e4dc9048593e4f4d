"""From a directory of training logs to tables, a netCDF file and a figure.

``make demo`` runs it on ``examples/logs``, 121 runs that ``train_digits.py`` trained.
"""

from __future__ import annotations

import json
import os
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

import runcube as rc

if TYPE_CHECKING:
    import pandas as pd

LOGS = os.path.relpath(Path(__file__).parent / "logs")
OUT = Path("demo")
NAMES = {
    "rename": {"model.weights": "init"},
    "relabel": {"model.weights": {None: "random", "DEFAULT": "pretrained"}},
}


def mean_and_half_width(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean over the seeds and half of its 95 % interval, NaN where there are fewer than two."""
    found = rc.summarize(values)
    return found["mean"], found["ci"].sel(ci_bound="upper", drop=True) - found["mean"]


def diverged(ds: xr.Dataset) -> xr.DataArray:
    """Tell the runs with a loss that is no finite number: (*hyperparameters*, seed)."""
    return rc.diverged(ds.sel(metric="loss", drop=True)).any("split")


def results(ds: xr.Dataset) -> pd.DataFrame:
    """One row per configuration, best first: final accuracy in percent over its complete runs.

    A diverged run counts with the accuracy it logged (chance): leaving it out would praise a
    learning rate for the one seed that survived it.
    """
    end = rc.final(ds.sel(metric="acc1", drop=True))
    end = end.where(end.status == "complete")
    columns: dict[str, xr.DataArray] = {}
    for name, split in {"val": "val", "test": "eval"}.items():
        columns[name], columns[f"{name} ±"] = mean_and_half_width(end.sel(split=split, drop=True))
    bad = diverged(ds)
    columns["complete"] = (bad.status == "complete").sum("seed")
    columns["diverged"] = (bad & (bad.status == "complete")).sum("seed")
    table = xr.Dataset(columns).reset_coords(drop=True).to_dataframe()
    return table.sort_values("val", ascending=False)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Write each mean with half of its interval."""
    shown = table[["complete", "diverged"]].copy()
    for at, name in enumerate(("val", "test")):
        pairs = zip(table[name], table[f"{name} ±"], strict=True)
        shown.insert(at, name, [f"{mean:.2f} ± {half:5.2f}" for mean, half in pairs])
    return shown.reset_index()


def plot(ds: xr.Dataset, weight_decay: float, path: Path) -> None:
    """Draw validation accuracy over the epochs: one panel per init, one curve per learning rate.

    The runs are those of `results`, so the curves end in its numbers.
    """
    accuracy = ds.curve.sel(split="val", metric="acc1", weight_decay=weight_decay)
    accuracy = accuracy.where(accuracy.status == "complete")
    names = {"lr": "learning rate", "val": "validation", "acc1": "accuracy (%)"}
    rc.plot.save(rc.plot.curves(accuracy, col="init", hue="lr", names=names), path, dpi=150)


def heading(text: str) -> None:
    """Print a line that starts a part of the output."""
    print(f"\n{text}\n{'-' * len(text)}")


def main() -> None:
    """Run the demo."""
    OUT.mkdir(exist_ok=True)
    heading("What varies")
    sweep = rc.scan(LOGS, **NAMES)
    print(sweep.explain())

    heading("Configurations and how their runs ended")
    print(sweep.table().to_string())

    heading("The cube")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rc.SweepWarning)
        ds = rc.load_runs(LOGS, **NAMES)
    print(ds)

    heading("What was wrong with the logs")
    for warning in caught:
        print(warning.message)
    for problem in rc.problems(ds).itertuples():
        text = f"{problem.path}: {problem.kind}: {problem.message}"
        print(textwrap.fill(text, 100, initial_indent="- ", subsequent_indent="  "))
    cut = ds.sweep.missing()
    print(f"Without a complete run: {len(cut)}")
    print(cut.drop(columns="path").to_string(index=False))

    heading("Last accuracy in percent of the complete runs: mean ± half of its 95 % interval by t")
    print(readable(results(ds)).to_string(index=False))

    heading("Best configuration, and the epoch, by validation accuracy")
    best = rc.select(ds, metric="acc1", mode="max", split="val", report="eval", rng=0)
    winner = json.loads(best.attrs["winner"])
    value, (low, high) = float(best["value"]), best["ci"].values
    print(", ".join(f"{name} = {label}" for name, label in winner.items()), end="; ")
    print(f"epoch {int(best.chosen_x)}")
    print(f"test accuracy to report: {value:.2f} %, 95 % interval by t {low:.2f} to {high:.2f}")
    print(f"  (each of {int(best.n_folds)} seeds reports what the others chose)")
    print(f"its mean over the seeds that chose it, which flatters: {float(best.plain):.2f} %")

    rc.save_archive(ds, OUT / "sweep.nc")
    plot(ds, winner["weight_decay"], OUT / "curves.png")
    print(f"\nWrote {OUT / 'sweep.nc'} and {OUT / 'curves.png'}")


if __name__ == "__main__":
    main()
