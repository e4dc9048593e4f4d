"""Records: what an archive keeps of every log, which is all that was parsed except the values.

A record is JSON, one for each source; arrays that many runs share (epochs, line numbers) are held
once, in a table beside the records. With a record a later load can plan, select and place a run
without reading its log; the values come from where they were stored.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from runcube.core import (
    LogFile,
    Names,
    Problem,
    Remarks,
    Resume,
    Roles,
    RunHeader,
    RunLog,
    Source,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, Request

# What is kept of one source, as JSON has it.
Record: TypeAlias = dict[str, Any]

# Version of the form of the records: records of another form are not read.
RECORD_FORM = 1
# Unused rows that a table may have in any case.
_SPARE = 64
# Records of curves that a table keeps, to recognise equal ones.
_ALIKE = 64
# In place of an array: every value was logged.
_EVERY = -1


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
    """

    split: str
    x: dict[str, NDArray[Any]]
    metrics: tuple[str, ...]
    logged: NDArray[np.bool_]
    lines: NDArray[np.int64]
    changed: Mapping[str, NDArray[np.uint8]]
    fetch: Callable[[StoredCurves], NDArray[np.float64]]

    @property
    def values(self) -> NDArray[np.float64]:
        """Values (metrics, rows), fetched at each access."""
        return self.fetch(self)

    def changes(self, x: str) -> NDArray[np.bool_]:
        """Return what ``Curves.changes`` was (metrics, rows), for an x that some rows share."""
        rows, columns = self.logged.shape
        bits = np.unpackbits(self.changed[x], count=rows * columns)
        return bits.reshape(rows, columns).astype(bool)


class ArrayTable:
    """Arrays as rows of bytes, each held once; a row is always read as the same array object.

    Parameters
    ----------
    rows : sequence of bytes, (arrays,)
        Rows that exist already: 4 bytes of dtype, then the array.
    """

    def __init__(self, rows: Sequence[bytes] = ()) -> None:
        self.rows = list(rows)
        # Records of curves by their arrays but the values: those of many logs are alike.
        self.curves: dict[Any, Record] = {}
        self._index = {row: i for i, row in enumerate(self.rows)}
        self._arrays: dict[int, NDArray[Any]] = {}

    def add(self, array: NDArray[Any]) -> int:
        """Return the row of an array, which is appended if it is new."""
        row = array.dtype.str.encode().ljust(4) + np.ascontiguousarray(array).tobytes()
        if row not in self._index:
            self._index[row] = len(self.rows)
            self.rows.append(row)
        return self._index[row]

    def get(self, index: int) -> NDArray[Any]:
        """Return the read-only array of a row."""
        if index not in self._arrays:
            row = self.rows[index]
            self._arrays[index] = np.frombuffer(row, np.dtype(row[:4].decode().strip()), offset=4)
        return self._arrays[index]

    def is_worn(self, used: int) -> bool:
        """Return whether most rows may be unused, if ``used`` of them were in use at first."""
        return len(self.rows) > 2 * used + _SPARE


@dataclass(frozen=True)
class RecordKey:
    """What a record is valid for: these files, read by this reader for this request.

    Parameters
    ----------
    reader : str
        Fingerprint of the reader.
    files : tuple of LogFile, (files,)
        The files that were read; sizes in bytes, times in ns.
    splits, metrics : tuple of str or None
        What was asked for, sorted; None: everything.
    roles : Roles
        What the log was read as.
    scope : Roles or None
        All that the sweep may decide of it, so that what matters to other logs alone is no matter;
        None: anything.
    """

    reader: str
    files: tuple[LogFile, ...]
    splits: tuple[str, ...] | None
    metrics: tuple[str, ...] | None
    roles: Roles
    scope: Roles | None

    @classmethod
    def of(
        cls, fingerprint: str, source: Source, request: Request, logs: Sequence[RunLog]
    ) -> RecordKey:
        """Return the key of the logs of a source, read by the reader of this fingerprint."""
        files, asked = source.files, _asked(request)
        read = [log.roles for log in logs if log.roles is not None]
        if len(read) < len(logs):
            return cls(fingerprint, files, *asked, request.roles or Roles(), None)
        scope = Roles.union(log.header.open_roles for log in logs)
        return cls(fingerprint, files, *asked, Roles.union(read), scope)

    def holds(self, fingerprint: str, source: Source, request: Request) -> bool:
        """Return whether reading the source now would yield what the record has.

        A request without roles takes columns for what the record has them for.
        """
        if (self.reader, self.files) != (fingerprint, source.files):
            return False
        if (self.splits, self.metrics) != _asked(request):
            return False
        if request.roles is None:
            return True
        asked = request.roles if self.scope is None else request.roles.within(self.scope)
        return self.roles == asked

    @classmethod
    def from_record(cls, record: Record) -> RecordKey:
        """Return the key of a record; an older one names the columns that matter to it."""
        own, columns = record.get("roles"), record.get("columns")
        scope = record.get("scope", None if columns is None else [columns])
        return cls(
            record["reader"],
            tuple(LogFile(*file) for file in record["files"]),
            _tuple(record["splits"]),
            _tuple(record["metrics"]),
            Roles.from_lists([record["drop"]] if own is None else own),
            None if scope is None else Roles.from_lists(scope),
        )


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _asked(request: Request) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    splits, metrics = request.splits, request.metrics
    return (
        None if splits is None else tuple(sorted(splits)),
        None if metrics is None else tuple(sorted(metrics)),
    )


