"""From a parsed log to its record, and back, with values that are fetched when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from runcube.core import Names, Problem, Remarks, Resume, Roles, RunHeader, RunLog, Status
from runcube.pipeline.records import (
    EVERY,
    CurvesRecord,
    Lists,
    LogRecord,
    Record,
    ResumeRecord,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, Source
    from runcube.pipeline.array_table import ArrayTable
    from runcube.pipeline.record_key import RecordKey

# Records of curves that a table keeps, to recognise equal ones.
_ALIKE = 64


@dataclass(slots=True, eq=False)
class StoredCurves:
    """``Curves`` whose values are fetched each time they are asked for.

    What is fetched may be rounded, or lack what was superseded. So ``changed`` holds what
    ``Curves.changes`` returned of the values as they were logged.

    Attributes
    ----------
    split : str
    x : dict of str to ndarray, (rows,)
        Each x-like quantity, int64 or float64, in its own unit.
    metrics : tuple of str, (metrics,)
    logged : ndarray of bool, (metrics, rows)
        Where a value was logged.
    lines : ndarray of int64, (rows,)
        Line numbers from 1.
    changed : mapping of str to ndarray of uint8
        The packed bits of ``changes`` for each x that several rows share.
    fetch : callable
        Takes these curves and returns their values, float64 (metrics, rows).
    number : int
        Number among the curves of the log.
    """

    split: str
    x: dict[str, NDArray[Any]]
    metrics: tuple[str, ...]
    logged: NDArray[np.bool_]
    lines: NDArray[np.int64]
    changed: Mapping[str, NDArray[np.uint8]]
    fetch: Callable[[StoredCurves], NDArray[np.float64]]
    number: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Values (metrics, rows), fetched at each access."""
        return self.fetch(self)

    def changes(self, x: str) -> NDArray[np.bool_]:
        """Return what ``Curves.changes`` was (metrics, rows), for an x that some rows share."""
        rows, columns = self.logged.shape
        bits = np.unpackbits(self.changed[x], count=rows * columns)
        return bits.reshape(rows, columns).astype(bool)


def to_record(
    key: RecordKey, source: Source, digest: str, logs: Sequence[RunLog], table: ArrayTable
) -> Record:
    """Return what was parsed of a source as a record; its arrays are added to ``table``."""
    return Record(
        path=source.path,
        reader=key.reader,
        files=tuple((file.path, file.size, file.mtime_ns) for file in key.files),
        digest=digest,
        splits=key.splits,
        metrics=key.metrics,
        roles=_lists(key.roles),
        scope=None if key.scope is None else _lists(key.scope),
        logs=tuple(_log_record(log, table) for log in logs),
    )


def _lists(told: Roles | Names) -> Lists:
    return tuple(map(tuple, told.to_lists()))


def _log_record(log: RunLog, table: ArrayTable) -> LogRecord:
    header = log.header
    return LogRecord(
        key=header.key,
        config=to_json(header.config),
        constants=to_json(header.constants),
        varying=tuple(sorted(header.varying)),
        has_config=header.has_config,
        has_metrics=header.has_metrics,
        finished=header.finished,
        rising=tuple(sorted(header.rising)),
        names=_lists(header.names),
        reading=header.reading,
        roles=None if log.roles is None else _lists(log.roles),
        parts=log.parts,
        parallel=log.parallel,
        train_time=None if isnan(log.train_time) else log.train_time,
        marker=None if log.marker is None else log.marker.value,
        problems=tuple((p.kind, p.message, p.path, p.line) for p in log.problems),
        attempt=log.attempt,
        splits=log.splits,
        metrics=log.metrics,
        resume=_resume_record(log, table),
        remarks=None if log.remarks is None else tuple(map(tuple, log.remarks.to_lists())),
        curves=tuple(_curves_record(curves, table) for curves in log.curves),
    )


def _resume_record(log: RunLog, table: ArrayTable) -> ResumeRecord | None:
    resume = log.resume
    if resume is None:
        return None
    return ResumeRecord(
        resume.offset,
        resume.lines,
        resume.extras,
        table.add(resume.marker_lines),
        table.add(resume.markers),
        "" if log.hashes is None else log.hashes[1],
    )


def resume_of(record: ResumeRecord, table: ArrayTable) -> Resume:
    """Return where a reader can go on, as it was recorded."""
    return Resume(
        record.offset,
        record.lines,
        record.extras,
        table.get(record.marker_lines),
        table.get(record.markers),
    )


def _curves_record(curves: Curves, table: ArrayTable) -> CurvesRecord:
    arrays = [*curves.x.values(), curves.logged, curves.lines]
    key: tuple[Any, ...] = (curves.split, *curves.x, curves.metrics)
    key += tuple((array.dtype.str, array.shape, array.tobytes()) for array in arrays)
    known = table.curves.get(key)
    if known is None:
        known = _new_curves_record(curves, table)
        if not known.changed:  # which depends on the values
            if len(table.curves) >= _ALIKE:
                table.curves.clear()
            table.curves[key] = known
    return known


