"""Bytes, seconds and memory of archives, against the logs themselves, plain netCDF and parquet.

``python -m benchmarks.archive`` prints the table for the 2,000 logs of ``benchmarks.load``;
``--large`` the updates of over 2 GB of logs, ``--out-of-core`` the memory for a cube of over 4 GB.

Everything is timed in a process of its own, after its imports, in interleaved rounds; medians are
shown. "first" is the first time in a process (with what libraries import and look up late), "again"
the second. Files are in the page cache. Archives are synced to disk, as ``save_archive`` does it;
the others do not sync. Logs are changed in a copy, never in ``benchmarks/data``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.load import ContenderFailed, machine, statement, versions, warm
from benchmarks.make_logs import (
    DATA,
    LARGE,
    LOG_NAME,
    METRICS,
    Shape,
    native_sweep,
    standard_sweep,
)
from benchmarks.rivals import find_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    import xarray as xr

OPEN_FACTOR, UPDATE_SECONDS, UPDATE_SHARE, MEMORY_MB = 50.0, 0.5, 0.05, 600.0
CHANGED = 20
SHORT, LONG = Shape(epochs=5), Shape(lrs=(0.3,), weight_decays=(0.0,), seeds=4, epochs=17_500)
CONFIG: dict[str, Any] = {"weights": "None", "lr": 0.01, "weight_decay": 0.0001}
SEED = 3

CHILD = """
import json, resource, sys, time
from benchmarks.archive import TASKS
work = TASKS[sys.argv[1]](*json.loads(sys.argv[2]))
seconds = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    found = work()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": peak, "found": found}))
"""


@dataclass
class Timed:
    """What the processes of one task took."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    found: Any = None


