"""One parse task: a source and its reader; what reading it gives, or what kept it from that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from runcube.core import Problem, RuncubeError, RunHeader, RunLog, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runcube.core import Request
    from runcube.files import Tree
    from runcube.readers import Reader

T = TypeVar("T")

# The topic of ``RunHeader.reading`` that names the reader.
_LOGGER = "logger"


@dataclass(frozen=True)
class Job:
    """A source and the reader that claimed it: one parse task.

    Parameters
    ----------
    reader : Reader
        The reader that claimed the source.
    source : Source
        The files of one log; sizes in bytes, times in ns.
    fingerprint : str
        What tells the reader from others: its classes, their code and its options. ``""`` where
        results are not kept.
    """

    reader: Reader
    source: Source
    fingerprint: str = ""


def needs_whole_logs(reader: Reader) -> bool:
    """Return whether the headers of a reader are those of what it reads, and nothing cheaper."""
    return bool(getattr(reader, "whole_headers", False))


def find_sources(reader: Reader, tree: Tree, broken: dict[str, Exception]) -> Iterator[Source]:
    """Yield the logs that a reader finds, each claimed.

    Parameters
    ----------
    reader : Reader
    tree : Tree
    broken : dict of str to Exception
        Takes what the reader raises, by what is told of it.

    Raises
    ------
    RuncubeError
        What a reader raises on purpose, as of its own arguments.
    """
    try:
        for source in reader.find(tree):
            tree.claim(source.files)
            yield source
    except RuncubeError:
        raise
    except Exception as error:  # a reader's bug must cost what it had to find, not the sweep
        told = f"find of the reader {reader.name!r} raised {type(error).__name__}: {error}"
        broken[told] = error


def read_headers(job: Job) -> tuple[Sequence[RunHeader], Problem | None]:
    """Return the headers of one source, or the problem that kept them from being read."""
    return _tried(job, lambda: _only(RunHeader, job.reader.headers(job.source)))


def read_logs(task: tuple[Job, Request]) -> tuple[Sequence[RunLog], Problem | None]:
    """Return the parsed logs of one source, or the problem that kept it from being read."""
    job, request = task
    return _tried(job, lambda: _checked_logs(job.reader, job.reader.read(job.source, request)))


def _tried(job: Job, read: Callable[[], Sequence[T]]) -> tuple[Sequence[T], Problem | None]:
    try:
        return read(), None
    except OSError as error:
        return [], Problem("unreadable", error.strerror or str(error), job.source.path)
    except Exception as error:  # a reader's bug must cost its file, not the sweep
        return [], Problem("reader_error", f"{type(error).__name__}: {error}", job.source.path)


def read_batch(
    tasks: Sequence[tuple[Job, Request]],
) -> list[tuple[Sequence[RunLog], Problem | None]]:
    """Return what ``read_logs`` returns for each of some tasks of one reader and one request.

    A reader that takes several logs at once does. Where it cannot, each is read alone, so that an
    error costs only its file; if it costs none, the reader is at fault, and the first log says so.
    """
    reader, request = tasks[0][0].reader, tasks[0][1]
    together, fault = getattr(reader, "read_batch", None), ""
    if len(tasks) > 1 and together is not None:
        try:
            given = together([job.source for job, _ in tasks], request)
            checked = [_checked_logs(reader, logs) for logs in given]
            if len(checked) == len(tasks):
                return [(logs, None) for logs in checked]
            fault = f"read_batch gave the runs of {len(checked)}"
        except Exception as error:  # as above
            fault = f"read_batch raised {type(error).__name__}: {error}"
    found = [read_logs(task) for task in tasks]
    if fault and all(problem is None for _, problem in found):
        for log in [log for logs, _ in found for log in logs][:1]:
            message = f"{fault}; its {len(tasks)} logs were read one by one"
            log.problems = [*log.problems, Problem("reader_error", message, log.header.source.path)]
    return found


def _checked_logs(reader: Reader, given: Sequence[RunLog]) -> list[RunLog]:
    logs = _only(RunLog, given)
    for log in logs:
        log.header = of_logger(log.header, reader)
    return logs


def of_logger(header: RunHeader, reader: Reader) -> RunHeader:
    """Return a header that tells which reader knew its log."""
    if header.logger:
        return header
    return replace(header, reading=(*header.reading, (_LOGGER, reader.name)))


def _only(kind: type[T], given: Sequence[T]) -> list[T]:
    """Return what a reader returned, checked: the reader may be of anybody's making.

    Raises
    ------
    TypeError
        If an item is not of the kind.
    """
    items = list(given)
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"the reader gave {repr(item)[:80]}, which is no {kind.__name__}")
    return items
