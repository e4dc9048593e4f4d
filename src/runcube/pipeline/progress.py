"""How far a load is: what a ``progress=`` argument stands for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress(Protocol):
    """Told how far a load is: bytes done of bytes in all, and files."""

    def __call__(self, done: int, total: int, files: int) -> None:
        """Take in one step."""
        ...


@contextmanager
def progress_callback(
    progress: bool | Progress, doing: str = "reading logs"
) -> Iterator[Progress | None]:
    """Make the callable that a ``progress=`` argument stands for; a bar goes away at the end."""
    if callable(progress):
        yield progress
    elif not progress:
        yield None
    else:
        with _bar(doing) as step:
            yield step


@contextmanager
def _bar(doing: str) -> Iterator[Progress]:
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
        task = bar.add_task(doing, total=None)

        def step(done: int, total: int, files: int) -> None:
            text = f"{doing} ({files:,})"
            bar.update(task, completed=done, total=total, description=text)

        yield step
