"""Rules 6 and 7: the fewest labels that tell every configuration apart, and where the rest lies."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate, chain, combinations
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_length_name
from runcube.plan.partitions import Partitions, recode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Set

    from numpy.typing import NDArray

    from runcube.plan.values import Column

_MAX_SUBSETS = 2000


def choose_dims(columns: Sequence[Column], seed: Column | None) -> list[int]:
    """Return the positions of the columns that become dims, by rule 6.

    Parameters
    ----------
    columns : sequence of Column
        The keys that vary, without the seed, in config order.
    seed : Column, optional
        A label seed, which helps to determine a key; None for any other kind.

    Returns
    -------
    list of int
        In config order.
    """
    if not columns:
        return []
    return sorted(_Search(columns, seed).fewest_labels())


class _Search:
    """The elimination of rule 6 and the local search over it.

    Parameters
    ----------
    columns : sequence of Column
        The keys that vary, without the seed, in config order.
    seed : Column, optional
        A label seed.

    Attributes
    ----------
    parts : Partitions
        Over the columns, their presence, and the seed.
    bits : list of int
        Mask of each column, (columns,).
    presence : dict of int to int
        Position of each column that some runs lack, to the mask of its presence.
    seed : int
        Mask of the seed; 0 without one.
    labels : list of int
        Number of labels of each column, (columns,).
    free : frozenset of int
        Positions of the columns that are not one-to-one with the seed.
    of_seed : frozenset of int
        Those of ``free`` that the seed alone determines, and not because runs lack both; one of
        those that have the same runs alike.
    leading : frozenset of int
        Those of ``free`` that stay since nothing decides their presence: one for each pattern of
        presence, which decides that of the others (a run that failed before it had a configuration
        lacks every key; one dim says so).
    order : list of int
        The rest of ``free`` in the order in which they are dropped; of those that have the same
        runs alike and the same presence, only the last, since the others go before it.
    """

    def __init__(self, columns: Sequence[Column], seed: Column | None) -> None:
        n = len(columns)
        self.columns = columns
        presence = {i: _presence(c) for i, c in enumerate(columns) if c.absent_code is not None}
        coded = [c.codes for c in columns] + list(presence.values())
        if seed is not None:
            coded += [_presence(seed), recode(seed.codes)]
        self.parts = Partitions(coded, len(columns[0].codes))
        self.bits = self.parts.bits[:n]
        self.presence = dict(zip(presence, self.parts.bits[n:], strict=False))
        self.seed = self.parts.bits[-1] if seed is not None else 0
        self.labels = [c.n_labels for c in columns]
        self.free = frozenset(i for i in range(n) if not self.seed or self.bits[i] != self.seed)
        has_seed = self.parts.bits[-2] if seed is not None else 0
        of_seed = [
            i
            for i in self.free
            if self.seed
            and self.bits[i] != has_seed
            and self.parts.determines(self.seed, self.bits[i])
        ]
        of_seed.sort(key=self._drop_rank)
        self.of_seed = frozenset({self.bits[i]: i for i in of_seed}.values())
        self.leading = self._undecided()
        base = self.seed | self.parts.mask([*self.leading])
        counted = self._counted(base, self.free)
        dropped = sorted(self.free - self.leading, key=self._drop_rank)
        last = {(self.bits[i], self.presence.get(i)): i for i in dropped}
        self.order = sorted(last.values(), key=self._drop_rank)
        self._n_combinations = self.parts.count(counted)
        # Masks of the columns from a position of the order on, without those that some runs lack.
        always = [0 if i in self.presence else self.bits[i] for i in self.order]
        self._from = [*accumulate(reversed(always), or_, initial=base)][::-1]

    def _undecided(self) -> frozenset[int]:
        """Return the key of each pattern of presence that the keys counted so far do not decide.

        Patterns that more runs have go first: they may decide those of fewer.
        """
        leading: list[int] = []
        members: dict[int, list[int]] = {}
        for i in self.free & self.presence.keys():
            members.setdefault(self.presence[i], []).append(i)
        n_present = {
            pattern: int(self.columns[own[0]].present.sum()) for pattern, own in members.items()
        }
        waiting = sorted(members, key=lambda p: (-n_present[p], min(members[p])))
        counted = self._counted(self.seed, self.free)
        for pattern in waiting:
            if not self.parts.determines(counted, pattern):
                leading.append(max(members[pattern], key=self._drop_rank))
                counted = self._counted(counted | self.bits[leading[-1]], self.free)
        return frozenset(leading)

    def _drop_rank(self, i: int) -> tuple[int, bool, bool, int, int]:
        key = self.columns[i].key
        # A length follows what was swept (``steps``, where one setting needs more of them).
        is_length = is_length_name(key)
        return (-self.labels[i], not is_length, not self.columns[i].numeric, -len(key), -i)

    def _n_labels(self, dims: Iterable[int]) -> int:
        return sum(self.labels[i] for i in dims)

    def fewest_labels(self) -> frozenset[int]:
        """Return the positions of the dims: eliminate, then protect keys while labels fall."""
        best = self.eliminate(self.of_seed, math.inf)
        assert best is not None
        protected = self.of_seed
        while better := self._improve(protected, best):
            key, best = better
            protected |= {key}
        return best

    def _improve(
        self, protected: frozenset[int], best: frozenset[int]
    ) -> tuple[int, frozenset[int]] | None:
        """Return the dropped key whose protection leaves the fewest labels, if fewer than now."""
        found: tuple[int, frozenset[int]] | None = None
        bound = self._n_labels(best)
        tried = {(self.bits[i], i in self.presence) for i in best}
        for i in sorted(self.free - best, key=lambda i: (self.labels[i], i)):
            alike = (self.bits[i], i in self.presence)
            if alike in tried:
                continue
            tried.add(alike)
            result = self.eliminate(protected | {i}, bound)
            if result is not None:
                found, bound = (i, result), self._n_labels(result)
        return found

    def eliminate(self, protected: frozenset[int], bound: float) -> frozenset[int] | None:
        """Return what stays when keys that the remaining ones determine are dropped.

        None once the labels kept reach ``bound``. A key may be dropped if the others tell as many
        combinations apart without it, and what is told apart only shrinks along the order: so the
        next key that has to stay is found by bisection.
        """
        kept = {*protected, *self.leading}
        labels = self._n_labels(kept)
        places = range(len(self.order))
        at = 0
        while labels < bound:
            at = bisect_left(places, True, lo=at, key=lambda k: self._is_needed(kept, k))
            if at == len(places):
                return frozenset(kept)
            kept.add(self.order[at])
            labels += self.labels[self.order[at]]
        return None

    def _is_needed(self, kept: Set[int], at: int) -> bool:
        """Return whether ``kept`` and what comes after a position tell fewer combinations apart."""
        after = (i for i in self.order[at + 1 :] if i in self.presence)
        counted = self._counted(self._from[at + 1], chain(kept, after))
        return self.parts.count(counted) < self._n_combinations

    def _counted(self, counted: int, columns: Iterable[int]) -> int:
        """Return the mask of what counts: ``counted``, and those of the columns that may be added.

        A key that some runs lack counts only once counted keys decide its presence: else
        ``momentum``, absent for adam, would make ``optimizer`` a function of it.
        """
        waiting: dict[int, int] = {}
        for i in columns:
            if i in self.presence:
                waiting[self.presence[i]] = waiting.get(self.presence[i], 0) | self.bits[i]
            else:
                counted |= self.bits[i]
        while ready := [p for p in waiting if self.parts.determines(counted, p)]:
            for pattern in ready:
                counted |= waiting.pop(pattern)
        return counted


def _presence(column: Column) -> NDArray[np.int64]:
    """Return codes of whether each run has a key, (n_runs,)."""
    return recode(column.present.astype(np.int64))


class Placement:
    """Finds the smallest set of cell dims that determines a column (rule 7).

    Parameters
    ----------
    cells : (n_runs, n_axes + 1) int64
        Label indices; the last column is the seed.
    sizes : sequence of int
        Number of labels of each column of ``cells``, (n_axes + 1,).
    targets : sequence of (n_runs,) int64
        Codes of the columns to be placed.

    Attributes
    ----------
    n_axes : int
        Number of cell dims without the seed.
    parts : Partitions
        Over the cell dims, the seed and the targets, in this order.
    """

    def __init__(
        self, cells: NDArray[np.int64], sizes: Sequence[int], targets: Sequence[NDArray[np.int64]]
    ) -> None:
        dims = [recode(np.ascontiguousarray(column)) for column in cells.T]
        self.sizes = sizes
        self.n_axes = len(dims) - 1
        self.parts = Partitions([*dims, *targets], len(cells))
        self._placed: dict[int, tuple[int, ...] | None] = {}

    def place(self, target: int) -> tuple[int, ...] | None:
        """Return the columns of ``cells`` that determine a target; None where no set does."""
        goal = self.parts.bits[len(self.sizes) + target]
        if goal not in self._placed:
            self._placed[goal] = self._place(goal)
        return self._placed[goal]

    def _place(self, goal: int) -> tuple[int, ...] | None:
        axes = list(range(self.n_axes))
        for dims, always in ((axes, 0), (axes, self.parts.bits[self.n_axes])):
            if self.parts.determines(self.parts.mask(dims) | always, goal):
                found = self._smallest(dims, always, goal)
                return (*found, self.n_axes) if always else found
        return None

    def _smallest(self, dims: Sequence[int], always: int, goal: int) -> tuple[int, ...]:
        mask, bits = self.parts.mask, self.parts.bits
        sharing = Counter(bits[d] for d in dims)
        every = mask(dims)
        needed = [
            d
            for d in dims
            if sharing[bits[d]] == 1
            and not self.parts.determines((every & ~bits[d]) | always, goal)
        ]
        if self.parts.determines(mask(needed) | always, goal):
            return tuple(needed)
        optional = [d for d in dims if d not in needed]
        greedy = self._greedy(needed, optional, always, goal)
        tries = 0
        for size in range(1, len(greedy)):
            sets = list(combinations(optional, size)) if len(optional) <= 16 else []
            tries += len(sets)
            if not sets or tries > _MAX_SUBSETS:
                break
            for extra in sorted(sets, key=lambda s: sum(self.sizes[d] for d in s)):
                if self.parts.determines(mask([*needed, *extra]) | always, goal):
                    return tuple(sorted([*needed, *extra]))
        return tuple(sorted([*needed, *greedy]))

    def _greedy(
        self, needed: Sequence[int], optional: Sequence[int], always: int, goal: int
    ) -> list[int]:
        """Return the axes that are left when those with most labels go, if the rest determines."""
        bits = self.parts.bits
        sharing = Counter(bits[d] for d in (*needed, *optional))
        every = self.parts.mask([*needed, *optional])
        dropped: set[int] = set()
        for dim in sorted(optional, key=lambda d: -self.sizes[d]):
            without = every if sharing[bits[dim]] > 1 else every & ~bits[dim]
            if self.parts.determines(without | always, goal):
                every = without
                sharing[bits[dim]] -= 1
                dropped.add(dim)
        return [dim for dim in optional if dim not in dropped]
