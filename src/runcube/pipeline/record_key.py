"""What a record is valid for: a log that is unchanged need not be read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET

from runcube.core import LogFile, Roles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import Request, RunLog, Source
    from runcube.pipeline.records import Record


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
        scope = record.scope
        if scope is None and record.columns is not UNSET and record.columns is not None:
            scope = (record.columns,)
        return cls(
            record.reader,
            tuple(LogFile(*file) for file in record.files),
            record.splits,
            record.metrics,
            Roles.from_lists([record.drop] if record.roles is None else record.roles),
            None if scope is None else Roles.from_lists(scope),
        )


def _asked(request: Request) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    splits, metrics = request.splits, request.metrics
    return (
        None if splits is None else tuple(sorted(splits)),
        None if metrics is None else tuple(sorted(metrics)),
    )
