"""Seconds and memory of loading and archiving with one process, one worker and two.

``python -m benchmarks.parallel`` prints the table for 2,000 logs of 70 kB and for the 2 GB of
``benchmarks.archive --large``; ``--start`` what it costs to start processes, by method.

Every measurement is a new process, timed after its imports: "first" is its first load, which starts
the server that all workers are forked from, "again" the second one. Rounds are interleaved; medians
are shown. Each measurement waits for an idle machine, and is made anew if it is not idle after it.
Files are in the page cache. Memory is the largest resident set of the process itself, and of its
largest worker; what both have mapped counts in each. "cpu" is what the whole machine did meanwhile:
where it is far above that of one process, something else ran. ``--rivals`` has DuckDB and polars
(see ``benchmarks.rivals``) make the same grid with all CPUs. ``--bound`` has one process and two
decode the same bytes with msgspec and do nothing else: more than that two CPUs of a machine do not
give, which share its memory and caches. ``--lazy`` takes the mean over seeds of the lazy cube with
each scheduler of dask.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec
import psutil

import runcube as rc
from benchmarks.archive import LARGE
from benchmarks.load import ContenderFailed, machine, statement, versions, warm
from benchmarks.make_logs import DATA, native_sweep, standard_sweep

CHILD = """
import json, os, resource, sys, tempfile, threading, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import psutil
import runcube as rc
from runcube.pipeline import tasks
what, logs, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
if workers:
    assert tasks.usable_cpus() > 0
    tasks.usable_cpus = lambda: workers
way = "processes" if workers else False
largest = 0
def watch():
    global largest
    while True:
        for child in psutil.Process().children(recursive=True):
            try:
                largest = max(largest, child.memory_info().rss)
            except psutil.Error:
                pass
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
seconds, cpu = [], []
for number in range(1 if what == "archive" else 2):
    start, busy = time.perf_counter(), sum(psutil.cpu_times()[:3])
    if what == "load":
        ds = rc.load_runs(logs, parallel=way)
        del ds
    elif what == "bare":
        from benchmarks.parallel import decode
        decode(Path(logs), workers)
    elif what == "lazy":
        from benchmarks.parallel import SCHEDULERS, reduce
        reduce(Path(logs), SCHEDULERS[workers])
    elif what != "archive":
        from benchmarks.rivals import CONTENDERS
        CONTENDERS[what](Path(logs))
    else:
        with tempfile.TemporaryDirectory(dir=os.environ.get("RUNCUBE_BENCH")) as folder:
            rc.archive_runs(logs, Path(folder, "a.nc"), parallel=way)
    seconds.append(time.perf_counter() - start)
    cpu.append(sum(psutil.cpu_times()[:3]) - busy)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "worker": largest}))
"""
WAYS = {0: "in one process", 1: "1 worker", 2: "2 workers"}
BARE = {0: "bare msgspec, one process", 2: "bare msgspec, two"}
SCHEDULERS = ("synchronous", "threads", "processes", "LocalCluster")
RIVALS = ("duckdb", "polars", "polars-scan")
WANTED = 1.7
IDLE_PERCENT = 8
# Seconds to wait for an idle machine, and how often to measure anew where it was not.
PATIENCE, TRIES = 600, 5


@dataclass
class Measured:
    """What the processes of one way took."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    worker_mb: float = 0.0

    def run(self, what: str, logs: Path, workers: int) -> None:
        """Measure once more, again if something else ran before or after."""
        command = [sys.executable, "-c", CHILD, what, str(logs), str(workers)]
        here = Path(__file__).parent.parent
        for _ in range(TRIES):
            wait_for_idle()
            done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
            if is_idle():
                break
            print("something else ran: once more", file=sys.stderr)
        if done.returncode:
            raise ContenderFailed(done.stderr.strip().splitlines()[-1])
        report = json.loads(done.stdout.splitlines()[-1])
        self.first.append(report["seconds"][0])
        self.again += report["seconds"][1:]
        self.cpu.append(report["cpu"][-1])
        self.peak_mb = max(self.peak_mb, report["peak"] / 1e6)
        self.worker_mb = max(self.worker_mb, report["worker"] / 1e6)


def decode_files(files: list[Path]) -> int:
    """Decode logs, and do nothing with them."""
    return sum(len(msgspec.json.Decoder().decode_lines(file.read_bytes())) for file in files)


def decode(logs: Path, workers: int) -> None:
    """Decode logs in this process, or a share of them in each of some others."""
    files = sorted(logs.rglob("*.jsonl"))
    if not workers:
        decode_files(files)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(decode_files, [files[i::workers] for i in range(workers)], chunksize=1)


