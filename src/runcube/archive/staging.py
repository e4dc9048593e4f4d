"""Parsed logs on disk while an archive is written: values out of memory, progress that lasts.

Two files beside the archive: the values as they come, and a journal with a line for each log
whose values are safely on disk. A process that is killed leaves both; the next call goes on from
there.
"""

from __future__ import annotations

import os
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.files import absolute_root, hash_prefix
from runcube.netcdf import pack_text
from runcube.pipeline import (
    RECORD_FORM,
    ArrayTable,
    RecordKey,
    decode_record,
    encode_record,
    headers_of,
    to_logs,
    to_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from runcube.core import Request, RunLog, Source
    from runcube.curves import KeptRun
    from runcube.pipeline import Job, Record, StoredCurves

# What a crash costs at most: the work of so many bytes or seconds.
_SYNC_BYTES = 1 << 26
_SYNC_SECONDS = 5.0
# Bytes of the checksum in front of each line of the journal.
_CHECK = 9
# Between a record and what else a line holds: no JSON has it.
_BETWEEN = b"\t"


class _Entry(msgspec.Struct, frozen=True):
    """What a line of the journal holds beside a record, which stands in front of it.

    Parameters
    ----------
    form : int
        That of the record.
    root : bytes
        The directory of the log: a journal that was left may be of a copy of it elsewhere.
    values : list of list of int
        Where the values of the curves of each log begin.
    texts : list of (int, int)
        Where the packed messages of each log begin, and their size.
    arrays : list of (int, int)
        The same of the arrays that the record adds to the table.
    end : int
        Where all that ends.
    """

    form: int
    root: bytes
    values: list[list[int]]
    texts: list[tuple[int, int]]
    arrays: list[tuple[int, int]]
    end: int


class StagingStore:
    """A log store (see ``pipeline.parse.LogStore``) in two hidden files beside an archive.

    Parameters
    ----------
    target : Path
        The archive.
    digest : callable, optional
        What tells states of a source apart, beside size and time; by default the hash of its bytes,
        which is made where it is read.

    Attributes
    ----------
    hashes : bool
        Whether logs are hashed where they are read.
    records : dict of str to Record
        Record of each source, by its path.
    table : ArrayTable
        The arrays of the records.
    """

    def __init__(self, target: Path, digest: Callable[[Source], str] | None = None) -> None:
        self.hashes = digest is None
        self._digest = hash_prefix if digest is None else digest
        self._paths = [target.with_name(f".{target.name}.{end}") for end in ("spool", "journal")]
        for path in self._paths:
            path.touch()
        self._values = self._paths[0].open("r+b", buffering=0)
        self._journal = self._paths[1].open("r+b", buffering=0)
        self.records: dict[str, Record] = {}
        self._entries: dict[str, _Entry] = {}
        self.table = ArrayTable()
        self._pending: list[bytes] = []
        self._replay()
        self._end = self._synced = self._values.seek(0, os.SEEK_END)
        self._when = time.monotonic()

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what was read of a log that has not changed since; None if it must be read."""
        path = job.source.path
        record = self.records.get(path)
        if record is None or self._entries[path].root != _root(job):
            return None
        known = RecordKey.from_record(record)
        return self._logs(job) if known.holds(job.fingerprint, job.source, request) else None

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Write the values and hashes of the logs of a source; return the logs without values."""
        path = job.source.path
        key = RecordKey.of(job.fingerprint, job.source, request, logs)
        first = len(self.table.rows)
        hashes = next((log.hashes for log in logs if log.hashes), None)
        whole = self._digest(job.source) if hashes is None else hashes[0]
        record = encode_record(to_record(key, job.source, whole, logs, self.table))
        entry = _Entry(
            RECORD_FORM,
            _root(job),
            [
                [self._write(np.ascontiguousarray(c.values).data) for c in log.curves]
                for log in logs
            ],
            [self._put(pack_text("\n".join(log.messages))) for log in logs],
            [self._put(row) for row in self.table.rows[first:]],
            self._end,
        )
        line = record + _BETWEEN + msgspec.json.encode(entry)
        self._pending.append(b"%08x %s\n" % (zlib.crc32(line), line))
        self.records[path], self._entries[path] = decode_record(record), entry
        late = time.monotonic() - self._when > _SYNC_SECONDS
        if late or self._end - self._synced > _SYNC_BYTES:
            self.sync()
        return self._logs(job)

    def has_values(self, path: str, kept_run: KeptRun) -> bool:
        """Return whether all values of a run are here, which they are."""
        del kept_run
        return path in self.records

    def text(self, path: str, number: int) -> bytes:
        """Return the packed messages of a log, by its number in the record of a source."""
        return self._read(*self._entries[path].texts[number])

    def text_size(self, path: str, number: int) -> int:
        """Return the size in bytes of the packed messages of a log."""
        return self._entries[path].texts[number][1]

    def sync(self) -> None:
        """Sync what was put to disk: the values first, then the lines of the journal."""
        os.fsync(self._values.fileno())
        if self._pending:
            self._journal.seek(0, os.SEEK_END)
            self._journal.write(b"".join(self._pending))
            os.fsync(self._journal.fileno())
        self._pending.clear()
        self._synced, self._when = self._end, time.monotonic()

    def close(self, *, remove: bool) -> None:
        """Close the files; remove them where the archive is finished."""
        if not remove:
            self.sync()
        self._values.close()
        self._journal.close()
        if remove:
            for path in self._paths:
                path.unlink(missing_ok=True)

    def _logs(self, job: Job) -> list[RunLog]:
        record, entry = self.records[job.source.path], self._entries[job.source.path]

        def fetch(number: int) -> Callable[[StoredCurves], NDArray[np.float64]]:
            at = entry.values[number]

            def values(stored: StoredCurves) -> NDArray[np.float64]:
                shape = stored.logged.shape
                data = self._read(at[stored.number], 8 * shape[0] * shape[1])
                return np.frombuffer(data).reshape(shape)

            return values

        return to_logs(record, headers_of(record, job.source), self.table, fetch)

    def _put(self, data: bytes) -> tuple[int, int]:
        return self._write(data), len(data)

    def _write(self, data: Any) -> int:
        at = self._end
        view = memoryview(data)
        left = view.cast("B") if view.nbytes else view[:0]
        self._values.seek(at)
        while left:  # a system writes some 2 GB at once, and less where a disk is nearly full
            left = left[self._values.write(left) or 0 :]
        self._end = self._values.tell()
        return at

    def _read(self, at: int, size: int) -> bytes:
        self._values.seek(at)
        parts = []
        while size and (part := self._values.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _replay(self) -> None:
        """Read the whole lines of a journal that was left; cut off the rest."""
        end = good = 0
        rows: list[bytes] = []
        size = self._values.seek(0, os.SEEK_END)
        for line in self._journal.readall().splitlines(keepends=True):
            text = line[_CHECK:-1]
            if not line.endswith(b"\n") or line[:_CHECK] != b"%08x " % zlib.crc32(text):
                break
            found = _decoded(text)
            if found is None or found[1].end > size:
                break
            record, entry = found
            good, end = good + len(line), entry.end
            rows += [self._read(at, length) for at, length in entry.arrays]
            self.records[record.path], self._entries[record.path] = record, entry
        self.table = ArrayTable(rows)
        self._journal.truncate(good)
        self._values.truncate(end)


def _root(job: Job) -> bytes:
    return os.fsencode(absolute_root(job.source.root))


def _decoded(line: bytes) -> tuple[Record, _Entry] | None:
    """Return what a line of the journal holds; None if another version wrote it."""
    record, _, entry = line.partition(_BETWEEN)
    with suppress(msgspec.DecodeError):
        found = _decode_entry(entry)
        return (decode_record(record), found) if found.form == RECORD_FORM else None
    return None


_decode_entry = msgspec.json.Decoder(_Entry).decode
