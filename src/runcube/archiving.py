"""From logs to an archive without ever holding the cube: read, settle, write block by block.

The road is that of ``load_runs``; parsed logs go to a ``Spool`` instead of the memory, or come from
the ledger of an ``OldArchive`` where a log has not changed since.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from runcube.archivewriter import Writer
from runcube.arrays import clean_text
from runcube.collector import uncollected
from runcube.contest import settle_cells
from runcube.discover import Job, discover
from runcube.files import has_hash, is_there, natural_key
from runcube.model import ExecutorError, LogFile, RuncubeError, Source
from runcube.parallel import watched
from runcube.pathkeys import keys_from_paths
from runcube.pipeline import (
    Told,
    check_names,
    inner_labels,
    load_attrs,
    parse_found,
    plan_found,
    raise_first,
)
from runcube.policyfacts import policy_facts
from runcube.replace import replacing
from runcube.roots import absolute, shown
from runcube.shelves import Shelves
from runcube.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from runcube.discover import Found
    from runcube.model import RunHeader
    from runcube.ncfile import Storage
    from runcube.oldarchive import OldArchive
    from runcube.parallel import Parallel, Progress
    from runcube.pipeline import Policy


@dataclass(frozen=True)
class Order:
    """What is wanted: which logs, where to, read and stored how.

    ``root`` is the directory of the logs, or one log; ``source`` is how the archive spells it, if
    not so. The caller holds the lock of ``target``.
    """

    root: str
    target: Path
    policy: Policy
    storage: Storage
    progress: bool | Progress = False
    source: str | None = None
    parallel: Parallel = "auto"


def archive_logs(order: Order, old: OldArchive | None = None) -> Told:
    """Read what has to be read of the logs, and put the archive in its place.

    Parameters
    ----------
    order : Order
    old : OldArchive, optional
        What is there already; logs that have not changed are not read.

    Returns
    -------
    Told
        What the caller has to tell.
    """
    spool = Spool(order.target)
    try:
        with uncollected():
            told = _through(spool, order, old)
    except BaseException as error:
        # Whoever was interrupted, or lost a cluster, wants to go on; what cannot work, or fills the
        # disk, leaves nothing behind. An update that is interrupted has little to lose.
        is_lost = isinstance(error, RuncubeError | OSError) and not isinstance(error, ExecutorError)
        spool.close(remove=old is not None or is_lost)
        raise
    spool.close(remove=True)
    return told


def _through(spool: Spool, order: Order, old: OldArchive | None) -> Told:
    policy = order.policy
    known = None if old is None else old.headers
    found = discover(order.root, policy.reader, policy.path_keys, known=known)
    logs = absolute(order.root)
    source = clean_text(shown(found.root)) if order.source is None else order.source
    if old is not None and old.is_current(found, logs, source):
        return Told(**old.facts["told"])
    problems = [[p.path, p.kind, p.message] for p in found.skipped]
    deleted = [] if old is None else _keep_deleted(found, old, policy)
    shelves = Shelves(spool, old, deleted)
    while True:
        sweep = plan_found(found, policy)
        parsed = parse_found(found, sweep, policy, order.progress, order.parallel, shelf=shelves)
        check_names(parsed.logs, policy)
        contest = settle_cells(parsed.logs, parsed.runs, parsed.sweep, policy.contest)
        if not shelves.lost(contest):
            break
    labels = inner_labels(contest, policy)
    skipped = [*parsed.sweep.skipped, *parsed.failures, *contest.losers]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, contest)
    attrs = load_attrs(found, parsed.sweep, skipped, policy) | {"source": source}
    told = Told.of(attrs["source"], parsed.sweep, contest, skipped)
    writer = Writer(parsed.sweep, contest, labels, shelves)
    writer.frame.attrs = attrs | writer.frame.attrs
    facts = {
        "policy": policy_facts(policy),
        "logs": logs,
        "storage": asdict(order.storage),
        "version": version("runcube"),
        "skipped": problems,
        "deleted": deleted,
        "others": shelves.others(found.jobs, {p.path for p in parsed.failures}),
        "told": asdict(told),
    }
    with replacing(order.target) as beside, watched(order.progress, "writing the archive") as step:
        writer.write(beside, order.storage, facts, found.jobs, step)
    return told


def _keep_deleted(found: Found, old: OldArchive, policy: Policy) -> list[str]:
    """Add the logs that are gone, as far as the archive has their values."""
    there = {file.path for job in found.jobs for file in job.source.files}
    gone = [
        path
        for path, record in old.records.items()
        if record["files"][0][0] not in there
        and old.holds_any(path)
        and _is_gone(found, record["files"][0][0])
    ]
    if not gone:
        return []
    like = found.jobs[0]
    runs: dict[str, list[tuple[RunHeader, str | None]]] = defaultdict(list)
    for header, digest in zip(found.headers, found.digests, strict=True):
        runs[header.source.path].append((header, digest))
    for path in gone:
        files = tuple(LogFile(*file) for file in old.records[path]["files"])
        job = Job(like.reader, Source(found.root, path, files), like.word)
        found.jobs.append(job)
        runs[path] = [(header, None) for header in old.kept(job)[0]]
        _match_copies(runs, path, str(old.records[path]["digest"]))
    found.jobs.sort(key=lambda job: natural_key(job.source.path))
    pairs = [pair for job in found.jobs for pair in runs[job.source.path]]
    found.headers = [header for header, _ in pairs]
    found.digests = [digest for _, digest in pairs]
    paths = [header.source.path for header in found.headers]
    found.path_keys = keys_from_paths(paths, policy.path_keys)
    return gone


def _is_gone(found: Found, path: str) -> bool:
    """Whether a file is not there; one that no reader claimed may be no log any more."""
    return not is_there(found.root, path)


def _match_copies(
    runs: dict[str, list[tuple[RunHeader, str | None]]], path: str, digest: str
) -> None:
    """Give a log that is gone the same hash as its copies, so that they do not compete with it."""
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
