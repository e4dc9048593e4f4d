"""Seconds and memory of ``load_runs``, by where logs are read, and of decoding alone.

``python -m benchmarks.parallel`` prints a Markdown table of native logs (long ones, and the 2,000
of 70 kB), event files and CSV files, each read with False, "threads", "processes", "dask" (threads
of its own) and a ``LocalCluster`` of two processes, whose start does not count. ``--only decoding``
decodes the bytes of the long logs with the kernel, in one thread and in two: more than that two
CPUs do not give, which share their memory and caches.

Every measurement is a new process, timed after its imports: "first" is its first load, "again" the
second. Rounds are interleaved; medians are shown, and how many times as fast as False. Files are in
the page cache. Memory is the largest resident set of the process itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import runcube as rc
from benchmarks.load import machine, versions
from benchmarks.make_logs import DATA, Shape, native_sweep, standard_sweep

WAYS = ("False", "threads", "processes", "dask", "cluster")
DECODING = ("one thread", "two threads")
# Aims on two CPUs: decoding, and load_runs of long native logs.
WANTED = {"decoding": 1.5, "native, long": 1.3}


def long_sweep(megabytes: int) -> Path:
    """Make about so many MB of native logs of 1 MB."""
    shape = Shape(
        lrs=(0.01, 0.1), weight_decays=(0.0,), weights=(None,), seeds=megabytes // 2, epochs=1500
    )
    return native_sweep(DATA / f"native-{shape.runs}x{shape.epochs}", shape)


def csv_sweep(runs: int = 40, epochs: int = 4000, metrics: int = 8) -> Path:
    """Make CSV files of about 650 kB."""
    root, rng = DATA / f"csv-{runs}x{epochs}", np.random.default_rng(0)
    for run in range(runs if not root.exists() else 0):
        path = root / f"lr={0.1 * (1 + run % 5):.1f}_seed={run // 5}" / "metrics.csv"
        path.parent.mkdir(parents=True)
        head = ",".join(["epoch", *(f"m{number}" for number in range(metrics))])
        rows = rng.normal(size=(epochs, metrics)).tolist()
        lines = [",".join([str(i), *map(repr, row)]) for i, row in enumerate(rows)]
        path.write_text("\n".join([head, *lines]) + "\n")
    return root


def event_sweep(runs: int = 20, steps: int = 3000, tags: int = 5) -> Path:
    """Make event files of TensorBoard of about 600 kB."""
    from tensorboardX import SummaryWriter

    root, rng = DATA / f"events-{runs}x{steps}", np.random.default_rng(0)
    for run in range(runs if not root.exists() else 0):
        with SummaryWriter(str(root / f"lr={0.1 * (1 + run % 5):.1f}_seed={run // 5}")) as writer:
            for step, row in enumerate(rng.normal(size=(steps, tags))):
                for tag, value in enumerate(row):
                    writer.add_scalar(f"m{tag}", value, step)
    return root


def decode(logs: list[bytes], threads: int) -> None:
    """Decode logs, and do nothing with them."""
    from runcube.readers.kernel import decode

    batches = [logs[start : start + 8] for start in range(0, len(logs), 8)]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(decode, batches):
            pass


def time_once(way: str, root: str) -> dict[str, Any]:
    """Return the seconds of two loads in this process, and its largest resident set in MB."""
    seconds = []
    with ExitStack() as stack:
        warnings.simplefilter("ignore")
        if way == "cluster":
            from distributed import Client, LocalCluster

            cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
            stack.enter_context(Client(stack.enter_context(cluster)))
        logs = [path.read_bytes() for path in Path(root).rglob("*.jsonl") if way in DECODING]
        for _ in range(2):
            start = time.perf_counter()
            if way in DECODING:
                decode(logs, 1 + DECODING.index(way))
            else:
                parallel: Any = {"False": False, "cluster": "dask"}.get(way, way)
                rc.load_runs(root, parallel=parallel)
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak": peak}


def print_rows(name: str, root: Path, rounds: int) -> None:
    """Measure one sweep in all ways, and print its rows."""
    ways = DECODING if name == "decoding" else WAYS
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, runs in found.items():
            command = [sys.executable, "-m", "benchmarks.parallel", "--child", way, str(root)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    again = {way: median(run["seconds"][1] for run in runs) for way, runs in found.items()}
    for way, runs in found.items():
        first, peak = (
            median(each) for each in zip(*((r["seconds"][0], r["peak"]) for r in runs), strict=True)
        )
        times = again[ways[0]] / again[way]
        print(f"| {name} | {way} | {first:.2f} | {again[way]:.2f} | {times:.2f} | {peak:.0f} |")
    if name in WANTED:
        times = again[ways[0]] / again[ways[1]]
        verdict = "ok" if times >= WANTED[name] else "MISSED"
        print(
            f"{verdict}: {name}: {times:.2f} times as fast, wanted {WANTED[name]}", file=sys.stderr
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2000, help="MB of the long native logs")
    parser.add_argument("--only", help="of the sweeps, by a part of their names")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(time_once(*options.child)))
        return
    sweeps = {
        "decoding": lambda: long_sweep(options.size),
        "native, long": lambda: long_sweep(options.size),
        "native, 70 kB": lambda: standard_sweep()[0],
        "event files": event_sweep,
        "CSV": csv_sweep,
    }
    print(f"{machine()}; {versions()}; load {os.getloadavg()[0]:.1f}\n", file=sys.stderr)
    print("| | parallel | first s | again s | times as fast | peak MB |\n|---|---|---|---|---|---|")
    for name, make in sweeps.items():
        if options.only is None or options.only in name:
            root = make()
            sizes = [len(path.read_bytes()) for path in root.rglob("*") if path.is_file()]
            print(f"{name}: {len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB", file=sys.stderr)
            print_rows(name, root, options.rounds)


if __name__ == "__main__":
    main()
