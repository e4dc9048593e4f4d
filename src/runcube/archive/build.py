"""From logs to an archive without ever holding the cube: read, select, write block by block.

The steps are those of ``load_runs``; parsed logs go to a ``StagingStore`` instead of the memory, or
come from the records of an ``ExistingArchive`` where a log has not changed since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from runcube.archive.kept import failed_logs, keep_runs, kept_logs
from runcube.archive.sources import ArchiveSources
from runcube.archive.staging import StagingStore
from runcube.archive.writer import Writer
from runcube.core import ExecutorError, RuncubeError, clean_text, gc_paused
from runcube.files import DAMAGED, absolute_root, display_root, failed_reads, replace_atomically
from runcube.pipeline import (
    LoadSummary,
    discover,
    finish_load,
    parse_logs,
    policy_facts,
    progress_callback,
    selected_runs,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runcube.archive.existing import ExistingArchive
    from runcube.core import Source
    from runcube.curves import Selection
    from runcube.files import Listing
    from runcube.netcdf import Storage
    from runcube.pipeline import Discovery, Parallel, Parsed, Policy, Progress


@dataclass(frozen=True)
class ArchiveJob:
    """One archive to write: of which logs, to which file, read and stored how.

    The caller holds the lock of ``target``.

    Parameters
    ----------
    root : str
        Directory of the logs, or one log, or the URL of either.
    target : Path
        The archive to write.
    policy : Policy
        How the logs are read.
    storage : Storage
        How the values are stored.
    progress : bool or callable
        Whether to show bars, or what is called with bytes done, bytes in all, and files.
    source : str or None
        What the attr ``source`` is to be; None: ``root`` without its password.
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where the logs are read.
    mirrored : Listing or None
        The files under ``root``, if the archive is to hold what ``load_runs`` would load of them
        now and nothing else, for a cache: runs whose logs are gone are not kept, and no log is
        hashed.
    """

    root: str
    target: Path
    policy: Policy
    storage: Storage
    progress: bool | Progress = False
    source: str | None = None
    parallel: Parallel = "auto"
    mirrored: Listing | None = None


@dataclass(frozen=True)
class Archived:
    """What became of an ``ArchiveJob``.

    Parameters
    ----------
    summary : LoadSummary
        What the caller reports.
    may_differ : bool
        Whether something failed that may succeed another time, though no file changes.
    """

    summary: LoadSummary
    may_differ: bool = False


def archive_logs(archive_job: ArchiveJob, existing: ExistingArchive | None = None) -> Archived:
    """Read the logs that must be read, write the archive, and return what the caller reports.

    Parameters
    ----------
    archive_job : ArchiveJob
    existing : ExistingArchive, optional
        The archive that is updated; logs that have not changed are not read.
    """
    mirrored = archive_job.mirrored
    digest = None if mirrored is None else _entries_of(mirrored)
    if existing is not None and digest is not None:
        existing.forget_others(digest)
    staging = StagingStore(archive_job.target, digest)
    try:
        with gc_paused():
            archived = _through(staging, archive_job, existing)
    except BaseException as error:
        # Who was interrupted, or lost a cluster, wants to go on; what cannot work, or fills the
        # disk, leaves nothing behind. An update that is interrupted has little to lose.
        is_lost = isinstance(error, RuncubeError | OSError) and not isinstance(error, ExecutorError)
        staging.close(remove=existing is not None or is_lost)
        raise
    staging.close(remove=True)
    return archived


def _through(
    staging: StagingStore, archive_job: ArchiveJob, existing: ExistingArchive | None
) -> Archived:
    mirrored = archive_job.mirrored
    discovery = discover(
        archive_job.root,
        **archive_job.policy.finding,
        listing=mirrored,
        known=None if existing is None else existing.headers,
        again=existing is not None and mirrored is None,
    )
    source = archive_job.source
    if source is None:
        source = clean_text(display_root(discovery.root))
    if existing is not None and mirrored is None:
        logs = absolute_root(archive_job.root)
        if existing.is_current(discovery, logs, source):
            return Archived(LoadSummary(**existing.facts["told"]))
    sources = ArchiveSources(staging, existing)
    keeping = existing if mirrored is None else None
    parsed, selection = _parsed(discovery, archive_job, sources, keeping)
    finished = finish_load(parsed, archive_job.policy, selection)
    finished.attrs["source"] = source
    summary = replace(finished.summary, source=source)
    failed = {problem.path for problem in parsed.failures}
    facts = _facts(archive_job, discovery, summary) | {
        "deleted": sources.kept,
        "others": sources.others(parsed.discovery.jobs, failed),
    }
    writer = Writer(parsed.sweep, selection, finished.labels, sources.homes, existing)
    writer.frame.attrs = finished.attrs | writer.frame.attrs
    with (
        replace_atomically(archive_job.target) as beside,
        progress_callback(archive_job.progress, "writing the archive") as step,
    ):
        writer.write(beside, archive_job.storage, facts, parsed.discovery.jobs, step)
    return Archived(summary, failed_reads() > 0 or _may_succeed(parsed))


def _facts(archive_job: ArchiveJob, discovery: Discovery, summary: LoadSummary) -> dict[str, Any]:
    """Return what an archive is to know of itself: the job, and what was found at the beginning."""
    return {
        "policy": policy_facts(archive_job.policy),
        "logs": absolute_root(archive_job.root),
        "storage": archive_job.storage.facts(),
        "version": version("runcube"),
        "skipped": [[p.path, p.kind, p.message] for p in discovery.skipped],
        "told": summary.kept(),  # the name in archives
    }


def _parsed(
    discovery: Discovery,
    archive_job: ArchiveJob,
    sources: ArchiveSources,
    existing: ExistingArchive | None,
) -> tuple[Parsed, Selection]:
    """Return what was parsed, or ``existing`` has of logs that are gone, and the selection."""
    policy = archive_job.policy
    if existing is not None:
        gone = kept_logs(discovery, existing)
        discovery = keep_runs(discovery, existing, gone, policy.path_keys)
        sources.keep(gone)
    while True:
        parsed = parse_logs(
            discovery, policy, archive_job.progress, archive_job.parallel, store=sources
        )
        discovery = parsed.discovery
        failed = {} if existing is None else failed_logs(parsed.failures, existing)
        if existing is not None and failed:
            # Named as what could not be read, while their runs stay.
            named = [p for p in parsed.failures if p.path in failed]
            discovery = replace(discovery, skipped=[*discovery.skipped, *named])
            discovery = keep_runs(discovery, existing, failed, policy.path_keys)
            sources.keep(failed)
            continue
        selection = selected_runs(parsed, policy)
        if not sources.forget_lost(selection):
            return parsed, selection


def _entries_of(listing: Listing) -> Callable[[Source], str]:
    """Return what tells the states of a source apart that have one size and time.

    They are the entries of its files: another file may have been put in the place of one.
    """
    at = dict(zip((file.path for file in listing.files), listing.entries, strict=False))
    return lambda source: " ".join(
        f"{number:x}" for file in source.files for number in at.get(file.path, ())
    )


def _may_succeed(parsed: Parsed) -> bool:
    """Return whether anything failed that may succeed another time, though no file changes.

    A file without permission is none: permissions are in the listing.
    """
    if parsed.failures or any(p.kind == "reader_error" for p in parsed.discovery.skipped):
        return True
    problems = (problem for log in parsed.logs for problem in log.problems)
    return any(p.kind == "unreadable" and not p.message.startswith(DAMAGED) for p in problems)
