"""The command ``runcube``: what a sweep holds, what is missing or wrong, curves, an archive."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from runcube.archive import archive_runs, open_archive, update_archive, verify_archive
from runcube.cli import launch, options, page, render, select, statistics
from runcube.cli.errors import Commands, Failure
from runcube.cli.logs import Logs, example, on_logs, remark_left_out, show_table
from runcube.cli.watch import STATUSES, best, counts
from runcube.core import NoRunsError, SweepWarning, counted
from runcube.cube import problems as list_problems
from runcube.cube import report

_EXITS = """\b
Exit codes: 0 done; 1 something was found (--exit-code, verify); 2 a wrong argument, path or name,
or no logs; 130 interrupted; 141 the program that read the output stopped reading."""


# --- commands -------------------------------------------------------------------------------


@click.group(cls=Commands, epilog=_EXITS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("runcube"), prog_name="runcube")
def main() -> None:
    """Look at a directory of training logs as one labelled cube.

    Results go to stdout; warnings and progress go to stderr.
    """


@main.command(epilog=example("runcube explain logs/", "runcube explain logs/ --dims lr,weights"))
@on_logs(load=False)
def explain(logs: Logs) -> None:
    """Show how logs were read, what varies in a sweep, and what each rule of the plan decided.

    Only the headers of the logs are read.
    """
    sweep = logs.scan()
    if logs.as_json:
        render.write_json([render.sweep_json(sweep)])
    else:
        render.show_text(sweep.explain())


@main.command(
    epilog=example("runcube table logs/ --where weights=null", "runcube table logs/ --json")
)
@options.WHERE
@on_logs()
def table(logs: Logs, where: Any) -> None:
    """List the configurations with their numbers of runs by status."""
    ds = select.where(logs.load(), where)
    frame = report.table(ds)
    show_table(logs, frame, counted(len(frame), "configuration", ","), "no configuration", ds)


@main.command(epilog=example("runcube problems logs/", "runcube problems logs/ --all --exit-code"))
@click.option("--all", "each", is_flag=True, help="List each of them; JSON lines do.")
@options.EXIT_CODE
@on_logs()
def problems(logs: Logs, each: bool, exit_code: bool) -> bool:
    """List the problems of the logs: how many of a kind, with file, line and message of the first.

    Problems of one kind with messages that differ in numbers, quoted names and paths alone are one
    row; --all lists each of them.
    """
    ds = logs.load()
    found = list_problems(ds)
    frame = found if each or logs.as_json else list_problems(ds, full=False)
    show_table(logs, frame, counted(len(found), "problem", ","), "no problems")
    return exit_code and len(found) > 0


@main.command(
    epilog=example(
        "runcube missing logs/",
        "runcube missing logs/ --json > todo.jsonl",
        "runcube missing logs/ --format 'python train.py --lr {lr} --seed {seed}' | sh",
    )
)
@click.option("--all-combinations", is_flag=True, help="Also list configurations without any run.")
@options.form("yaml, json, or a line for each run: 'python train.py lr={lr} seed={seed}'.")
@options.WHERE
@options.EXIT_CODE
@on_logs()
def missing(
    logs: Logs, all_combinations: bool, form: str | None, where: Any, exit_code: bool
) -> bool:
    """List the configurations and seeds without a complete run.

    With --json, write one object per line for a launcher: full dotted keys, values as the training
    script had them, the seed, and _status (absent, incomplete, failed). --format yaml writes the
    same as YAML, and a text with fields, which are names or full keys, a line for each run, with
    every value quoted for the shell.
    """
    form = "json" if logs.as_json and form is None else form
    if form is not None and logs.plan["relabel"]:
        raise click.UsageError("missing writes the values as logged: leave out --relabel")
    ds = select.where(logs.load(), where)
    if form is not None:
        found: Any = report.missing_configs(ds, all_combinations=all_combinations)
        launch.write(found, form, ds)
    else:
        found = report.missing(ds, all_combinations=all_combinations)
        show_table(
            logs, found, f"missing: {counted(len(found), 'run', ',')}", "no run is missing", ds
        )
    return exit_code and len(found) > 0


@main.command(
    epilog=example(
        "runcube show logs/ --metric acc1 --split val --final --over seed",
        "runcube show logs/ --metric loss --where lr=0.1 --where weights=None --at epoch=10",
    )
)
@click.option("--metric", multiple=True, help="Metric to show; default: all.")
@click.option("--split", multiple=True, help="Split to show; default: all.")
@options.WHERE
@click.option("--final", is_flag=True, help="Show only the last logged value of each run.")
@options.AT
@click.option("--over", multiple=True, metavar="DIM", help="Mean ± standard error over it: seed.")
@options.ALL_RUNS
@on_logs()
def show(logs: Logs, **asked: Any) -> None:
    """Show curves or final values of a selection.

    With --over, the columns are mean, se (standard error), n (number of values) and nan (number of
    logged NaNs, as of diverged runs; mean and n leave them out).
    """
    if asked["final"] and asked["at"]:
        raise click.UsageError("--final and --at exclude each other")
    wanted = {**asked["where"], **asked["at"]}
    wanted |= {name: asked[name] for name in ("split", "metric") if asked[name]}
    ds = select.where(logs.load(), wanted)
    ds, left_out = select.counted_runs(ds, all_runs=asked["all_runs"])
    remark_left_out(left_out)
    frame = select.values_table(ds, last=asked["final"], over=asked["over"])
    for name in ("mean", "se"):  # NaN here means too few values, not a logged NaN
        if name in frame.columns:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    named = [name for name in ("split", "metric") if len(asked[name]) == 1]
    frame = frame.drop(columns=[name for name in named if name in frame.columns])
    title = " ".join([*(asked[name][0] for name in named), "final" if asked["final"] else ""])
    show_table(logs, frame, title.strip(), "nothing was logged there", ds)


@main.command(
    epilog=example(
        "runcube archive logs/ -o sweep.nc",
        "runcube archive logs/ -o small.nc --dtype float32 --significant-digits 4",
    )
)
@click.option("-o", "--output", required=True, metavar="FILE", help="netCDF file to write.")
@click.option("--force", is_flag=True, help="Replace an existing archive.")
@click.option(
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    help="Type of the values.",
)
@click.option("--significant-digits", type=click.IntRange(1, 15), help="Round to compress better.")
@on_logs()
def archive(
    logs: Logs, output: str, force: bool, dtype: str, significant_digits: int | None
) -> None:
    """Write the logs to one netCDF file, which xarray opens without runcube.

    The cube is never held in memory. If the command is interrupted, the next call continues it.
    """
    target = Path(output)
    if target.exists() and not target.is_dir() and not force:
        raise Failure(
            f"{target}: exists; --force replaces it, `runcube update` brings it up to date"
        )
    logs.check_logs()
    with render.progress_on_stderr() as step:
        archive_runs(
            logs.path,
            target,
            **logs.plan,
            **logs.loading,
            overwrite=force,
            dtype=dtype,
            significant_digits=significant_digits,
            progress=step,
        )
    _wrote(target, logs.as_json)


def _wrote(target: Path, as_json: bool) -> None:
    with open_archive(target) as ds:
        found = counts(ds)
    size = target.stat().st_size
    if as_json:
        runs = sum(found.values())
        render.write_json([{"path": str(target), "runs": runs, **found, "bytes": size}])
    else:
        shown = counted(sum(found.values()), "run", ",")
        render.show_remark(f"wrote {target}: {shown} ({_shown(found)}), {size / 1e6:.1f} MB")


def _shown(found: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in found.items() if count)


_ARCHIVE = click.argument("archive_path", metavar="ARCHIVE")
_LOGS = click.argument(
    "logs", metavar="[LOGS]...", nargs=-1, callback=lambda _ctx, _argument, given: [*given] or None
)


@main.command(epilog=example("runcube update sweep.nc", "runcube update sweep.nc logs/"))
@_ARCHIVE
@_LOGS
@options.PARALLEL
@options.JSON
def update(archive_path: str, logs: list[str] | None, parallel: Any, as_json: bool) -> None:
    """Bring an archive up to date, reading only logs that are new or have changed."""
    with render.warnings_on_stderr():
        with render.progress_on_stderr() as step:
            update_archive(archive_path, logs, progress=step, parallel=parallel)
        _wrote(Path(archive_path), as_json)


@main.command(epilog=example("runcube verify sweep.nc", "runcube verify sweep.nc logs/"))
@_ARCHIVE
@_LOGS
@options.JSON
def verify(archive_path: str, logs: list[str] | None, as_json: bool) -> None:
    """Check an archive against itself and, with LOGS, against the logs.

    Exits with 1 if something is wrong.
    """
    frame = verify_archive(archive_path, logs)
    if as_json:
        render.write_frame_json(frame)
    else:
        render.show_frame(
            frame, counted(len(frame), "finding", ","), empty=f"{archive_path}: all is well"
        )
    if len(frame):
        click.get_current_context().exit(1)


@main.command(epilog=example("runcube watch logs/ sweep.nc --every 60 --metric acc1"))
@on_logs()
@click.argument("archive_path", metavar="ARCHIVE")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=10.0,
    metavar="SECONDS",
    show_default=True,
    help="Time between two updates.",
)
@click.option("--times", type=click.IntRange(1), help="Stop after this number of updates.")
@click.option("--metric", help="Metric of the best run.")
@click.option("--split", help="Split of the best run.")
@click.option(
    "--lowest/--highest", default=None, help="Which value is best; default: by the metric's name."
)
def watch(logs: Logs, archive_path: str, every: float, times: int | None, **wanted: Any) -> None:
    """Keep an archive up to date while training goes on, and show the state of the sweep.

    It waits for the first log, where the directory is empty or not there yet. Ctrl-C stops the
    command and leaves a complete archive.
    """
    logs.check_logs(may_come=True)
    target = Path(archive_path)
    updates = 0
    with render.live(as_json=logs.as_json) as show, suppress(KeyboardInterrupt):
        while times is None or updates < times:
            if updates:
                time.sleep(every)
            updates += 1
            if _refresh(logs, target):
                with open_archive(target) as ds:
                    show(counts(ds), best(ds, **wanted))
            else:
                show(dict.fromkeys(STATUSES, 0), {})
    if target.exists():
        render.show_remark(f"{target} is whole, as of the last update")


def _refresh(logs: Logs, target: Path) -> bool:
    """Bring the archive of the logs up to date, or make it; False while there is no log yet."""
    # Every update would repeat the warning: `runcube problems` lists what is wrong.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SweepWarning)
        if target.exists():
            update_archive(target, logs.path, parallel=logs.loading["parallel"])
            return True
        try:
            archive_runs(logs.path, target, **logs.plan, **logs.loading)
        except (FileNotFoundError, NoRunsError):
            return False
    return True


for command in (statistics.best, statistics.compare, statistics.results, page.report):
    main.add_command(command)
