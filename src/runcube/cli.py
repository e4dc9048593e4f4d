"""The command ``runcube``: what a sweep holds, what is missing or wrong, curves, an archive."""

from __future__ import annotations

import difflib
import functools
import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runcube import options, query, render, report
from runcube.load import load_runs, scan
from runcube.model import RuncubeError
from runcube.problems import problems as list_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import xarray as xr

    from runcube.sweep import Sweep

    Command = Callable[..., bool | None]

_EXITS = """\b
Exit codes: 0 done; 1 with --exit-code: something was found; 2 a wrong argument, path or name, or
no logs; 130 interrupted; 141 whoever read the output stopped reading."""


class _Failure(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Turns every foreseen error into one line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(141)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)
        except (RuncubeError, OSError) as error:
            raise _Failure(_one_line(error)) from error
        return result


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


@dataclass(frozen=True)
class Logs:
    """The logs that a command was given, and how to read them."""

    path: str
    plan: dict[str, Any]
    loading: dict[str, Any]
    as_json: bool

    def scan(self) -> Sweep:
        """Read the headers."""
        self._check_path()
        with render.progress_on(sys.stderr):
            return scan(self.path, **self.plan)

    def load(self, **more: Any) -> xr.Dataset:
        """Read the logs."""
        self._check_path()
        with render.progress_on(sys.stderr) as step:
            return load_runs(self.path, **self.plan, **self.loading, **more, progress=step)

    def _check_path(self) -> None:
        path = Path(self.path)
        if path.exists():
            return
        # The first part that is wrong, and what is there instead.
        wrong = path
        while not wrong.parent.exists():
            wrong = wrong.parent
        beside = [p.name for p in wrong.parent.iterdir()] if wrong.parent.is_dir() else []
        near = difflib.get_close_matches(wrong.name, beside, n=1)
        hint = "give the directory of the logs"
        if near:
            hint = f"did you mean {wrong.parent / near[0] / path.relative_to(wrong)}?"
        raise _Failure(f"{self.path}: no such file or directory; {hint}")


def _logs(*, load: bool = True) -> Callable[[Command], Command]:
    """Give a command the path and the common options, as one `Logs`; it may answer: found some."""
    loading = options.LOADING if load else {}

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(path: str, as_json: bool, **values: Any) -> None:
            plan = {name: values.pop(name) for name in options.PLAN}
            plan["exclude"] = plan["exclude"] or ()
            rest = {name: values.pop(name) for name in loading}
            # What is wrong with the logs is told after the results, and not beside an error.
            with render.told_on_stderr():
                found = function(Logs(path, plan, rest, as_json), **values)
            if found:
                click.get_current_context().exit(1)

        offered = [*options.PLAN.values(), *loading.values()]
        offered.append(click.option("--json", "as_json", is_flag=True, help="JSON for machines."))
        decorated: Command = command
        for option in reversed(offered):
            decorated = option(decorated)
        return click.argument("path", metavar="PATH")(decorated)

    return decorate


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


# --- commands -------------------------------------------------------------------------------


@click.group(cls=_Commands, epilog=_EXITS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("runcube"), prog_name="runcube")
def main() -> None:
    """Look at a directory of training logs as one labelled cube.

    Results go to stdout; warnings and progress go to stderr.
    """


@main.command(epilog=_example("runcube explain logs/", "runcube explain logs/ --dims lr,weights"))
@_logs(load=False)
def explain(logs: Logs) -> None:
    """Say what varies in a sweep, and what each rule made of it; only headers are read."""
    sweep = logs.scan()
    if logs.as_json:
        render.write_json([render.sweep_json(sweep)])
    else:
        render.show_text(sweep.explain())


@main.command(epilog=_example("runcube table logs/", "runcube table logs/ --json | jq .complete"))
@_logs()
def table(logs: Logs) -> None:
    """List the configurations, with their numbers of runs by status."""
    ds = logs.load()
    frame = report.table(ds)
    _show(logs, frame, _count(len(frame), "configuration"), "no configuration", ds)


@main.command(epilog=_example("runcube problems logs/", "runcube problems logs/ --exit-code"))
@options.EXIT_CODE
@_logs()
def problems(logs: Logs, exit_code: bool) -> bool:
    """List what is wrong with the logs: file, line, kind and message."""
    frame = list_problems(logs.load())
    _show(logs, frame, _count(len(frame), "problem"), "no problems")
    return exit_code and len(frame) > 0


