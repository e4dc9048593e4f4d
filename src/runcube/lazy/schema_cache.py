"""What the logs of a sweep are like, without their values, kept so that none is read again for it.

A small file for each directory of logs. Logs of one sweep are mostly alike: what a log is like but
for its path, time and size (its *form*, a record as in ``pipeline.records``) is kept once for all
logs that share it. It is valid as long as the files of a log have the size and the times that it
records.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.core import Problem, Request, RunHeader, RunLog, Source
from runcube.files import absolute_root
from runcube.lazy.cache_files import UNREADABLE, read_cache, write_cache
from runcube.lazy.serialize import ConfigTable, from_bytes, to_bytes
from runcube.lazy.value_cache import VALUES, parsed_key, values_of
from runcube.pipeline import (
    ArrayTable,
    RecordKey,
    decode_record,
    encode_record,
    headers_of,
    rebased_record,
    to_logs,
    to_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from runcube.files import Listing
    from runcube.pipeline import Job, LogRecord, Record

FORM = 10
_NOWHERE = Source("", "", ())
# In place of the path of a log, and of a configuration that is known otherwise.
_OWN, _KNOWN = "\0", msgspec.Raw(b"null")


class _Form:
    """What logs that are alike have in common; their curves are the same objects."""

    def __init__(self, record: Record, table: ArrayTable) -> None:
        self.key = RecordKey.from_record(record)
        # Where the configuration is not in it, it is that of the header.
        self.own_config = [item.config != _KNOWN for item in record.logs]
        self._logs = to_logs(record, headers_of(record, _NOWHERE), table, lambda _: _no_values)

    def logs(
        self, source: Source, row: _Row, headers: Mapping[tuple[str, str], RunHeader]
    ) -> list[RunLog]:
        """Return the logs of a source.

        Raises
        ------
        LookupError
            If a header is not there that was there when the log was read.
        """
        made = []
        for number, like in enumerate(self._logs):
            own = like.header
            known = own if self.own_config[number] else headers[source.path, own.key]
            header = RunHeader(
                source,
                own.key,
                known.config,
                known.constants,
                known.varying,
                own.has_config,
                own.has_metrics,
                own.finished,
                known.rising,
                own.names,
                own.reading,
            )
            time = row.times[number]
            made.append(
                RunLog(
                    header,
                    like.curves,
                    [] if row.messages is None else row.messages[number],
                    np.nan if time is None else time,
                    like.marker,
                    [_at(source.path, problem) for problem in like.problems],
                    like.attempt,
                    like.splits,
                    like.metrics,
                    like.roles,
                    like.parts,
                    like.parallel,
                    remarks=like.remarks,
                )
            )
        return made


class _Row:
    """What a log has for itself, beside its form: its files, times, messages and head.

    The head is the configuration, whether there is one, and whether the log has ended, of a log
    whose reader needs no more to do without reading it; None of others.
    """

    def __init__(self, files: Any, times: Any, messages: Any, head: Any) -> None:
        self.files, self.times, self.messages, self.head = files, times, messages, head

    @classmethod
    def unpacked(cls, packed: bytes) -> _Row:
        """Return a row from its bytes."""
        return cls(*from_bytes(packed))

    def packed(self) -> bytes:
        """Return the row as bytes."""
        return to_bytes([self.files, self.times, self.messages, self.head])


class SchemaCache:
    """Keeps what was parsed of each log, but its values (see ``pipeline.LogStore``).

    Parameters
    ----------
    path : Path, optional
        The file; without one nothing is kept for the next time.
    listing : Listing
        That of the logs.
    """

    hashes = False

    def __init__(self, path: Path | None, listing: Listing) -> None:
        self._path = path
        self._root = absolute_root(listing.root)
        # Size and time alone do not tell one log from another that was put in its place.
        files = [file.path for file in listing.files]
        self._entries = dict(zip(files, listing.changed, strict=False))
        self._there = frozenset(files)
        self._headers: dict[tuple[str, str], RunHeader] = {}
        self._table = ArrayTable()
        self._configs = ConfigTable()
        # How many arrays and values of configurations are used.
        self._arrays = self._values = 0
        self._encoded: list[bytes] = []
        self._numbers: dict[bytes, int] = {}
        self._forms: dict[int, _Form] = {}
        self._fits: dict[tuple[int, str, bool], bool] = {}
        # The form of each log, and its row. Packed: as objects, rows would be most of what an
        # opening holds.
        self._rows: dict[str, tuple[int, bytes]] = {}
        # Job of each log by its id, and its number among those that the job reads.
        self.homes: dict[int, tuple[Job, int]] = {}
        self._used: set[str] = set()
        self._changed = False
        # As values are read again: texts are not.
        self.request = Request()
        if path is not None:
            with suppress(*UNREADABLE):  # a cache that cannot be read is none
                self._load(path)

    def _load(self, path: Path) -> None:
        stored = read_cache(path)
        if (stored["form"], stored["root"]) == (FORM, self._root):
            packed = zip(stored["form_of"], stored["rows"], strict=True)
            rows = dict(zip(stored["paths"], packed, strict=True))
            table = ArrayTable(stored["arrays"])
            self._configs = ConfigTable(stored["configs"])
            self._arrays, self._values = stored["used"]
            self._encoded = stored["forms"]
            self._numbers = {form: number for number, form in enumerate(self._encoded)}
            self._rows, self._table = rows, table

    def headers(self, job: Job) -> Sequence[RunHeader]:
        """Return the header of a log that has not changed, if that is enough for its reader."""
        source = job.source
        number, packed = self._rows.get(source.path, (0, None))
        row = None if packed is None else _Row.unpacked(packed)
        if row is None or row.head is None or row.files != self._files(source):
            return ()
        if self._form(number).key.reader != job.fingerprint:
            return ()
        config, has_config, finished = row.head
        config = self._configs.get(config)
        return [
            RunHeader(
                source, config=config, has_config=has_config, has_metrics=True, finished=finished
            )
        ]

    def expect(self, headers: Iterable[RunHeader]) -> None:
        """Remember the headers of the logs: what they have is not kept twice."""
        self._headers = {(header.source.path, header.key): header for header in headers}

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what is known of a log, if it is unchanged."""
        self.request = replace(request, messages=False)
        number, packed = self._rows.get(job.source.path, (0, None))
        if packed is None:
            return None
        row = _Row.unpacked(packed)
        form = self._form(number)
        if row.files != self._files(job.source) or (request.messages and row.messages is None):
            return None
        which = number, job.fingerprint, request.roles is None
        if which not in self._fits:
            self._fits[which] = form.key.holds(job.fingerprint, _NOWHERE, request)
        if not self._fits[which]:
            return None
        with suppress(LookupError):
            return self._logs(job, form, row)
        return None

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Keep what was read of a log, its values only for a while, and return its logs."""
        key = RecordKey.of(job.fingerprint, _NOWHERE, request, logs)
        for log in logs:
            log.resume = None  # only archives go on reading where they stopped
        record = to_record(key, _NOWHERE, "", logs, self._table)
        times = [item.train_time for item in record.logs]
        left = tuple(map(self._without_known, record.logs, logs))
        record = msgspec.structs.replace(record, logs=left)
        number = self._number(record)
        messages = [log.messages for log in logs] if request.messages else None
        row = _Row(self._files(job.source), times, messages, self._head(job, logs))
        self._rows[job.source.path] = number, row.packed()
        self._changed = True
        VALUES.put(parsed_key(job, self.request), values_of(logs))
        return self._logs(job, self._form(number), row)

    def _number(self, record: Record) -> int:
        """Return the number of a form."""
        encoded = encode_record(record)
        number = self._numbers.setdefault(encoded, len(self._encoded))
        if number == len(self._encoded):
            self._encoded.append(encoded)
        return number

    def _head(self, job: Job, logs: Sequence[RunLog]) -> list[Any] | None:
        """Return the header of a log as plain data, if its reader needs no more another time."""
        remembered = getattr(job.reader, "remembered", None)
        headers = () if remembered is None else remembered([log.header for log in logs])
        known = self._headers.get((job.source.path, ""))
        if not headers or known is None or known.config != headers[0].config:
            return None
        with suppress(TypeError, OverflowError):  # a configuration without a plain form
            return [self._configs.add(known.config), known.has_config, known.finished]
        return None

    def _without_known(self, item: LogRecord, log: RunLog) -> LogRecord:
        """Return the record of a log without what differs between logs and is known otherwise."""
        own = log.header
        known = self._headers.get((own.source.path, own.key))
        problems = tuple(
            (kind, message, _OWN if path == own.source.path else path, line)
            for kind, message, path, line in item.problems
        )
        item = msgspec.structs.replace(item, train_time=None, problems=problems)
        if known is not None and all(
            getattr(own, name) == getattr(known, name)
            for name in ("config", "constants", "varying", "rising")
        ):
            item = msgspec.structs.replace(item, config=_KNOWN, constants=_KNOWN, varying=())
        return item

    def _files(self, source: Source) -> list[list[Any]]:
        return [
            [
                None if file.path == source.path else file.path,
                file.size,
                file.mtime_ns,
                self._entries.get(file.path),
            ]
            for file in source.files
        ]

    def save(self) -> None:
        """Write the file, if anything has changed; where it cannot be written, do without."""
        # Logs that other arguments leave out stay known.
        stay = self._used | (self._rows.keys() & self._there)
        if self._path is None or not (self._changed or self._rows.keys() - stay):
            return
        paths = sorted(stay)
        form_of, rows = [*zip(*(self._rows[path] for path in paths), strict=True)] or [(), ()]
        forms = {form: i for i, form in enumerate(dict.fromkeys(form_of))}
        table, encoded = self._table, [self._encoded[form] for form in forms]
        used = self._arrays or len(table.rows)
        if table.is_worn(used):
            table = ArrayTable()
            records = map(decode_record, encoded)
            encoded = [encode_record(rebased_record(r, self._table, table)) for r in records]
            used = len(table.rows)
        configs, values, kept = self._kept_configs(rows)
        stored = {
            "form": FORM,
            "root": self._root,
            "paths": paths,
            "form_of": [forms[form] for form in form_of],
            "rows": [*kept],
            "forms": encoded,
            "arrays": table.rows,
            "configs": configs.rows,
            "used": [used, values],
        }
        with suppress(OSError):
            write_cache(self._path, stored)

    def _kept_configs(self, packed: Sequence[bytes]) -> tuple[ConfigTable, int, Sequence[bytes]]:
        """Return the table of configurations of rows, its size when it was new, and the rows."""
        used = self._values or len(self._configs.rows)
        if not self._configs.is_worn(used):
            return self._configs, used, packed
        kept = ConfigTable()
        rows = [*map(_Row.unpacked, packed)]
        for row in rows:
            if row.head is not None:
                row.head[0] = kept.add(self._configs.get(row.head[0]))
        return kept, len(kept.rows), [row.packed() for row in rows]

    def _form(self, number: int) -> _Form:
        if number not in self._forms:
            record = decode_record(self._encoded[number])
            self._forms[number] = _Form(record, self._table)
        return self._forms[number]

    def _logs(self, job: Job, form: _Form, row: _Row) -> Sequence[RunLog]:
        logs = form.logs(job.source, row, self._headers)
        self._used.add(job.source.path)
        for number, log in enumerate(logs):
            # The logs outlive this: their ids stay theirs.
            self.homes[id(log)] = job, number
        return logs


def _at(path: str, problem: Problem) -> Problem:
    """Return a problem with its path, if that is its own log."""
    return replace(problem, path=path) if problem.path == _OWN else problem


def _no_values(stored: Any) -> Any:
    """Stand for what fetches values, which ``array`` reads with whole logs."""
    raise NotImplementedError(f"values of {stored.split}")
