"""The native layout: one JSONL file a run, configuration first, then records of ``agg_stats``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    DEFAULT_LIMITS,
    Curves,
    Limits,
    Problem,
    Resume,
    Roles,
    RunHeader,
    RunLog,
    Source,
    as_whole,
)
from runcube.files import (
    PACKED_ENDINGS,
    TAIL_BYTES,
    damage_problem,
    read_bytes,
    read_ends,
    read_from,
)
from runcube.readers.config_files import HYDRA, find_sidecars, load_sidecars
from runcube.readers.native.appended import joined
from runcube.readers.native.batch import read_records, read_sections
from runcube.readers.native.epochs import add_epochs
from runcube.readers.native.records import find_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Request
    from runcube.files import Tree
    from runcube.readers.native.sections import Section

_ENDED = b'"Training time '
_SUFFIXES = tuple(e + packed for e in (".jsonl", ".json", ".ndjson") for packed in PACKED_ENDINGS)
_PACKED = PACKED_ENDINGS[1:]


@dataclass(frozen=True)
class NativeReader:
    """Reads the native layout (``json_out.jsonl`` or any ``*.jsonl``).

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "native"
    limits: Limits = DEFAULT_LIMITS

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield each log that begins with a configuration, a text or an ``agg_stats`` record."""
        for file in list(tree.unclaimed()):
            if file.size and file.path.endswith(_SUFFIXES) and _looks_native(tree.head(file.path)):
                folder = file.path.rpartition("/")[0]
                yield Source(tree.root, file.path, (file, *find_sidecars(tree, folder, HYDRA)))

    def headers(self, source: Source) -> list[RunHeader]:
        """Return the header of the run of a log, from its first lines where they suffice."""
        head, tail = read_ends(source.root, source.files[0])
        config = find_config(head, self.limits)
        whole = len(head) >= source.files[0].size and not source.path.endswith(_PACKED)
        if config is None and not whole:
            config = find_config(
                read_bytes(source.root, source.path, limits=self.limits)[0], self.limits
            )
        has_metrics = True if b'"agg_stats"' in head else None
        if has_metrics is None and whole:
            has_metrics = False
        header = _header(source, config, has_metrics, _has_ended(tail))
        return [self._with_job(header)[0]]

    def _with_job(self, header: RunHeader) -> tuple[RunHeader, list[Problem]]:
        """Return a header with what Hydra says of the job; what the log itself says counts."""
        source = header.source
        if len(source.files) < 2:
            return header, []
        own = (source.path, dict(header.config))
        config, problems = load_sidecars(source, source.files[1:], self.limits, own=own)
        return replace(
            header, config=config, has_config=header.has_config or bool(config)
        ), problems

    def remembered(self, headers: Sequence[RunHeader]) -> list[RunHeader]:
        """Return what ``headers`` would, for an unchanged log that was read; nothing if in doubt.

        A reader may have this method if whether a log is its own depends on that log alone.

        Parameters
        ----------
        headers : sequence of RunHeader
            Those of the log, one for each section.

        Returns
        -------
        list of RunHeader
            One, or none if in doubt.
        """
        # Where no metrics were read, there may yet be what looks like some.
        if not any(header.has_metrics for header in headers):
            return []
        first = next((header for header in headers if header.has_config), headers[0])
        return [replace(first, has_metrics=True)]

    def read(self, source: Source, request: Request) -> list[RunLog]:
        """Parse a log: one ``RunLog`` for each configuration line in it."""
        return self._parse([source], request)[0]

    def read_batch(self, sources: Sequence[Source], request: Request) -> list[list[RunLog]]:
        """Parse several logs at once: what ``read`` returns for each."""
        return self._parse(sources, request)

    def _parse(self, sources: Sequence[Source], request: Request) -> list[list[RunLog]]:
        read = [read_bytes(s.root, s.path, limits=self.limits) for s in sources]
        logs = [(data, source.path) for (data, _), source in zip(read, sources, strict=True)]
        sections = read_sections(logs, self.limits, texts=request.messages)
        return [
            self._logs(source, *held, found, request)
            for source, held, found in zip(sources, read, sections, strict=True)
        ]

    def _logs(
        self,
        source: Source,
        data: bytes,
        damage: str | None,
        sections: Sequence[Section],
        request: Request,
    ) -> list[RunLog]:
        """Return the sections of a log as logs."""
        ended = not source.path.endswith(_PACKED) and _has_ended(data[-TAIL_BYTES:])
        logs = [_log(source, number, own, ended, request) for number, own in enumerate(sections)]
        if sections[0].is_plain and damage is None and data.endswith(b"\n"):
            logs[0].resume = _resume(len(data), sections[0])
        if damage is not None:
            found = damage_problem(damage, source.path)
            kind = found.kind if found.kind == "limit" else "truncated_tail"
            logs[-1].problems.append(replace(found, kind=kind))
        for log in logs if len(source.files) > 1 else ():
            log.header, problems = self._with_job(log.header)
            if log.header.has_config:
                log.problems = [p for p in log.problems if p.kind != "no_config"]
            log.problems += problems
            log.resume = None  # the files of the job may change as well
        return logs

    def read_more(self, source: Source, request: Request, before: RunLog) -> RunLog | None:
        """Parse what was appended to a log since ``read``, and return the whole log.

        Parameters
        ----------
        source : Source
            The log as it is now.
        request : Request
            That of the first reading.
        before : RunLog
            What was read then, with its ``resume``; its messages are not needed.

        Returns
        -------
        RunLog or None
            The whole log, but of ``messages`` only the new ones; None if the log must be read
            from its beginning.
        """
        resume = before.resume
        if resume is None:
            return None
        start = max(0, resume.offset - TAIL_BYTES)
        data = read_from(source.root, source.path, start)
        appended = memoryview(data)[resume.offset - start :]
        more = None
        if b"\0" not in data:
            more = read_records(appended, self.limits, texts=request.messages)
        whole = None if more is None else joined(before, resume, more)
        if whole is None:
            return None
        ended = _has_ended(data[-TAIL_BYTES:])
        log = _log(source, 0, whole, ended, request)
        if data.endswith(b"\n"):
            log.resume = _resume(start + len(data), whole)
        return log


def _looks_native(head: bytes) -> bool:
    return b'"dict_config"' in head or b'"agg_stats"' in head or head.startswith(b'{"type": "str"')


def _has_ended(tail: bytes) -> bool:
    """Return whether the training time stands behind the last record of metrics."""
    return tail.rfind(_ENDED) > tail.rfind(b'"agg_stats"')


def _header(
    source: Source, config: Any, has_metrics: bool | None, finished: bool | None = None
) -> RunHeader:
    return RunHeader(
        source,
        config=config or {},
        has_config=config is not None,
        has_metrics=has_metrics,
        finished=finished,
    )


def _log(source: Source, number: int, section: Section, ended: bool, request: Request) -> RunLog:
    header = _header(source, section.config, bool(section.splits), ended)
    log = RunLog(header, problems=section.problems, attempt=number, roles=Roles())
    log.messages = section.texts
    if section.config is None:
        message = "no configuration line in this log"
        log.problems.insert(0, Problem("no_config", message, source.path))
    log.metrics = section.names
    for curves in _curves(section, log):
        log.splits = (*log.splits, curves.split)
        # A split that is not asked for keeps its x: whether a run is complete depends on each.
        is_asked = request.splits is None or curves.split in request.splits
        asked = request.metrics if is_asked else frozenset()
        log.curves.append(_only(curves, section.names, asked))
    if section.times:
        log.train_time = sum(section.times)
    log.marker, log.remarks = section.marker, section.remarks
    return log


def _curves(section: Section, log: RunLog) -> list[Curves]:
    """Return the curves of each split, each with the metrics that it has."""
    x: dict[str, dict[str, NDArray[Any]]]
    own: dict[str, dict[str, NDArray[Any]]] = {split: {} for split in section.splits}
    x = {split: {"epoch": epochs} for split, epochs in section.epochs.items()}
    if section.extras:
        own = {
            split: _axes(dict(zip(section.extras, section.own[:, rows], strict=True)))
            for split, rows in section.splits.items()
        }
        x = add_epochs(own, section.epochs, marked=bool(len(section.markers)))
    if section.doubtful and not len(section.markers):
        counted = [s for s in x if "epoch" in x[s] and np.isnan(own[s].get("epoch", np.nan)).any()]
        _name_doubts(section, counted, log)
    every = bool(section.logged.all())
    curves = []
    for split, rows in section.splits.items():
        names, values, mine = section.names, section.values[:, rows], section.logged[:, rows]
        if not every:
            present = np.flatnonzero(mine.any(axis=1))
            names = tuple(names[i] for i in present)
            values, mine = values[present], mine[present]
        curves.append(Curves(split, x[split], names, values, mine, section.lines[split]))
    return curves


def _name_doubts(section: Section, counted: Sequence[str], log: RunLog) -> None:
    """Say of unreadable lines that they may have shifted the epochs of splits that are counted."""
    for line, behind in section.doubtful.items():
        shifted = [split for split in counted if split in behind]
        if not shifted:
            continue
        names = " or ".join(map(repr, shifted))
        doubt = f"it may have been a record of {names}: epochs are counted, and may be one too low"
        doubt += " behind it"
        own = [i for i, problem in enumerate(log.problems) if problem.line == line]
        if own:
            problem = log.problems[own[0]]
            log.problems[own[0]] = replace(problem, message=f"{problem.message}; {doubt}")
        else:
            log.problems.append(Problem("bad_line", doubt, log.header.source.path, line))


def _axes(own: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """Return what runs along records, without what none of them has."""
    return {name: as_whole(column) for name, column in own.items() if not np.isnan(column).all()}


def _resume(offset: int, section: Section) -> Resume | None:
    if "epoch" in section.extras and np.isnan(section.own[section.extras.index("epoch")]).any():
        return None  # what fills the gaps depends on the whole log
    # One line more than records: the configuration.
    return Resume(offset, 1 + section.count, section.extras, section.marker_lines, section.markers)


def _only(curves: Curves, order: tuple[str, ...], asked: frozenset[str] | None) -> Curves:
    """Return curves with the metrics that are asked for, in the order of the log."""
    if asked is None and order == curves.metrics:
        return curves
    names = tuple(n for n in order if n in curves.metrics and (asked is None or n in asked))
    if names == curves.metrics:
        return curves
    at = [curves.metrics.index(name) for name in names]
    return replace(curves, metrics=names, values=curves.values[at], logged=curves.logged[at])