@main.command(epilog=_example("runcube missing logs/", "runcube missing logs/ --json > todo.jsonl"))
@click.option("--all-combinations", is_flag=True, help="Also configurations without any run.")
@options.EXIT_CODE
@_logs()
def missing(logs: Logs, all_combinations: bool, exit_code: bool) -> bool:
    """List the configurations and seeds without a complete run.

    With --json one object per line for a launcher: full dotted keys, values as the training script
    had them, the seed, and _status (absent, incomplete, failed).
    """
    if logs.as_json and logs.plan["relabel"]:
        raise click.UsageError("missing --json writes the values as logged: leave out --relabel")
    ds = logs.load()
    if logs.as_json:
        found: Any = report.missing_configs(ds, all_combinations=all_combinations)
        render.write_json(found)
    else:
        found = report.missing(ds, all_combinations=all_combinations)
        _show(logs, found, f"missing: {_count(len(found), 'run')}", "no run is missing", ds)
    return exit_code and len(found) > 0


@main.command(
    epilog=_example(
        "runcube show logs/ --metric acc1 --split val --final --over seed",
        "runcube show logs/ --metric loss --where lr=0.1 --where weights=None --at epoch=10",
    )
)
@click.option("--metric", multiple=True, help="Metric to show; all by default.")
@click.option("--split", multiple=True, help="Split to show; all by default.")
@options.many(
    "--where", options.choices_of, "NAME=VALUE", "Only this label; again for another name or label."
)
@click.option("--final", is_flag=True, help="Only the last logged value of each run.")
@options.many("--at", options.choices_of, "X=VALUE", "Only this place along x: epoch=10.")
@click.option("--over", multiple=True, metavar="DIM", help="Mean ± standard error over it: seed.")
@click.option("--all-runs", is_flag=True, help="Runs that are not complete count as well.")
@_logs()
def show(logs: Logs, **asked: Any) -> None:
    """Show curves or final values of a selection.

    With --over: mean, se (standard error), n (how many values), and nan (how many logged NaNs,
    as of diverged runs, mean and n leave out).
    """
    if asked["final"] and asked["at"]:
        raise click.UsageError("--final and --at exclude each other")
    wanted = {**asked["where"], **asked["at"]}
    wanted |= {name: asked[name] for name in ("split", "metric") if asked[name]}
    ds = query.where(logs.load(), wanted)
    if not asked["all_runs"]:
        ds, left_out = query.only_complete(ds)
        if left_out:
            render.say(
                f"left out, as not complete: {_count(left_out, 'run')}; --all-runs counts them"
            )
    frame = query.values_table(ds, last=asked["final"], over=asked["over"])
    for name in ("mean", "se"):  # NaN there is no logged value, but too few of them
        if name in frame.columns:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    named = [name for name in ("split", "metric") if len(asked[name]) == 1]
    frame = frame.drop(columns=[name for name in named if name in frame.columns])
    title = " ".join([*(asked[name][0] for name in named), "final" if asked["final"] else ""])
    _show(logs, frame, title.strip(), "nothing was logged there", ds)


@main.command(epilog=_example("runcube archive logs/ -o sweep.nc"))
@click.option("-o", "--output", required=True, metavar="FILE", help="netCDF file to write.")
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@_logs()
def archive(logs: Logs, output: str, force: bool) -> None:
    """Write the cube to one netCDF file, which xarray opens without runcube."""
    target = Path(output)
    if target.is_dir() or not target.parent.is_dir():
        raise _Failure(f"{target}: is a directory, or its directory does not exist")
    if target.exists() and not force:
        raise _Failure(f"{target}: exists; --force replaces it")
    ds = logs.load(messages=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        ds.to_netcdf(beside, engine="netcdf4")
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    runs, size = int((ds.status != "absent").sum()), target.stat().st_size
    if logs.as_json:
        render.write_json([{"path": str(target), "runs": runs, "bytes": size}])
    else:
        render.say(f"wrote {target}: {_count(runs, 'run')}, {size / 1e6:.1f} MB")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _show(
    logs: Logs, frame: pd.DataFrame, title: str, empty: str, ds: xr.Dataset | None = None
) -> None:
    if logs.as_json:
        render.write_frame_json(frame)
        return
    told = [] if ds is None else query.followers(ds)
    follow = [name for name in told if name in frame.columns]
    render.show_frame(frame, title, empty=empty, follow=follow)
