"""The native layout: one JSONL file a run, configuration first, then records of ``agg_stats``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    Curves,
    Problem,
    Resume,
    RunHeader,
    RunLog,
    Source,
    Status,
    is_time_like,
    is_x_like,
)
from runcube.files import TAIL_BYTES, read_bytes, read_ends, read_from
from runcube.readers.lines import BadLine, decode_line, split_lines
from runcube.readers.native.appended import joined
from runcube.readers.native.epochs import epochs_by_marker
from runcube.readers.native.exact import TRAIN_TIME, is_config, read_sections, seconds_of
from runcube.readers.native.scalars import ScalarColumns, as_axis, flat_items
from runcube.readers.native.typed import OWN_KEYS, NotPlainError, read_records, read_typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Request
    from runcube.files import Tree
    from runcube.readers.native.exact import Section, SplitRows
    from runcube.readers.native.typed import TypedLog

_ENDED = b'"Training time '
_SUFFIXES = (".jsonl", ".json", ".ndjson", ".jsonl.gz", ".json.gz", ".ndjson.gz")


@dataclass(frozen=True)
class NativeReader:
    """Reads the native layout (``json_out.jsonl`` or any ``*.jsonl``).

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    """

    name: str = "native"

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield each log that begins with a configuration, a text or an ``agg_stats`` record."""
        for file in list(tree.unclaimed()):
            if file.size and file.path.endswith(_SUFFIXES) and _looks_native(tree.head(file.path)):
                yield Source(tree.root, file.path, (file,))

    def headers(self, source: Source) -> list[RunHeader]:
        """Return the header of the run of a log, from its first lines where they suffice."""
        head, tail = read_ends(source.root, source.files[0])
        config = _find_config(head)
        whole = len(head) >= source.size and not source.path.endswith(".gz")
        if config is None and not whole:
            config = _find_config(read_bytes(source.root, source.path)[0])
        has_metrics = True if b'"agg_stats"' in head else None
        if has_metrics is None and whole:
            has_metrics = False
        return [_header(source, config, has_metrics, _ENDED in tail)]

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
        data, damage = read_bytes(source.root, source.path)
        ended = not source.path.endswith(".gz") and _ENDED in data[-TAIL_BYTES:]
        try:
            config, typed = read_typed(data, texts=request.messages)
            logs = [_typed_log(_header(source, config, bool(typed.splits), ended), typed, request)]
            if damage is None and data.endswith(b"\n"):
                logs[0].resume = _resume(len(data), typed)
        except NotPlainError:
            sections = read_sections(data, source.path, messages=request.messages)
            logs = [_log(source, number, a, ended, request) for number, a in enumerate(sections)]
        if damage is not None:
            logs[-1].problems.append(Problem("truncated_tail", damage, source.path))
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
        try:
            more = read_records(appended, before.metrics, resume.extras, texts=request.messages)
        except NotPlainError:
            return None
        typed = joined(before, resume, more)
        ended = _ENDED in data[-TAIL_BYTES:]
        header = _header(source, before.header.config, bool(typed.splits), ended)
        log = _typed_log(header, typed, request, before)
        if data.endswith(b"\n"):
            log.resume = _resume(start + len(data), typed)
        return log


def _looks_native(head: bytes) -> bool:
    return b'"dict_config"' in head or b'"agg_stats"' in head or head.startswith(b'{"type": "str"')


def _find_config(data: bytes) -> Any:
    if b'"dict_config"' not in data:
        return None
    for line in split_lines(data):
        if b'"dict_config"' in line.data:
            try:
                value = decode_line(line.data)
            except BadLine:
                continue
            if is_config(value):
                return value["value"]
    return None


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
    header = _header(source, section.config, any(r.stats for r in section.rows.values()), ended)
    log = RunLog(header, messages=section.messages, problems=section.problems, attempt=number)
    log.columns = frozenset()
    if section.config is None:
        message = "no configuration line in this log"
        log.problems.insert(0, Problem("no_config", message, source.path))
    found: list[Curves] = []
    for split, rows in section.rows.items():
        curves = _curves(split, rows, section, source)
        if curves is not None:
            found.append(curves)
    held = {name for curves in found for name in curves.metrics}
    _finish(log, found, tuple(n for n in _name_order(section) if n in held), request)
    if section.train_time is not None:
        log.train_time = section.train_time
        log.marker = Status.COMPLETE
    return log


def _resume(offset: int, typed: TypedLog) -> Resume:
    # One line more than records: the configuration.
    return Resume(offset, 1 + typed.count, typed.extras, typed.marker_lines, typed.markers)


