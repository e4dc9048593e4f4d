"""What a reader hands on: runs, their curves and their problems.

Nothing here knows a file format or xarray; everything above speaks in these terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Status(StrEnum):
    """How a run ended, as the cube's ``status`` coordinate spells it."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a log, or that a policy decided about it.

    ``kind`` is one of the words of ``docs/policies.md`` (``bad_line``, ``truncated_tail``, …),
    ``path`` is relative to the root of the sweep, ``line`` counts from 1.
    """

    kind: str
    message: str
    path: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.kind}: {self.message}"


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file as the directory listing saw it; ``path`` is posix and relative to the root."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """What one parse task reads: one log with its sidecars. It may hold several runs.

    ``path`` names it (the log file, or the directory of a run that is many files); no two
    sources of a sweep share a path. ``files`` are all files it reads, the log itself first.
    """

    root: str
    path: str
    files: tuple[LogFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def mtime_ns(self) -> int:
        """Time of the last change to any of the files."""
        return max((file.mtime_ns for file in self.files), default=0)


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run before its metrics are parsed.

    Parameters
    ----------
    source : Source
    key : str
        Tells the runs of one source apart; ``""`` where a source is one run.
    config : mapping
        The run's configuration as logged: nested dicts, lists and JSON scalars.
    constants : mapping
        Columns that held one value throughout this run. They are configuration if they are
        constant in every run of the sweep (the planner decides), else they are metrics.
    varying : frozenset of str
        Columns that took several values within this run: never configuration.
    has_config : bool
        False where the layout owes a configuration and this log has none.
    has_metrics : bool or None
        None where the header does not tell.
    finished : bool or None
        Whether the logger's own end marker stands at the end of the log; None where the layout
        has none, or a header does not tell.
    """

    source: Source
    key: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    varying: frozenset[str] = frozenset()
    has_config: bool = True
    has_metrics: bool | None = None
    finished: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a load wants of the logs; what is not asked for is not decoded.

    ``None`` means everything. ``drop`` names the columns that the planner settled as
    configuration, so that they are not read as metrics.
    """

    splits: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    messages: bool = False
    drop: frozenset[str] = frozenset()


@dataclass(slots=True)
class Curves:
    """The rows of one split in file order.

    ``x`` maps each x-like quantity (``epoch``, ``step``, ``wall_time``, …) to ``(rows,)``, int64
    where every row has a whole number, else float64 with NaN where a row lacks it. ``values``
    (float64) and ``logged`` (bool) are ``(metrics, rows)``; a value that was not logged is NaN
    and False, a logged NaN is NaN and True. ``lines`` are the rows' line numbers from 1.
    """

    split: str
    x: dict[str, NDArray[Any]]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    lines: NDArray[np.int64]

    def changes(self, x: str) -> NDArray[np.bool_]:
        """Whether each value (metrics, rows) differs from the last one that has ``x`` as well."""
        changed = np.zeros(self.values.shape, dtype=bool)
        has_x = ~np.isnan(self.x[x])
        for row, mask, out in zip(self.values, self.logged & has_x, changed, strict=True):
            at = np.flatnonzero(mask)
            out[at[1:]] = row[at[1:]] != row[at[:-1]]
        return changed


@dataclass(frozen=True, slots=True)
class Resume:
    """What a reader needs to go on where it stopped, once a log has grown.

    Parameters
    ----------
    offset, lines : int
        Bytes and lines that were read, all whole.
    extras : tuple of str
        Keys of the records that are neither metrics nor of the layout.
    marker_lines, markers : ndarray of int64, (markers,)
        Lines of the epoch markers, and their epochs.
    """

    offset: int
    lines: int
    extras: tuple[str, ...]
    marker_lines: NDArray[np.int64]
    markers: NDArray[np.int64]


@dataclass(slots=True)
class RunLog:
    """One parsed run, or one attempt of it where a log holds several.

    ``marker`` is what the logger itself says of the run's end (None: nothing).
    ``splits`` and ``metrics`` name all that the log has, asked for or not, in order of first
    appearance. ``columns`` are those that ``Request.drop`` can concern; None: any. ``resume`` is
    there if the reader can go on where it stopped. ``hashes`` are those of its source and of the
    ends of what ``resume`` goes on from, if whoever asked for the log asked for them as well.
    """

    header: RunHeader
    curves: list[Curves] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    train_time: float = float("nan")
    marker: Status | None = None
    problems: list[Problem] = field(default_factory=list)
    attempt: int = 0
    splits: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    columns: frozenset[str] | None = None
    resume: Resume | None = None
    hashes: tuple[str, str] | None = None
