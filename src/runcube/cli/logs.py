"""The logs of a command: how they are read, and how its tables are shown."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from runcube.archive import open_archive
from runcube.cli import options, render, select
from runcube.cli.errors import Failure, no_such_path
from runcube.core import counted
from runcube.files import is_netcdf, is_url
from runcube.pipeline import load_runs, scan

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import xarray as xr

    from runcube.plan import Sweep

    Command = Callable[..., bool | None]


@dataclass(frozen=True)
class Logs:
    """The logs of a command, and how to read them.

    Parameters
    ----------
    paths : tuple of str
        Paths or URLs of the logs, or path of an archive.
    plan : dict of str to object
        Keyword arguments of ``scan``.
    loading : dict of str to object
        Further keyword arguments of ``load_runs``.
    as_json : bool
        Whether results are written as JSON lines.
    """

    paths: tuple[str, ...]
    plan: dict[str, Any]
    loading: dict[str, Any]
    as_json: bool

    @property
    def path(self) -> str | list[str]:
        """The one path, or all of them."""
        return self.paths[0] if len(self.paths) == 1 else [*self.paths]

    def scan(self) -> Sweep:
        """Return the plan of the logs, from their headers."""
        self.check_logs()
        with render.progress_on_stderr():
            return scan(self.path, **self.plan)

    def load(self) -> xr.Dataset:
        """Return the cube of the logs, or of the archive that was given in place of them."""
        self._check_paths()
        if self._archives():
            if len(self.paths) > 1:
                raise Failure(f"{self._archives()[0]}: is an archive; pass it alone")
            self._check_unused()
            return open_archive(self.paths[0])
        with render.progress_on_stderr() as step:
            return load_runs(self.path, **self.plan, **self.loading, progress=step)

    def check_logs(self, *, may_come: bool = False) -> None:
        """Raise if a path is an archive, where logs are needed, or is not there and may not be."""
        if not may_come:
            self._check_paths()
        if self._archives():
            raise Failure(f"{self._archives()[0]}: is an archive; this command reads logs")

    def _archives(self) -> list[str]:
        files = [path for path in self.paths if not is_url(path) and Path(path).is_file()]
        return [path for path in files if is_netcdf(Path(path))]

    def _check_unused(self) -> None:
        """Raise if an option for reading logs was given: an archive is already made."""
        given = click.get_current_context().get_parameter_source
        for name in (*self.plan, *self.loading):
            if given(name) is ParameterSource.COMMANDLINE:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option} is for logs, and {self.paths[0]} is an archive")

    def _check_paths(self) -> None:
        for path in self.paths:
            if not is_url(path) and not Path(path).exists():  # a URL is checked when it is listed
                raise Failure(no_such_path(Path(path)))


def on_logs(*, load: bool = True) -> Callable[[Command], Command]:
    """Return a decorator that passes a command its paths and common options as one `Logs`.

    A command that returns True exits with 1. With ``load=False`` the options of loading are left
    out.
    """
    loading = options.LOADING if load else {}

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(paths: tuple[str, ...], as_json: bool, **values: Any) -> None:
            plan = {name: values.pop(name) for name in options.PLAN}
            plan["exclude"] = plan["exclude"] or ()
            rest = {name: values.pop(name) for name in loading}
            # Problems of the logs are reported after the results, and not beside an error.
            with render.warnings_on_stderr():
                found = function(Logs(paths, plan, rest, as_json), **values)
            if found:
                click.get_current_context().exit(1)

        offered = [*options.PLAN.values(), *loading.values(), options.JSON]
        decorated: Command = command
        for option in reversed(offered):
            decorated = option(decorated)
        return click.argument("paths", metavar="PATH...", nargs=-1, required=True)(decorated)

    return decorate


def example(*lines: str) -> str:
    """Return the epilog of a command: example calls."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def remark_left_out(number: int) -> None:
    """Say on stderr how many runs were left out as not complete, if there are any."""
    if number:
        render.show_remark(
            f"left out, as not complete: {counted(number, 'run', ',')}; --all-runs counts them"
        )


def show_table(
    logs: Logs, frame: pd.DataFrame, title: str, empty: str, ds: xr.Dataset | None = None
) -> None:
    """Print a table; in a narrow terminal without columns that follow from others."""
    if logs.as_json:
        render.write_frame_json(frame)
        return
    followers = [] if ds is None else select.followers(ds)
    follow = [name for name in followers if name in frame.columns]
    render.show_frame(frame, title, empty=empty, follow=follow)
