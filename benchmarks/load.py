"""Seconds and memory of loading: the kernel, its twin, an older version, DuckDB and polars.

``python -m benchmarks.load`` (or ``make bench``) prints a table in Markdown, and what was asked of
it. ``--before REV`` measures that revision beside this one, installed as its users would;
``--only small flat`` measures those rows alone; ``--size 0.05`` takes fewer logs; ``--minutes``
bounds the time: a row that has used up its share of it ends with fewer rounds.

Each measurement is a process of its own, timed after its imports and a first Dataset of two
numbers, which whoever ends in xarray pays. Rounds are interleaved, so that a slow minute of the
machine hits every contender alike; medians are shown, and ratios are medians of those of each
round. "Again" is the second load of a process; where there is one, it counts. Warm logs are in
the page cache; of cold ones the bytes are not (their directories are). Peak memory is that of a
process up to the end of its first load, with its largest child that has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.make_logs import DATA, FLAT, FULL, LARGE, MANY, Shape, native_sweep
from benchmarks.rivals import find_logs

HERE = Path(__file__).parent.parent
LIBRARIES = ("runcube", "msgspec", "numpy", "xarray", "pandas", "pyarrow", "polars", "duckdb")
# Of the logs at their full size, with the files and directories of short ones.
DISK_BYTES = 5e9

SWEEPS = {
    "native-large": (LARGE, "native"),
    "native-2000x100": (FULL, "native"),
    "diverged-2000x100": (FULL, "diverged"),
    "flat-400x400": (FLAT, "flat"),
    "flat-with-config-400x400": (FLAT, "flat with config"),
    "many-100000": (MANY, "native"),
}


class ContenderFailed(RuntimeError):
    """A contender's process ended with an error."""


@dataclass(frozen=True)
class Way:
    """One contender on one sweep, in this version or the one before, with or without the kernel."""

    contender: str
    sweep: str = ""
    before: bool = False
    twin: bool = False


@dataclass(frozen=True)
class Row:
    """What is measured in the same rounds.

    Parameters
    ----------
    share : float
        Of all the time that there is.
    loads : int
        Of one process; the last one counts.
    cold : int
        Rounds with files that are not in the page cache.
    """

    title: str
    share: float
    ways: dict[str, Way]
    loads: int = 1
    rounds: int = 7
    cold: int = 0