def to_record(
    key: RecordKey, source: Source, digest: str, logs: Sequence[RunLog], table: ArrayTable
) -> Record:
    """Return what was parsed of a source as a record; its arrays are added to ``table``."""
    return {
        "path": source.path,
        "reader": key.reader,
        "files": [[file.path, file.size, file.mtime_ns] for file in key.files],
        "digest": digest,
        "splits": key.splits,
        "metrics": key.metrics,
        "roles": key.roles.to_lists(),
        "scope": None if key.scope is None else key.scope.to_lists(),
        "logs": [_log_record(log, table) for log in logs],
    }


def _log_record(log: RunLog, table: ArrayTable) -> Record:
    header = log.header
    return {
        "key": header.key,
        "config": header.config,
        "constants": header.constants,
        "varying": sorted(header.varying),
        "has_config": header.has_config,
        "has_metrics": header.has_metrics,
        "finished": header.finished,
        "rising": sorted(header.rising),
        "names": header.names.to_lists(),
        "reading": header.reading,
        "roles": None if log.roles is None else log.roles.to_lists(),
        "parts": log.parts,
        "parallel": log.parallel,
        "train_time": None if isnan(log.train_time) else log.train_time,
        "marker": None if log.marker is None else log.marker.value,
        "problems": [[p.kind, p.message, p.path, p.line] for p in log.problems],
        "attempt": log.attempt,
        "splits": log.splits,
        "metrics": log.metrics,
        "resume": None if log.resume is None else _resume_record(log.resume, table),
        "remarks": None if log.remarks is None else log.remarks.to_lists(),
        "curves": [_curves_record(curves, table) for curves in log.curves],
    }


def _resume_record(resume: Resume, table: ArrayTable) -> Record:
    return {
        "offset": resume.offset,
        "lines": resume.lines,
        "extras": resume.extras,
        "marker_lines": table.add(resume.marker_lines),
        "markers": table.add(resume.markers),
    }


def resume_of(record: Record, table: ArrayTable) -> Resume:
    """Return where a reader can go on, as it was recorded."""
    return Resume(
        record["offset"],
        record["lines"],
        tuple(record["extras"]),
        table.get(record["marker_lines"]),
        table.get(record["markers"]),
    )


def _curves_record(curves: Curves, table: ArrayTable) -> Record:
    arrays = [*curves.x.values(), curves.logged, curves.lines]
    key: tuple[Any, ...] = (curves.split, *curves.x, curves.metrics)
    key += tuple((array.dtype.str, array.shape, array.tobytes()) for array in arrays)
    known = table.curves.get(key)
    if known is None:
        known = _new_curves_record(curves, table)
        if not known["changed"]:  # which depends on the values
            if len(table.curves) >= _ALIKE:
                table.curves.clear()
            table.curves[key] = known
    return {**known}


