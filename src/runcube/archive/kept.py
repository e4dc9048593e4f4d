"""Runs whose logs are gone or cannot be read: what an archive has of them stays in its update."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from runcube.core import LogFile, Source, natural_key
from runcube.files import file_exists, has_hash
from runcube.pipeline import Job
from runcube.plan import keys_from_paths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from runcube.archive.existing import ExistingArchive
    from runcube.core import Problem, RunHeader
    from runcube.pipeline import Discovery

# Problems of a file that hide what it holds.
_UNREAD = frozenset({"unreadable", "lfs_pointer", "reader_error"})


def kept_logs(discovery: Discovery, existing: ExistingArchive) -> dict[str, str]:
    """Return the logs that no reader claimed and whose runs stay, each with what is wrong with it.

    A file that is there, and that no reader claimed though it can be read, may be no log any more,
    unless there is a reader that cannot be loaded.
    """
    claimed = {file.path for job in discovery.jobs for file in job.source.files}
    unread = {p.path: p.message for p in discovery.skipped if p.kind in _UNREAD}
    unloaded = next((p.message for p in discovery.skipped if p.kind == "unloaded_reader"), "")
    kept = {}
    for path, record in existing.records.items():
        first = record.files[0][0]
        if first in claimed or not existing.holds_any(path):
            continue
        if first in unread:
            kept[path] = unread[first]
        elif not file_exists(discovery.root, first):
            kept[path] = ""
        elif unloaded:
            kept[path] = unloaded
    return kept


def failed_logs(failures: Iterable[Problem], existing: ExistingArchive) -> dict[str, str]:
    """Return the logs that could not be read whole, and whose runs stay, with what is wrong."""
    return {
        p.path: p.message
        for p in failures
        if p.kind in _UNREAD and p.path in existing.records and existing.holds_any(p.path)
    }


def keep_runs(
    discovery: Discovery,
    existing: ExistingArchive,
    paths: Collection[str],
    template: str | None,
) -> Discovery:
    """Return what was found, with what the archive has of some logs in the place of theirs."""
    if not paths:
        return discovery
    like = discovery.jobs[0]
    jobs = [job for job in discovery.jobs if job.source.path not in paths]
    runs: dict[str, list[tuple[RunHeader, str | None]]] = defaultdict(list)
    for header, digest in zip(discovery.headers, discovery.digests, strict=True):
        if header.source.path not in paths:
            runs[header.source.path].append((header, digest))
    for path in paths:
        files = tuple(LogFile(*file) for file in existing.records[path].files)
        job = Job(like.reader, Source(discovery.root, path, files), like.fingerprint)
        jobs.append(job)
        runs[path] = [(header, None) for header in existing.kept(job)[0]]
        _match_copies(runs, path, existing.records[path].digest)
    jobs.sort(key=lambda job: natural_key(job.source.path))
    pairs = [pair for job in jobs for pair in runs[job.source.path]]
    headers = [header for header, _ in pairs]
    return replace(
        discovery,
        jobs=jobs,
        headers=headers,
        digests=[digest for _, digest in pairs],
        path_keys=keys_from_paths([header.source.path for header in headers], template),
    )


def _match_copies(
    runs: dict[str, list[tuple[RunHeader, str | None]]], path: str, digest: str
) -> None:
    """Set the hash of a log that is kept to that of its copies, so that they do not compete."""
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
