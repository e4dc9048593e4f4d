"""What a reader returns: runs, their curves and their problems.

Nothing here depends on a file format or on xarray; all other folders use these types.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core.roles import Names, Roles
from runcube.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


class Status(StrEnum):
    """How a run ended: the values of the cube's ``status`` coordinate."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a log, or that a policy decided about it.

    Parameters
    ----------
    kind : str
        A fixed short name for what happened, by which problems are counted: ``unreadable``,
        ``empty``, ``no_config``, ``bad_line``, ``truncated_tail``, ``non_numeric``,
        ``config_conflict``, ``duplicate_run``, ….
    message : str
        Text for the user, without the path and the line.
    path : str
        Posix path of the file, relative to the root of the sweep.
    line : int or None
        Line number in the file, from 1; None if the problem is not of one line.
    """

    kind: str
    message: str
    path: str = ""
    line: int | None = None

    @property
    def text(self) -> str:
        """All but the path, as the cube has it; ``str`` is the same, safe to show."""
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.kind}: {self.message}"

    def __str__(self) -> str:
        return printable(self.text)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file as the listing of its directory saw it.

    Parameters
    ----------
    path : str
        Posix path, relative to the root of the sweep.
    size : int
        Size in bytes, as stored (compressed if the file is).
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970-01-01 UTC; of a remote file, as far as
        its store reports one.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """What one parse task reads: one log with its sidecars. It may hold several runs.

    Parameters
    ----------
    root : str
        The directory or URL that all paths of the sweep are relative to.
    path : str
        Posix path, relative to ``root``, of the log file, or of the directory of a run that is
        many files. No two sources of a sweep share a path.
    files : tuple of LogFile, (files,)
        All files that it reads, the log itself first.
    """

    root: str
    path: str
    files: tuple[LogFile, ...]

    @property
    def size(self) -> int:
        """Size of all files together, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def mtime_ns(self) -> int:
        """Time of the last change to any of the files, in nanoseconds since 1970-01-01 UTC."""
        return max((file.mtime_ns for file in self.files), default=0)


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run before its metrics are parsed.

    Parameters
    ----------
    source : Source
        The log that holds the run.
    key : str
        Identifies the run among the runs of its source; ``""`` if the source is one run.
    config : mapping of str to Any
        The run's configuration as logged: nested dicts, lists and JSON scalars.
    constants : mapping of str to Any
        Columns that held one value throughout this run, with that value. They are configuration
        if they are constant in every run of the sweep (the planner decides), else metrics.
    varying : frozenset of str
        Columns that took several values within this run: never configuration.
    has_config : bool
        False if the layout requires a configuration and this log has none.
    has_metrics : bool or None
        Whether the run logged a metric; None if the header does not show it.
    finished : bool or None
        Whether the log ends with the logger's own end marker; None if the layout has no marker,
        or the header does not show it.
    rising : frozenset of str
        Columns that would be an axis, by what they hold, if most runs have them as such.
    names : Names
        What the splits and metrics are called.
    reading : tuple of (str, str)
        How the log was read, as pairs of topic and text for ``explain()``: ``records``, ``runs``,
        ``configuration``, ``x``, ``splits``, ``metrics``, ``left out``, ``values``, which is an
        attr of the cube as well, and ``says the same``, the arguments that say outright what was
        found. runcube adds ``logger``, the name of the reader.
    """

    source: Source
    key: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    varying: frozenset[str] = frozenset()
    has_config: bool = True
    has_metrics: bool | None = None
    finished: bool | None = None
    rising: frozenset[str] = frozenset()
    names: Names = field(default_factory=Names)
    reading: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def id(self) -> tuple[str, str]:
        """What identifies the run: the path of its log, and its key in it."""
        return self.source.path, self.key

    @property
    def logger(self) -> str:
        """Name of the reader that knew the log; ``""`` if that is not known."""
        return next((text for topic, text in self.reading if topic == "logger"), "")

    @property
    def own_axes(self) -> frozenset[str]:
        """Columns that run along the rows of this run, whatever they are in others."""
        return self.rising & self.varying

    @property
    def open_roles(self) -> Roles:
        """All that the sweep may decide of this run (see ``Roles.within``)."""
        return Roles(
            frozenset(self.constants.keys() - self.varying),
            (self.varying | self.rising | self.constants.keys()) - self.own_axes,
            self.names.short,
            self.names.splits,
            self.names.parts if len(self.names.parts) == 1 else frozenset(),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a load needs from the logs; a reader decodes nothing else.

    Parameters
    ----------
    splits : frozenset of str or None
        Splits whose values are needed; None: all.
    metrics : frozenset of str or None
        Metrics whose values are needed; None: all.
    messages : bool
        Whether the logged text lines are needed.
    roles : Roles or None
        What the planner found columns to be; None: each log is judged by itself.
    """

    splits: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    messages: bool = False
    roles: Roles | None = None