def _new_curves_record(curves: Curves, table: ArrayTable) -> Record:
    logged = curves.logged
    return {
        "split": curves.split,
        "x": {name: table.add(values) for name, values in curves.x.items()},
        "metrics": curves.metrics,
        "logged": _EVERY if logged.all() else table.add(logged),
        "lines": table.add(curves.lines),
        "changed": {
            name: table.add(np.packbits(curves.changes(name)))
            for name, values in curves.x.items()
            if has_repeats(values)
        },
    }


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
    for item in record["logs"]:
        curves = [
            {
                "split": part["split"],
                "x": {name: moved(index) for name, index in part["x"].items()},
                "metrics": part["metrics"],
                "logged": moved(part["logged"]),
                "lines": moved(part["lines"]),
                "changed": {name: moved(index) for name, index in part["changed"].items()},
            }
            for part in item["curves"]
        ]
        gone = ("cell", "trial", "values", "whole", "text")
        kept = {k: v for k, v in item.items() if k not in gone} | {"curves": curves}
        if resume := item["resume"]:
            arrays = {name: moved(resume[name]) for name in ("marker_lines", "markers")}
            kept["resume"] = resume | arrays
        logs.append(kept)
    return {k: v for k, v in record.items() if k != "root"} | {"logs": logs}


def to_logs(
    record: Record, source: Source, table: ArrayTable, fetch: Callable[[int, int], Any]
) -> list[RunLog]:
    """Return what was parsed of a source, from its record.

    Parameters
    ----------
    record : dict
    source : Source
    table : ArrayTable
        The arrays of the record.
    fetch : callable
        Takes ``(log, curves)``, their numbers in the record, and returns a function that fetches
        the values of a ``StoredCurves``.

    Returns
    -------
    list of RunLog
        Without messages; their curves are ``StoredCurves``.
    """
    logs = []
    for number, item in enumerate(record["logs"]):
        curves: list[Any] = [
            _curves_of(part, table, fetch(number, i)) for i, part in enumerate(item["curves"])
        ]
        logs.append(
            RunLog(
                header_of(item, source),
                curves,
                [],
                np.nan if item["train_time"] is None else item["train_time"],
                None if item["marker"] is None else Status(item["marker"]),
                [Problem(*problem) for problem in item["problems"]],
                item["attempt"],
                tuple(item["splits"]),
                tuple(item["metrics"]),
                _own_roles(record, item),
                tuple((path, lines, skipped) for path, lines, skipped in item.get("parts", ())),
                item.get("parallel", False),
                remarks=Remarks.from_lists(item.get("remarks")),
            )
        )
    return logs


def _own_roles(record: Record, item: Record) -> Roles | None:
    if record.get("columns", ()) is None:  # an older record
        return None
    own = item.get("roles", [])
    return None if own is None else Roles.from_lists(own)


def header_of(item: Record, source: Source) -> RunHeader:
    """Return the header of one of the logs of a record."""
    return RunHeader(
        source,
        item["key"],
        item["config"],
        item["constants"],
        frozenset(item["varying"]),
        item["has_config"],
        item["has_metrics"],
        item["finished"],
        frozenset(item.get("rising", ())),
        Names.from_lists(item.get("names", ())),
        tuple((topic, text) for topic, text in item.get("reading", ())),
    )


def _curves_of(item: Mapping[str, Any], table: ArrayTable, fetch: Any) -> StoredCurves:
    lines = table.get(item["lines"])
    metrics = tuple(item["metrics"])
    shape = (len(metrics), len(lines))
    row = item["logged"]
    logged = _every(shape) if row == _EVERY else table.get(row).reshape(shape)
    x = {name: table.get(index) for name, index in item["x"].items()}
    changed = {name: table.get(index) for name, index in item["changed"].items()}
    return StoredCurves(item["split"], x, metrics, logged, lines, changed, fetch)


@lru_cache(maxsize=1024)
def _every(shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.broadcast_to(np.True_, shape)


def encode_record(record: Record) -> bytes:
    """Return a record as JSON; what JSON does not know (a YAML set) becomes its repr."""
    return json.dumps(record, default=repr, separators=(",", ":")).encode()


def decode_record(data: bytes) -> Record:
    """Return the record that was written as this JSON."""
    # msgspec is several times as fast; it knows neither NaN nor whole numbers of any length.
    if _LONG_NUMBER not in data.translate(_DIGITS):
        with suppress(msgspec.DecodeError):
            return _decode(data)
    record: Record = json.loads(data)
    return record


# The fastest search of bytes for a long number: every digit becomes a 0.
_LONG_NUMBER = b"0" * 20
_DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
_decode = msgspec.json.Decoder(dict[str, Any]).decode
