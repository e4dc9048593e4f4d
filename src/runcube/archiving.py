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
from runcube.contest import settle_cells
from runcube.discover import Job, discover
from runcube.files import natural_key
from runcube.model import LogFile, RuncubeError, Source
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
    uncollected,
)
from runcube.policyfacts import policy_facts
from runcube.replace import replacing
from runcube.shelves import Shelves
from runcube.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from runcube.discover import Found
    from runcube.model import RunHeader
    from runcube.ncfile import Storage
    from runcube.parallel import Progress
    from runcube.pipeline import Policy
    from runcube.shelves import OldArchive


@dataclass(frozen=True)
class Order:
    """What is wanted: which logs, where to, read and stored how.

    ``root`` is the directory of the logs; the caller holds the lock of ``target``.
    """

    root: Path
    target: Path
    policy: Policy
    storage: Storage
    progress: bool | Progress = False


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
        # Whoever was interrupted wants to go on; what cannot work, or fills the disk, leaves
        # nothing behind. An update that is interrupted has little to lose.
        spool.close(remove=old is not None or isinstance(error, RuncubeError | OSError))
        raise
    spool.close(remove=True)
    return told


def _through(spool: Spool, order: Order, old: OldArchive | None) -> Told:
    policy = order.policy
    found = discover(order.root, policy.reader, policy.path_keys)
    if old is not None and old.is_current(found):
        return Told(**old.facts["told"])
    problems = [[p.path, p.kind, p.message] for p in found.skipped]
    deleted = [] if old is None else _keep_deleted(found, old, policy)
    shelves = Shelves(spool, old, deleted)
    while True:
        sweep = plan_found(found, policy)
        parsed = parse_found(found, sweep, policy, order.progress, shelves)
        check_names(parsed.logs, policy)
        contest = settle_cells(parsed.logs, parsed.runs, parsed.sweep, policy.contest)
        if not shelves.lost(contest):
            break
    labels = inner_labels(contest, policy)
    skipped = [*parsed.sweep.skipped, *parsed.failures, *contest.losers]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, contest)
    attrs = load_attrs(found, parsed.sweep, skipped, policy)
    told = Told.of(attrs["source"], parsed.sweep, contest, skipped)
    writer = Writer(parsed.sweep, contest, labels, shelves)
    writer.frame.attrs = attrs | writer.frame.attrs
    facts = {
        "policy": policy_facts(policy),
        "root": str(found.root),
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
    here = {job.source.path for job in found.jobs}
    readers = {job.reader.name: job.reader for job in found.jobs}
    gone = []
    for path, record in old.records.items():
        if path not in here and any("cell" in item for item in record["logs"]):
            files = tuple(LogFile(*file) for file in record["files"])
            job = Job(next(iter(readers.values())), Source(str(found.root), path, files))
            # The first of several attempts is the one that a look at the head finds.
            headers = {log.header.key: log.header for log in reversed(old.logs(job))}
            gone.append((job, dict(reversed(headers.items()))))
    if gone:
        jobs = [(job, None) for job in found.jobs] + gone
        by_path: dict[str, list[RunHeader]] = defaultdict(list)
        digests: dict[tuple[str, str], str | None] = {}
        for header, digest in zip(found.headers, found.digests, strict=True):
            by_path[header.source.path].append(header)
            digests[header.source.path, header.key] = digest
        for job, headers in gone:
            by_path[job.source.path] = list(headers.values())
        jobs.sort(key=lambda pair: natural_key(pair[0].source.path))
        found.jobs = [job for job, _ in jobs]
        found.headers = [h for job in found.jobs for h in by_path[job.source.path]]
        paths = [header.source.path for header in found.headers]
        found.path_keys = keys_from_paths(paths, policy.path_keys)
        found.digests = [digests.get((h.source.path, h.key)) for h in found.headers]
    return [job.source.path for job, _ in gone]
