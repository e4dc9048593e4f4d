"""From logs to an archive without ever holding the cube: read, select, write block by block.

The steps are those of ``load_runs``; parsed logs go to a ``StagingStore`` instead of the memory, or
come from the records of an ``ExistingArchive`` where a log has not changed since.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from runcube.archive.sources import ArchiveSources
from runcube.archive.staging import StagingStore
from runcube.archive.writer import Writer
from runcube.core import (
    ExecutorError,
    LogFile,
    RuncubeError,
    Source,
    clean_text,
    gc_paused,
    natural_key,
)
from runcube.curves import select_runs
from runcube.files import absolute_root, display_root, file_exists, has_hash, replace_atomically
from runcube.pipeline import (
    Job,
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
from runcube.plan import keys_from_paths

if TYPE_CHECKING:
    from pathlib import Path

    from runcube.archive.existing import ExistingArchive
    from runcube.core import RunHeader
    from runcube.netcdf import Storage
    from runcube.pipeline import Discovery, Parallel, Policy, Progress


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
    parallel : {"auto", "processes", "dask"}, False or Executor
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
    deleted = [] if existing is None else _keep_deleted(discovery, existing, policy)
    sources = ArchiveSources(staging, existing, deleted)
    while True:
        parsed = parse_logs(
            discovery, policy, archive_job.progress, archive_job.parallel, store=sources
        )
        check_names(parsed.logs, policy)
        selection = select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
        if not sources.lost(selection):
            break
    labels = inner_labels(selection, policy)
    skipped = [*parsed.sweep.skipped, *parsed.failures, *selection.superseded]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, selection)
    attrs = load_attrs(discovery, parsed.sweep, skipped, policy) | {"source": source}
    summary = LoadSummary.of(attrs["source"], parsed.sweep, selection, skipped)
    writer = Writer(parsed.sweep, selection, labels, sources)
    writer.frame.attrs = attrs | writer.frame.attrs
    facts = {
        "policy": policy_facts(policy),
        "logs": logs,
        "storage": asdict(archive_job.storage),
        "version": version("runcube"),
        "skipped": problems,
        "deleted": deleted,
        "others": sources.others(discovery.jobs, {p.path for p in parsed.failures}),
        "told": asdict(summary),  # the name in archives
    }
    with (
        replace_atomically(archive_job.target) as beside,
        progress_callback(archive_job.progress, "writing the archive") as step,
    ):
        writer.write(beside, archive_job.storage, facts, discovery.jobs, step)
    return summary


def _keep_deleted(discovery: Discovery, existing: ExistingArchive, policy: Policy) -> list[str]:
    """Add the logs that are gone and whose values the archive has; return their paths."""
    there = {file.path for job in discovery.jobs for file in job.source.files}
    gone = [
        path
        for path, record in existing.records.items()
        if record["files"][0][0] not in there
        and existing.holds_any(path)
        and _is_gone(discovery, record["files"][0][0])
    ]
    if not gone:
        return []
    like = discovery.jobs[0]
    runs: dict[str, list[tuple[RunHeader, str | None]]] = defaultdict(list)
    for header, digest in zip(discovery.headers, discovery.digests, strict=True):
        runs[header.source.path].append((header, digest))
    for path in gone:
        files = tuple(LogFile(*file) for file in existing.records[path]["files"])
        job = Job(like.reader, Source(discovery.root, path, files), like.fingerprint)
        discovery.jobs.append(job)
        runs[path] = [(header, None) for header in existing.kept(job)[0]]
        _match_copies(runs, path, str(existing.records[path]["digest"]))
    discovery.jobs.sort(key=lambda job: natural_key(job.source.path))
    pairs = [pair for job in discovery.jobs for pair in runs[job.source.path]]
    discovery.headers = [header for header, _ in pairs]
    discovery.digests = [digest for _, digest in pairs]
    paths = [header.source.path for header in discovery.headers]
    discovery.path_keys = keys_from_paths(paths, policy.path_keys)
    return gone


def _is_gone(discovery: Discovery, path: str) -> bool:
    """Return whether a file does not exist; one that no reader claimed may be no log any more."""
    return not file_exists(discovery.root, path)


def _match_copies(
    runs: dict[str, list[tuple[RunHeader, str | None]]], path: str, digest: str
) -> None:
    """Set the hash of a log that is gone to that of its copies, so that they do not compete."""
    mine = [header for header, _ in runs[path]]
    if len(mine) != 1 or mine[0].key:
        return
    for other, pairs in runs.items():
        header, known = pairs[0]
        alike = len(pairs) == 1 and header.source.size == mine[0].source.size
        if other == path or not alike or header.config != mine[0].config:
            continue
        if has_hash(header.source, digest):
            runs[other] = [(header, known or digest)]
            runs[path] = [(mine[0], known or digest)]
