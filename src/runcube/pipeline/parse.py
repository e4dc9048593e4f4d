"""From headers to parsed logs: plan, parse what is not known yet, plan again if necessary."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from runcube.core import NoRunsError, Problem, Request, Roles, Status, UnknownNameError
from runcube.curves import select_runs
from runcube.files import display_root, named_roots, prefetching
from runcube.pipeline.progress import progress_callback
from runcube.pipeline.tasks import read_tasks
from runcube.plan import (
    drop_copies,
    find_names,
    flatten_headers,
    keys_of_roots,
    mixes_roots,
    name_reconfigured,
    plan,
    plan_configs,
    reconfigured,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runcube.core import RunHeader, RunLog
    from runcube.pipeline.discover import Discovery
    from runcube.pipeline.jobs import Job
    from runcube.pipeline.policy import Policy
    from runcube.pipeline.progress import Progress
    from runcube.pipeline.tasks import Parallel
    from runcube.plan import FlatConfigs, Sweep

_NOTHING = Roles()


@dataclass(frozen=True)
class Parsed:
    """Parsed logs, and the plan they belong to.

    Attributes
    ----------
    discovery : Discovery
        What was found, with the headers of the runs that only reading the logs showed.
    sweep : Sweep
        The plan, made again if the logs held more runs than their headers.
    logs : list of RunLog, (logs,)
        Logs that hold a run of the plan: one for each run and attempt.
    runs : list of int, (logs,)
        Index of the run of each log in ``sweep``.
    failures : list of Problem
        Sources that could not be read.
    request : Request
        With which any of the logs is read again.
    read_here : sequence of str
        Sentences on what was read in this process though it was to be read elsewhere.
    """

    discovery: Discovery
    sweep: Sweep
    logs: list[RunLog]
    runs: list[int]
    failures: list[Problem]
    request: Request
    read_here: Sequence[str]


def plan_sweep(discovery: Discovery, policy: Policy) -> Sweep:
    """Return the plan of a sweep, made from its headers without copies.

    Where these leave runs alike, the names of the logs are read, if they are plain (rule 9); and
    the names of their roots, where these tell them apart.
    """
    headers, own = discovery.headers, [*map(dict, discovery.path_keys)]
    kept, copies = drop_copies(headers, discovery.digests, own)
    of_roots = _keys_of_roots(discovery, kept, policy)

    def flattened() -> FlatConfigs:
        given = [own[i] | of_roots[i] for i in kept]
        return flatten_headers([headers[i] for i in kept], given, [*discovery.skipped, *copies])

    configs = flattened()
    names_read = find_names(configs) if policy.path_keys == "auto" else None
    if names_read is not None:
        said = names_read.keys_of([header.source.path for header in headers])
        own = [keys | new for keys, new in zip(own, said, strict=True)]
        kept, copies = drop_copies(headers, discovery.digests, own)
        configs = flattened()
    return plan_configs(configs, policy.plan, names_read)


def _keys_of_roots(
    discovery: Discovery, kept: Sequence[int], policy: Policy
) -> Sequence[dict[str, Any]]:
    """Return the root of each header as a key, if nothing else tells the runs kept apart."""
    headers, given = discovery.headers, discovery.path_keys
    none: list[dict[str, Any]] = [{} for _ in headers]
    if not kept or not named_roots(discovery.root):
        return none
    name, with_root = keys_of_roots(headers, given)
    if name not in policy.plan.named:
        runs, keys = [headers[i] for i in kept], [given[i] for i in kept]
        if not mixes_roots(plan(runs, policy.plan, path_keys=keys)):
            return none
    return [{name: keys[name]} for keys in with_root]


def scan_sweep(
    discovery: Discovery, policy: Policy, parallel: Parallel = False
) -> tuple[Discovery, Sweep]:
    """Return the plan that a load would have; logs whose heads do not tell are read.

    Parameters
    ----------
    discovery : Discovery
    policy : Policy
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor

    Returns
    -------
    discovery : Discovery
        With the headers of the runs that were found only now, and what could not be read.
    sweep : Sweep

    Raises
    ------
    NoRunsError
        If no log could be read.
    UnknownNameError
        If an argument of a reader names what is in none of its logs.
    """
    unread = discovery.unread
    if not unread:
        return discovery, plan_sweep(discovery, policy)
    jobs = [job for job in discovery.jobs if job.source.path in unread]
    alone = Request(metrics=frozenset())
    by_job, failures = _read_jobs(jobs, [alone] * len(jobs), NoLogStore([]), None, parallel)
    _raise_unknown(jobs, by_job)
    discovery = replace(discovery, skipped=[*discovery.skipped, *failures])
    return _planned(discovery, policy, by_job, failures)


class LogStore(Protocol):
    """Where parsed logs are kept, so that a log is not read twice.

    Attributes
    ----------
    hashes : bool
        Whether ``put`` needs the hashes of the logs; they are then made where a log is read.
    """

    hashes: bool

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what was read of a log that is unchanged; None if it must be read."""
        ...

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Keep what was just read, and return the logs that the load goes on with."""
        ...


class NoLogStore:
    """A log store that keeps nothing: every log is read, and stays in memory.

    Parameters
    ----------
    headers : sequence of RunHeader, (runs,)
        Headers of the logs; a configuration that is in a header and a log is held once.
    """

    hashes = False

    def __init__(self, headers: Sequence[RunHeader]) -> None:
        self._headers = {header.id: header for header in headers}

    def get(self, job: Job, request: Request) -> None:
        """Return None: nothing is kept."""

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Return the logs, with the configurations of the known headers where they are equal."""
        del job, request
        for log in logs:
            known = self._headers.get(log.header.id)
            if known is not None and known.config == log.header.config:
                log.header = replace(log.header, config=known.config)
        return logs


