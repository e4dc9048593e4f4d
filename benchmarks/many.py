"""Sweeps of many short logs: opening them lazily, again, and after a few have changed.

Every measurement is a process of its own, timed after its imports. The logs (3 epochs, 3 kB) are
made in a directory that is given, since 100,000 of them take 0.8 GB of blocks. With ``--before
OTHER/src`` the source of another version is measured in turn, and the ratios to it are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import machine, versions
from benchmarks.make_logs import LOG_NAME, MANY, Shape, native_sweep

SHAPES = {
    1_000: Shape((0.001,), tuple(0.01 * i for i in range(5)), seeds=100, epochs=3),
    10_000: Shape(
        tuple(0.001 * i for i in range(1, 6)),
        tuple(0.01 * i for i in range(10)),
        seeds=100,
        epochs=3,
    ),
    100_000: MANY,
}
SOURCE = Path(__file__).parents[1] / "src"
# Steps in this order; "changed" and "select" need what the others left.
STEPS = ("open, cold", "open, again", "open, 1 % changed", "load_runs", "one curve", "graph")

MEASURE = """
import json, pickle, resource, sys, time, warnings
import dask.array, netCDF4, xarray
import runcube as rc
logs, cache, step = sys.argv[1:]
warnings.simplefilter("ignore")
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = None
if step in ("one curve", "graph"):
    ds = rc.open_runs(logs, cache=cache)
start = time.perf_counter()
if step.startswith("open"):
    ds = rc.open_runs(logs, cache=cache)
elif step == "load_runs":
    ds = rc.load_runs(logs)
elif step == "one curve":
    part = ds.curve.isel(dict.fromkeys(ds.path.dims, 0)).compute()
    assert part.notnull().all()
else:
    size = len(pickle.dumps(ds.curve.__dask_graph__()))
taken = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([taken, (peak - base) / 1024, size]))
"""


def measure(source: Path, logs: Path, cache: Path, step: str) -> tuple[float, float, int | None]:
    """Seconds, MB beyond the imports, and bytes of the graph."""
    command = [sys.executable, "-c", MEASURE, str(logs), str(cache), step]
    environment = os.environ | {"PYTHONPATH": str(source.resolve())}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    taken, peak, size = json.loads(done.stdout)
    return taken, peak, size


def change(logs: Path, count: int) -> None:
    """Append a line to some logs, spread over the sweep."""
    files = sorted(logs.rglob(LOG_NAME))
    for file in files[:: max(1, len(files) // count)][:count]:
        with file.open("a") as log:
            log.write('{"type": "str", "value": "a word more"}\n')


def rounds(sources: list[Path], logs: Path, runs: int, number: int) -> list[dict[str, list[Any]]]:
    """Measure all steps several times, of each source in turn."""
    found: list[dict[str, list[Any]]] = [{step: [] for step in STEPS} for _ in sources]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(number):
            for path in Path(folder).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for step in STEPS:
                if "changed" in step:
                    change(logs, runs // 100)
                for place, source in enumerate(sources):
                    cache = Path(folder) / f"cache{place}"
                    found[place][step].append(measure(source, logs, cache, step))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="directory for the logs")
    parser.add_argument("--runs", type=int, nargs="*", default=[*SHAPES], choices=[*SHAPES])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="source of another version")
    options = parser.parse_args()
    print(f"{machine()}\n{versions()}")
    print(f"load of the machine at the beginning: {os.getloadavg()[0]:.1f}")
    print(
        f"\n{'':<20}{'runs':>9}{'seconds':>9}{'min':>8}{'max':>8}{'us a run':>10}{'kB a run':>10}"
    )
    sources = [SOURCE, *([options.before] if options.before else [])]
    for runs in options.runs:
        logs = native_sweep(options.data / f"many-{runs}", SHAPES[runs])
        own, *other = rounds(sources, logs, runs, options.rounds)
        for step, rows in own.items():
            times, peaks, sizes = zip(*rows, strict=True)
            taken = median(times)
            text = f"{1e6 * taken / runs:>10.0f}{1024 * median(peaks) / runs:>10.1f}"
            graph = f"   {sizes[0] / runs:.0f} bytes a run" if sizes[0] else ""
            before = [row[0] for each in other for row in each[step]]
            ratio = (
                f"   before {median(before):.2f}, {taken / median(before):.2f} of it"
                if before
                else ""
            )
            print(
                f"{step:<20}{runs:>9,}{taken:>9.2f}{min(times):>8.2f}{max(times):>8.2f}{text}"
                f"{graph}{ratio}"
            )


if __name__ == "__main__":
    main()
