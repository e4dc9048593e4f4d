"""Records: what an archive keeps of every log, which is all that was parsed except the values.

A record is JSON, one for each source; arrays that many runs share (epochs, line numbers) are held
once, in a table beside the records, and a record has their rows. With a record a later load can
plan, select and place a run without reading its log; the values come from where they were stored.
"""

from __future__ import annotations

import json
from contextlib import suppress
from math import isinf
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

# Version of the form of the records: records of another form are not read.
RECORD_FORM = 1
# In place of an array: every value was logged.
EVERY = -1

# What ``Roles`` and ``Names`` are as JSON.
Lists: TypeAlias = tuple[tuple[str | tuple[str, str], ...], ...]


class TrackRecord(NamedTuple):
    """Where a track of a log is in the cell of its run.

    Parameters
    ----------
    metrics : tuple of int or None
        Positions of its metrics in those of the curves; None: all.
    rows : int or None
        Array of the positions of its rows; None: all.
    at : (int, int) or int
        The first and the last position (exclusive) on the x axis, or the array of all.
    """

    metrics: tuple[int, ...] | None
    rows: int | None
    at: tuple[int, int] | int


class CurvesRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of one split.

    Parameters
    ----------
    split : str
    x : dict of str to int
        Array of each x-like quantity.
    metrics : tuple of str
    logged : int
        Array of where a value was logged, or ``EVERY``.
    lines : int
        Array of the line numbers.
    changed : dict of str to int
        Array of the packed bits of ``Curves.changes`` for each x that several rows share.
    tracks : tuple of TrackRecord
        What of it is in the cube.
    """

    split: str
    x: dict[str, int]
    metrics: tuple[str, ...]
    logged: int
    lines: int
    changed: dict[str, int]
    tracks: tuple[TrackRecord, ...] = ()


class ResumeRecord(msgspec.Struct, frozen=True):
    """Where a reader can go on, see ``Resume``.

    Parameters
    ----------
    offset, lines : int
    extras : tuple of str
    marker_lines, markers : int
        Arrays.
    ends : str
        Hash of the ends of the part that was read.
    """

    offset: int
    lines: int
    extras: tuple[str, ...]
    marker_lines: int
    markers: int
    ends: str


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the logs that a source was read as: see ``RunHeader`` and ``RunLog``.

    Parameters
    ----------
    config, constants : Raw
        JSON of any kind; ``from_json`` reads it.
    train_time : float or None
        Seconds; None: unknown.
    problems : tuple of (str, str, str, int or None)
        Kind, message, path and line.
    cell : int or None
        The cell of the cube that it holds, the last dim fastest; None: none.
    trial : int or None
        Number of the attempt that holds the cell.
    values : str
        Hash of the values in the cell.
    whole : bool or None
        Whether every value that was logged is in the cell.
    """

    key: str
    config: Raw
    constants: Raw
    varying: tuple[str, ...]
    has_config: bool
    has_metrics: bool | None
    finished: bool | None
    rising: tuple[str, ...] = ()
    names: Lists = ()
    reading: tuple[tuple[str, str], ...] = ()
    roles: Lists | None = ()
    parts: tuple[tuple[str, int, int], ...] = ()
    parallel: bool = False
    train_time: float | None
    marker: str | None
    problems: tuple[tuple[str, str, str, int | None], ...]
    attempt: int
    splits: tuple[str, ...]
    metrics: tuple[str, ...]
    resume: ResumeRecord | None
    remarks: tuple[tuple[str, ...], ...] | None = None
    curves: tuple[CurvesRecord, ...]
    cell: int | None = None
    trial: int | None = None
    values: str = ""
    whole: bool | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of one source.

    Parameters
    ----------
    path : str
    reader : str
        Fingerprint of the reader.
    files : tuple of (str, int, int)
        Path, size (bytes) and time (ns) of each file.
    digest : str
        Hash of the bytes that were read.
    splits, metrics : tuple of str or None
        What was asked for; None: everything.
    roles, scope : tuple or None
        What it was read as, and all that the sweep may decide of it (None: anything).
    drop, columns : tuple of str or None
        What older records have in place of these.
    logs : tuple of LogRecord
    """

    path: str
    reader: str
    files: tuple[tuple[str, int, int], ...]
    digest: str
    splits: tuple[str, ...] | None
    metrics: tuple[str, ...] | None
    roles: Lists | None = None
    scope: Lists | None = None
    drop: tuple[str, ...] = ()
    columns: tuple[str, ...] | UnsetType | None = UNSET
    logs: tuple[LogRecord, ...]

    @property
    def size(self) -> int:
        """Size of all files together, in bytes."""
        return sum(size for _, size, _ in self.files)


def to_json(value: Any) -> Raw:
    """Return a value as JSON; what JSON does not know (a YAML set) becomes its repr."""
    return Raw(_encode_any(value).encode())


_encode_any = json.JSONEncoder(default=repr, separators=(",", ":")).encode


def from_json(data: Raw) -> Any:
    """Return the value that was written as this JSON."""
    # msgspec is several times as fast; it does not know NaN, nor what is no Unicode.
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(data)
    return json.loads(bytes(data))


def encode_record(record: Record) -> bytes:
    """Return a record as JSON."""
    if not any(isinf(log.train_time or 0) for log in record.logs):
        with suppress(UnicodeEncodeError):  # of a file name, say, that is no Unicode
            return msgspec.json.encode(record, enc_hook=_plain)
    return json.dumps(record, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """Return a value as what JSON knows."""
    if isinstance(value, msgspec.Struct):
        given = {f.name: (getattr(value, f.name), f.default) for f in msgspec.structs.fields(value)}
        return {name: own for name, (own, default) in given.items() if own is not default}
    if isinstance(value, Raw):
        return json.loads(bytes(value))
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def decode_record(data: bytes) -> Record:
    """Return the record that was written as this JSON.

    Raises
    ------
    ValueError, LookupError, TypeError
        If it is none.
    """
    with suppress(msgspec.DecodeError):
        return _decode(data)
    # NaN, or what is no Unicode: only the standard library reads that.
    found = json.loads(data)
    for log in found["logs"]:
        log |= {name: to_json(log[name]) for name in ("config", "constants")}
    return msgspec.convert(found, Record)


_decode = msgspec.json.Decoder(Record).decode