@dataclass(slots=True)
class Curves:
    """The rows of one split in file order.

    Parameters
    ----------
    split : str
        Name of the split; ``"all"`` for a log without splits.
    x : dict of str to ndarray, (rows,)
        Each x-like quantity (``epoch``, ``step``, ``wall_time``, …) by name, in the unit in which
        it was logged: int64 if every row has a whole number, else float64 with NaN where a row
        lacks it.
    metrics : tuple of str, (metrics,)
        Names of the metrics, in the order of ``values``.
    values : ndarray of float64, (metrics, rows)
        Values in the unit in which they were logged; NaN where nothing was logged.
    logged : ndarray of bool, (metrics, rows)
        True where a value was logged, also where that value is NaN.
    lines : ndarray of int64, (rows,)
        Line number of each row in the file, from 1.
    number : int
        Its number among the curves of its log. Set by runcube, not by readers, where logs come
        from a store.
    """

    split: str
    x: dict[str, NDArray[Any]]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    lines: NDArray[np.int64]
    number: int = 0

    def changes(self, x: str) -> NDArray[np.bool_]:
        """Return whether each value differs from the last one that has ``x`` as well.

        Parameters
        ----------
        x : str
            A key of the dict ``x``; only rows that have this quantity are compared.

        Returns
        -------
        ndarray of bool, (metrics, rows)
            False for the first value of each metric, and where nothing was logged.
        """
        changed = np.zeros(self.values.shape, dtype=bool)
        has_x = ~np.isnan(self.x[x])
        for row, mask, out in zip(self.values, self.logged & has_x, changed, strict=True):
            at = np.flatnonzero(mask)
            out[at[1:]] = row[at[1:]] != row[at[:-1]]
        return changed


@dataclass(frozen=True, slots=True)
class Resume:
    """What a reader needs to continue where it stopped, once a log has grown.

    Parameters
    ----------
    offset : int
        Bytes that were read; they end with a whole line.
    lines : int
        Whole lines that were read.
    extras : tuple of str
        Keys of the records that are neither metrics nor of the layout.
    marker_lines : ndarray of int64, (markers,)
        Line numbers of the epoch markers, from 1.
    markers : ndarray of int64, (markers,)
        The epoch of each marker.
    """

    offset: int
    lines: int
    extras: tuple[str, ...]
    marker_lines: NDArray[np.int64]
    markers: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a log says beside its values, by kind: evidence of how its run ended.

    A kind is the keys of records that hold no point (``_summary``), or a text without its digits,
    in quotes. A text that speaks of an error is of no kind.

    Parameters
    ----------
    before : frozenset of str
        Kinds that stand before the last value. Those that do not stand behind it may be left out,
        unless the log has a `Resume`.
    behind : frozenset of str
        Kinds that stand behind it.
    """

    before: frozenset[str] = frozenset()
    behind: frozenset[str] = frozenset()

    def to_lists(self) -> list[list[str]]:
        """Return both as plain lists, as JSON has them."""
        return [sorted(self.before), sorted(self.behind)]

    @classmethod
    def from_lists(cls, stored: Iterable[Iterable[str]] | None) -> Remarks | None:
        """Return remarks from plain lists; None, as an older record has, is none."""
        return None if stored is None else cls(*map(frozenset, stored))


@dataclass(slots=True)
class RunLog:
    """One parsed run, or one attempt of it if a log holds several.

    Parameters
    ----------
    header : RunHeader
        The header of the run.
    curves : list of Curves, (splits,)
        One item per split of the log. A split that was not requested keeps its x and has no
        metrics: whether a run is complete depends on every split.
    messages : list of str
        Logged text lines in file order; may be empty unless ``Request.messages`` is True.
    train_time : float
        How long the run trained, in seconds; NaN if unknown.
    marker : Status or None
        How the run ended according to the logger itself; None if the log does not show it. What
        values follow is taken back.
    problems : list of Problem
        What is wrong with the log.
    attempt : int
        Number of this attempt among the attempts of the run, from 0.
    splits : tuple of str
        All splits of the log, requested or not, in order of first appearance.
    metrics : tuple of str
        All metrics of the log, requested or not, in order of first appearance.
    roles : Roles or None
        What the log was read as, as far as that depends on other logs: the part of
        ``Request.roles`` that matters to it. None: any of it may.
    parts : tuple of (str, int, int)
        Files of a log that is several, or stretches of them in the order in which they were
        written: path, number of lines in all before it, and of the lines of its file before it.
    parallel : bool
        Whether the files were written at the same time: the order of their records is open.
    resume : Resume or None
        Where the reader can continue once the log has grown; None if it cannot.
    hashes : tuple of (str, str) or None
        Hash of the source, and of the ends of the part that ``resume`` continues from (``""``
        without ``resume``). Set by runcube, not by readers, when an archive needs them.
    remarks : Remarks or None
        What the log says beside its values; None if the reader does not tell.
    number : int
        Its number among the logs that its source was read as. Set by runcube, not by readers, where
        logs come from a store.
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
    roles: Roles | None = None
    parts: tuple[tuple[str, int, int], ...] = ()
    parallel: bool = False
    resume: Resume | None = None
    hashes: tuple[str, str] | None = None
    remarks: Remarks | None = None
    number: int = 0

    def place(self, line: int) -> tuple[str, int]:
        """Return the file, and the line in it, of a line that is counted through all files."""
        path, own = self.header.source.path, line
        for part, before, skipped in self.parts:
            if line > before:
                path, own = part, line - before + skipped
        return path, own
