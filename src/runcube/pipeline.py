"""The road of every load: find, plan, parse, and what goes into the attrs and the warning."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from runcube.arrays import clean_text
from runcube.axes import Align
from runcube.completion import OnDuplicate
from runcube.contest import ContestPolicy, settle_cells
from runcube.files import expecting
from runcube.gather import drop_copies, name_reconfigured, run_id
from runcube.model import (
    LogError,
    NoRunsError,
    PlanError,
    Problem,
    Request,
    Status,
    SweepWarning,
    UnknownNameError,
)
from runcube.names import nearest
from runcube.packing import ReadLogs
from runcube.parallel import run_tasks, watched
from runcube.planner import PlanPolicy, plan
from runcube.provenance import provenance
from runcube.roots import shown
from runcube.scatter import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runcube.contest import Contest
    from runcube.discover import Found, Job
    from runcube.model import RunHeader, RunLog
    from runcube.parallel import Parallel, Progress
    from runcube.readers.base import Reader
    from runcube.sweep import Sweep

Errors = Literal["warn", "raise"]


@dataclass(frozen=True)
class Policy:
    """Every decision of a load, as its arguments spell it; recorded in ``ds.attrs["policies"]``."""

    reader: str | Reader = "auto"
    path_keys: str | None = None
    plan: PlanPolicy = field(default_factory=PlanPolicy)
    contest: ContestPolicy = field(default_factory=ContestPolicy)
    splits: tuple[str, ...] | None = None
    metrics: tuple[str, ...] | None = None
    messages: bool = False
    errors: Errors = "warn"

    def __post_init__(self) -> None:
        """Refuse words that are no policy.

        Raises
        ------
        PlanError
        """
        _one_of("errors", self.errors, get_args(Errors))
        _one_of("layout", self.plan.layout, ("auto", "grid", "configs"))
        _one_of("align", self.contest.align, get_args(Align))
        _one_of("on_duplicate", self.contest.on_duplicate, get_args(OnDuplicate))
        expected: object = self.contest.expected
        if isinstance(expected, bool) or not isinstance(expected, int | float | None):
            raise PlanError(f"expected={expected!r}: expected a number in units of x")

    def as_json(self) -> str:
        """Spell it for the attrs."""
        own = {
            "reader": getattr(self.reader, "name", self.reader),
            "path_keys": self.path_keys,
            "splits": self.splits,
            "metrics": self.metrics,
            "messages": self.messages,
            "errors": self.errors,
        }
        return json.dumps(own | asdict(self.plan) | asdict(self.contest), default=repr)


def _one_of(argument: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        raise PlanError(f"{argument}={value!r}: expected one of {', '.join(map(repr, words))}")


@dataclass
class Parsed:
    """Logs that hold a run of the plan, with its index; what they held may have made it grow."""

    sweep: Sweep
    logs: list[RunLog]
    runs: list[int]
    failures: list[Problem]


def names_tuple(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Spell one name, several or None as a tuple or None."""
    if names is None:
        return None
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))


def plan_found(found: Found, policy: Policy) -> Sweep:
    """Plan a sweep from its headers, copies left out."""
    kept, copies = drop_copies(found.headers, found.digests, found.path_keys)
    return plan(
        [found.headers[i] for i in kept],
        policy.plan,
        path_keys=[found.path_keys[i] for i in kept],
        skipped=[*found.skipped, *copies],
    )


