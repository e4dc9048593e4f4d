"""Where the logs of an archive come from: an existing archive, or what was just read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.archive.existing import files_of
from runcube.core import Problem
from runcube.files import hash_ends, hash_more
from runcube.netcdf import unpack_text
from runcube.pipeline import has_repeats, of_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from runcube.archive.existing import ExistingArchive
    from runcube.archive.staging import StagingStore
    from runcube.core import Request, RunLog, Source
    from runcube.curves import Attempt, KeptRun, Selection
    from runcube.pipeline import ArrayTable, Job, Record


def lost_values(path: str) -> Problem:
    """Return the problem of values that an archive never held, as they had been superseded."""
    message = "values that its archive had left out are needed, and the log is not available"
    return Problem("lost_values", message, path)


class ArchiveSources:
    """Where the logs of an archive come from: the existing archive, if any, and a staging store.

    It is the ``LogStore`` of the load and the ``RunSource`` of the ``Writer``.

    Parameters
    ----------
    staging : StagingStore
        Where logs go that are read.
    existing : ExistingArchive, optional
        The archive that is updated.
    digest : callable, optional
        What tells states of a source apart, beside size and time; by default the hash of its bytes,
        which is made where it is read.

    Attributes
    ----------
    existing : ExistingArchive or None
    hashes : bool
    """

    def __init__(
        self,
        staging: StagingStore,
        existing: ExistingArchive | None = None,
        *,
        digest: Callable[[Source], str] | None = None,
    ) -> None:
        self._staging = staging
        self.existing = existing
        self.hashes = digest is None
        self._digest = digest
        # Paths of logs that are gone ("") or cannot be read, with the reason.
        self._kept: dict[str, str] = {}
        self._from_existing: set[str] = set()
        self._numbers: dict[int, int] = {}

    @property
    def kept(self) -> list[str]:
        """Paths of the logs of which the archive keeps what it has."""
        return [*self._kept]

    def keep(self, paths: Mapping[str, str]) -> None:
        """Keep what the archive has of more logs, with what is wrong with them."""
        self._kept.update(paths)

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return a log from the existing archive or the staging store; None if it must be read."""
        path = job.source.path
        self._from_existing.discard(path)
        if self.existing is not None and path in self._kept:
            self._from_existing.add(path)
            return self._remembered(job, self.existing)
        logs = None if self.existing is None else self.existing.get(job, request)
        if logs is not None:
            self._from_existing.add(path)
        else:
            logs = self._staging.get(job, request) or self._continued(job, request)
        return None if logs is None else self._numbered(logs)

    def _continued(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Read what was appended to a log since the archive was made; None if more must be read."""
        read_more = getattr(job.reader, "read_more", None)
        if self.existing is None or read_more is None:
            return None
        before = self.existing.grown(job, request)
        try:
            log = None if before is None else read_more(job.source, request, before)
        except OSError:
            return None  # reading it whole fails as well, and names it
        if log is None:
            return None
        log.header = of_logger(log.header, job.reader)
        rounded = not self.existing.is_exact
        if rounded and any(has_repeats(x) for curves in log.curves for x in curves.x.values()):
            return None  # whether values differ decides, and some are rounded
        path = job.source.path
        record = self.existing.records[path]
        earlier = unpack_text(self.existing.text(path, 0))
        log.messages[:0] = [earlier] if earlier else []
        whole = hash_more(job.source, record["digest"], sum(file[1] for file in record["files"]))
        ends = "" if log.resume is None else hash_ends(job.source, log.resume.offset)
        log.hashes = whole, ends
        return self._staging.put(job, request, [log], self._digest)

    def _remembered(self, job: Job, existing: ExistingArchive) -> Sequence[RunLog]:
        """Return what the archive keeps of a log that is not read, with a problem for it."""
        _, held = existing.kept(job)
        for number, log in held.items():
            self._numbers[id(log)] = number
            log.problems = [p for p in log.problems if p.kind != "deleted_log"]
            log.problems.append(_kept_problem(job.source.path, self._kept[job.source.path]))
        return [*held.values()]

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Write what was just read to the staging store, and return it without its values."""
        return self._numbered(self._staging.put(job, request, logs, self._digest))

    def record(self, path: str) -> tuple[Record, ArrayTable] | None:
        """Return the record of a source, with the table of its arrays; None if there is none."""
        if self.existing is not None and path in self._from_existing:
            return self.existing.records[path], self.existing.table
        record = self._staging.record(path)
        return None if record is None else (record, self._staging.table)

    def others(self, jobs: Sequence[Job], failed: Collection[str]) -> dict[str, list[list[Any]]]:
        """Return the files of logs without a record: copies, and logs without their configuration.

        Those that could not be read are not among them: the next update tries again.
        """
        by_path = {job.source.path: files_of(job) for job in jobs}
        return {p: f for p, f in by_path.items() if p not in failed and self.record(p) is None}

    def number(self, log: RunLog) -> int:
        """Return the number of a log in the record of its source."""
        return self._numbers[id(log)]

    def stays(self, attempt: Attempt | None, cell: int) -> bool:
        """Return whether a cell of the existing archive holds this attempt (None: no run)."""
        if self.existing is None:
            return False
        if attempt is None:
            return not self.existing.holds(cell)
        path = attempt.log.header.source.path
        if path not in self._from_existing:
            return False
        item = self.existing.records[path]["logs"][self.number(attempt.log)]
        return bool(item.get("cell") == cell and item["trial"] == attempt.number)

    def all_stay(self, path: str, held: Sequence[tuple[int, KeptRun]]) -> bool:
        """Return whether the runs of a source hold the same cells in the existing archive."""
        if self.existing is None or path not in self._from_existing:
            return False
        items = self.existing.records[path]["logs"]
        here = {
            self.number(kept_run.attempt.log): (cell, kept_run.attempt.number)
            for cell, kept_run in held
        }
        before = {i: (x["cell"], x["trial"]) for i, x in enumerate(items) if "cell" in x}
        return here == before and self.existing.same_cells

    def message_size(self, log: RunLog) -> int:
        """Return the size in bytes of the packed messages of a log that holds a cell."""
        path = log.header.source.path
        store = (
            self.existing
            if self.existing is not None and path in self._from_existing
            else self._staging
        )
        return store.text_size(path, self.number(log))

    def messages(self, log: RunLog) -> bytes:
        """Return the packed messages of a log that holds a cell."""
        path = log.header.source.path
        if self.existing is not None and path in self._from_existing:
            return self.existing.text(path, self.number(log))
        return self._staging.text(path, self.number(log))

    def lost(self, selection: Selection) -> list[str]:
        """Return the logs whose values are needed and were not kept; the next pass reads them."""
        paths = []
        for kept_run in selection.kept_runs:
            path = kept_run.attempt.log.header.source.path
            existing = self.existing if path in self._from_existing else None
            if existing is None or existing.has_values(
                path, self.number(kept_run.attempt.log), kept_run
            ):
                continue
            if path in self._kept:
                kept_run.attempt.problems.append(lost_values(path))
            else:
                existing.forget(path)
                paths.append(path)
        return paths

    def _numbered(self, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        # The logs outlive this: their ids stay theirs.
        self._numbers.update((id(log), number) for number, log in enumerate(logs))
        return logs


def _kept_problem(path: str, why: str) -> Problem:
    """Return the problem of a log whose values the archive keeps: it is gone, or cannot be read."""
    kept = "the archive keeps what it held when it was last read"
    what = f"the log cannot be read ({why})" if why else "the log is gone"
    return Problem("deleted_log", f"{what}; {kept}", path)
