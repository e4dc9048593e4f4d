"""Running tasks over sources: serial for now; every load goes through this one seam."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")


class Progress(Protocol):
    """Told how far a load is: bytes done of bytes in all, and files."""

    def __call__(self, done: int, total: int, files: int) -> None:
        """Take in one step."""
        ...


def run_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    sizes: Sequence[int],
    progress: Progress | None = None,
) -> Iterator[R]:
    """Apply ``function`` to each task and yield the results in order.

    Parameters
    ----------
    function : callable
        Picklable, with picklable results; it returns problems and does not raise on bad input.
    tasks : sequence
    sizes : sequence of int
        Bytes of each task: the measure of progress, and of batches.
    progress : callable, optional
    """
    total, done = sum(sizes), 0
    for number, (task, size) in enumerate(zip(tasks, sizes, strict=True), 1):
        yield function(task)
        done += size
        if progress is not None:
            progress(done, total, number)


@contextmanager
def watched(progress: bool | Progress, doing: str = "reading logs") -> Iterator[Progress | None]:
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
