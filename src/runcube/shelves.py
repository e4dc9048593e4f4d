"""Where the logs of an archive come from: an archive that stands, or a spool of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube import ledger
from runcube.files import hash_ends, hash_more
from runcube.model import Problem
from runcube.ncencode import unpack_text
from runcube.oldarchive import files_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runcube.contest import Contest, Entry
    from runcube.discover import Job
    from runcube.ledger import ArrayTable, Record
    from runcube.model import Request, RunLog
    from runcube.oldarchive import OldArchive
    from runcube.spool import Spool
    from runcube.tracks import Trial


def lost_values(path: str) -> Problem:
    """Say that values are missing which the archive never held, as they had given way."""
    message = "values that its archive had left out are needed, and the log is not at hand"
    return Problem("lost_values", message, path)


class Shelves:
    """An old archive, if there is one, and a spool: where the logs of an archive come from.

    Parameters
    ----------
    spool : Spool
    old : OldArchive, optional
    deleted : collection of str
        Logs that are gone: the archive's memory of them stands.
    """

    hashes = True

    def __init__(
        self, spool: Spool, old: OldArchive | None = None, deleted: Collection[str] = ()
    ) -> None:
        self._spool = spool
        self.old = old
        self._deleted = frozenset(deleted)
        self._from_old: set[str] = set()
        self._numbers: dict[int, int] = {}

    def find(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Look in the archive, then in the spool."""
        path = job.source.path
        self._from_old.discard(path)
        if self.old is not None and path in self._deleted:
            self._from_old.add(path)
            return self._remembered(job, self.old)
        logs = None if self.old is None else self.old.find(job, request)
        if logs is not None:
            self._from_old.add(path)
        else:
            logs = self._spool.find(job, request) or self._continued(job, request)
        return None if logs is None else self._numbered(logs)

    def _continued(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Read what was appended to a log since the archive was made, if that is enough."""
        read_more = getattr(job.reader, "read_more", None)
        if self.old is None or read_more is None:
            return None
        before = self.old.grown(job, request)
        try:
            log = None if before is None else read_more(job.source, request, before)
        except OSError:
            return None  # reading it whole fails as well, and names it
        if log is None:
            return None
        rounded = not self.old.is_exact
        if rounded and any(ledger.repeats(x) for curves in log.curves for x in curves.x.values()):
            return None  # whether values differ decides, and some are rounded
        path = job.source.path
        record = self.old.records[path]
        said = unpack_text(self.old.text(path, 0))
        log.messages[:0] = [said] if said else []
        whole = hash_more(job.source, record["digest"], sum(file[1] for file in record["files"]))
        ends = "" if log.resume is None else hash_ends(job.source, log.resume.offset)
        log.hashes = whole, ends
        return self._spool.put(job, request, [log])

    def _remembered(self, job: Job, old: OldArchive) -> Sequence[RunLog]:
        """Give what the archive keeps of a log that is gone, and say so."""
        _, held = old.kept(job)
        for number, log in held.items():
            self._numbers[id(log)] = number
            if not any(p.kind == "deleted_log" for p in log.problems):
                log.problems.append(_deleted(job.source.path))
        return [*held.values()]

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Spool what was just read."""
        return self._numbered(self._spool.put(job, request, logs))

    def record(self, path: str) -> tuple[Record, ArrayTable] | None:
        """Record of a source, with the table of its arrays."""
        if self.old is not None and path in self._from_old:
            return self.old.records[path], self.old.table
        record = self._spool.record(path)
        return None if record is None else (record, self._spool.table)

    def others(self, jobs: Sequence[Job], failed: Collection[str]) -> dict[str, list[list[Any]]]:
        """Give the files of logs without a record: copies, and what lacks its configuration.

        Those that could not be read are not among them: the next update tries again.
        """
        by_path = {job.source.path: files_of(job) for job in jobs}
        return {p: f for p, f in by_path.items() if p not in failed and self.record(p) is None}

    def number(self, log: RunLog) -> int:
        """Place of a log in the record of its source."""
        return self._numbers[id(log)]

    def stays(self, trial: Trial | None, cell: int) -> bool:
        """Whether a cell of the old archive holds this attempt of a run; None is no run."""
        if self.old is None:
            return False
        if trial is None:
            return not self.old.holds(cell)
        path = trial.log.header.source.path
        if path not in self._from_old:
            return False
        item = self.old.records[path]["logs"][self.number(trial.log)]
        return bool(item.get("cell") == cell and item["trial"] == trial.attempt)

    def all_stay(self, path: str, held: Sequence[tuple[int, Entry]]) -> bool:
        """Whether the runs of a source hold the cells that they held in the old archive."""
        if self.old is None or path not in self._from_old:
            return False
        items = self.old.records[path]["logs"]
        here = {self.number(entry.trial.log): (cell, entry.trial.attempt) for cell, entry in held}
        before = {i: (x["cell"], x["trial"]) for i, x in enumerate(items) if "cell" in x}
        return here == before and self.old.same_cells

    def message_size(self, log: RunLog) -> int:
        """Bytes of the packed messages of a log that is in a cell."""
        path = log.header.source.path
        place = self.old if self.old is not None and path in self._from_old else self._spool
        return place.text_size(path, self.number(log))

    def messages(self, log: RunLog) -> bytes:
        """Packed messages of a log that is in a cell."""
        path = log.header.source.path
        if self.old is not None and path in self._from_old:
            return self.old.text(path, self.number(log))
        return self._spool.text(path, self.number(log))

    def lost(self, contest: Contest) -> list[str]:
        """Logs whose values are needed and were not kept; they are read at the next look."""
        paths = []
        for entry in contest.entries:
            path = entry.trial.log.header.source.path
            old = self.old if path in self._from_old else None
            if old is None or old.has_values(path, self.number(entry.trial.log), entry):
                continue
            if path in self._deleted:
                entry.trial.problems.append(lost_values(path))
            else:
                old.forget(path)
                paths.append(path)
        return paths

    def _numbered(self, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        # The logs outlive this: their ids stay theirs.
        self._numbers.update((id(log), number) for number, log in enumerate(logs))
        return logs


def _deleted(path: str) -> Problem:
    """Say that a log is gone whose values the archive keeps."""
    message = "the log is gone; the archive keeps what it held at the last look"
    return Problem("deleted_log", message, path)