class Shelf(Protocol):
    """Where parsed logs are kept, so that what was read once need not be read again.

    ``hashes`` says whether it needs the hashes of the logs that are put.
    """

    hashes: bool

    def find(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Give what was read of a log that is unchanged; None if it must be read."""
        ...

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Take in what was just read, and give what the load goes on with."""
        ...


class NoShelf:
    """Keeps nothing: every log is read, and stays in memory.

    Parameters
    ----------
    headers : sequence of RunHeader
        Those of the logs: a configuration that is in both is held once.
    """

    hashes = False

    def __init__(self, headers: Sequence[RunHeader]) -> None:
        self._headers = {(header.source.path, header.key): header for header in headers}

    def find(self, job: Job, request: Request) -> None:
        """Nothing is kept."""

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Give back what was read."""
        del job, request
        for log in logs:
            known = self._headers.get(run_id(log))
            if known is not None and known.config == log.header.config:
                log.header = replace(log.header, config=known.config)
        return logs


def parse_found(
    found: Found,
    sweep: Sweep,
    policy: Policy,
    progress: bool | Progress = False,
    parallel: Parallel = False,
    *,
    shelf: Shelf | None = None,
) -> Parsed:
    """Parse every log that holds a run of the plan; plan again if a log held more runs."""
    planned = {header.source.path for header in sweep.headers}
    jobs = [job for job in found.jobs if job.source.path in planned]
    request = Request(
        None if policy.splits is None else frozenset(policy.splits),
        None if policy.metrics is None else frozenset(policy.metrics),
        policy.messages,
        sweep.settled,
    )
    with watched(progress) as step:
        by_job, failures = _read_jobs(
            jobs, request, shelf or NoShelf(found.headers), step, parallel
        )
    logs = [log for read in by_job for log in read]
    name_reconfigured(logs)
    known = {(header.source.path, header.key) for header in found.headers}
    new = {run_id(log): log.header for log in logs if run_id(log) not in known}
    if new:
        by_path = {h.source.path: k for h, k in zip(found.headers, found.path_keys, strict=True)}
        found.headers += new.values()
        found.path_keys += [by_path.get(path, {}) for path, _ in new]
        found.digests += [None] * len(new)
        sweep = plan_found(found, policy)
    index = {(h.source.path, h.key): i for i, h in enumerate(sweep.headers)}
    logs = [log for log in logs if run_id(log) in index]
    if not logs:
        raise NoRunsError(
            f"{shown(found.root)}: no log could be read: {failures[0] if failures else ''}"
        )
    return Parsed(sweep, logs, [index[run_id(log)] for log in logs], failures)


def _read_jobs(
    jobs: Sequence[Job],
    request: Request,
    shelf: Shelf,
    step: Progress | None,
    parallel: Parallel,
) -> tuple[list[Sequence[RunLog]], list[Problem]]:
    """Logs of each job, in order, and what kept some from being read."""
    by_job = [shelf.find(job, request) for job in jobs]
    todo = [number for number, logs in enumerate(by_job) if logs is None]
    tasks = [(jobs[number], request) for number in todo]
    sizes = [jobs[number].source.size for number in todo]
    failures: list[Problem] = []
    # Closed at once, so that whatever interrupts this leaves no process behind.
    with (
        expecting([job.source for job, _ in tasks]),
        closing(run_tasks(ReadLogs(shelf.hashes), tasks, sizes, step, parallel)) as results,
    ):
        for number, (logs, problem) in zip(todo, results, strict=True):
            if problem is not None:
                failures.append(problem)
            by_job[number] = shelf.put(jobs[number], request, logs) if problem is None else logs
    return [logs or () for logs in by_job], failures


def read_statuses(found: Found, sweep: Sweep, policy: Policy, parallel: Parallel) -> list[Status]:
    """Status of each run of a plan; this reads the logs."""
    parsed = parse_found(found, sweep, policy, parallel=parallel)
    contest = settle_cells(parsed.logs, parsed.runs, parsed.sweep, policy.contest)
    ids = [(h.source.path, h.key) for h in parsed.sweep.headers]
    by_id = {ids[run]: status for run, status in contest.statuses.items()}
    return [by_id.get((h.source.path, h.key), Status.FAILED) for h in sweep.headers]


def check_names(logs: Sequence[RunLog], policy: Policy) -> None:
    """Refuse splits and metrics that no log has.

    Raises
    ------
    UnknownNameError
    """
    _check_known("splits", policy.splits, dict.fromkeys(s for log in logs for s in log.splits))
    _check_known("metrics", policy.metrics, dict.fromkeys(m for log in logs for m in log.metrics))


def inner_labels(contest: Contest, policy: Policy) -> Labels:
    """Splits and metrics of the runs that stay, by first appearance, or as asked for."""
    logs = [entry.trial.log for entry in contest.entries]
    splits = dict.fromkeys(s for log in logs for s in log.splits)
    metrics = dict.fromkeys(m for log in logs for m in log.metrics)
    held_splits, held_metrics = _held(logs)
    return Labels(
        policy.splits or tuple(s for s in splits if s in held_splits),
        policy.metrics or tuple(m for m in metrics if m in held_metrics),
    )


def _held(logs: Sequence[RunLog]) -> tuple[set[str], set[str]]:
    """Names under which anything was logged."""
    splits: set[str] = set()
    metrics: set[str] = set()
    for log in logs:
        for curves in log.curves:
            if metrics.issuperset(curves.metrics) and curves.split in splits:
                continue
            logged = curves.logged.any(axis=1)
            metrics.update(curves.metrics[i] for i in np.flatnonzero(logged))
            if logged.any():
                splits.add(curves.split)
    return splits, metrics


def _check_known(what: str, asked: tuple[str, ...] | None, known: Mapping[str, None]) -> None:
    for name in asked or ():
        if name not in known:
            raise UnknownNameError(f"{what}={name!r}: not in the logs{nearest(name, known)}")


def raise_first(skipped: Sequence[Problem], sweep: Sweep, contest: Contest) -> None:
    """Make the first problem an exception; a file that is no log is none."""
    own = [p for entry in contest.entries for p in entry.trial.problems]
    for problem in (*skipped, *(p for _, p in sweep.problems), *own):
        if problem.kind != "not_a_log":
            raise LogError(f"{problem.path}: {problem}")


def load_attrs(
    found: Found, sweep: Sweep, skipped: Sequence[Problem], policy: Policy
) -> dict[str, Any]:
    """Say where a cube comes from and how it was made: text and numbers only."""
    named = [
        {"path": clean_text(p.path), "kind": p.kind, "message": clean_text(p.message)}
        for p in skipped
    ]
    here = attrs_of_now(found.root)
    return {
        "Conventions": "runcube-1",
        "runcube_version": here.pop("runcube_version"),
        "source": clean_text(shown(found.root)),
        "created": here.pop("created"),
        "constant_hparams": clean_text(json.dumps(sweep.constant, default=str)),
        "excluded_hparams": clean_text(json.dumps(sweep.excluded)),
        "skipped": json.dumps(named),
        "policies": clean_text(policy.as_json()),
        "layout": sweep.layout,
        **here,
    }


def attrs_of_now(root: str | Path) -> dict[str, str]:
    """Attrs that hang on the moment, the process and the commit, and not on the logs."""
    about = {
        "runcube_version": version("runcube"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return about | {name: clean_text(text) for name, text in provenance(root).items()}


@dataclass(frozen=True)
class Told:
    """What a load has to tell at its end."""

    source: str
    runs: int
    counts: Mapping[str, int]
    notes: Sequence[str]

    @classmethod
    def of(cls, source: str, sweep: Sweep, contest: Contest, skipped: Sequence[Problem]) -> Told:
        """Count the problems, and take in what no rule could decide."""
        counts = Counter(p.kind for p in skipped)
        counts.update(p.kind for entry in contest.entries for p in entry.trial.problems)
        counts.update(p.kind for _, p in sweep.problems)
        return cls(source, len(contest.entries), dict(counts), (*sweep.notes, *contest.notes))

    def warn(self, stacklevel: int) -> None:
        """Give one warning, if there is anything to tell."""
        lines = [f"  {note}" for note in self.notes]
        if self.counts:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
            lines.insert(0, f"  problems: {kinds}; rc.problems(ds) lists them")
        if lines:
            head = f"{self.source}: {self.runs} run{'s' * (self.runs != 1)} loaded"
            warnings.warn("\n".join([head, *lines]), SweepWarning, stacklevel=stacklevel + 1)


@dataclass(frozen=True)
class Settled:
    """Who stays in the cells, what the cube says of itself, and what the caller has to tell."""

    contest: Contest
    labels: Labels
    attrs: dict[str, Any]
    told: Told


def settle(found: Found, parsed: Parsed, policy: Policy) -> Settled:
    """Let the runs compete for the cells, and name what is wrong with the rest.

    Raises
    ------
    UnknownNameError, PlanError
        If a policy names what is not there, or has two runs in a cell raise.
    LogError
        With ``errors="raise"``.
    """
    check_names(parsed.logs, policy)
    contest = settle_cells(parsed.logs, parsed.runs, parsed.sweep, policy.contest)
    skipped = [*parsed.sweep.skipped, *parsed.failures, *contest.losers]
    if policy.errors == "raise":
        raise_first(skipped, parsed.sweep, contest)
    attrs = load_attrs(found, parsed.sweep, skipped, policy)
    told = Told.of(attrs["source"], parsed.sweep, contest, skipped)
    return Settled(contest, inner_labels(contest, policy), attrs, told)