def _typed_log(
    header: RunHeader, typed: TypedLog, request: Request, before: RunLog | None = None
) -> RunLog:
    log = RunLog(header, columns=frozenset())
    _finish(log, _typed_curves(typed), typed.names, request)
    log.messages = typed.texts
    if before is not None:
        log.train_time, log.marker = before.train_time, before.marker
    for match in filter(None, map(TRAIN_TIME.match, typed.times)):
        log.train_time = seconds_of(match) + (0.0 if log.marker is None else log.train_time)
        log.marker = Status.COMPLETE
    return log


def _typed_curves(typed: TypedLog) -> list[Curves]:
    """Return the curves of each split; NaN was not logged: a logged NaN takes the exact road."""
    logged = ~np.isnan(typed.values)
    every = bool(logged.all())
    curves = []
    for split, rows in typed.splits.items():
        names, values, mine = typed.names, typed.values[:, rows], logged[:, rows]
        if not every:
            present = np.flatnonzero(mine.any(axis=1))
            names = tuple(names[i] for i in present)
            values, mine = values[present], mine[present]
        x = _typed_own_x(typed, rows) if typed.extras else {}
        if all(is_time_like(name) for name in x):
            x = {"epoch": typed.epochs[split], **x}
        curves.append(Curves(split, x, names, values, mine, typed.lines[rows]))
    return curves


def _typed_own_x(typed: TypedLog, rows: slice) -> dict[str, NDArray[Any]]:
    return {
        name: as_axis(column, ~np.isnan(column))
        for name, column in zip(typed.extras, typed.own[:, rows], strict=True)
        if not np.isnan(column).all()
    }


def _finish(log: RunLog, found: list[Curves], names: tuple[str, ...], request: Request) -> None:
    """Set what the log has, and keep what is asked for, in the order of the log."""
    log.splits = tuple(curves.split for curves in found)
    log.metrics = names
    # A split that is not asked for keeps its x: whether a run is complete depends on every split.
    log.curves = [
        _only(c, names, request.metrics)
        if request.splits is None or c.split in request.splits
        else _only(c, names, frozenset())
        for c in found
    ]


def _curves(split: str, rows: SplitRows, section: Section, source: Source) -> Curves | None:
    """Return curves of whole records, which may hold further keys beside their statistics."""
    kept = [i for i, record in enumerate(rows.stats) if record is not None]
    if not kept:
        return None
    columns = ScalarColumns(len(kept), source.path)
    beside = ScalarColumns(len(kept), source.path)
    clashes: dict[str, int] = {}
    for row, i in enumerate(kept):
        record, line = rows.stats[i], rows.lines[i]
        columns.put_record(row, line, record["agg_stats"])
        for name, value in flat_items(_beside(record)):
            if is_x_like(name) or is_time_like(name):
                beside.put(row, line, name, value)
            elif name in record["agg_stats"]:
                clashes.setdefault(name, line)
            else:
                columns.put(row, line, name, value)
    x = {name: as_axis(*beside.column(name)) for name in beside.names}
    if all(is_time_like(name) for name in x):
        x = {"epoch": _epochs(rows.ordinals, section.markers)[kept], **x}
    names = columns.names
    section.problems += columns.problems() + beside.problems()
    for name, line in clashes.items():
        message = f"{name} stands in agg_stats and beside it; the one in agg_stats is kept"
        section.problems.append(Problem("clashing_key", message, source.path, line))
    lines = np.array(rows.lines, dtype=np.int64)[kept]
    return Curves(split, x, names, *columns.stack(names), lines)


def _epochs(
    ordinals: Sequence[int] | NDArray[np.int64], markers: Sequence[int] | NDArray[np.int64]
) -> NDArray[np.int64]:
    if len(markers):
        return epochs_by_marker(ordinals, markers)
    return np.arange(len(ordinals), dtype=np.int64)


def _name_order(section: Section) -> list[str]:
    """Return the names of the metrics by first appearance in the log, whatever their split."""
    records = [
        (line, record)
        for rows in section.rows.values()
        for line, record in zip(rows.lines, rows.stats, strict=True)
        if record is not None
    ]
    names: dict[str, None] = {}
    for _, record in sorted(records, key=lambda pair: pair[0]):
        names.update(dict.fromkeys(name for name, _ in flat_items(record["agg_stats"])))
        names.update(dict.fromkeys(n for n, _ in flat_items(_beside(record))))
    return list(names)


def _beside(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in OWN_KEYS}


def _only(curves: Curves, order: tuple[str, ...], asked: frozenset[str] | None) -> Curves:
    """Return curves with the metrics that are asked for, in the order of the log."""
    if asked is None and order == curves.metrics:
        return curves
    names = tuple(n for n in order if n in curves.metrics and (asked is None or n in asked))
    if names == curves.metrics:
        return curves
    at = [curves.metrics.index(name) for name in names]
    return replace(curves, metrics=names, values=curves.values[at], logged=curves.logged[at])
