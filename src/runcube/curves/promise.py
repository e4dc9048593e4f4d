"""The length that a configuration promises, and which runs came as far (part of rule 15)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.core import Status, counted, is_length_name, length_names
from runcube.plan import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runcube.curves.attempts import Attempt
    from runcube.curves.course import Course, Extent
    from runcube.curves.x_axis import XAxis

# A run that ends short of this part of its promise did not just miss the last point.
_WELL_SHORT = 0.95
_EARLY = ("early_stop", "earlystop")


class Promise(NamedTuple):
    """A length that a configuration promises, with the key that does so."""

    key: str
    goal: float


@dataclass(frozen=True, eq=False)
class Terms:
    """What a configuration says of the length of its run; most of a sweep say the same.

    Parameters
    ----------
    config : dict
        The keys that do, flat, with dotted keys.
    """

    config: dict[str, Any]

    @classmethod
    def of_each(cls, configs: Iterable[Mapping[str, Any]]) -> list[Terms]:
        """Return the terms of nested configurations: one object where they are the same."""
        known: dict[str, Terms] = {}
        found = []
        for config in configs:
            own = {key: value for key, value in flatten(config).items() if _is_term(key)}
            found.append(known.setdefault(repr(own), cls(own)))
        return found

    def promise(self, keys: frozenset[str]) -> Promise | None:
        """Return the length that is promised in units of x, by keys whose last segment is given.

        The least nested key decides; None without one, or where two of them disagree.
        """
        found: dict[int, list[Promise]] = defaultdict(list)
        for key, value in self.config.items():
            last = key.rsplit(".", 1)[-1]
            if last in keys and isinstance(value, int | float) and not isinstance(value, bool):
                found[key.count(".")].append(Promise(key, float(value)))
        made = found[min(found)] if found else []
        is_one = len({one.goal for one in made}) == 1 and made[0].goal > 0
        return made[0] if is_one else None

    def may_stop_early(self, points: int | None = None) -> bool:
        """Return whether a run may stop early.

        Parameters
        ----------
        points : int, optional
            Points of the run: none stops for want of progress before its patience is over.
        """
        for key, value in self.config.items():
            part = _stops_early(key)
            if part is not None:
                is_count = part.endswith("patience") and isinstance(value, int | float)
                is_over = points is None or not is_count or points > value
                return bool(value) and value != "None" and is_over
        return False

    @cached_property
    def lengths(self) -> list[str]:
        """The lengths among them, in any unit, as a message names them."""
        return [f"{k}={v}" for k, v in self.config.items() if _is_length(k, v)]


@lru_cache(maxsize=1 << 12)
def _is_term(key: str) -> bool:
    return is_length_name(key) or _stops_early(key) is not None


def _stops_early(key: str) -> str | None:
    """Return the part of a key by which a run may stop early; None without one."""
    parts = key.split(".")
    # The patience of a learning rate that falls on a plateau stops nothing.
    if any(part.startswith(("lr", "sched", "reduce")) or "_sched" in part for part in parts):
        return None
    return next((p for p in parts if p.endswith("patience") or p.startswith(_EARLY)), None)


def _is_length(key: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value > 0 and is_length_name(key)


class _Kind:
    """Runs that came equally far, and whose configurations say the same.

    Parameters
    ----------
    course : Course
    terms : Terms
    made : Promise or None
        What they promise.
    """

    def __init__(self, course: Course, terms: Terms, made: Promise | None) -> None:
        self.terms, self.made = terms, made
        self.goal = np.inf if made is None else made.goal
        self.extents: Mapping[str, Extent] = {} if made is None else course.extents

    @property
    def furthest(self) -> Extent:
        """The split that came furthest."""
        return max(self.extents.values(), key=lambda extent: extent.last)

    @property
    def is_beyond(self) -> bool:
        """Whether the runs go well beyond what is promised."""
        end = self.furthest
        return self.goal < min(end.last - end.spacing, _WELL_SHORT * end.last)

    @property
    def is_well_short(self) -> bool:
        """Whether they did not just miss the last point."""
        return self.furthest.last + self.furthest.spacing < _WELL_SHORT * self.goal

    @property
    def may_have_stopped(self) -> bool:
        """Whether the runs may have stopped early, with as many points as they have."""
        points = max((extent.points for extent in self.extents.values()), default=0)
        return self.terms.may_stop_early(points)

    def kept(self, ways: Mapping[str, _Convention]) -> set[str]:
        """Return the splits that came as far as was promised."""
        found = set()
        for split, extent in self.extents.items():
            shift, at_goal = ways.get(split, _Convention())
            if extent.reaches(self.goal - shift, at_goal=at_goal):
                found.add(split)
        return found


class Promises:
    """The promises of the runs of a sweep, and what is evidence of their unit.

    Parameters
    ----------
    attempts : sequence of Attempt, (runs,)
    terms : sequence of Terms, (runs,)
        What their configurations say.
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
        attempts: Sequence[Attempt],
        terms: Sequence[Terms],
        votes: Sequence[bool],
        axis: XAxis,
        expected: float | None,
        said: Sequence[Status | None],
    ) -> None:
        self.notes: list[str] = []
        self._axis, self._said, self._expected = axis, said, expected
        # Of two counters the outer one is what is promised; ``expected`` counts points, as x does.
        keys = length_names(axis.counters[0] if axis.counters else axis.name)
        in_points = expected is not None and axis.counters is not None
        is_open = expected is not None or axis.align != "order"
        made = {
            own: own.promise(keys) if expected is None else Promise("expected", expected)
            for own in dict.fromkeys(terms if is_open else ())
        }
        known: dict[tuple[Course, Terms], _Kind] = {}
        self._kinds: list[_Kind] = []
        for attempt, own in zip(attempts, terms, strict=True):
            course = attempt.course if in_points else attempt.counted
            kind = known.get((course, own))
            if kind is None:
                kind = known[course, own] = _Kind(course, own, made.get(own))
            self._kinds.append(kind)
        self._votes = [i for i, kind in enumerate(self._kinds) if votes[i] and kind.extents]

    def statuses(self) -> list[Status | None]:
        """Return the status of each run by its promise; None where that tells nothing."""
        votes = Counter(self._kinds[i] for i in self._votes)
        if not votes or (self._expected is None and self._is_other_unit(votes)):
            return [None] * len(self._kinds)
        ways = _conventions(votes)
        kept = {kind: kind.kept(ways) for kind in dict.fromkeys(self._kinds)}
        # A split that no run takes so far need not come there.
        required = set().union(*(kept[kind] for kind in votes))
        by_kind: dict[_Kind, Status | None] = {}
        for kind, splits in kept.items():
            by_kind[kind] = None
            if kind.made is not None and required and required <= splits:
                by_kind[kind] = Status.COMPLETE
            elif kind.made is not None and not (self._expected is None and kind.may_have_stopped):
                by_kind[kind] = Status.INCOMPLETE
        found = [by_kind[kind] for kind in self._kinds]
        if self._expected is None:
            self._note_short(found, any_kept=bool(required))
        return found

    def note_unfit(self, compared: Sequence[int]) -> None:
        """Note that runs were compared with each other, while a promise was of no use.

        Parameters
        ----------
        compared : sequence of int
            The runs that were compared.
        """
        unfit = dict.fromkeys(self._kinds[i] for i in compared)
        named = dict.fromkeys(k for kind in unfit if not kind.made for k in kind.terms.lengths)
        if named:
            what = f"{', '.join([*named][:3])} cannot be compared with x={self._axis.name!r}"
            self.notes.append(
                f"status: {what}: runs are compared with each other; expected= says how far they go"
            )

    def _is_other_unit(self, votes: Counter[_Kind]) -> bool:
        """Return whether what is promised is not counted by x, and note it.

        Either most runs go well beyond it. Or most are done, by the word of their logger, and end
        at the same x, while no run comes near it: runs that stop early do not.
        """
        beyond = [kind for kind in votes if kind.is_beyond]
        done = [self._kinds[i] for i in self._votes if self._said[i] is Status.COMPLETE]
        is_short = (
            2 * len(done) > votes.total() > 1
            and len({(kind.furthest.last, kind.goal) for kind in dict.fromkeys(done)}) == 1
            and all(kind.is_well_short for kind in votes)
        )
        if 2 * sum(votes[kind] for kind in beyond) <= votes.total() and not is_short:
            return False
        some = done[0] if is_short else beyond[0]
        assert some.made is not None
        self.notes.append(
            f"status: {some.made.key}={some.goal:g} is in another unit than x={self._axis.name!r},"
            f" as runs end at {some.furthest.last:g}; expected= says how far they go"
        )
        return True

    def _note_short(self, found: Sequence[Status | None], *, any_kept: bool) -> None:
        unsaid = [i for i in self._votes if self._said[i] is None]
        short = [i for i in unsaid if found[i] is Status.INCOMPLETE]
        if short and not any_kept:
            made = self._kinds[short[0]].made
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


class _Convention(NamedTuple):
    """How a split counts: what is taken from the goal, and whether there is a point at it."""

    shift: float = 0.0
    at_goal: bool = False


def _conventions(votes: Counter[_Kind]) -> dict[str, _Convention]:
    """Return how each split counts: epochs 0 to 14 are fifteen, as are 1 to 15.

    Where as many runs come to the promised number itself as stop one before it, their last point is
    behind the end. Where it is out of step with the others, it is due whatever lies between them.
    """
    from_zero: dict[str, Counter[bool]] = defaultdict(Counter)
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, count in votes.items():
        for split, extent in kind.extents.items():
            from_zero[split][extent.is_from_zero] += count
            if extent.reaches(kind.goal - 1):
                ends[split]["at" if extent.last >= kind.goal else "before"] += count
            ends[split]["extra"] += count * (extent.last == kind.goal and extent.has_last_point)
    found = {}
    for split, counts in from_zero.items():
        is_behind = 0 < ends[split]["at"] >= ends[split]["before"]
        is_extra = 0 < ends[split]["extra"] >= ends[split]["before"]
        shift = float(counts[True] > counts[False] and not is_behind)
        found[split] = _Convention(shift, is_extra)
    return found
