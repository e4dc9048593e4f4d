"""How the command fails: one line on stderr, safe to show, and an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from runcube.core import RuncubeError, close_names, printable

if TYPE_CHECKING:
    from pathlib import Path


class Failure(click.ClickException):
    """What was asked for cannot be done."""

    exit_code = 2


class Commands(click.Group):
    """Group that turns every expected error into one line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
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
            raise Failure(printable(_one_line(error))) from error
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]
            raise
        return result


def _one_line(error: Exception) -> str:
    """Return the message of an error as one line."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def no_such_path(path: Path) -> str:
    """Return the message that a path does not exist, with what is there instead."""
    # The first part that is wrong, and what is there instead.
    wrong = path
    while not wrong.parent.exists():
        wrong = wrong.parent
    beside = [p.name for p in wrong.parent.iterdir()] if wrong.parent.is_dir() else []
    near = close_names(wrong.name, beside, most=1)
    hint = "give the directory of the logs"
    if near:
        hint = f"did you mean {wrong.parent / near[0] / path.relative_to(wrong)}?"
    return f"{path}: no such file or directory; {hint}"