def run(into: Timed, task: str, *arguments: Any, times: int = 1) -> Timed:
    """Do a task in a new process and add what it took.

    Raises
    ------
    ContenderFailed
        With the last line of what the process wrote to stderr.
    """
    text = json.dumps(arguments, default=str)
    command = [sys.executable, "-W", "ignore", "-c", CHILD, task, text, str(times)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    here = Path(__file__).parent.parent
    done = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ContenderFailed(f"{task}: {lines[-1]}")
    report = json.loads(done.stdout.splitlines()[-1])
    into.first.append(report["seconds"][0])
    into.again.extend(report["seconds"][1:])
    into.peak_mb = max(
        into.peak_mb, report["peak"] * (1 if sys.platform == "darwin" else 1024) / 1e6
    )
    into.found = report["found"]
    return into


# What is timed: each task imports and opens what it may, and gives the work.


def _load_runs(logs: str) -> Callable[[], None]:
    import runcube as rc

    def work() -> None:
        rc.load_runs(logs)

    return work


def _archive_runs(logs: str, path: str, exclude: tuple[str, ...] = ()) -> Callable[[], None]:
    import netCDF4  # noqa: F401

    import runcube as rc

    return lambda: rc.archive_runs(logs, path, exclude=exclude)


def _update(path: str, logs: str) -> Callable[[], None]:
    import netCDF4  # noqa: F401

    import runcube as rc

    return lambda: rc.update_archive(path, logs)


def _same(path: str, logs: str) -> Callable[[], bool]:
    import runcube as rc

    def work() -> bool:
        with rc.open_archive(path) as ds:
            return bool(ds.curve.identical(rc.load_runs(logs).curve))

    return work


def _cube_bytes(path: str) -> Callable[[], int]:
    import runcube as rc

    def work() -> int:
        with rc.open_archive(path) as ds:
            print(dict(ds.sizes), file=sys.stderr)
            return int(ds.curve.nbytes)

    return work


def _loaded(path: str) -> xr.Dataset:
    import runcube as rc

    with rc.open_archive(path) as ds:
        return ds.load()


def _save(source: str, path: str, options: dict[str, Any]) -> Callable[[], None]:
    import runcube as rc

    ds = _loaded(source)
    return lambda: rc.save_archive(ds, path, **options)


def _to_netcdf(source: str, path: str, options: dict[str, Any]) -> Callable[[], None]:
    ds = _loaded(source)
    encoding = dict.fromkeys(("curve", "logged"), options)

    def work() -> None:
        ds.to_netcdf(path, encoding=encoding)

    return work


def long_table(ds: xr.Dataset) -> pa.Table:
    """Give the cube of the standard sweep as a row for each run, split and epoch."""
    import numpy as np
    import pyarrow as pa

    dims = (*CONFIG, "seed", "split", "epoch")
    curve = ds["curve"].transpose("metric", *dims).values
    places = np.indices(curve.shape[1:]).reshape(len(dims), -1)
    columns: dict[str, Any] = {}
    for name, place in zip(dims, places, strict=True):
        labels = pa.array(ds[name].values.tolist())
        columns[name] = labels.take(pa.array(place))
    runs = np.broadcast_to(
        ds["path"].transpose(*CONFIG, "seed").values[..., None, None], curve.shape[1:]
    )
    columns["path"] = pa.array(runs.ravel().tolist())
    for metric in METRICS:
        columns[metric] = pa.array(curve[ds.indexes["metric"].get_loc(metric)].ravel())
    return pa.table(columns)


def _parquet(source: str, path: str, options: dict[str, Any], ready: bool) -> Callable[[], None]:
    import pyarrow.parquet as pq

    ds = _loaded(source)
    table = long_table(ds) if ready else None

    def work() -> None:
        rows = long_table(ds) if table is None else table
        pq.write_table(rows, path, compression="zstd", **options)

    return work


def _read(ds: xr.Dataset, mean: bool) -> int:
    acc1 = ds["curve"].sel(metric="acc1", split="val")
    if mean:
        return int(acc1.mean("seed").values.size)
    return int(acc1.sel(**CONFIG, seed=SEED).values.size)


def _read_logs(logs: str, mean: bool) -> Callable[[], int]:
    import runcube as rc

    return lambda: _read(rc.load_runs(logs), mean)


def _read_archive(path: str, mean: bool) -> Callable[[], int]:
    import netCDF4  # noqa: F401

    import runcube as rc

    def work() -> int:
        with rc.open_archive(path) as ds:
            return _read(ds, mean)

    return work


def _read_xarray(path: str, mean: bool) -> Callable[[], int]:
    import netCDF4  # noqa: F401
    import xarray as xr

    def work() -> int:
        with xr.open_dataset(path) as ds:
            return _read(ds, mean)

    return work


def _read_parquet(path: str, mean: bool) -> Callable[[], int]:
    import pyarrow.parquet as pq

    def work() -> int:
        filters = [("split", "=", "val")]
        if mean:
            columns = [*CONFIG, "epoch", "acc1"]
            rows = pq.read_table(path, columns=columns, filters=filters)
            means = rows.group_by([*CONFIG, "epoch"]).aggregate([("acc1", "mean")])
            return int(means["acc1_mean"].to_numpy().size)
        filters += [("seed", "=", SEED), *((name, "=", v) for name, v in CONFIG.items())]
        return int(pq.read_table(path, columns=["acc1"], filters=filters)["acc1"].to_numpy().size)

    return work


TASKS: dict[str, Callable[..., Callable[[], Any]]] = {
    "load_runs": _load_runs,
    "archive_runs": _archive_runs,
    "update": _update,
    "same": _same,
    "cube bytes": _cube_bytes,
    "save": _save,
    "to_netcdf": _to_netcdf,
    "parquet": _parquet,
    "read logs": _read_logs,
    "read archive": _read_archive,
    "read xarray": _read_xarray,
    "read parquet": _read_parquet,
}


def heading(title: str, *columns: str) -> None:
    """Print the head of a part of the table."""
    print(f"\n{title:<46}" + "".join(f"{column:>13}" for column in columns))


def row(name: str, *cells: str) -> None:
    """Print a row of it."""
    print(f"{name:<46}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def verdict(good: bool, text: str) -> None:
    """Print whether a goal was met."""
    print(f"{'ok    ' if good else 'MISSED'}  {text}", flush=True)


def standard(work: Path, rounds: int) -> None:
    """Print bytes, and seconds of reading and writing, for the standard sweep."""
    logs, shape = standard_sweep()
    number, size = warm(logs)
    print(statement(shape, number, size))
    made = work / "archive_runs.nc"
    run(Timed(), "archive_runs", logs, made)
    group = {"row_group_size": shape.seeds * shape.epochs * 3}
    split: dict[str, Any] = {"use_dictionary": [*CONFIG, "seed", "split", "epoch", "path"]}
    split["column_encoding"] = dict.fromkeys(METRICS, "BYTE_STREAM_SPLIT")
    writers: dict[str, tuple[Any, ...]] = {
        "save_archive": ("save", made, work / "saved.nc", {}),
        'save_archive dtype="float32"': ("save", made, work / "float32.nc", {"dtype": "float32"}),
        "save_archive significant_digits=4": (
            "save",
            made,
            work / "digits.nc",
            {"significant_digits": 4},
        ),
        "to_netcdf": ("to_netcdf", made, work / "plain.nc", {}),
        "to_netcdf zlib=True": ("to_netcdf", made, work / "zlib.nc", {"zlib": True}),
        "parquet zstd": ("parquet", made, work / "long.parquet", {}, True),
        "parquet zstd, table made too": ("parquet", made, work / "long2.parquet", {}, False),
        f"parquet zstd, groups of {group['row_group_size']:,} rows": (
            "parquet",
            made,
            work / "groups.parquet",
            group,
            True,
        ),
        "parquet zstd, BYTE_STREAM_SPLIT metrics": (
            "parquet",
            made,
            work / "split.parquet",
            split,
            True,
        ),
    }
    loaders: dict[str, tuple[Any, ...]] = {
        "load_runs": ("load_runs", logs),
        "archive_runs": ("archive_runs", logs, made),
    }
    found: dict[str, Timed] = defaultdict(Timed)
    for _ in range(rounds):
        for name, task in (loaders | writers).items():
            run(found[name], *task, times=2)
    zipped = sum(len(zlib.compress(Path(p).read_bytes(), 6)) for p in find_logs(logs))
    heading("bytes", "MB", "/ values", "/ logs")
    sizes = {"logs": size, "logs, zlib level 6 each": zipped, "archive_runs": made.stat().st_size}
    sizes |= {name: task[2].stat().st_size for name, task in writers.items()}
    for name, count in sizes.items():
        cells = f"{count / 1e6:.2f}", f"{count / shape.cube_bytes:.3f}", f"{count / size:.3f}"
        row(name, *cells)
    heading("writing", "first s", "again s", "MB/s first", "MB/s again", "peak MB")
    for name in (*loaders, *writers):
        timed = found[name]
        times = median(timed.first), median(timed.again)
        speeds = (f"{shape.cube_bytes / 1e6 / seconds:.0f}" for seconds in times)
        row(name, *(f"{seconds:.3f}" for seconds in times), *speeds, f"{timed.peak_mb:.0f}")
    _print_reading(logs, made, work, rounds)


def _print_reading(logs: Path, made: Path, work: Path, rounds: int) -> None:
    readers: dict[str, tuple[Any, ...]] = {
        "load_runs": ("read logs", logs),
        "open_archive of archive_runs": ("read archive", made),
        "open_archive of save_archive": ("read archive", work / "saved.nc"),
        "xr.open_dataset of archive_runs": ("read xarray", made),
        "xr.open_dataset of to_netcdf": ("read xarray", work / "plain.nc"),
        "pyarrow, one row group": ("read parquet", work / "long.parquet"),
        "pyarrow, a row group per configuration": ("read parquet", work / "groups.parquet"),
    }
    for mean in (False, True):
        what = "mean over seeds, all configurations" if mean else "one curve"
        found: dict[str, Timed] = defaultdict(Timed)
        for _ in range(rounds):
            for name, task in readers.items():
                run(found[name], *task, mean, times=2)
        heading(f"to {what}", "first s", "again s", "load / first", "load / again", "numbers")
        base = found["load_runs"]
        for name, timed in found.items():
            times = median(timed.first), median(timed.again)
            ratios = (
                f"{median(base.first) / times[0]:.1f}",
                f"{median(base.again) / times[1]:.1f}",
            )
            row(name, *(f"{seconds:.4f}" for seconds in times), *ratios, str(timed.found))
        ratio = median(base.first) / median(found["open_archive of archive_runs"].first)
        verdict(
            ratio >= OPEN_FACTOR,
            f"{what}: {ratio:.1f}x as fast as load_runs (first), wanted {OPEN_FACTOR:g}x",
        )


def change(paths: list[str]) -> None:
    """Change some digits in each log, and its length."""
    for path in paths:
        text = Path(path).read_text()
        parts = re.split(r"(\"acc1\": [\d.e-]+)", text)
        for place in (1, len(parts) // 4 * 2 + 1, len(parts) - 2):
            parts[place] = f'"acc1": {random.uniform(0, 99):.{random.choice((3, 5, 7))}f}'
        Path(path).write_text("".join(parts))


def add_runs(root: Path, paths: list[str], seed: int) -> None:
    """Copy logs to new runs with another seed."""
    for number, path in enumerate(paths):
        run_dir = root / f"seed-{seed}" / f"{number:02d}_run"
        run_dir.mkdir(parents=True)
        text = re.sub(r"\"seed\": \d+", f'"seed": {seed}', Path(path).read_text(), count=1)
        (run_dir / LOG_NAME).write_text(text)


def updates(origin: Path, shape: Shape, work: Path, rounds: int, loads: int) -> None:
    """Print the seconds of updates after changes in a copy of a sweep."""
    logs, archive = work / "logs", work / "updated.nc"
    shutil.copytree(origin, logs)
    warm(logs)
    random.seed(1)
    found: dict[str, Timed] = defaultdict(Timed)
    run(found["archive_runs"], "archive_runs", logs, archive)
    paths = find_logs(logs)
    for number in range(rounds):
        if number < loads:
            run(found["load_runs"], "load_runs", logs)
        run(found["update, nothing changed"], "update", archive, logs)
        change(random.sample(paths, CHANGED))
        run(found[f"update, {CHANGED} random logs changed"], "update", archive, logs)
        start = random.randrange(len(paths) - CHANGED)
        change(paths[start : start + CHANGED])
        run(found[f"update, {CHANGED} neighbouring logs changed"], "update", archive, logs)
        chosen = random.sample(range(shape.configs), CHANGED)
        new = [paths[place * shape.seeds] for place in chosen]
        add_runs(logs, new, shape.seeds + number)
        run(found[f"update, {CHANGED} new runs of a new seed"], "update", archive, logs)
    title = f"updating, {shape.runs:,} runs of {shape.epochs:,} epochs"
    heading(title, "median s", "min s", "max s", "% of load", "peak MB")
    load = median(found["load_runs"].first)
    for name, timed in found.items():
        seconds = median(timed.first)
        ends = f"{min(timed.first):.3f}", f"{max(timed.first):.3f}"
        row(name, f"{seconds:.3f}", *ends, f"{100 * seconds / load:.1f}", f"{timed.peak_mb:.0f}")
    allowed = max(UPDATE_SECONDS, UPDATE_SHARE * load)
    for name, timed in found.items():
        if name.startswith("update"):
            seconds = median(timed.first)
            verdict(seconds <= allowed, f"{name}: {seconds:.3f} s, wanted {allowed:.3f} s")
    same = run(Timed(), "same", archive, logs).found
    verdict(same, "the updated archive holds the curves that load_runs gives")


def large(work: Path, rounds: int) -> None:
    """Print the updates of over 2 GB of logs."""
    logs = native_sweep(DATA / "native-large", LARGE)
    number, size = warm(logs)
    print("\n" + statement(LARGE, number, size))
    updates(logs, LARGE, work, rounds, loads=2)


def out_of_core(work: Path) -> None:
    """Print time and memory of archiving a cube of over 4 GB: few long runs, many short ones."""
    logs = work / "ragged"
    for name, shape in (("short", SHORT), ("long", LONG)):
        native_sweep(DATA / f"native-ragged-{name}", shape)
        shutil.copytree(DATA / f"native-ragged-{name}", logs / name)
    number, size = warm(logs)
    print(f"\n{SHORT}\nand {LONG}\n{number:,} logs, {size / 1e6:.1f} MB")
    archive = work / "ragged.nc"
    timed = run(Timed(), "archive_runs", logs, archive, ("epochs",))
    values = run(Timed(), "cube bytes", archive).found
    heading("out of core: archive_runs", "seconds", "cube GB", "file MB", "peak MB")
    cells = f"{timed.first[0]:.1f}", f"{values / 1e9:.2f}", f"{archive.stat().st_size / 1e6:.1f}"
    row("few long runs, many short ones", *cells, f"{timed.peak_mb:.0f}")
    good = timed.peak_mb < MEMORY_MB
    verdict(good, f"peak {timed.peak_mb:.0f} MB, wanted under {MEMORY_MB:g} MB")
    verdict(values >= 4e9, f"cube of {values / 1e9:.2f} GB, wanted at least 4 GB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="only the updates of 2 GB of logs")
    parser.add_argument("--out-of-core", action="store_true", help="only the cube of 4 GB")
    options = parser.parse_args()
    from importlib import metadata

    also = ", ".join(f"{name} {metadata.version(name)}" for name in ("netCDF4", "h5py"))
    print(f"{machine()}\n{versions()}, {also}")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print(f"the machine is not idle: load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="runcube-archive-") as name:
        work = Path(name)
        if options.out_of_core:
            out_of_core(work)
        if options.large:
            large(work, min(options.rounds, 3))
        if not options.large and not options.out_of_core:
            standard(work, options.rounds)
            updates(*standard_sweep(), work, options.rounds, loads=options.rounds)


if __name__ == "__main__":
    main()
