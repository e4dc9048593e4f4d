"""Which runs are complete (rule 15), and which of several in one cell stays (rule 10)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError, Status
from runcube.curves.promise import Promises, Terms

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runcube.curves.attempts import Attempt
    from runcube.curves.x_axis import XAxis

OnDuplicate = Literal["prefer_complete", "first", "last", "raise"]
# A run is whole if each split comes this near to the longest of its configuration.
ENOUGH = 0.95
# So few points do not show that what stands behind the last one stands nowhere else.
_FEW_POINTS = 2
# So many runs that end early, and more than this share of all, may have been meant to.
_MANY_SHORT, _SHARE_SHORT = 3, 1 / 3
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
    votes : bool
        Whether others are compared with it: an attempt that was superseded is no run.
    """

    attempt: Attempt
    run: int
    group: int
    votes: bool = True


def statuses(
    candidates: Sequence[Candidate],
    axis: XAxis,
    expected: float | None = None,
    notes: list[str] | None = None,
) -> list[Status]:
    """Return the status of each attempt by the first part of rule 15 that applies.

    Parameters
    ----------
    candidates : sequence of Candidate
    axis : XAxis
    expected : float, optional
        Length that every run should have, in units of x; it overrides the logger's own marker
        that a run is complete.
    notes : list of str, optional
        What the user should know is added to it.
    """
    found = [outright(e.attempt) for e in candidates]
    word = _Trailers(candidates, found)
    done = [one or two for one, two in zip(found, word.statuses(), strict=True)]
    if expected is not None:
        found = [None if one is Status.COMPLETE else one for one in found]
    else:
        found = done
    votes = [e.votes for e in candidates]
    attempts = [e.attempt for e in candidates]
    terms = Terms.of_each(attempt.log.header.config for attempt in attempts)
    promises = Promises(attempts, terms, votes, axis, expected, done)
    found = _filled(found, promises.statuses())
    if expected is None:
        found = _filled(found, word.unsaid())
    found = _filled(found, _by_order(terms, axis))
    compared = [i for i, one in enumerate(found) if one is None]
    if compared:
        promises.note_unfit(compared)
        found = _filled(_filled(found, _by_group(candidates)), _by_majority(candidates))
    if notes is not None:
        notes += promises.notes
        notes += _short_by_comparison([found[i] for i in compared if votes[i]])
    return [status or Status.COMPLETE for status in found]


def _short_by_comparison(found: Sequence[Status | None]) -> list[str]:
    """Return what to say where so many runs end before others that it may be what they do."""
    short = sum(one is Status.INCOMPLETE for one in found)
    if short < _MANY_SHORT or short <= _SHARE_SHORT * len(found):
        return []
    return [
        f"status: {short} of {len(found)} runs are incomplete for no other reason than that others"
        " are longer; if they stopped early, expected= says how far they had to come"
    ]


def _filled(found: Sequence[Status | None], more: Sequence[Status | None]) -> list[Status | None]:
    return [old if old is not None else new for old, new in zip(found, more, strict=True)]


def outright(attempt: Attempt) -> Status | None:
    """Return the status of an attempt by itself; None if it does not show it."""
    if not attempt.log.metrics:
        return Status.FAILED
    # What stands at the end of a log is of the last attempt in it.
    marker = attempt.log.marker if attempt.is_last else None
    if not attempt.course.ends and marker is not Status.FAILED:
        return Status.INCOMPLETE  # it logged metrics, but none on this axis
    return marker


