"""Parsed logs on disk while an archive is written: values out of memory, progress that lasts.

Two files beside the archive: the values as they come, and a journal with a line for each log
whose values are safely on disk. A process that is killed leaves both; the next call goes on from
there.
"""

from __future__ import annotations

import os
import time
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.files import absolute_root, hash_prefix
from runcube.netcdf import pack_text
from runcube.pipeline import (
    RECORD_FORM,
    ArrayTable,
    RecordKey,
    decode_record,
    encode_record,
    to_logs,
    to_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from runcube.core import Request, RunLog, Source
    from runcube.pipeline import Job, Record, StoredCurves

# What a crash costs at most: the work of so many bytes or seconds.
_SYNC_BYTES = 1 << 26
_SYNC_SECONDS = 5.0
# Bytes of the checksum in front of each line of the journal.
_CHECK = 9


class StagingStore:
    """A log store (see ``pipeline.parse.LogStore``) in two hidden files beside an archive.

    Parameters
    ----------
    target : Path
        The archive.
    """

    def __init__(self, target: Path) -> None:
        self._paths = [target.with_name(f".{target.name}.{end}") for end in ("spool", "journal")]
        for path in self._paths:
            path.touch()
        self._values = self._paths[0].open("r+b", buffering=0)
        self._journal = self._paths[1].open("r+b", buffering=0)
        self._records: dict[str, Record] = {}
        self._keys: dict[str, RecordKey] = {}
        self._table = ArrayTable()
        self._pending: list[bytes] = []
        self._replay()
        self._end = self._synced = self._values.seek(0, os.SEEK_END)
        self._when = time.monotonic()

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what was read of a log that has not changed since; None if it must be read."""
        known = self._keys.get(job.source.path)
        if known is None or not known.holds(job.fingerprint, job.source, request):
            return None
        record = self._records[job.source.path]
        # A journal that was left may be of a copy of these logs elsewhere.
        if record["root"] != absolute_root(job.source.root):
            return None
        return self._logs(record, job)

    def put(
        self,
        job: Job,
        request: Request,
        logs: Sequence[RunLog],
        digest: Callable[[Source], str] | None = None,
    ) -> Sequence[RunLog]:
        """Write the values and hashes of the logs of a source; return the logs without values.

        With a ``digest`` it takes the place of the hashes.
        """
        key = RecordKey.of(job.fingerprint, job.source, request, logs)
        first = len(self._table.rows)
        make = hash_prefix if digest is None else digest
        own = [log.hashes or (make(job.source), "") for log in logs]
        whole = own[0][0] if own else make(job.source)
        record = to_record(key, job.source, whole, logs, self._table)
        for item, (_, ends) in zip(record["logs"], own, strict=True):
            if item["resume"]:
                item["resume"]["ends"] = ends
        record["root"] = absolute_root(job.source.root)
        for item, log in zip(record["logs"], logs, strict=True):
            for part, curves in zip(item["curves"], log.curves, strict=True):
                part["at"] = self._write(np.ascontiguousarray(curves.values).data)
            text = pack_text("\n".join(log.messages))
            item["text"] = [self._write(text), len(text)]
        new = [[self._write(row), len(row)] for row in self._table.rows[first:]]
        entry = {"form": RECORD_FORM, "record": record, "arrays": new, "end": self._end}
        line = encode_record(entry)
        self._pending.append(b"%08x %s\n" % (zlib.crc32(line), line))
        record = decode_record(line)["record"]
        self._records[job.source.path], self._keys[job.source.path] = record, key
        late = time.monotonic() - self._when > _SYNC_SECONDS
        if late or self._end - self._synced > _SYNC_BYTES:
            self.sync()
        return self._logs(record, job)

    def record(self, path: str) -> Record | None:
        """Return the record of a source; None if there is none."""
        return self._records.get(path)

    @property
    def table(self) -> ArrayTable:
        """Arrays of the records."""
        return self._table

    def text(self, path: str, number: int) -> bytes:
        """Return the packed messages of a log, by its number in the record of a source."""
        at, size = self._records[path]["logs"][number]["text"]
        return self._read(at, size)

    def text_size(self, path: str, number: int) -> int:
        """Return the size in bytes of the packed messages of a log."""
        return int(self._records[path]["logs"][number]["text"][1])

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

    def _logs(self, record: Record, job: Job) -> list[RunLog]:
        def fetch(log: int, curves: int) -> Callable[[StoredCurves], NDArray[np.float64]]:
            at = record["logs"][log]["curves"][curves]["at"]

            def values(stored: StoredCurves) -> NDArray[np.float64]:
                shape = stored.logged.shape
                return np.frombuffer(self._read(at, 8 * shape[0] * shape[1])).reshape(shape)

            return values

        return to_logs(record, job.source, self._table, fetch)

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
            entry = decode_record(text)
            if entry.get("form") != RECORD_FORM or entry["end"] > size:
                break
            good, end = good + len(line), entry["end"]
            rows += [self._read(at, length) for at, length in entry["arrays"]]
            record = entry["record"]
            self._records[record["path"]] = record
            self._keys[record["path"]] = RecordKey.from_record(record)
        self._table = ArrayTable(rows)
        self._journal.truncate(good)
        self._values.truncate(end)
