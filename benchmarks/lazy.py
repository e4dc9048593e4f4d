"""Memory and seconds of statistics on a cube that does not fit: ``open_runs`` under a limit.

``python -m benchmarks.lazy`` makes a ragged sweep (many short runs, a few very long ones) whose
cube is over 8 GB, and takes the mean over seeds in a process that may have 2 GB. The limit is that
of the operating system (``RLIMIT_AS``: all that the process has mapped, libraries included), so
that whoever holds too much dies of it. ``load_runs`` must refuse under the same limit. What
comes out is compared with the same means from the logs of single cells.

``python -m benchmarks.lazy --long`` opens 2 GB of native logs for the first time and again, and
takes the mean over seeds, each in a process of its own, beside ``load_runs``; with ``--before
OTHER/src`` the source of another version in turn.
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

from benchmarks.archive import SHORT, verdict
from benchmarks.load import machine, statement, versions, warm
from benchmarks.make_logs import DATA, LARGE, Shape, native_sweep

LONG = Shape(lrs=(0.3,), weight_decays=(0.0,), seeds=4, epochs=30_000)
CUBE_GB, LIMIT_GB = 8.0, 2.0
SOURCE = Path(__file__).parents[1] / "src"
# Where pyarrow is installed, pandas uses it for text, and its own allocator reserves 1 GB of
# addresses at once, which is half of the limit and no memory.
PLAIN = {"ARROW_DEFAULT_MEMORY_POOL": "system"}

CHILD = """
import json, resource, sys, time, warnings
limit = int(float(sys.argv[3]) * 1e9)
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
warnings.simplefilter("ignore")
import numpy as np
import runcube as rc
what, logs = sys.argv[1], sys.argv[2]
report = {}
start = time.perf_counter()
try:
    if what == "load":
        rc.load_runs(logs, exclude="epochs")
    else:
        ds = rc.open_runs(logs, exclude="epochs", cache=sys.argv[4])
        report["open"] = time.perf_counter() - start
        report["gb"] = ds.curve.nbytes / 1e9
        report["blocks"] = ds.curve.data.npartitions
        start = time.perf_counter()
        mean = ds.curve.mean("seed").compute()
        report["mean"] = time.perf_counter() - start
        report["values"] = int(mean.notnull().sum())
        cell = ds.curve.isel(weights=0, lr=-1, weight_decay=0)
        want = np.nanmean(cell.isel(split=0, metric=0).values, axis=0)
        got = mean.isel(weights=0, lr=-1, weight_decay=0, split=0, metric=0).values
        report["same"] = bool(np.allclose(want, got, rtol=1e-12, atol=0, equal_nan=True))
except Exception as error:
    report["error"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
report["seconds"] = time.perf_counter() - start
report["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps(report))
"""


STEPS = ("load_runs", "open, first", "open, again", "mean over seeds")
STEP = """
import json, resource, sys, time, warnings
import dask.array, netCDF4, xarray
import runcube as rc
logs, cache, step = sys.argv[1:]
warnings.simplefilter("ignore")
start = time.perf_counter()
if step == "load_runs":
    rc.load_runs(logs)
else:
    ds = rc.open_runs(logs, cache=cache)
    if step.startswith("mean"):
        ds.curve.mean("seed").compute()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - start, peak]))
"""


def long(sources: list[Path], rounds: int) -> None:
    """Measure 2 GB of long logs and print medians, and ratios to the second source."""
    logs = native_sweep(DATA / "native-large", LARGE)
    number, size = warm(logs)
    print(statement(LARGE, number, size))
    found: list[dict[str, list[Any]]] = [{step: [] for step in STEPS} for _ in sources]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for place, source in enumerate(sources):
                cache = Path(folder) / f"cache{place}"
                shutil.rmtree(cache, ignore_errors=True)
                for old in Path(folder).glob(f"cache{place}*"):
                    old.unlink()
                for step in STEPS:
                    command = [sys.executable, "-c", STEP, str(logs), str(cache), step]
                    env = os.environ | {"PYTHONPATH": str(source.resolve())}
                    done = subprocess.run(command, stdout=subprocess.PIPE, env=env, check=True)
                    found[place][step].append(json.loads(done.stdout))
    for step in STEPS:
        each = [[median(column) for column in zip(*of[step], strict=True)] for of in found]
        ratio = each[-1][0] / each[0][0]
        print(
            step,
            *(f"{seconds:.2f} s, peak {peak:.0f} MB" for seconds, peak in each),
            f"{ratio:.2f}",
        )


def ragged(work: Path) -> Path:
    """Logs of many short runs and a few long ones, in one directory."""
    logs = work / "ragged-8gb"
    if not logs.exists():
        beside = work / "ragged-8gb.part"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        native_sweep(beside / "short", SHORT)
        native_sweep(beside / "long", LONG)
        for stamp in beside.glob("*.json"):
            stamp.unlink()
        beside.rename(logs)
    return logs


def child(*arguments: object) -> dict[str, object]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    here = Path(__file__).parent.parent
    options: dict[str, Any] = {"cwd": here, "capture_output": True, "text": True}
    done = subprocess.run(command, env=os.environ | PLAIN, check=False, **options)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"error": lines[-1]}
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--limit", type=float, default=LIMIT_GB, help="GB; 0 is none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="2 GB of long logs instead")
    parser.add_argument("--before", type=Path, help="source of another version, with --long")
    options = parser.parse_args()
    print(f"{machine()}\n{versions()}")
    if options.long:
        long([SOURCE, *([options.before] if options.before else [])], options.rounds)
        return
    logs = ragged(DATA)
    number, size = warm(logs)
    print(statement(SHORT, number, size), f"\nwith {LONG}")
    cache = DATA / "ragged-8gb.cache"
    shutil.rmtree(cache, ignore_errors=True)
    for _ in range(options.rounds):
        found = child("mean", logs, options.limit, cache)
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in found.items()})
        good = bool(found.get("same")) and float(str(found.get("gb", 0))) >= CUBE_GB
        verdict(good, f"mean over seeds within {options.limit:g} GB, wanted of {CUBE_GB:g} GB")
    print("load_runs under the same limit:", child("load", logs, options.limit))


if __name__ == "__main__":
    main()
