"""What reading a source is for most readers: bytes with their problems, headers by reading all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core import Problem, Request
from runcube.files import damage_problem, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import Limits, RunHeader, Source
    from runcube.readers.base import Reader


class HeadersByReading:
    """A reader whose headers are known only when a source is read: those of its runs."""

    def headers(self: Reader, source: Source) -> Sequence[RunHeader]:
        """Return the headers of all runs of a source, which is read for them."""
        return [run.header for run in self.read(source, Request(metrics=frozenset()))]


def content_of(
    root: str, path: str, limits: Limits, problems: list[Problem], *, binary: bool = False
) -> bytes:
    """Return the bytes of a file; what is wrong with them is added to the problems.

    Parameters
    ----------
    root, path : str
    limits : Limits
    problems : list of Problem
    binary : bool
        As of ``read_bytes``.

    Raises
    ------
    OSError
        If the file vanished or cannot be read.
    """
    data, damage = read_bytes(root, path, limits=limits, binary=binary)
    problems += [damage_problem(damage, path)] if damage else []
    return data


def content_if_any(root: str, path: str, limits: Limits, problems: list[Problem]) -> bytes | None:
    """Return what `content_of` does; None of a file that cannot be read, which is a problem."""
    try:
        return content_of(root, path, limits, problems)
    except OSError as error:
        problems.append(Problem("unreadable", error.strerror or str(error), path))
        return None


def text_if_any(root: str, path: str, limits: Limits, problems: list[Problem]) -> str | None:
    """Return `content_if_any` as text; bytes that are no UTF-8 are escaped."""
    data = content_if_any(root, path, limits, problems)
    return None if data is None else data.decode("utf-8", "backslashreplace")
