"""From headers to parsed logs: plan, parse what is not known yet, plan again if necessary."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from runcube.core import NoRunsError, Problem, Request, Status
from runcube.curves import select_runs
from runcube.files import display_root, prefetching
from runcube.pipeline.progress import progress_callback
from runcube.pipeline.tasks import run_tasks
from runcube.pipeline.transport import ReadLogs
from runcube.plan import drop_copies, name_reconfigured, plan, run_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import RunHeader, RunLog
    from runcube.pipeline.discover import Discovery, Job
    from runcube.pipeline.policy import Policy
    from runcube.pipeline.progress import Progress
    from runcube.pipeline.tasks import Parallel
    from runcube.plan import Sweep


@dataclass
class Parsed:
    """Parsed logs, and the plan they belong to.

    Attributes
    ----------
    sweep : Sweep
        The plan, made again if the logs held more runs than their headers.
    logs : list of RunLog, (logs,)
        Logs that hold a run of the plan: one for each run and attempt.
    runs : list of int, (logs,)
        Index of the run of each log in ``sweep``.
    failures : list of Problem
        Sources that could not be read.
    """

    sweep: Sweep
    logs: list[RunLog]
    runs: list[int]
    failures: list[Problem]


def plan_sweep(discovery: Discovery, policy: Policy) -> Sweep:
    """Return the plan of a sweep, made from its headers without copies."""
    kept, copies = drop_copies(discovery.headers, discovery.digests, discovery.path_keys)
    return plan(
        [discovery.headers[i] for i in kept],
        policy.plan,
        path_keys=[discovery.path_keys[i] for i in kept],
        skipped=[*discovery.skipped, *copies],
    )


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
        self._headers = {(header.source.path, header.key): header for header in headers}

    def get(self, job: Job, request: Request) -> None:
        """Return None: nothing is kept."""

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Return the logs, with the configurations of the known headers where they are equal."""
        del job, request
        for log in logs:
            known = self._headers.get(run_id(log))
            if known is not None and known.config == log.header.config:
                log.header = replace(log.header, config=known.config)
        return logs


def parse_logs(
    discovery: Discovery,
    sweep: Sweep,
    policy: Policy,
    progress: bool | Progress = False,
    parallel: Parallel = False,
    *,
    store: LogStore | None = None,
) -> Parsed:
    """Parse every log that holds a run of the plan; plan again if a log held more runs.

    Parameters
    ----------
    discovery : Discovery
        Jobs and headers; headers of runs that were found only now are appended.
    sweep : Sweep
    policy : Policy
    progress : bool or callable
    parallel : {"auto", "processes", "dask"}, False or Executor
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
    planned = {header.source.path for header in sweep.headers}
    jobs = [job for job in discovery.jobs if job.source.path in planned]
    request = Request(
        None if policy.splits is None else frozenset(policy.splits),
        None if policy.metrics is None else frozenset(policy.metrics),
        policy.messages,
        sweep.settled,
    )
    with progress_callback(progress) as step:
        by_job, failures = _read_jobs(
            jobs, request, store or NoLogStore(discovery.headers), step, parallel
        )
    logs = [log for read in by_job for log in read]
    name_reconfigured(logs)
    known = {(header.source.path, header.key) for header in discovery.headers}
    new = {run_id(log): log.header for log in logs if run_id(log) not in known}
    if new:
        by_path = {
            h.source.path: k for h, k in zip(discovery.headers, discovery.path_keys, strict=True)
        }
        discovery.headers += new.values()
        discovery.path_keys += [by_path.get(path, {}) for path, _ in new]
        discovery.digests += [None] * len(new)
        sweep = plan_sweep(discovery, policy)
    index = {(h.source.path, h.key): i for i, h in enumerate(sweep.headers)}
    logs = [log for log in logs if run_id(log) in index]
    if not logs:
        why = failures[0] if failures else ""
        raise NoRunsError(f"{display_root(discovery.root)}: no log could be read: {why}")
    return Parsed(sweep, logs, [index[run_id(log)] for log in logs], failures)


def _read_jobs(
    jobs: Sequence[Job],
    request: Request,
    store: LogStore,
    step: Progress | None,
    parallel: Parallel,
) -> tuple[list[Sequence[RunLog]], list[Problem]]:
    """Return the logs of each job, in order, and the problems of those that could not be read."""
    by_job = [store.get(job, request) for job in jobs]
    todo = [number for number, logs in enumerate(by_job) if logs is None]
    tasks = [(jobs[number], request) for number in todo]
    sizes = [jobs[number].source.size for number in todo]
    failures: list[Problem] = []
    # Closed at once, so that no interruption leaves a process behind.
    with (
        prefetching([job.source for job, _ in tasks]),
        closing(run_tasks(ReadLogs(store.hashes), tasks, sizes, step, parallel)) as results,
    ):
        for number, (logs, problem) in zip(todo, results, strict=True):
            if problem is not None:
                failures.append(problem)
            by_job[number] = store.put(jobs[number], request, logs) if problem is None else logs
    return [logs or () for logs in by_job], failures


def read_statuses(
    discovery: Discovery, sweep: Sweep, policy: Policy, parallel: Parallel
) -> list[Status]:
    """Return the status of each run of a plan; this reads the logs."""
    parsed = parse_logs(discovery, sweep, policy, parallel=parallel)
    selection = select_runs(parsed.logs, parsed.runs, parsed.sweep, policy.selection)
    ids = [(h.source.path, h.key) for h in parsed.sweep.headers]
    by_id = {ids[run]: status for run, status in selection.statuses.items()}
    return [by_id.get((h.source.path, h.key), Status.FAILED) for h in sweep.headers]
