"""Intervals over seeds: `summarize` against scipy's bootstrap and the method of rliable.

Mean and IQM of 50 configurations x 100 epochs with 10,000 resamples, and the default summary of
5,000 configurations against xarray's mean, std and median. Every measurement is a process of its
own on one core, timed after its imports and a first call on little data; rounds take contenders in
turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import metadata
from statistics import median

from benchmarks.load import machine

RESAMPLES = 10_000
# Contenders by task; ours is the first.
TASKS = {
    "mean, 20 seeds": ("runcube", "scipy", "rliable"),
    "iqm, 20 seeds": ("runcube", "scipy", "rliable"),
    "mean, 5 seeds": ("runcube", "scipy", "rliable"),
    "iqm, 5 seeds": ("runcube", "scipy", "rliable"),
    "summary, 5 seeds": ("runcube", "xarray"),
}
GOALS = {20: 5, 5: 20}

MEASURE = f"""
import json, resource, sys, time
from functools import partial
import numpy as np, xarray as xr
from scipy import stats
import runcube as rc

RESAMPLES = {RESAMPLES}
statistic, seeds, contender = sys.argv[1], int(sys.argv[2]), sys.argv[3]
of = {{"mean": np.mean, "iqm": partial(stats.trim_mean, proportiontocut=0.25)}}.get(statistic)


def runcube(values):
    if of is None:
        return rc.summarize(values)
    return rc.summarize(
        values, statistic=statistic, method="percentile", n_resamples=RESAMPLES, rng=0
    ).ci.values


def scipy(values):
    # By 50 resamples at once: all at once need 8 GB.
    found = stats.bootstrap(
        (values.values,), of, axis=-1, n_resamples=RESAMPLES, batch=50, vectorized=True,
        method="percentile", rng=0,
    ).confidence_interval
    return np.stack([found.low, found.high], axis=-1)


def rliable(values):
    # Each configuration is an algorithm, its curves are runs; see get_interval_estimates of
    # rliable 1.2: draw runs, apply the statistic, take percentiles. Without strata there is one
    # task; all epochs at once, where its examples loop over them.
    rng, bounds = np.random.default_rng(0), []
    for curves in values.values.swapaxes(1, 2):
        n = len(curves)
        drawn = [of(curves[rng.choice(n, n, replace=True)], axis=0) for _ in range(RESAMPLES)]
        bounds.append(np.percentile(drawn, [2.5, 97.5], axis=0).T)
    return np.stack(bounds)


def xarray(values):
    return values.mean("seed"), values.std("seed", ddof=1), values.median("seed")


def data(configs, epochs):
    values = np.random.default_rng(1).standard_normal((configs, epochs, seeds))
    return xr.DataArray(values, dims=("config", "epoch", "seed"))


take = globals()[contender]
take(data(1, 2))
values = data(50 if of else 5000, 100)
start = time.perf_counter()
found = take(values)
taken = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
width = float(np.diff(found).mean()) if of else None
print(json.dumps([taken, peak, width]))
"""


def measure(task: str, contender: str) -> tuple[float, float, float | None]:
    """Seconds, peak MB of the process, and the mean width of intervals."""
    statistic, seeds, _ = task.replace(",", "").split()
    command = [sys.executable, "-c", MEASURE, statistic, seeds, contender]
    # The rivals use one core: so does the matrix product.
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    taken, peak, width = json.loads(done.stdout)
    return taken, peak, width


def verdict(task: str, taken: dict[str, float]) -> str:
    """What was asked, and what it is."""
    ours = taken.pop("runcube")
    if "xarray" in taken:
        return f"{task}: {ours / taken['xarray']:.1f} times xarray's (goal: at most 8)"
    goal = GOALS[int(task.split()[1])]
    name = min(taken, key=lambda name: taken[name])
    return f"{task}: {taken[name] / ours:.1f} times as fast as {name} (goal: {goal})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", nargs="*", default=[*TASKS], choices=[*TASKS])
    options = parser.parse_args()
    libraries = ("runcube", "numpy", "scipy", "xarray")
    print(machine())
    print(", ".join(f"{name} {metadata.version(name)}" for name in libraries))
    print(
        f"load of the machine at the beginning: {os.getloadavg()[0]:.1f}; {options.rounds} rounds"
    )
    print("\n| | contender | seconds | min to max | peak MB | width |\n|---|---|---|---|---|---|")
    said = []
    for task in options.tasks:
        rounds = [[measure(task, name) for name in TASKS[task]] for _ in range(options.rounds)]
        medians = {}
        for name, rows in zip(TASKS[task], zip(*rounds, strict=True), strict=True):
            times, peaks, widths = zip(*rows, strict=True)
            medians[name] = median(times)
            width = "" if widths[0] is None else f"{widths[0]:.4f}"
            spread = f"{min(times):.2f} to {max(times):.2f}"
            text = (
                f"| {task} | {name} | {medians[name]:.2f} | {spread} | {max(peaks):.0f} | {width} |"
            )
            print(text, flush=True)
        said.append(verdict(task, medians))
    print("\n" + "\n".join(said))


if __name__ == "__main__":
    main()
