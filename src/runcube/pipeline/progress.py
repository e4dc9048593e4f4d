"""Progress of a load: what a ``progress=`` argument stands for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """Yield the callable that a ``progress=`` argument stands for; a bar goes away at the end."""
    if callable(progress):
        yield progress
    elif not isinstance(progress, bool | np.bool_):
        raise PlanError(f"progress={progress!r}: expected True, False or a function")
    elif not progress:
        yield None
    else:
        with progress_bar(doing) as step:
            yield step


@contextmanager
def progress_bar(doing: str, *, at_first: str | None = None) -> Iterator[Progress]:
    """Yield a callable that draws a bar on stderr, which goes away at the end.

    Parameters
    ----------
    doing : str
        What the bar says.
    at_first : str, optional
        What it says until the first step.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    rate = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(
        "{task.description}", BarColumn(), *rate, transient=True, console=Console(stderr=True)
    ) as bar:
        task = bar.add_task(at_first or doing, total=None)

        def step(done: int, total: int, files: int) -> None:
            text = f"{doing} ({files:,})"
            bar.update(task, completed=done, total=total, description=text)

        yield step
