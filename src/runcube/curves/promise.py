"""The length that a configuration promises, and which runs came as far (part of rule 15)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.core import Status, is_length_name, length_names
from runcube.curves.tracks import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.curves.attempts import Attempt
    from runcube.curves.x_axis import XAxis

# A run that ends short of this part of its promise did not just miss the last point.
_WELL_SHORT = 0.95


class Promise(NamedTuple):
    """A length that a configuration promises, with the key that does so."""

    key: str
    goal: float


class Extent(NamedTuple):
    """How far one split of a run came.

    Parameters
    ----------
    first, last : float
        Its x.
    spacing : float
        What mostly lies between two points; 0 of a single one.
    points : int
    """

    first: float
    last: float
    spacing: float
    points: int

    @property
    def is_from_zero(self) -> bool:
        """Whether whole numbers are counted, from 0 on: 0, 1, 2 or 0, 5, 10 or 4, 9, 14."""
        is_whole = all(x.is_integer() for x in (self.first, self.last, self.spacing))
        return is_whole and (self.first <= 0 or self.first == self.spacing - 1)

    @property
    def has_last_point(self) -> bool:
        """Whether the last point is out of step with the others: one more at the end."""
        return self.spacing > 0 and (self.last - self.first) % self.spacing != 0

    def reaches(self, goal: float, *, at_goal: bool = False) -> bool:
        """Return whether the goal was reached, or the next point would be beyond it.

        With ``at_goal`` there has to be a point at the goal itself.
        """
        return self.last >= goal or (not at_goal and self.last + self.spacing > goal)


class Promises:
    """The promises of the runs of a sweep, and what is evidence of their unit.

    Parameters
    ----------
    runs : sequence of (Attempt, mapping), (runs,)
        Attempts with their flat configurations.
    votes : sequence of bool, (runs,)
        Which of them were not superseded.
    axis : XAxis
    expected : float, optional
        Length that every run should have, in units of x.
    said : sequence of Status or None, (runs,)
        How each run ended by the word of its logger.

    Attributes
    ----------
    notes : list of str
        What the user should know.
    """

    def __init__(
        self,
        runs: Sequence[tuple[Attempt, Mapping[str, Any]]],
        votes: Sequence[bool],
        axis: XAxis,
        expected: float | None,
        said: Sequence[Status | None],
    ) -> None:
        self.notes: list[str] = []
        self._runs, self._axis, self._said = runs, axis, said
        self._expected = expected
        # Of two counters the outer one is what is promised; ``expected`` counts points, as x does.
        self._unit = axis.counters[0] if axis.counters else axis.name
        keys = length_names(self._unit)
        in_points = expected is not None and axis.counters is not None
        is_open = expected is not None or axis.align != "order"
        self._made: list[Promise | None] = [
            (_promise(config, keys) if expected is None else Promise("expected", expected))
            if is_open
            else None
            for _, config in runs
        ]
        self._extents = [
            _extents(attempt, in_points) if made is not None else {}
            for (attempt, _), made in zip(runs, self._made, strict=True)
        ]
        self._votes = [i for i, own in enumerate(self._extents) if votes[i] and own]

    def statuses(self) -> list[Status | None]:
        """Return the status of each run by its promise; None where that tells nothing."""
        nothing: list[Status | None] = [None] * len(self._runs)
        votes = self._votes
        if not votes or (self._expected is None and self._is_other_unit(votes)):
            return nothing
        ways = _conventions([(self._extents[i], self._goal(i)) for i in votes])
        kept = [
            {split for split, one in own.items() if self._is_kept(i, one, ways.get(split))}
            for i, own in enumerate(self._extents)
        ]
        # A split that no run takes so far need not come there.
        required = set().union(*(kept[i] for i in votes))
        found = nothing
        for i, made in enumerate(self._made):
            if made is not None and required and required <= kept[i]:
                found[i] = Status.COMPLETE
            elif made is not None and (self._expected is not None or not self._may_have_stopped(i)):
                found[i] = Status.INCOMPLETE
        if self._expected is None:
            self._note_short(votes, found, any_kept=bool(required))
        return found

    def note_unfit(self, compared: Sequence[int]) -> None:
        """Note that runs were compared with each other, while a promise was of no use.

        Parameters
        ----------
        compared : sequence of int
            The runs that were compared.
        """
        named: dict[str, None] = {}
        for i in compared:
            keys = () if self._made[i] else self._runs[i][1].items()
            named |= {f"{k}={v}": None for k, v in keys if _is_length(k, v)}
        if named:
            what = f"{', '.join([*named][:3])} cannot be compared with x={self._axis.name!r}"
            self.notes.append(
                f"status: {what}: runs are compared with each other; expected= says how far they go"
            )

    def _is_kept(self, i: int, extent: Extent, way: _Convention | None) -> bool:
        shift, at_goal = way or _Convention()
        return extent.reaches(self._goal(i) - shift, at_goal=at_goal)

    def _goal(self, i: int) -> float:
        made = self._made[i]
        return np.inf if made is None else made.goal

    def _is_other_unit(self, votes: Sequence[int]) -> bool:
        """Return whether what is promised is not counted by x, and note it.

        Either most runs go well beyond it. Or most are done, by the word of their logger, and end
        at the same x, while no run comes near it: runs that stop early do not.
        """
        furthest = {i: max(self._extents[i].values(), key=lambda e: e.last) for i in votes}
        beyond = [
            i
            for i, e in furthest.items()
            if self._goal(i) < min(e.last - e.spacing, _WELL_SHORT * e.last)
        ]
        done = [i for i in votes if self._said[i] is Status.COMPLETE]
        ends = {(furthest[i].last, self._goal(i)) for i in done}
        is_short = (
            2 * len(done) > len(votes) > 1
            and len(ends) == 1
            and all(e.last + e.spacing < _WELL_SHORT * self._goal(i) for i, e in furthest.items())
        )
        if 2 * len(beyond) <= len(votes) and not is_short:
            return False
        some = done[0] if is_short else beyond[0]
        made, end = self._made[some], furthest[some].last
        assert made is not None
        self.notes.append(
            f"status: {made.key}={made.goal:g} is in another unit than x={self._axis.name!r}, as"
            f" runs end at {end:g}; expected= says how far they go"
        )
        return True

    def _may_have_stopped(self, i: int) -> bool:
        points = max((e.points for e in self._extents[i].values()), default=0)
        return may_stop_early(self._runs[i][1], points)

    def _note_short(
        self, votes: Sequence[int], found: Sequence[Status | None], *, any_kept: bool
    ) -> None:
        unsaid = [i for i in votes if self._said[i] is None]
        short = [i for i in unsaid if found[i] is Status.INCOMPLETE]
        if short and not any_kept:
            made = self._made[short[0]]
            assert made is not None
            self.notes.append(
                f"status: no run comes to {made.key}={made.goal:g}: {counted(len(short), 'run')}"
                " incomplete; expected= says how far they go, if not so far"
            )
        if early := [i for i in unsaid if found[i] is None]:
            self.notes.append(
                f"status: {counted(len(early), 'run')} may have stopped before the promised length,"
                " as configured, and count as complete; expected= decides"
            )


def _extents(attempt: Attempt, in_points: bool) -> dict[str, Extent]:
    """Return how far each split of an attempt came."""
    found = {}
    for split, values in attempt.positions(in_points=in_points).items():
        spacing = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
        found[split] = Extent(float(values[0]), float(values[-1]), spacing, len(values))
    return found


class _Convention(NamedTuple):
    """How a split counts: what is taken from the goal, and whether there is a point at it."""

    shift: float = 0.0
    at_goal: bool = False


def _conventions(
    runs: Sequence[tuple[Mapping[str, Extent], float]],
) -> dict[str, _Convention]:
    """Return how each split counts: epochs 0 to 14 are fifteen, as are 1 to 15.

    Where as many runs come to the promised number itself as stop one before it, their last point is
    behind the end. Where it is out of step with the others, it is due whatever lies between them.
    """
    from_zero: dict[str, Counter[bool]] = defaultdict(Counter)
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for own, goal in runs:
        for split, extent in own.items():
            from_zero[split][extent.is_from_zero] += 1
            if extent.reaches(goal - 1):
                ends[split]["at" if extent.last >= goal else "before"] += 1
            ends[split]["extra"] += extent.last == goal and extent.has_last_point
    found = {}
    for split, counts in from_zero.items():
        is_behind = 0 < ends[split]["at"] >= ends[split]["before"]
        is_extra = 0 < ends[split]["extra"] >= ends[split]["before"]
        shift = float(counts[True] > counts[False] and not is_behind)
        found[split] = _Convention(shift, is_extra)
    return found


def _is_length(key: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value > 0 and is_length_name(key)


def _promise(config: Mapping[str, Any], keys: frozenset[str]) -> Promise | None:
    """Return the length that a configuration promises, in units of x.

    The least nested key decides; None without one, or where two of them disagree.
    """
    found: dict[int, list[Promise]] = defaultdict(list)
    for key, value in config.items():
        last = key.rsplit(".", 1)[-1]
        if last in keys and isinstance(value, int | float) and not isinstance(value, bool):
            found[key.count(".")].append(Promise(key, float(value)))
    made = found[min(found)] if found else []
    is_one = len({one.goal for one in made}) == 1 and made[0].goal > 0
    return made[0] if is_one else None


def may_stop_early(config: Mapping[str, Any], points: int | None = None) -> bool:
    """Return whether a configuration lets its run stop early.

    Parameters
    ----------
    config : mapping
        Flat, with dotted keys.
    points : int, optional
        Points of the run: none stops for want of progress before its patience is over.
    """
    for key, value in config.items():
        parts = key.split(".")
        # The patience of a learning rate that falls on a plateau stops nothing.
        if any(part.startswith(("lr", "sched", "reduce")) or "_sched" in part for part in parts):
            continue
        for part in parts:
            if part.endswith("patience") or part.startswith(("early_stop", "earlystop")):
                is_count = part.endswith("patience") and isinstance(value, int | float)
                is_over = points is None or not is_count or points > value
                return bool(value) and value != "None" and is_over
    return False
