"""Time and memory of loading 2,000 native logs, cold process, against the rivals.

``python -m benchmarks.load`` prints the table; name contenders to run only those. Each run is a
new interpreter; the time is from its start to its end, imports included. Rounds are interleaved,
so that a slow minute of the machine hits every contender alike, and the median is shown. Files are
in the page cache: processes are cold, disks are not.

"net s" is without the imports and the first Dataset ("tiny-cube"), which whoever ends in xarray
pays. "cpu s" adds up all cores and child processes: where it is far below the wall time of a
contender that uses one core, something else used the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median

from benchmarks.make_logs import Shape, standard_sweep
from benchmarks.rivals import CONTENDERS, RIVALS, find_logs

DEFAULT = (
    "imports",
    "tiny-cube",
    "msgspec",
    "runcube",
    "duckdb",
    "polars",
    "polars-scan",
    "pandas",
)
FLAT_RUNS = (1_000, 5_000, 20_000)
LIBRARIES = ("runcube", "msgspec", "numpy", "xarray", "pandas", "pyarrow", "polars", "duckdb")
RIVAL_FACTOR, FLOOR_FACTOR, MEMORY_FACTOR, MEMORY_EXTRA_MB = 2.5, 1.6, 2.0, 300.0

CHILD = """
import json, sys
from pathlib import Path
from benchmarks.rivals import CONTENDERS
found = CONTENDERS[sys.argv[1]](Path(sys.argv[2]))
import resource
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
cpu = sum(use.ru_utime + use.ru_stime for use in used)
peaks = [use.ru_maxrss for use in used]
print(json.dumps({"cpu": cpu, "peaks": peaks, "nbytes": 0 if found is None else found.nbytes}))
"""


class ContenderFailed(RuntimeError):
    """A contender's process ended with an error."""


