"""From parsed logs to what fills the cells: axis, attempts, status, duplicates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem, Status
from runcube.curves.attempts import Attempt, AttemptResolver, attempts_of
from runcube.curves.status import RANK, Candidate, statuses, winner
from runcube.curves.x_axis import align_x, choose_x, separable_curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import Curves, RunLog
    from runcube.curves.status import OnDuplicate
    from runcube.curves.x_axis import Align, XAxis
    from runcube.plan import Sweep


# Complete runs that were superseded are all in skipped; the warning names the first of them.
_MAX_NOTES = 5


@dataclass(frozen=True)
class SelectionPolicy:
    """Arguments of ``load_runs`` that decide between values, attempts and runs.

    Parameters
    ----------
    x : str, optional
        Name of the axis as logged; None applies rule 11.
    align : {"auto", "union", "order"}
        How runs share x; ``"auto"`` applies rule 12.
    expected : float, optional
        Length that a complete run has, in units of x.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where several share a cell (rule 10).
    """

    x: str | None = None
    align: Align = "auto"
    expected: float | None = None
    on_duplicate: OnDuplicate = "prefer_complete"


@dataclass
class KeptRun:
    """The run that stays in a cell.

    Parameters
    ----------
    run : int
        Position of the run in ``sweep.headers``.
    attempt : Attempt
        The attempt of the run that stays, with its curves.
    status : Status
        How it ended.
    """

    run: int
    attempt: Attempt
    status: Status


@dataclass
class Selection:
    """The runs that fill the cells, the superseded ones, and what the user should know.

    Parameters
    ----------
    axis : XAxis
        The x-axis of the cube.
    kept_runs : list of KeptRun
        One for each cell that holds a run, in order of ``run``.
    superseded : list of Problem
        A ``duplicate_run`` for each run or attempt that was superseded.
    notes : list of str
        Notes for the warning at the end of the load.
    statuses : dict of int to Status
        Position of every run in ``sweep.headers`` to its best status, superseded or not.
    superseded_complete : list of str
        A note for each complete run that was superseded.
    """

    axis: XAxis
    kept_runs: list[KeptRun]
    superseded: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    statuses: dict[int, Status] = field(default_factory=dict)
    superseded_complete: list[str] = field(default_factory=list)


def select_runs(
    logs: Sequence[RunLog], runs: Sequence[int], sweep: Sweep, policy: SelectionPolicy
) -> Selection:
    """Return the run of each cell, on the chosen axis.

    Parameters
    ----------
    logs : sequence of RunLog
        Parsed logs, (logs,).
    runs : sequence of int
        Position of each log's run in ``sweep.headers``, (logs,); attempts of one run share it.
    sweep : Sweep
        The plan, which has the cell of each run.
    policy : SelectionPolicy

    Raises
    ------
    PlanError
        With ``on_duplicate="raise"`` and two runs in a cell.
    UnknownNameError
        If no record carries ``policy.x``.
    """
    name, reason = choose_x(logs, policy.x)
    pairs = zip(logs, runs, strict=True)
    resolver = AttemptResolver(logs, name)
    attempts = [(run, attempt) for log, run in pairs for attempt in resolver.attempts(log)]
    taken = {"curve", "logged", "split", "metric", "seed", "config", *sweep.names.values()}
    axis = align_x([attempt for _, attempt in attempts], name, reason, policy.align, taken)
    _, groups = np.unique(sweep.cells[:, :-1], axis=0, return_inverse=True)
    groups_of = groups.reshape(-1)[[run for run, _ in attempts]].tolist()
    candidates = [
        Candidate(attempt, run, group)
        for (run, attempt), group in zip(attempts, groups_of, strict=True)
    ]
    status = statuses(candidates, axis, policy.expected)
    selection = _compete(candidates, status, sweep, policy, axis)
    for (run, _), one in sorted(zip(attempts, status, strict=True), key=lambda t: RANK[t[1]]):
        selection.statuses[run] = one
    if selection.superseded:
        kept = [kept_run.attempt for kept_run in selection.kept_runs]
        selection.axis = align_x(kept, name, reason, axis.align, taken)
    if axis.align == "order" and policy.align == "auto":
        selection.notes.append(f"x={name!r}: {axis.reason}; align='union' keeps {name} as the dim")
    if "95 %" in reason:
        remedy = "x=... chooses, load_tree() gives one cube per axis"
        selection.notes.append(f"x={name!r}: {reason}; {remedy}")
    return selection


def select_on(main: Selection, name: str, sweep: Sweep) -> Selection:
    """Return the kept runs on another axis: the same runs, attempts and status.

    Only curves whose points the axis keeps apart are in it; the logs of ``main`` stay whole.

    Parameters
    ----------
    main : Selection
        The selection on the main axis.
    name : str
        Name of the other axis as logged.
    sweep : Sweep
    """
    kept = separable_curves([kept_run.attempt.log for kept_run in main.kept_runs], name)
    kept_runs = []
    for kept_run in main.kept_runs:
        log = kept_run.attempt.log
        parts = [_restrict(curves, kept) for curves in log.curves]
        mine = replace(log, curves=[part for part in parts if part.metrics])
        attempts = attempts_of(mine, name)
        at = kept_run.attempt.number - log.attempt
        attempt = attempts[at] if at < len(attempts) else Attempt(mine, [], list(mine.problems))
        kept_runs.append(KeptRun(kept_run.run, attempt, kept_run.status))
    taken = {"curve", "logged", "split", "metric", "seed", "config", *sweep.names.values()}
    axis = align_x([e.attempt for e in kept_runs], name, "an axis of the tree", "auto", taken)
    return Selection(axis, kept_runs, statuses=main.statuses)


def _restrict(curves: Curves, kept: frozenset[tuple[str, str]]) -> Curves:
    rows = [i for i, metric in enumerate(curves.metrics) if (curves.split, metric) in kept]
    names = tuple(curves.metrics[i] for i in rows)
    return replace(curves, metrics=names, values=curves.values[rows], logged=curves.logged[rows])


def _compete(
    candidates: Sequence[Candidate],
    status: Sequence[Status],
    sweep: Sweep,
    policy: SelectionPolicy,
    axis: XAxis,
) -> Selection:
    cells: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        cells[_cell(sweep, candidate.run)].append(index)
    selection = Selection(axis, [])
    for rivals in cells.values():
        best = rivals[0]
        if len(rivals) > 1:
            best = winner(rivals, candidates, status, policy.on_duplicate)
        candidate = candidates[best]
        selection.kept_runs.append(KeptRun(candidate.run, candidate.attempt, status[best]))
        for index in rivals:
            if index != best:
                _supersede(
                    selection, candidates[index], status[index], selection.kept_runs[-1], sweep
                )
    selection.kept_runs.sort(key=lambda kept_run: kept_run.run)
    lost = selection.superseded_complete
    selection.notes += lost[:_MAX_NOTES]
    if len(lost) > _MAX_NOTES:
        selection.notes.append(
            f"… and {len(lost) - _MAX_NOTES} more complete runs were superseded: duplicate_run in"
            " problems"
        )
    return selection


def _cell(sweep: Sweep, run: int) -> tuple[int, ...]:
    if sweep.separate:
        return int(sweep.rows[run]), int(sweep.cells[run, -1])
    return tuple(sweep.cells[run].tolist())


def _supersede(
    selection: Selection, other: Candidate, status: Status, best: KeptRun, sweep: Sweep
) -> None:
    """Record a superseded run or attempt; a complete one goes into the warning as well."""
    path = other.attempt.log.header.source.path
    counts = (
        f"{other.attempt.points} values, {status}, against {best.attempt.points}, {best.status}"
    )
    if other.run == best.run:
        which = f"attempt {other.attempt.number + 1} was superseded by attempt"
        message = f"{which} {best.attempt.number + 1} of the same log ({counts})"
        selection.superseded.append(Problem("duplicate_run", message, path))
        return
    kept = best.attempt.log.header.source.path
    selection.superseded.append(
        Problem("duplicate_run", f"same configuration and seed as {kept} ({counts})", path)
    )
    if status is Status.COMPLETE:
        selection.superseded_complete.append(
            f"{path} is complete but shares its cell with {kept}, which was kept"
            + _difference(sweep, other.run, best.run)
        )


def _difference(sweep: Sweep, one: int, other: int) -> str:
    """Return the end of a note: the keys in which two runs differ, and the argument for them."""
    rest, against = sweep.rest[one], sweep.rest[other]
    keys = dict.fromkeys([*rest, *against])
    differing = [key for key in keys if rest.get(key, key) != against.get(key, key)]
    # A key that rule 3 left out mostly differs anyway: list the others first.
    differing.sort(key=lambda key: sweep.excluded.get(key) == "by name")
    if not differing:
        return "; nothing in their configurations differs (on_duplicate= decides)"
    dims = [axis.key for axis in sweep.axes] + differing[:1]
    return f"; they differ in {', '.join(differing[:3])}: dims={dims!r} tells them apart"