class _Trailers:
    """What most runs log when they are done, and nowhere else.

    Parameters
    ----------
    candidates : sequence of Candidate
    found : sequence of Status or None, (candidates,)
        What is known of each.
    """

    def __init__(self, candidates: Sequence[Candidate], found: Sequence[Status | None]) -> None:
        self._said = [
            _said_at_end(e.attempt, one) for e, one in zip(candidates, found, strict=True)
        ]
        votes = [
            i
            for i, (e, said) in enumerate(zip(candidates, self._said, strict=True))
            if e.votes and said is not None
        ]
        shown = Counter(
            kind for i in votes for kind in _shown(candidates[i].attempt, self._said[i] or ())
        )
        self._kinds = {
            kind
            for kind, count in shown.items()
            # One text, of one run alone, is not yet a habit.
            if 2 * count > len(votes) and (count > 1 or not _is_text(kind))
        }
        self._is_certain = any(not _is_text(kind) for kind in self._kinds)

    def statuses(self) -> list[Status | None]:
        """Return which runs are complete for they have one, or incomplete for they have none.

        A text may be missing where a run came to its end in another way, as by early stopping:
        its promise is asked first.
        """
        without = Status.INCOMPLETE if self._is_certain else None
        return [
            None if said is None else Status.COMPLETE if said & self._kinds else without
            for said in self._said
        ]

    def unsaid(self) -> list[Status | None]:
        """Return ``INCOMPLETE`` for runs without a trailer where there is one."""
        return [
            Status.INCOMPLETE if self._kinds and said is not None else None for said in self._said
        ]


# The kind of an end that the layout itself has a marker for.
_MARKER = "a marker"


def _said_at_end(attempt: Attempt, found: Status | None) -> frozenset[str] | None:
    """Return the kinds of what a log says at its end; None if that is unknown, or of trouble."""
    remarks = attempt.log.remarks
    if found is Status.COMPLETE:
        return frozenset({_MARKER}) | (remarks.behind if remarks else frozenset())
    if found is not None or remarks is None or not attempt.is_last:
        return None
    return remarks.behind


def _shown(attempt: Attempt, said: Collection[str]) -> frozenset[str]:
    """Return the kinds that a run shows to be of its end: they stand nowhere else in its log.

    One of two points does not show that: the kind may be of every epoch, or of every second one.
    """
    longest = max(attempt.course.lengths.values(), default=0)
    remarks = attempt.log.remarks
    kinds = frozenset(said) - (remarks.before if remarks else frozenset())
    return kinds if longest > _FEW_POINTS else kinds & {_MARKER}


def _is_text(kind: str) -> bool:
    return kind.startswith("'")


def _by_order(terms: Sequence[Terms], axis: XAxis) -> list[Status | None]:
    is_by_order = axis.align == "order"
    return [Status.COMPLETE if is_by_order or own.may_stop_early() else None for own in terms]


def _by_group(candidates: Sequence[Candidate]) -> list[Status | None]:
    """Return statuses by comparing runs of a group: each split must come near the longest."""
    largest: dict[int, dict[str, float]] = defaultdict(dict)
    members: dict[int, set[int]] = defaultdict(set)
    for candidate in candidates:
        if candidate.votes and candidate.attempt.course.ends:
            members[candidate.group].add(candidate.run)
            goals = largest[candidate.group]
            for split, end in candidate.attempt.course.ends.items():
                goals[split] = max(goals.get(split, -np.inf), end)
    return [
        _whole(e.attempt.course.ends, {s: _near(end) for s, end in largest[e.group].items()})
        if len(members[e.group]) > 1
        else None
        for e in candidates
    ]


def _by_majority(candidates: Sequence[Candidate]) -> list[Status | None]:
    """Return statuses by comparing runs with the end that at least half of all runs share."""
    with_points = [e for e in candidates if e.votes and e.attempt.course.ends]
    counts: dict[str, Counter[float]] = defaultdict(Counter)
    for candidate in with_points:
        for split, end in candidate.attempt.course.ends.items():
            counts[split][end] += 1
    goals = {}
    for split, ends in counts.items():
        end, count = ends.most_common(1)[0]
        if 2 * count >= len(with_points):
            goals[split] = _near(end)
    return [_whole(e.attempt.course.ends, goals) for e in candidates]


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
        end = max(attempt.course.ends.values(), default=-np.inf)
        # Nothing here may depend on the splits and metrics that were selected.
        size = sum(attempt.course.lengths.values()), len(attempt.log.metrics)
        return RANK[status[index]], end, *size, mtime, *age(index)

    return max(rivals, key=merit)
