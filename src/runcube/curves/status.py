"""Which runs are complete (rule 15), and which of several in one cell stays (rule 10)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError, Status, length_names
from runcube.plan import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runcube.curves.attempts import Attempt
    from runcube.curves.x_axis import XAxis

OnDuplicate = Literal["prefer_complete", "first", "last", "raise"]
# A run is whole if each split comes this near to the longest of its configuration.
ENOUGH = 0.95
RANK = {Status.COMPLETE: 2, Status.INCOMPLETE: 1, Status.FAILED: 0}


@dataclass(frozen=True)
class Candidate:
    """An attempt with its place in the plan.

    Parameters
    ----------
    attempt : Attempt
    run : int
        Position of the run in ``sweep.headers``.
    group : int
        Number of its cell without the seed: runs of one group have the same dims.
    """

    attempt: Attempt
    run: int
    group: int

    @cached_property
    def config(self) -> dict[str, Any]:
        """Flat configuration, with dotted keys."""
        return flatten(self.attempt.log.header.config)


def statuses(
    candidates: Sequence[Candidate], axis: XAxis, expected: float | None = None
) -> list[Status]:
    """Return the status of each attempt by the first part of rule 15 that applies.

    Parameters
    ----------
    candidates : sequence of Candidate
    axis : XAxis
    expected : float, optional
        Length that every run should have, in units of x; it overrides the logger's own marker
        that a run is complete.
    """
    found: list[Status | None] = [_outright(e.attempt, expected) for e in candidates]
    parts: tuple[Callable[[], list[Status | None]], ...] = (
        lambda: _by_promise(candidates, axis, expected),
        lambda: _by_order(candidates, axis),
        lambda: _by_group(candidates),
        lambda: _by_majority(candidates),
    )
    for part in parts:
        if None not in found:
            break
        found = [old if old is not None else new for old, new in zip(found, part(), strict=True)]
    return [status or Status.COMPLETE for status in found]


def _outright(attempt: Attempt, expected: float | None) -> Status | None:
    if not attempt.log.metrics:
        return Status.FAILED
    marker = attempt.log.marker
    if not attempt.ends and marker is not Status.FAILED:
        return Status.INCOMPLETE  # it logged metrics, but none on this axis
    return None if marker is Status.COMPLETE and expected is not None else marker


def _by_promise(
    candidates: Sequence[Candidate], axis: XAxis, expected: float | None
) -> list[Status | None]:
    if axis.align == "order" and expected is None:
        return [None] * len(candidates)
    # Of two counters the outer one is what is promised; ``expected`` counts points, as x does.
    keys = length_names(axis.counters[0] if axis.counters else axis.name)
    in_points = expected is not None and axis.counters is not None
    spans = [e.attempt.spans(in_points=in_points) for e in candidates]
    shift = _shifts(spans)
    goals = [expected if expected is not None else _promise(e.config, keys) for e in candidates]
    required = {
        split
        for own, goal in zip(spans, goals, strict=True)
        if goal is not None
        for split, (_, end) in own.items()
        if end >= goal - shift[split]
    }
    if expected is not None and not required:
        return [Status.INCOMPLETE] * len(candidates)
    return [
        None
        if goal is None or not required
        else _whole(
            {split: end for split, (_, end) in own.items()},
            {split: goal - shift[split] for split in required},
        )
        for own, goal in zip(spans, goals, strict=True)
    ]


def _shifts(spans: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, float]:
    """Return per split 1 if it mostly starts at 0: epochs 0 to 14 are fifteen, as are 1 to 15."""
    starts: dict[str, Counter[bool]] = defaultdict(Counter)
    for own in spans:
        for split, (first, _) in own.items():
            starts[split][first <= 0] += 1
    return {split: float(counts[True] > counts[False]) for split, counts in starts.items()}


def _promise(config: Mapping[str, Any], keys: frozenset[str]) -> float | None:
    """Return the length that a configuration promises, in units of x.

    The least nested key decides; None without one, or where two of them disagree.
    """
    found: dict[int, set[float]] = defaultdict(set)
    for key, value in config.items():
        last = key.rsplit(".", 1)[-1]
        if last in keys and isinstance(value, int | float) and not isinstance(value, bool):
            found[key.count(".")].add(float(value))
    values = found[min(found)] if found else set()
    return values.pop() if len(values) == 1 and min(values) > 0 else None


def _by_order(candidates: Sequence[Candidate], axis: XAxis) -> list[Status | None]:
    return [
        Status.COMPLETE if axis.align == "order" or _may_stop_early(e.config) else None
        for e in candidates
    ]


def _may_stop_early(config: Mapping[str, Any]) -> bool:
    for key, value in config.items():
        for part in key.split("."):
            if part.endswith("patience") or part.startswith(("early_stop", "earlystop")):
                return bool(value) and value != "None"
    return False


def _by_group(candidates: Sequence[Candidate]) -> list[Status | None]:
    """Return statuses by comparing runs of a group: each split must come near the longest."""
    largest: dict[int, dict[str, float]] = defaultdict(dict)
    members: dict[int, set[int]] = defaultdict(set)
    for candidate in candidates:
        if candidate.attempt.ends:
            members[candidate.group].add(candidate.run)
            goals = largest[candidate.group]
            for split, end in candidate.attempt.ends.items():
                goals[split] = max(goals.get(split, -np.inf), end)
    return [
        _whole(e.attempt.ends, {s: _near(end) for s, end in largest[e.group].items()})
        if len(members[e.group]) > 1
        else None
        for e in candidates
    ]


def _by_majority(candidates: Sequence[Candidate]) -> list[Status | None]:
    """Return statuses by comparing runs with the end that at least half of all runs share."""
    with_points = [e for e in candidates if e.attempt.ends]
    counts: dict[str, Counter[float]] = defaultdict(Counter)
    for candidate in with_points:
        for split, end in candidate.attempt.ends.items():
            counts[split][end] += 1
    goals = {}
    for split, ends in counts.items():
        end, count = ends.most_common(1)[0]
        if 2 * count >= len(with_points):
            goals[split] = _near(end)
    return [_whole(e.attempt.ends, goals) for e in candidates]


def _near(end: float) -> float:
    return ENOUGH * end if end > 0 else end


def _whole(ends: Mapping[str, float], goals: Mapping[str, float]) -> Status:
    reached = all(ends.get(split, -np.inf) >= goal for split, goal in goals.items())
    return Status.COMPLETE if reached else Status.INCOMPLETE


def winner(
    rivals: Sequence[int],
    candidates: Sequence[Candidate],
    status: Sequence[Status],
    policy: OnDuplicate,
) -> int:
    """Return which of the rivals stays in a cell (rule 10).

    Parameters
    ----------
    rivals : sequence of int
        Positions in ``candidates`` of those that share the cell.
    candidates : sequence of Candidate
    status : sequence of Status
        Status of each candidate, (candidates,).
    policy : {"prefer_complete", "first", "last", "raise"}

    Returns
    -------
    int
        Position in ``candidates``.

    Raises
    ------
    PlanError
        With ``"raise"``, naming the logs.
    """
    if policy == "raise":
        logs = ", ".join(candidates[i].attempt.log.header.source.path for i in rivals)
        raise PlanError(
            f"on_duplicate='raise': {len(rivals)} runs have the same configuration and seed: {logs}"
        )

    def age(index: int) -> tuple[int, int]:
        return candidates[index].run, candidates[index].attempt.number

    if policy == "first":
        return min(rivals, key=age)
    if policy == "last":
        return max(rivals, key=age)

    def merit(index: int) -> tuple[Any, ...]:
        attempt = candidates[index].attempt
        mtime = attempt.log.header.source.mtime_ns
        end = max(attempt.ends.values(), default=-np.inf)
        # Nothing here may depend on the splits and metrics that were selected.
        size = attempt.rows, len(attempt.log.metrics)
        return RANK[status[index]], end, *size, mtime, *age(index)

    return max(rivals, key=merit)