@dataclass
class Measured:
    """What the processes of one contender took."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def seconds(self) -> list[float]:
        """Those that count."""
        return self.again or self.first


def ways(sweep: str, *, flat: bool = False, twin: bool = False) -> dict[str, Way]:
    """Return the contenders that most rows have."""
    suffix = ", flat" * flat
    found = {"runcube": Way("runcube", sweep)}
    if twin:
        found["twin"] = Way("runcube", sweep, twin=True)
    found["before"] = Way("runcube", sweep, before=True)
    found["DuckDB"] = Way("duckdb" + suffix, sweep)
    found["polars"] = Way("polars" + suffix, sweep)
    return found


ROWS = {
    "large": Row(
        "{logs} native logs of {each}",
        0.36,
        ways("native-large")
        | {
            "one thread": Way("runcube, one thread", "native-large"),
            "before, one process": Way("runcube, one thread", "native-large", before=True),
        },
        cold=3,
    ),
    "small": Row(
        "{logs} native logs of {each}",
        0.14,
        ways("native-2000x100", twin=True)
        | {
            "one thread": Way("runcube, one thread", "native-2000x100"),
            "pandas": Way("pandas", "native-2000x100"),
        },
        loads=2,
        cold=3,
    ),
    "flat": Row(
        "{logs} flat logs of {each}, 20 metrics",
        0.1,
        ways("flat-400x400", flat=True, twin=True),
        loads=2,
    ),
    "config": Row(
        "{logs} flat logs of {each}, configuration on each line",
        0.1,
        ways("flat-with-config-400x400", flat=True, twin=True),
        loads=2,
    ),
    "nan": Row(
        "{logs} native logs of {each}, with NaN or without",
        0.07,
        {
            "without": Way("runcube", "native-2000x100"),
            "with NaN": Way("runcube", "diverged-2000x100"),
            "before, with NaN": Way("runcube", "diverged-2000x100", before=True),
        },
        loads=2,
    ),
    "many": Row("{logs} native logs of {each}", 0.16, ways("many-100000"), rounds=3),
    "decode": Row(
        "decoding alone, {size}",
        0.06,
        {
            "one thread": Way("decode in 1", "native-large"),
            "two threads": Way("decode in 2", "native-large"),
        },
    ),
    "import": Row(
        "import",
        0.01,
        {
            "runcube": Way("import runcube"),
            "before": Way("import runcube", before=True),
            "xarray": Way("import xarray"),
        },
    ),
}

# What was asked: row, quotient of two contenders, at least or at most.
ASKED: tuple[tuple[str, str, str, str, float], ...] = (
    ("large", "DuckDB", "runcube", ">=", 1.2),
    ("large", "polars", "runcube", ">=", 2.5),
    ("large", "one thread", "runcube", ">=", 1.3),
    ("large", "before", "runcube", ">=", 1.0),
    ("small", "DuckDB", "runcube", ">=", 1.0),
    ("small", "runcube", "before", "<=", 0.6),
    ("small", "twin", "before", "<=", 4.0),
    ("flat", "before", "runcube", ">=", 3.0),
    ("flat", "twin", "before", "<=", 1.5),
    ("config", "before", "runcube", ">=", 5.0),
    ("config", "twin", "before", "<=", 1.5),
    ("nan", "with NaN", "without", "<=", 1.1),
    ("many", "runcube", "before", "<=", 0.5),
    ("decode", "one thread", "two threads", ">=", 1.5),
    ("import", "runcube", "before", "<=", 1.0),
)


def run_once(way: Way, logs: Path | None, loads: int, before: Path | None) -> dict[str, Any]:
    """Measure in a new process.

    Raises
    ------
    ContenderFailed
        With the last line of what it wrote to stderr, or what ran instead of what was meant.
    """
    code = "import sys; from benchmarks.rivals import child; child(*sys.argv[1:])"
    arguments = [way.contender, str(logs), str(loads)]
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    # An installed package has its bytecode: so has this one.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if way.before:
        environment["PYTHONPATH"] = str(before)
    if way.twin:
        environment["RUNCUBE_KERNEL"] = "0"
    done = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ContenderFailed(lines[-1])
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if report["place"]:
        is_before = before is not None and Path(report["place"]).is_relative_to(before)
        wanted = report["kernel"] if way.before else "Python" if way.twin else "C"
        if is_before != way.before or report["kernel"] != wanted:
            raise ContenderFailed(f"{report['place']} ran, with its kernel in {report['kernel']}")
    return report


def measure(
    row: Row, logs: dict[str, Path], before: Path | None, deadline: float, cold: int = 0
) -> dict[str, Measured]:
    """Run the contenders of a row in rounds; one that fails is reported and left out."""
    wanted = cold or row.rounds
    ways = {label: way for label, way in row.ways.items() if before or not way.before}
    found = {label: Measured() for label in ways}
    for number in range(wanted):
        if number and time.monotonic() > deadline:
            break
        for label in list(found):
            way, one = ways[label], found[label]
            root = logs.get(way.sweep)
            if cold and root:
                evict(find_logs(root))
            try:
                report = run_once(way, root, 1 if cold else row.loads, before)
            except ContenderFailed as error:
                print(f"{label}: left out: {error}", file=sys.stderr)
                del found[label]
                continue
            first, *again = report["seconds"]
            one.first.append(first)
            one.again += again[-1:]
            one.peak_mb = max(one.peak_mb, report["peak"])
        print(f"round {number + 1} of {wanted}", file=sys.stderr)
    return found


def warm(root: Path) -> tuple[int, int]:
    """Read all logs once, so that all contenders find them in memory; their number and bytes."""
    paths = find_logs(root)
    return len(paths), sum(len(Path(path).read_bytes()) for path in paths)


def evict(paths: list[str]) -> bool:
    """Drop files from the page cache; whether that could be done."""
    if not (hasattr(os, "posix_fadvise") and hasattr(os, "RWF_NOWAIT")):
        return False
    gone = True
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
            gone = False
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
    return gone


def machine() -> str:
    """Describe processor, cores, system and Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def versions() -> str:
    """Name the libraries with their versions."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} (not installed)")
    return ", ".join(found)


def statement(shape: Shape, logs: int, size: int) -> str:
    """Say what data was loaded."""
    cube = shape.cube_bytes / 1e6
    each = size / logs / 1e3
    return f"{shape}\n{logs:,} logs, {size / 1e6:.1f} MB, {each:.1f} kB each; values {cube:.1f} MB"


def install(revision: str) -> Path:
    """Install a revision of this repository beside the data, once; its directory."""
    git = ["git", "-C", str(HERE), "rev-parse", "--verify", f"{revision}^{{commit}}"]
    commit = subprocess.run(git, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    target = DATA / f"before-{commit[:12]}"
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, str(target), f"git+file://{HERE}@{commit}"], check=True)
    return target


def make_sweeps(rows: dict[str, Row], size: float) -> dict[str, Path]:
    """Make the sweeps that rows need, unless they are there; their directories by name."""
    made = {}
    DATA.mkdir(exist_ok=True)
    for name in dict.fromkeys(way.sweep for row in rows.values() for way in row.ways.values()):
        if not name:
            continue
        shape, kind = SWEEPS[name]
        folder = DATA / name
        if size < 1:
            folder = DATA / f"{name}-{size:g}"
            shape = replace(shape, seeds=max(2, round(size * shape.seeds)))
        if not folder.exists() and shutil.disk_usage(DATA).free < size * DISK_BYTES:
            raise SystemExit(f"{DATA}: less than {size * DISK_BYTES / 1e9:.1f} GB free")
        made[name] = native_sweep(folder, shape, kind)
    if hasattr(os, "sync"):
        os.sync()  # what is not on the disk cannot leave the page cache
    return made


def print_lines(title: str, found: dict[str, Measured], megabytes: float) -> None:
    """Print a row of the table for each contender."""
    for label, one in found.items():
        low, high = min(one.seconds), max(one.seconds)
        again = f"{median(one.again):.2f}" if one.again else ""
        speed = f"{megabytes / median(one.seconds):,.0f}" if megabytes else ""
        cells = (label, f"{median(one.first):.2f}", again, f"{low:.2f} to {high:.2f}", speed)
        ends = f"{one.peak_mb:,.0f}", str(len(one.first))
        print(f"| {title} |", " | ".join((*cells, *ends)), "|", flush=True)
        title = ""


def print_asked(measured: dict[str, dict[str, Measured]], titles: dict[str, str]) -> None:
    """Print what was asked, and what was found, as far as it was measured."""
    print("\n| asked, warm | at least or at most | found | |\n|---|---|---|---|")
    for name, above, below, sense, wanted in ASKED:
        found = measured.get(name, {})
        if above in found and below in found:
            pairs = zip(found[above].seconds, found[below].seconds, strict=True)
            ratio = median(a / b for a, b in pairs)
            good = ratio >= wanted if sense == ">=" else ratio <= wanted
            verdict = "" if good else "missed"
            what = f"{titles[name]}: {above} / {below}"
            print(f"| {what} | {sense} {wanted:g} | {ratio:.2f} | {verdict} |")
    for name, found in measured.items():
        if name in {"large", "many"} and "before" in found:
            ratio = round(found["runcube"].peak_mb / found["before"].peak_mb, 2)
            verdict = "" if ratio <= 1 else "missed"
            print(f"| {titles[name]}: peak MB, runcube / before | <= 1 | {ratio} | {verdict} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument("--before", metavar="REV", help="a revision to measure beside this one")
    parser.add_argument("--size", type=float, default=1.0, help="share of the logs; 1 for all")
    parser.add_argument("--minutes", type=float, default=22.0, help="not counting making logs")
    options = parser.parse_args()
    rows = {name: ROWS[name] for name in options.only}
    before = install(options.before) if options.before else None
    logs = make_sweeps(rows, options.size)
    print(f"{machine()}; {versions()}")
    if before:
        print(f"before: {before.name.removeprefix('before-')}")
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is not idle: load {os.getloadavg()[0]:.1f}")
    print("\n| | contender | first s | again s | min to max | MB/s | peak MB | rounds |")
    print("|---|---|---|---|---|---|---|---|")
    measured, titles, start, share = {}, {}, time.monotonic(), 0.0
    whole = sum(row.share for row in rows.values())
    for name, row in rows.items():
        share += row.share / whole
        deadline = start + 60 * options.minutes * share
        sweeps = dict.fromkeys(way.sweep for way in row.ways.values() if way.sweep)
        counts = [warm(logs[sweep]) for sweep in sweeps] or [(0, 0)]
        number, size = counts[0]
        each = f"{size / max(number, 1) / 1e3:,.0f} kB"
        titles[name] = row.title.format(logs=f"{number:,}", each=each, size=f"{size / 1e6:,.0f} MB")
        print(titles[name], file=sys.stderr)
        measured[name] = measure(row, logs, before, deadline)
        print_lines(titles[name], measured[name], size / 1e6)
        if row.cold and all(evict(find_logs(logs[sweep])) for sweep in sweeps):
            cold = measure(row, logs, before, deadline, row.cold)
            print_lines("the same, cold", cold, size / 1e6)
        elif row.cold:
            print("| cold: the page cache cannot be emptied here |" + " |" * 7)
    print_asked(measured, titles)


if __name__ == "__main__":
    main()