def _new_curves_record(curves: Curves, table: ArrayTable) -> CurvesRecord:
    logged = curves.logged
    return CurvesRecord(
        curves.split,
        {name: table.add(values) for name, values in curves.x.items()},
        curves.metrics,
        EVERY if logged.all() else table.add(logged),
        table.add(curves.lines),
        {
            name: table.add(np.packbits(curves.changes(name)))
            for name, values in curves.x.items()
            if has_repeats(values)
        },
    )


def has_repeats(x: NDArray[Any]) -> bool:
    """Return whether several rows have the same x."""
    if x.dtype.kind == "i" and bool((x[1:] > x[:-1]).all()):
        return False
    known = x[~np.isnan(x)]
    return (
        len(known) > 1 and not (known[1:] > known[:-1]).all() and len(np.unique(known)) < len(known)
    )


def rebased_record(record: Record, table: ArrayTable, into: ArrayTable) -> Record:
    """Return a copy of a record whose arrays are in ``into``, without the places of its values."""

    def moved(index: int) -> int:
        return index if index < 0 else into.add(table.get(index))

    logs = []
    for log in record.logs:
        curves = tuple(
            CurvesRecord(
                part.split,
                {name: moved(index) for name, index in part.x.items()},
                part.metrics,
                moved(part.logged),
                moved(part.lines),
                {name: moved(index) for name, index in part.changed.items()},
            )
            for part in log.curves
        )
        resume = log.resume
        if resume is not None:
            lines, markers = moved(resume.marker_lines), moved(resume.markers)
            resume = replace(resume, marker_lines=lines, markers=markers)
        gone: dict[str, Any] = {"cell": None, "trial": None, "values": "", "whole": None}
        logs.append(replace(log, curves=curves, resume=resume, **gone))
    return replace(record, logs=tuple(logs))


def to_logs(
    record: Record,
    headers: Sequence[RunHeader],
    table: ArrayTable,
    fetch: Callable[[int], Callable[[StoredCurves], NDArray[np.float64]]],
) -> list[RunLog]:
    """Return what was parsed of a source, from its record.

    Parameters
    ----------
    record : Record
    headers : sequence of RunHeader, (logs,)
        What ``headers_of`` returned of it.
    table : ArrayTable
        The arrays of the record.
    fetch : callable
        Takes the number of a log and returns a function that fetches the values of one of its
        ``StoredCurves``.

    Returns
    -------
    list of RunLog
        Without messages; their curves are ``StoredCurves``.
    """
    logs = []
    for number, (item, header) in enumerate(zip(record.logs, headers, strict=True)):
        values = fetch(number)
        curves: list[Any] = [
            _curves_of(part, table, values, i) for i, part in enumerate(item.curves)
        ]
        logs.append(
            RunLog(
                header,
                curves,
                [],
                np.nan if item.train_time is None else item.train_time,
                None if item.marker is None else Status(item.marker),
                [Problem(*problem) for problem in item.problems],
                item.attempt,
                item.splits,
                item.metrics,
                _own_roles(record, item),
                item.parts,
                item.parallel,
                remarks=Remarks.from_lists(item.remarks),
                number=number,
            )
        )
    return logs


def _own_roles(record: Record, item: LogRecord) -> Roles | None:
    if record.columns is None or item.roles is None:  # the first in older records alone
        return None
    return Roles.from_lists(item.roles)


def headers_of(record: Record, source: Source) -> list[RunHeader]:
    """Return the header of each log of a record."""
    return [
        RunHeader(
            source,
            item.key,
            from_json(item.config),
            from_json(item.constants),
            frozenset(item.varying),
            item.has_config,
            item.has_metrics,
            item.finished,
            frozenset(item.rising),
            Names.from_lists(item.names),
            item.reading,
        )
        for item in record.logs
    ]


def _curves_of(
    item: CurvesRecord,
    table: ArrayTable,
    fetch: Callable[[StoredCurves], NDArray[np.float64]],
    number: int,
) -> StoredCurves:
    logged = logged_of(item, table)
    x = {name: table.get(index) for name, index in item.x.items()}
    changed = {name: table.get(index) for name, index in item.changed.items()}
    return StoredCurves(
        item.split, x, item.metrics, logged, table.get(item.lines), changed, fetch, number
    )


def logged_of(item: CurvesRecord, table: ArrayTable) -> NDArray[np.bool_]:
    """Return where a value was logged (metrics, rows)."""
    shape = (len(item.metrics), len(table.get(item.lines)))
    return _every(shape) if item.logged == EVERY else table.get(item.logged).reshape(shape)


@lru_cache(maxsize=1024)
def _every(shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.broadcast_to(np.True_, shape)
