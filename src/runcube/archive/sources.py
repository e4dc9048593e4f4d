"""Where the logs of an archive come from: an existing archive, or what was just read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.archive.existing import files_of
from runcube.archive.homes import Home, lost_runs, name_lost
from runcube.core import Problem
from runcube.files import hash_ends, hash_more
from runcube.netcdf import unpack_text
from runcube.pipeline import has_repeats, of_logger

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runcube.archive.existing import ExistingArchive
    from runcube.archive.staging import StagingStore
    from runcube.core import Request, RunLog
    from runcube.curves import Selection
    from runcube.pipeline import Job


class ArchiveSources:
    """Where the logs of an archive come from: the existing archive, if any, and a staging store.

    As the ``LogStore`` of the load it asks both, one after the other, and remembers which it was.

    Parameters
    ----------
    staging : StagingStore
        Where logs go that are read.
    existing : ExistingArchive, optional
        The archive that is updated.

    Attributes
    ----------
    homes : dict of str to Home
        Where each log is, by the path of its source.
    hashes : bool
        Whether logs are hashed where they are read.
    """

    def __init__(self, staging: StagingStore, existing: ExistingArchive | None = None) -> None:
        self._staging = staging
        self._existing = existing
        self.hashes = staging.hashes
        # Paths of logs that are gone ("") or cannot be read, with the reason.
        self._kept: dict[str, str] = {}
        self.homes: dict[str, Home] = {}

    @property
    def kept(self) -> list[str]:
        """Paths of the logs of which the archive keeps what it has."""
        return [*self._kept]

    def keep(self, paths: Mapping[str, str]) -> None:
        """Keep what the archive has of more logs, with what is wrong with them."""
        self._kept.update(paths)

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return a log from the existing archive or the staging store; None if it must be read."""
        path, existing = job.source.path, self._existing
        self.homes.pop(path, None)
        logs: Sequence[RunLog] | None = None
        if existing is not None:
            is_kept = path in self._kept
            logs = self._remembered(job, existing) if is_kept else existing.get(job, request)
        if existing is not None and logs is not None:
            self.homes[path] = Home(existing, path)
            return logs
        logs = self._staging.get(job, request)
        if logs is not None:
            self.homes[path] = Home(self._staging, path)
            return logs
        return self._continued(job, request)

    def _continued(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Read what was appended to a log since the archive was made; None if more must be read."""
        read_more = getattr(job.reader, "read_more", None)
        if self._existing is None or read_more is None:
            return None
        before = self._existing.grown(job, request)
        try:
            log = None if before is None else read_more(job.source, request, before)
        except OSError:
            return None  # reading it whole fails as well, and names it
        if log is None:
            return None
        log.header = of_logger(log.header, job.reader)
        rounded = not self._existing.is_exact
        if rounded and any(has_repeats(x) for curves in log.curves for x in curves.x.values()):
            return None  # whether values differ decides, and some are rounded
        path = job.source.path
        record = self._existing.records[path]
        earlier = unpack_text(self._existing.text(path, 0))
        log.messages[:0] = [earlier] if earlier else []
        whole = hash_more(job.source, record.digest, record.size)
        ends = "" if log.resume is None else hash_ends(job.source, log.resume.offset)
        log.hashes = whole, ends
        return self.put(job, request, [log])

    def _remembered(self, job: Job, existing: ExistingArchive) -> Sequence[RunLog]:
        """Return what the archive keeps of a log that is not read, with a problem for it."""
        _, logs = existing.kept(job)
        for log in logs:
            log.problems = [p for p in log.problems if p.kind != "deleted_log"]
            log.problems.append(_kept_problem(job.source.path, self._kept[job.source.path]))
        return logs

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Write what was just read to the staging store, and return it without its values."""
        self.homes[job.source.path] = Home(self._staging, job.source.path)
        return self._staging.put(job, request, logs)

    def others(self, jobs: Sequence[Job], failed: Collection[str]) -> dict[str, list[list[Any]]]:
        """Return the files of logs without a record: copies, and logs without their configuration.

        Those that could not be read are not among them: the next update tries again.
        """
        by_path = {job.source.path: files_of(job) for job in jobs}
        return {p: f for p, f in by_path.items() if p not in failed and p not in self.homes}

    def forget_lost(self, selection: Selection) -> list[str]:
        """Forget the logs whose values are needed and were not kept: the next pass reads them.

        Of those that are not read, the values are named as lost.

        Returns
        -------
        list of str
            Paths of the logs that were forgotten.
        """
        forgotten = []
        for kept_run in lost_runs(selection, self.homes):
            path = kept_run.attempt.log.header.source.path
            if path in self._kept:
                name_lost(kept_run)
            elif self._existing is not None:
                self._existing.forget(path)
                forgotten.append(path)
        return forgotten


def _kept_problem(path: str, why: str) -> Problem:
    """Return the problem of a log whose values the archive keeps: it is gone, or cannot be read."""
    kept = "the archive keeps what it held when it was last read"
    what = f"the log cannot be read ({why})" if why else "the log is gone"
    return Problem("deleted_log", f"{what}; {kept}", path)
