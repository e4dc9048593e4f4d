"""Progress of a load: what a ``progress=`` argument stands for."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

# Seconds between two pictures of a bar in a notebook.
_REDRAWN = 0.1


class Progress(Protocol):
    """A callable that is called with the state of a load, again and again."""

    def __call__(self, done: int, total: int, files: int) -> None:
        """Show or record the state of a load.

        Parameters
        ----------
        done, total : int
            Bytes done, and bytes in all.
        files : int
            Files done (runs, while an archive is written).
        """
        ...


@contextmanager
def progress_callback(
    progress: bool | Progress, doing: str = "reading logs"
) -> Iterator[Progress | None]:
    """Yield the callable that a ``progress=`` argument stands for; a bar goes away at the end.

    That of a user is called in a context of its own: another load that it may do must not take the
    place of this one.
    """
    if callable(progress):
        context = copy_context()

        def apart(done: int, total: int, files: int) -> None:
            context.run(progress, done, total, files)

        yield apart
    elif not isinstance(progress, bool | np.bool_):
        raise PlanError(f"progress={progress!r}: expected True, False or a function")
    elif not progress:
        yield None
    else:
        with progress_bar(doing) as step:
            yield step


@contextmanager
def progress_bar(doing: str, *, at_first: str | None = None) -> Iterator[Progress]:
    """Yield a callable that draws a bar, which goes away at the end.

    On stderr; in a notebook below the cell, without widgets, which not everybody has installed.

    Parameters
    ----------
    doing : str
        What the bar says.
    at_first : str, optional
        What it says until the first step.
    """
    from rich.console import Console

    console = Console(stderr=True)
    drawn = _notebook_bar if console.is_jupyter else partial(_terminal_bar, console)
    with drawn(doing, at_first or doing) as step:
        yield step


@contextmanager
def _terminal_bar(console: Console, doing: str, at_first: str) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    rate = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar("{task.description}", BarColumn(), *rate, transient=True, console=console) as bar:
        task = bar.add_task(at_first, total=None)

        def step(done: int, total: int, files: int) -> None:
            text = f"{doing} ({files:,})"
            bar.update(task, completed=done, total=total, description=text)

        yield step


@contextmanager
def _notebook_bar(doing: str, at_first: str) -> Iterator[Progress]:
    from IPython.display import display

    def html(text: str) -> dict[str, str]:
        return {"text/html": text, "text/plain": ""}

    # An element without a value shows that something goes on.
    first = html(f"{at_first} <progress></progress>")
    handle: Any = display(first, raw=True, display_id=True)
    drawn = 0.0

    def step(done: int, total: int, files: int) -> None:
        nonlocal drawn
        if (now := time.monotonic()) - drawn > _REDRAWN:
            drawn = now
            rate = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            bar = f'<progress value="{done}" max="{total}"></progress>'
            handle.update(html(f"{doing} ({files:,}) {bar} {rate}"), raw=True)

    try:
        yield step
    finally:
        handle.update(html(""), raw=True)