def parse_logs(
    discovery: Discovery,
    policy: Policy,
    progress: bool | Progress = False,
    parallel: Parallel = False,
    *,
    store: LogStore | None = None,
) -> Parsed:
    """Parse every log that holds a run of the plan, and plan by what all of them hold.

    What a column is, only the sweep shows: a log that was read as if it were something else is read
    again.

    Parameters
    ----------
    discovery : Discovery
        Jobs and headers.
    policy : Policy
    progress : bool or callable
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
    store : LogStore, optional
        Where logs may have been kept, and are to be kept; by default nowhere.

    Returns
    -------
    Parsed

    Raises
    ------
    NoRunsError
        If no log could be read.
    """
    store = store or NoLogStore(discovery.headers)
    sweep = plan_sweep(discovery, policy) if discovery.headers else None
    planned = {header.source.path for header in sweep.headers} if sweep is not None else set()
    unread = discovery.unread
    wanted = planned | unread
    jobs = [job for job in discovery.jobs if job.source.path in wanted]
    first = _request(policy, sweep)
    alone = replace(first, roles=None)
    asked = [alone if job.source.path in unread else first for job in jobs]
    notes: list[str] = []
    with progress_callback(progress) as step:
        by_job, failures = _read_jobs(jobs, asked, store, step, parallel, notes.append)
    _raise_unknown(jobs, by_job)
    discovery, sweep = _planned(discovery, policy, by_job, failures, sweep)
    final = _request(policy, sweep)
    stale = [i for i, logs in enumerate(by_job) if not _is_read_as(logs, final, asked[i])]
    again, failed = _read_jobs(
        [jobs[i] for i in stale], [final] * len(stale), store, None, parallel
    )
    failures += failed
    for i, read in zip(stale, again, strict=True):
        by_job[i] = read
    logs = [log for read in by_job for log in read]
    name_reconfigured(logs)
    for i in stale:
        for log in by_job[i]:
            _name_other_roles(log, final)
    index = {h.id: i for i, h in enumerate(sweep.headers)}
    logs = [log for log in logs if log.header.id in index]
    if not logs:
        why = failures[0] if failures else ""
        raise NoRunsError(f"{display_root(discovery.root)}: no log could be read: {why}")
    runs = [index[log.header.id] for log in logs]
    return Parsed(discovery, sweep, logs, runs, failures, final, notes)


def _request(policy: Policy, sweep: Sweep | None) -> Request:
    roles = Roles() if sweep is None else sweep.roles
    if policy.selection.x is not None:
        roles = replace(roles, x=roles.x | {policy.selection.x})
    return Request(
        None if policy.splits is None else frozenset(policy.splits),
        None if policy.metrics is None else frozenset(policy.metrics),
        policy.messages,
        roles,
    )