def reduce(logs: Path, scheduler: str) -> None:
    """Take the mean over seeds of an open cube, whose logs nobody has parsed yet."""
    import dask

    ds = rc.open_runs(logs, cache=logs.with_suffix(".schema"))
    if scheduler != "LocalCluster":
        with dask.config.set(scheduler=scheduler):
            ds.curve.mean("seed").compute()
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        ds.curve.mean("seed").compute()


def is_idle() -> bool:
    """Whether nothing else runs on the machine."""
    return bool(psutil.cpu_percent(interval=1) < IDLE_PERCENT)


def wait_for_idle() -> None:
    """Give whatever else runs on the machine time to end."""
    for _ in range(PATIENCE):
        if is_idle() and is_idle():
            return


def measure(
    what: str,
    logs: Path,
    rounds: int,
    rivals: tuple[str, ...] = (),
    bare: dict[int, str] | None = None,
) -> dict[str, Measured]:
    """Measure all ways, rivals with all CPUs, and bare decoding, in interleaved rounds."""
    ways = dict(enumerate(SCHEDULERS)) if what == "lazy" else WAYS
    found = {way: Measured() for way in (*ways.values(), *rivals, *(bare or {}).values())}
    for number in range(rounds):
        for workers, way in ways.items():
            found[way].run(what, logs, workers)
        for workers, way in (bare or {}).items():
            found[way].run("bare", logs, workers)
        for rival in rivals:
            found[rival].run(rival, logs, 0)
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return found


def print_table(title: str, found: dict[str, Measured]) -> None:
    """Print a row for each way, and how many times as fast as one process it is."""
    print(
        f"\n{title:<28}{'first s':>9}{'again s':>9}{'min s':>8}{'max s':>8}{'cpu s':>8}"
        f"{'times':>8}{'peak MB':>9}{'worker MB':>11}"
    )
    serial = next(iter(found.values()))
    for way, one in found.items():
        timed = one.again or one.first
        times = median(serial.again or serial.first) / median(timed)
        again = f"{median(one.again):.2f}" if one.again else ""
        print(
            f"{way:<28}{median(one.first):>9.2f}{again:>9}{min(timed):>8.2f}"
            f"{max(timed):>8.2f}{median(one.cpu):>8.1f}{times:>8.2f}{one.peak_mb:>9.0f}"
            f"{one.worker_mb:>11.0f}"
        )


def print_starts() -> None:
    """Print the seconds to the first answer of two new processes that have imported runcube."""
    for method in multiprocessing.get_all_start_methods():
        code = f"""
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
import runcube
from runcube.parallel.processes import ping
context = multiprocessing.get_context({method!r})
if {method!r} == "forkserver":
    context.set_forkserver_preload(["runcube"])
if __name__ == "__main__":
    for _ in range(2):
        start = time.perf_counter()
        with ProcessPoolExecutor(2, context) as pool:
            for future in [pool.submit(ping) for _ in range(2)]:
                future.result()
            print(f"{{time.perf_counter() - start:.3f}}", end=" ")
"""
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(code)
            script.flush()
            command = [sys.executable, script.name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(f"{method:<12} first, again: {done.stdout}s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--start", action="store_true", help="only what starting processes costs")
    parser.add_argument("--archive", action="store_true", help="archive_runs of the large sweep")
    parser.add_argument("--small", action="store_true", help="only the 2,000 small logs")
    parser.add_argument("--rivals", action="store_true", help="DuckDB and polars as well")
    parser.add_argument("--bound", action="store_true", help="bare decoding as well")
    parser.add_argument("--lazy", action="store_true", help="a lazy mean, by scheduler")
    options = parser.parse_args()
    print(f"{machine()}\n{versions()}")
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is not idle: load {os.getloadavg()[0]:.1f}")
    if options.start:
        print_starts()
        return
    sweeps = [standard_sweep()]
    if not options.small:
        sweeps.append((native_sweep(DATA / "native-large", LARGE), LARGE))
    for logs, shape in sweeps:
        number, size = warm(logs)
        print("\n" + statement(shape, number, size))
        if options.archive:
            print_table("archive_runs", measure("archive", logs, options.rounds))
            continue
        if options.lazy:
            rc.open_runs(logs, cache=logs.with_suffix(".schema"))
            print_table("mean over seeds", measure("lazy", logs, options.rounds))
            continue
        rivals, bare = RIVALS if options.rivals else (), BARE if options.bound else {}
        found = measure("load", logs, options.rounds, rivals, bare)
        print_table("load_runs", found)
        if bare:
            one, two = (median(found[way].again) for way in bare.values())
            print(f"bare decoding: two processes are {one / two:.2f} times as fast as one")
    if not (options.small or options.archive or options.lazy):
        times = median(found[WAYS[0]].again) / median(found[WAYS[2]].again)
        verdict = "ok    " if times >= WANTED else "MISSED"
        print(f"\n{verdict}  2 workers: {times:.2f} times as fast, wanted {WANTED}")


if __name__ == "__main__":
    main()
