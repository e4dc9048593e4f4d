"""What the logs of a sweep are like, without their values, kept so that none is read again for it.

A small file for each directory of logs: records (see ``ledger``), one for each log, compressed. A
record holds good as long as the files of its log have the size and time that it says.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runcube import ledger
from runcube.lazy import PARSED, parsed_key, values_of
from runcube.model import Request
from runcube.roots import absolute, as_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runcube.discover import Job
    from runcube.ledger import Record
    from runcube.model import RunLog

_ERRORS = (OSError, zlib.error, msgspec.DecodeError, ValueError, LookupError, TypeError)


class _Stored(msgspec.Struct):
    """What is in the file: ``used`` arrays were there when all were last taken over anew."""

    form: int
    records: list[bytes]
    arrays: list[bytes]
    used: int


def cache_file(root: str | Path) -> Path:
    """File in the user's cache directory for the logs under ``root``."""
    home = os.environ.get("RUNCUBE_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    where = absolute(as_root(root))
    name = hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()
    return Path(home).expanduser() / "runcube" / f"{name[:32]}.schema"


class SchemaShelf:
    """Keeps what was parsed of each log, but its values (see ``pipeline.Shelf``).

    Parameters
    ----------
    path : Path, optional
        The file; without one nothing is kept for the next time.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._table = ledger.ArrayTable()
        self._arrays = 0
        self._records: dict[str, Record] = {}
        self._spelled: dict[str, bytes] = {}
        self._homes: dict[int, tuple[Job, int]] = {}
        self._used: set[str] = set()
        self._changed = False
        # As values are read again: texts are not.
        self.request = Request()
        if path is not None:
            with suppress(*_ERRORS):  # a cache that cannot be read is none
                self._load(path)

    def _load(self, path: Path) -> None:
        stored = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=_Stored)
        if stored.form == ledger.FORM:
            spelled = {}
            for row in stored.records:
                record = ledger.load(row)
                self._records[record["path"]], spelled[record["path"]] = record, row
            self._table, self._spelled = ledger.ArrayTable(stored.arrays), spelled
            self._arrays = stored.used

    def find(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Give what is known of a log, if it is unchanged."""
        self.request = replace(request, messages=False)
        record = self._records.get(job.source.path)
        if record is None or (request.messages and "messages" not in record):
            return None
        if not ledger.Key.from_record(record).holds(job.reader, job.source, request):
            return None
        return self._logs(job, record)

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Keep what was read of a log, its values only for a while."""
        key = ledger.Key.of(job.reader, job.source, request, ledger.columns_of(logs))
        made = ledger.to_record(key, job.source, "", logs, self._table)
        if request.messages:
            made["messages"] = [log.messages for log in logs]
        row = ledger.dump(made)
        path = job.source.path
        self._records[path], self._spelled[path] = ledger.load(row), row
        self._changed = True
        PARSED.put(parsed_key(job, self.request), values_of(logs))
        return self._logs(job, self._records[path])

    def home(self, log: RunLog) -> tuple[Job, int]:
        """Job of a log, and its number among those that the job reads."""
        return self._homes[id(log)]

    def save(self) -> None:
        """Write the file, if anything has changed; where it cannot be written, do without."""
        gone = self._records.keys() - self._used
        if self._path is None or not (self._changed or gone):
            return
        table, rows = self._table, [self._spelled[path] for path in sorted(self._used)]
        used = self._arrays or len(table.rows)
        if table.is_worn(used):
            table = ledger.ArrayTable()
            records = [self._records[path] for path in sorted(self._used)]
            rows = [ledger.dump(ledger.rebased(r, self._table, table)) for r in records]
            used = len(table.rows)
        packed = msgspec.msgpack.encode(_Stored(ledger.FORM, rows, table.rows, used))
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _replace(self._path, zlib.compress(packed, 1))

    def _logs(self, job: Job, record: Record) -> Sequence[RunLog]:
        self._used.add(job.source.path)
        logs = ledger.to_logs(record, job.source, self._table, _no_values)
        for number, log in enumerate(logs):
            log.messages = record.get("messages", [[]] * len(logs))[number]
            # The logs outlive this: their ids stay theirs.
            self._homes[id(log)] = job, number
        return logs


def _replace(path: Path, data: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _no_values(log: int, curves: int) -> Callable[[Any], Any]:
    """Values are read with whole logs, by ``lazy``."""
    del log, curves

    def fetch(stored: Any) -> Any:
        raise NotImplementedError(f"values of {stored.split}")

    return fetch
