"""From parsed logs to what fills the cells: axis, attempts, status, duplicates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from runcube.axes import choose_x, curves_on, line_up
from runcube.completion import RANK, Entrant, statuses, winner
from runcube.model import Problem, Status
from runcube.tracks import Resolver, Trial, trials_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.axes import Align, XAxis
    from runcube.completion import OnDuplicate
    from runcube.model import Curves, RunLog
    from runcube.sweep import Sweep


# Complete runs that gave way are all in skipped; the warning names the first of them.
_MAX_NOTES = 5


@dataclass(frozen=True)
class ContestPolicy:
    """Arguments of ``load_runs`` that decide between values, attempts and runs."""

    x: str | None = None
    align: Align = "auto"
    expected: float | None = None
    on_duplicate: OnDuplicate = "prefer_complete"


@dataclass
class Entry:
    """The run that stays in a cell: its index in the plan, its trial, how it ended."""

    run: int
    trial: Trial
    status: Status


@dataclass
class Contest:
    """What fills the cells, in order of runs; what gave way; what the user should know."""

    axis: XAxis
    entries: list[Entry]
    losers: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    statuses: dict[int, Status] = field(default_factory=dict)
    complete_losers: list[str] = field(default_factory=list)


def settle_cells(
    logs: Sequence[RunLog], runs: Sequence[int], sweep: Sweep, policy: ContestPolicy
) -> Contest:
    """Resolve every log on the chosen axis and let the runs of each cell compete.

    Parameters
    ----------
    logs : sequence of RunLog
    runs : sequence of int
        Index of each log's run in ``sweep.headers``; attempts of one run share it.
    sweep : Sweep
    policy : ContestPolicy

    Raises
    ------
    PlanError
        With ``on_duplicate="raise"`` and two runs in a cell.
    UnknownNameError
        If no record carries ``policy.x``.
    """
    name, reason = choose_x(logs, policy.x)
    pairs = zip(logs, runs, strict=True)
    resolver = Resolver(logs, name)
    trials = [(run, trial) for log, run in pairs for trial in resolver.trials(log)]
    taken = {"curve", "logged", "split", "metric", "seed", "config", *sweep.names.values()}
    axis = line_up([trial for _, trial in trials], name, reason, policy.align, taken)
    _, groups = np.unique(sweep.cells[:, :-1], axis=0, return_inverse=True)
    groups_of = groups.reshape(-1)[[run for run, _ in trials]].tolist()
    entrants = [
        Entrant(trial, run, group) for (run, trial), group in zip(trials, groups_of, strict=True)
    ]
    status = statuses(entrants, axis, policy.expected)
    contest = _compete(entrants, status, sweep, policy, axis)
    for (run, _), one in sorted(zip(trials, status, strict=True), key=lambda t: RANK[t[1]]):
        contest.statuses[run] = one
    if contest.losers:
        kept = [entry.trial for entry in contest.entries]
        contest.axis = line_up(kept, name, reason, axis.align, taken)
    if axis.align == "order" and policy.align == "auto":
        contest.notes.append(f"x={name!r}: {axis.reason}; align='union' keeps {name} as the dim")
    if "95 %" in reason:
        remedy = "x=... chooses, load_tree() gives one cube per axis"
        contest.notes.append(f"x={name!r}: {reason}; {remedy}")
    return contest


def settle_on(main: Contest, name: str, sweep: Sweep) -> Contest:
    """Lay the runs that stay on another axis: the same runs, attempts and status.

    Only curves that the axis keeps apart come along; the logs of ``main`` stay whole.
    """
    kept = curves_on([entry.trial.log for entry in main.entries], name)
    entries = []
    for entry in main.entries:
        log = entry.trial.log
        parts = [_restrict(curves, kept) for curves in log.curves]
        mine = replace(log, curves=[part for part in parts if part.metrics])
        trials = trials_of(mine, name)
        at = entry.trial.attempt - log.attempt
        trial = trials[at] if at < len(trials) else Trial(mine, [], list(mine.problems))
        entries.append(Entry(entry.run, trial, entry.status))
    taken = {"curve", "logged", "split", "metric", "seed", "config", *sweep.names.values()}
    axis = line_up([e.trial for e in entries], name, "an axis of the tree", "auto", taken)
    return Contest(axis, entries, statuses=main.statuses)


def _restrict(curves: Curves, kept: frozenset[tuple[str, str]]) -> Curves:
    rows = [i for i, metric in enumerate(curves.metrics) if (curves.split, metric) in kept]
    names = tuple(curves.metrics[i] for i in rows)
    return replace(curves, metrics=names, values=curves.values[rows], logged=curves.logged[rows])


def _compete(
    entrants: Sequence[Entrant],
    status: Sequence[Status],
    sweep: Sweep,
    policy: ContestPolicy,
    axis: XAxis,
) -> Contest:
    cells: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, entrant in enumerate(entrants):
        cells[_cell(sweep, entrant.run)].append(index)
    contest = Contest(axis, [])
    for candidates in cells.values():
        best = candidates[0]
        if len(candidates) > 1:
            best = winner(candidates, entrants, status, policy.on_duplicate)
        entrant = entrants[best]
        contest.entries.append(Entry(entrant.run, entrant.trial, status[best]))
        for index in candidates:
            if index != best:
                _lose(contest, entrants[index], status[index], contest.entries[-1], sweep)
    contest.entries.sort(key=lambda entry: entry.run)
    lost = contest.complete_losers
    contest.notes += lost[:_MAX_NOTES]
    if len(lost) > _MAX_NOTES:
        contest.notes.append(
            f"… and {len(lost) - _MAX_NOTES} more complete runs gave way: duplicate_run in problems"
        )
    return contest


def _cell(sweep: Sweep, run: int) -> tuple[int, ...]:
    if sweep.separate:
        return int(sweep.rows[run]), int(sweep.cells[run, -1])
    return tuple(sweep.cells[run].tolist())


def _lose(contest: Contest, loser: Entrant, status: Status, best: Entry, sweep: Sweep) -> None:
    """Name a run or attempt that gave way; a complete one goes into the warning as well."""
    path = loser.trial.log.header.source.path
    counts = f"{loser.trial.points} values, {status}, against {best.trial.points}, {best.status}"
    if loser.run == best.run:
        which = f"attempt {loser.trial.attempt + 1} gave way to attempt {best.trial.attempt + 1}"
        contest.losers.append(Problem("duplicate_run", f"{which} of the same log ({counts})", path))
        return
    other = best.trial.log.header.source.path
    contest.losers.append(
        Problem("duplicate_run", f"same configuration and seed as {other} ({counts})", path)
    )
    if status is Status.COMPLETE:
        contest.complete_losers.append(
            f"{path} is complete but shares its cell with {other}, which was kept"
            + _difference(sweep, loser.run, best.run)
        )


def _difference(sweep: Sweep, one: int, other: int) -> str:
    """Say which excluded key tells two runs apart, and the argument that brings it in."""
    rest, against = sweep.rest[one], sweep.rest[other]
    keys = dict.fromkeys([*rest, *against])
    differing = [key for key in keys if rest.get(key, key) != against.get(key, key)]
    # A key that rule 3 left out differs anyway, mostly: name the others first.
    differing.sort(key=lambda key: sweep.excluded.get(key) == "by name")
    if not differing:
        return "; nothing in their configurations differs (on_duplicate= decides)"
    dims = [axis.key for axis in sweep.axes] + differing[:1]
    return f"; they differ in {', '.join(differing[:3])}: dims={dims!r} tells them apart"