def _planned(
    discovery: Discovery,
    policy: Policy,
    by_job: Sequence[Sequence[RunLog]],
    failures: Sequence[Problem],
    before: Sweep | None = None,
) -> tuple[Discovery, Sweep]:
    """Return the plan of all runs, with those that only reading the logs showed."""
    logs = [log for read in by_job for log in read]
    anew = reconfigured(logs)
    headers = [anew.get(i, log.header) for i, log in enumerate(logs)]
    known = {header.id for header in discovery.headers}
    new = {h.id: h for h in headers if h.id not in known}
    if new:
        discovery = discovery.with_headers(new.values())
    elif before is not None:
        return discovery, before
    if not discovery.headers:
        why = failures[0] if failures else ""
        raise NoRunsError(f"{display_root(discovery.root)}: no log could be read: {why}")
    return discovery, plan_sweep(discovery, policy)


def _raise_unknown(jobs: Sequence[Job], by_job: Sequence[Sequence[RunLog]]) -> None:
    """Raise if an argument of a reader names what is in none of its logs.

    Raises
    ------
    UnknownNameError
    """
    common: dict[str, dict[str, str]] = {}
    for job, logs in zip(jobs, by_job, strict=True):
        named = {
            p.message.partition(":")[0]: p.message
            for log in logs
            for p in log.problems
            if p.kind == "unknown_name"
        }
        if logs:
            known = common.setdefault(job.reader.name, named)
            common[job.reader.name] = {what: known[what] for what in known if what in named}
    for messages in common.values():
        for message in messages.values():
            raise UnknownNameError(message)


def _is_read_as(logs: Sequence[RunLog], final: Request, asked: Request) -> bool:
    """Return whether logs were read with columns as what the sweep has them for."""
    return all(
        final == asked if log.roles is None else log.roles == _own_roles(log, final) for log in logs
    )


def _own_roles(log: RunLog, final: Request) -> Roles:
    """Return what the sweep decides of a log."""
    roles = final.roles or _NOTHING
    return roles if roles == _NOTHING else roles.within(log.header.open_roles)


def _name_other_roles(log: RunLog, final: Request) -> None:
    """Name the columns of a log that is gone, and so could not be read as what they are now."""
    own = _own_roles(log, final)
    if log.roles in (None, own) or any(p.kind == "kept_roles" for p in log.problems):
        return
    other = {n for f in fields(own) for n in getattr(log.roles, f.name) ^ getattr(own, f.name)}
    names = ", ".join(sorted({repr(n[0] if isinstance(n, tuple) else n) for n in other}))
    message = f"{names}: the log is gone, and they stay what they were when it was read"
    log.problems.append(Problem("kept_roles", message, log.header.source.path))


def _read_jobs(
    jobs: Sequence[Job],
    requests: Sequence[Request],
    store: LogStore,
    step: Progress | None,
    parallel: Parallel,
    note: Callable[[str], object] = str,
) -> tuple[list[Sequence[RunLog]], list[Problem]]:
    """Return the logs of each job, in order, and the problems of those that could not be read."""
    by_job = [*map(store.get, jobs, requests)]
    todo = [number for number, logs in enumerate(by_job) if logs is None]
    tasks = [(jobs[number], requests[number]) for number in todo]
    failures: list[Problem] = []
    # Closed at once, so that no interruption leaves a thread or a process behind.
    with (
        prefetching([job.source for job, _ in tasks]),
        closing(read_tasks(tasks, parallel, step, hashes=store.hashes, note=note)) as results,
    ):
        for number, (logs, problem) in zip(todo, results, strict=True):
            if problem is not None:
                failures.append(problem)
            job, request = jobs[number], requests[number]
            by_job[number] = store.put(job, request, logs) if problem is None else logs
    return [logs or () for logs in by_job], failures


def read_statuses(
    discovery: Discovery, sweep: Sweep, policy: Policy, parallel: Parallel
) -> list[Status]:
    """Return the status of each run of a plan; this reads the logs."""
    parsed = parse_logs(discovery, policy, parallel=parallel)
    selection = select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
    ids = [h.id for h in parsed.sweep.headers]
    by_id = {ids[run]: status for run, status in selection.statuses.items()}
    return [by_id.get(h.id, Status.FAILED) for h in sweep.headers]
