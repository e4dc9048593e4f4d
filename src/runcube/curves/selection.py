"""From parsed logs to what fills the cells: axis, attempts, status, duplicates."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from runcube.core import Problem, Status, check_choice, counted
from runcube.curves.attempts import Attempt, AttemptResolver
from runcube.curves.elapsed import ELAPSED, add_elapsed
from runcube.curves.late_start import name_late_starts
from runcube.curves.own_x import choose_for_runs, numbered_note
from runcube.curves.status import RANK, Candidate, OnDuplicate, outright, statuses, winner
from runcube.curves.tracks import along_x, named_lines
from runcube.curves.units import curves_in_another_unit
from runcube.curves.x_axis import Align, align_x
from runcube.curves.x_choice import LOSES
from runcube.curves.x_synonyms import share_step
from runcube.curves.x_values import MissingX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.core import RunLog
    from runcube.curves.own_x import Choice
    from runcube.curves.x_axis import XAxis
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
    missing_x : {"carry", "drop"}
        Whether a record without x stands at the x of the record before it (rule 11).
    """

    x: str | None = None
    align: Align = "auto"
    expected: float | None = None
    on_duplicate: OnDuplicate = "prefer_complete"
    missing_x: MissingX = "carry"

    def __post_init__(self) -> None:
        """Raise if an argument has none of its values.

        Raises
        ------
        PlanError
        """
        check_choice("align", self.align, get_args(Align))
        check_choice("missing_x", self.missing_x, get_args(MissingX))
        check_choice("on_duplicate", self.on_duplicate, get_args(OnDuplicate))


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
    notes = share_step(logs, policy.x)
    if policy.x == ELAPSED:
        add_elapsed(logs)
    choice = choose_for_runs(logs, runs, policy.x, policy.missing_x)
    resolver = AttemptResolver(choice.x, policy.missing_x)
    _, groups = np.unique(sweep.cells[:, :-1], axis=0, return_inverse=True)
    groups_of = groups.reshape(-1).tolist()
    candidates = [
        Candidate(attempt, run, groups_of[run])
        for log, run in zip(logs, runs, strict=True)
        for attempt in resolver.attempts(log, choice.own.get(run))
    ]
    taken = taken_names(sweep)
    axis = align_x([one.attempt for one in candidates], choice, policy.align, taken)
    cells: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        cells[_cell(sweep, candidate.run)].append(index)
    candidates = _with_votes(candidates, cells.values(), policy.on_duplicate)
    status = statuses(candidates, axis, policy.expected, notes)
    selection = _compete(candidates, cells.values(), status, sweep, policy, axis)
    selection.notes += notes
    for one, end in sorted(zip(candidates, status, strict=True), key=lambda t: RANK[t[1]]):
        selection.statuses[one.run] = end
    kept = [kept_run.attempt for kept_run in selection.kept_runs]
    if selection.superseded:
        selection.axis = align_x(kept, choice, axis.align, taken)
    name_late_starts(kept, [groups_of[kept_run.run] for kept_run in selection.kept_runs], axis)
    for attempt in kept:
        _name_displaced(attempt, axis)
    selection.notes += _axis_notes(selection, choice, policy)
    return selection


def _with_votes(
    candidates: list[Candidate], cells: Iterable[Sequence[int]], policy: OnDuplicate
) -> list[Candidate]:
    """Return the candidates of which one in each cell has a vote: others are no runs.

    It is the one that would stay by what each log shows alone, since no status is known yet.
    """
    alone = [outright(one.attempt) or Status.INCOMPLETE for one in candidates]
    by: OnDuplicate = "prefer_complete" if policy == "raise" else policy
    for rivals in cells:
        stays = rivals[0] if len(rivals) == 1 else winner(rivals, candidates, alone, by)
        for index in rivals:
            if index != stays:
                candidates[index] = replace(candidates[index], votes=False)
    return candidates


def _name_displaced(attempt: Attempt, axis: XAxis) -> None:
    """Name the values of other quantities along x that give way to a later one at the same x."""
    names = {name: None for t in attempt.tracks for name in t.curves.x if name != axis.name}
    for name in names if len(attempt.tracks) > 1 else ():
        lines = along_x(attempt.tracks, name)[2]
        if len(lines):
            what = f"{name!r}: {counted(len(lines), 'value')} left out for a later one at the same"
            message = f"{what} {axis.name}, {named_lines(attempt.log, lines)}"
            place = attempt.log.place(int(lines[0]))
            attempt.problems.append(Problem("repeated_x", message, *place))


def taken_names(sweep: Sweep) -> set[str]:
    """Return the names that no axis of a cube can have."""
    return {"curve", "logged", "split", "metric", "seed", "config", *sweep.names.values()}


def _axis_notes(selection: Selection, choice: Choice, policy: SelectionPolicy) -> list[str]:
    """Return what the user should know of x."""
    axis, reason, notes = selection.axis, choice.reason, []
    if axis.align == "order" and policy.align == "auto" and not axis.is_mixed:
        why = f"{axis.reason}; align='union' keeps {axis.name} as the dim"
        notes.append(f"x={axis.name!r}: {why}")
    if axis.counters is not None and not axis.is_mixed:
        of = f"; {' and '.join(axis.counters)} are coordinates of each run" * bool(axis.counters)
        notes.append(f"x={axis.name!r}: {reason}: the points of each run are numbered{of}")
    if LOSES in reason:
        remedy = "x=... chooses, load_tree() gives one cube per axis"
        notes.append(f"x={axis.name!r}: {reason}; {remedy}")
    kept = selection.kept_runs
    anew = Counter(k.attempt.outer for k in kept if k.attempt.outer is not None)
    for outer, count in anew.items() if policy.x is not None else ():
        what = f"it starts anew in each {outer} in {counted(count, 'run')}, and its last value wins"
        remedy = "without x= the points of each run are numbered"
        notes.append(f"x={axis.name!r}: {what}; {remedy}")
    paths = {k.run: k.attempt.log.header.source.path for k in kept if k.attempt.is_numbered}
    notes += numbered_note(choice, paths, axis.align)
    some = {k.attempt.course: k.attempt.log for k in kept}.values()
    if other := curves_in_another_unit([k.attempt.log for k in kept], axis.x, some):
        remedy = "load_tree() has them in a node of their own"
        notes.append(f"x={axis.name!r}: {other}; {remedy}")
    return notes


def _compete(
    candidates: Sequence[Candidate],
    cells: Iterable[Sequence[int]],
    status: Sequence[Status],
    sweep: Sweep,
    policy: SelectionPolicy,
    axis: XAxis,
) -> Selection:
    selection = Selection(axis, [])
    for rivals in cells:
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
    extent = f": {other.attempt.extent}" if other.attempt.extent else ""
    if other.run == best.run:
        which = f"attempt {other.attempt.number + 1} was superseded by attempt"
        message = f"{which} {best.attempt.number + 1} of the same log ({counts}){extent}"
        selection.superseded.append(Problem("duplicate_run", message, path))
        return
    kept = best.attempt.log.header.source.path
    message = f"same configuration and seed as {kept} ({counts})"
    if other.attempt.log.header.key:  # other runs of the log may stay
        message += extent
    selection.superseded.append(Problem("duplicate_run", message, path))
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
