"""From logs to an archive without ever holding the cube: read, select, write block by block.

The steps are those of ``load_runs``; parsed logs go to a ``StagingStore`` instead of the memory, or
come from the records of an ``ExistingArchive`` where a log has not changed since.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from runcube.archive.kept import failed_logs, keep_runs, kept_logs
from runcube.archive.sources import ArchiveSources
from runcube.archive.staging import StagingStore
from runcube.archive.writer import Writer
from runcube.core import ExecutorError, RuncubeError, clean_text, gc_paused
from runcube.curves import select_runs
from runcube.files import absolute_root, display_root, replace_atomically
from runcube.pipeline import (
    LoadSummary,
    check_names,
    discover,
    inner_labels,
    load_attrs,
    parse_logs,
    policy_facts,
    progress_callback,
    raise_first,
)

if TYPE_CHECKING:
    from pathlib import Path

    from runcube.archive.existing import ExistingArchive
    from runcube.netcdf import Storage
    from runcube.pipeline import Parallel, Policy, Progress


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
    """

    root: str
    target: Path
    policy: Policy
    storage: Storage
    progress: bool | Progress = False
    source: str | None = None
    parallel: Parallel = "auto"


def archive_logs(archive_job: ArchiveJob, existing: ExistingArchive | None = None) -> LoadSummary:
    """Read the logs that must be read, write the archive, and return what the caller reports.

    Parameters
    ----------
    archive_job : ArchiveJob
    existing : ExistingArchive, optional
        The archive that is updated; logs that have not changed are not read.

    Returns
    -------
    LoadSummary
        What the caller reports.
    """
    staging = StagingStore(archive_job.target)
    try:
        with gc_paused():
            summary = _through(staging, archive_job, existing)
    except BaseException as error:
        # Who was interrupted, or lost a cluster, wants to go on; what cannot work, or fills the
        # disk, leaves nothing behind. An update that is interrupted has little to lose.
        is_lost = isinstance(error, RuncubeError | OSError) and not isinstance(error, ExecutorError)
        staging.close(remove=existing is not None or is_lost)
        raise
    staging.close(remove=True)
    return summary


def _through(
    staging: StagingStore, archive_job: ArchiveJob, existing: ExistingArchive | None
) -> LoadSummary:
    policy = archive_job.policy
    known = None if existing is None else existing.headers
    discovery = discover(
        archive_job.root, **policy.finding, known=known, again=existing is not None
    )
    logs = absolute_root(archive_job.root)
    source = (
        clean_text(display_root(discovery.root))
        if archive_job.source is None
        else archive_job.source
    )
    if existing is not None and existing.is_current(discovery, logs, source):
        return LoadSummary(**existing.facts["told"])
    problems = [[p.path, p.kind, p.message] for p in discovery.skipped]
    if existing is None:
        kept: dict[str, str] = {}
    else:
        kept = kept_logs(discovery, existing)
        keep_runs(discovery, existing, kept, policy.path_keys)
    sources = ArchiveSources(staging, existing, kept)
    while True:
        parsed = parse_logs(
            discovery, policy, archive_job.progress, archive_job.parallel, store=sources
        )
        failed = {} if existing is None else failed_logs(parsed.failures, existing)
        if existing is not None and failed:
            # Named as what could not be read, while their runs stay.
            discovery.skipped += [p for p in parsed.failures if p.path in failed]
            keep_runs(discovery, existing, failed, policy.path_keys)
            sources.keep(failed)
            continue
        check_names(parsed.logs, policy)
        selection = select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
        if not sources.forget_lost(selection):
            break
    labels = inner_labels(selection, policy)
    skipped = [*parsed.sweep.skipped, *parsed.failures, *selection.superseded]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, selection)
    attrs = load_attrs(discovery, parsed.sweep, skipped, policy) | {"source": source}
    summary = LoadSummary.of(attrs["source"], parsed.sweep, selection, skipped)
    writer = Writer(parsed.sweep, selection, labels, sources.homes, existing)
    writer.frame.attrs = attrs | writer.frame.attrs
    facts = {
        "policy": policy_facts(policy),
        "logs": logs,
        "storage": asdict(archive_job.storage),
        "version": version("runcube"),
        "skipped": problems,
        "deleted": sources.kept,
        "others": sources.others(discovery.jobs, {p.path for p in parsed.failures}),
        "told": summary.kept(),  # the name in archives
    }
    with (
        replace_atomically(archive_job.target) as beside,
        progress_callback(archive_job.progress, "writing the archive") as step,
    ):
        writer.write(beside, archive_job.storage, facts, discovery.jobs, step)
    return replace(summary, read_here=parsed.read_here)