@dataclass
class Measured:
    """What the runs of one contender took."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    """Peak resident memory of the process and of its largest child."""
    dataset_mb: float = 0.0

    @property
    def median(self) -> float:
        """Median seconds of a whole process."""
        return median(self.seconds)


def run_once(name: str, root: Path, into: Measured) -> None:
    """Run a contender in a new process and add what it took.

    Raises
    ------
    ContenderFailed
        With the last line of what the process wrote to stderr.
    """
    command = [sys.executable, "-W", "ignore", "-c", CHILD, name, str(root)]
    here = Path(__file__).parent.parent
    start = time.perf_counter()
    # An installed package has its bytecode: so has this one.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ContenderFailed(lines[-1])
    report = json.loads(done.stdout.splitlines()[-1])
    unit = 1 if sys.platform == "darwin" else 1024
    into.seconds.append(seconds)
    into.cpu_seconds.append(report["cpu"])
    into.peak_mb = max(into.peak_mb, sum(report["peaks"]) * unit / 1e6)
    into.dataset_mb = report["nbytes"] / 1e6


def measure(names: list[str], root: Path, rounds: int) -> dict[str, Measured]:
    """Run the contenders in interleaved rounds; one that fails is reported and left out."""
    found = {name: Measured() for name in names}
    for number in range(rounds):
        for name in list(found):
            try:
                run_once(name, root, found[name])
            except ContenderFailed as error:
                print(f"{name}: left out: {error}")
                del found[name]
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def warm(root: Path) -> tuple[int, int]:
    """Read all logs once, so that all contenders find them in memory; their number and bytes."""
    paths = find_logs(root)
    return len(paths), sum(len(Path(path).read_bytes()) for path in paths)


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


def print_table(found: dict[str, Measured], megabytes: float) -> None:
    """Print a row for each contender, the fastest first."""
    fixed = found["tiny-cube"].median if "tiny-cube" in found else 0.0
    ours = found["runcube"].median if "runcube" in found else None
    print(
        f"\n{'contender':<14}{'median s':>10}{'min s':>8}{'max s':>8}{'cpu s':>8}{'/ runcube':>11}"
        f"{'net s':>8}{'MB/s net':>10}{'peak MB':>9}"
    )
    for name, measured in sorted(found.items(), key=lambda item: item[1].median):
        net = measured.median - fixed
        if name == "msgspec" and "imports" in found:
            net = measured.median - found["imports"].median  # it builds no Dataset
        bare = name in {"imports", "tiny-cube"} or not fixed or net <= 0
        speed = "" if bare else f"{megabytes / net:.0f}"
        ratio = f"{measured.median / ours:.2f}" if ours else ""
        print(
            f"{name:<14}{measured.median:>10.2f}{min(measured.seconds):>8.2f}"
            f"{max(measured.seconds):>8.2f}"
            f"{median(measured.cpu_seconds):>8.2f}{ratio:>11}{net:>8.2f}{speed:>10}"
            f"{measured.peak_mb:>9.0f}"
        )


def print_verdict(found: dict[str, Measured]) -> None:
    """Print each requirement with what was measured."""
    if "runcube" not in found:
        return
    ours = found["runcube"]
    print()
    rivals = {name: found[name] for name in RIVALS if name in found}
    if rivals:
        name = min(rivals, key=lambda rival: rivals[rival].median)
        times = rivals[name].median / ours.median
        line = f"fastest rival ({name}): {times:.2f}x our time, wanted at least {RIVAL_FACTOR}x"
        if "tiny-cube" in found:
            fixed = found["tiny-cube"].median
            net = (rivals[name].median - fixed) / max(ours.median - fixed, 1e-9)
            line += f" ({net:.2f}x net of the fixed price of xarray)"
        print(f"{_word(times >= RIVAL_FACTOR)}  {line}")
    if "msgspec" in found:
        times = ours.median / found["msgspec"].median
        print(
            f"{_word(times <= FLOOR_FACTOR)}  {times:.2f}x bare msgspec plus imports, "
            f"wanted at most {FLOOR_FACTOR}x"
        )
    allowed = MEMORY_FACTOR * ours.dataset_mb + MEMORY_EXTRA_MB
    print(
        f"{_word(ours.peak_mb <= allowed)}  peak {ours.peak_mb:.0f} MB, wanted at most "
        f"{MEMORY_FACTOR:g} x Dataset ({ours.dataset_mb:.0f} MB) + {MEMORY_EXTRA_MB:g} MB "
        f"= {allowed:.0f} MB"
    )


def _word(good: bool) -> str:
    return "ok    " if good else "MISSED"


def print_flatness(names: list[str], rounds: int) -> None:
    """Print ms per run, without the price of a tiny cube, for sweeps of growing size."""
    print(
        f"\nms per run, net of a tiny cube{'':<4}" + "".join(f"{runs:>12,}" for runs in FLAT_RUNS)
    )
    cells: dict[str, list[str]] = {name: [] for name in names}
    for runs in FLAT_RUNS:
        root, _ = standard_sweep(runs)
        warm(root)
        found = measure(["imports", "tiny-cube", *names], root, rounds)
        for name, row in cells.items():
            cell = ""
            if name in found:
                fixed = "imports" if name == "msgspec" else "tiny-cube"
                net = found[name].median - found[fixed].median
                cell = f"{1e3 * net / runs:.3f}"
            row.append(cell)
    for name, row in cells.items():
        print(f"{name:<34}" + "".join(f"{cell:>12}" for cell in row))


def statement(shape: Shape, logs: int, size: int) -> str:
    """Print what data was loaded."""
    cube = shape.cube_bytes / 1e6
    each = size / logs / 1e3
    return f"{shape}\n{logs:,} logs, {size / 1e6:.1f} MB, {each:.1f} kB each; values {cube:.1f} MB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("contenders", nargs="*", help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flat", action="store_true", help="the flatness table too")
    parser.add_argument("--only-flat", action="store_true", help="only the flatness table")
    options = parser.parse_args()
    names = options.contenders or list(DEFAULT)
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        parser.error(f"no contender {', '.join(unknown)}; known: {', '.join(CONTENDERS)}")
    print(f"{machine()}\n{versions()}")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print(f"the machine is not idle: load {os.getloadavg()[0]:.1f}")
    if not options.only_flat:
        root, shape = standard_sweep()
        logs, size = warm(root)
        print(statement(shape, logs, size))
        found = measure(names, root, options.rounds)
        print_table(found, size / 1e6)
        print_verdict(found)
    if options.flat or options.only_flat:
        timed = (
            [name for name in names if name not in {"imports", "tiny-cube"}]
            if options.contenders
            else ["runcube"]
        )
        print_flatness(timed, max(1, options.rounds // 2))


if __name__ == "__main__":
    main()
