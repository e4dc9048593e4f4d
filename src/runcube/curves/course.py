"""How far a run came: the x of its rows, split by split. Runs of a sweep mostly have one course."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


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


class Course:
    """The x of the rows of an attempt that have it themselves.

    Parameters
    ----------
    rows : sequence of (str, ndarray)
        Split and x of each track; of two counters, the number of the point.
    """

    def __init__(self, rows: Sequence[tuple[str, NDArray[Any]]]) -> None:
        self._rows = [(split, x) for split, x in rows if len(x)]

    @cached_property
    def spans(self) -> Mapping[str, tuple[float, float]]:
        """The first and the last x of each split."""
        found: dict[str, tuple[float, float]] = {}
        for split, x in self._rows:
            first, last = found.get(split, (np.inf, -np.inf))
            found[split] = min(first, float(x.min())), max(last, float(x.max()))
        return found

    @cached_property
    def ends(self) -> Mapping[str, float]:
        """The last x of each split."""
        return {split: end for split, (_, end) in self.spans.items()}

    @cached_property
    def extents(self) -> Mapping[str, Extent]:
        """How far each split came."""
        return {
            split: Extent(float(x[0]), float(x[-1]), _usual(np.diff(x)), len(x))
            for split, x in self.positions().items()
        }

    def positions(self) -> Mapping[str, NDArray[Any]]:
        """Return each x of each split once, rising."""
        parts: dict[str, list[NDArray[Any]]] = {}
        for split, x in self._rows:
            parts.setdefault(split, []).append(x)
        return {split: np.unique(np.concatenate(own)) for split, own in parts.items()}

    @cached_property
    def lengths(self) -> Mapping[str, int]:
        """The rows of the longest track of each split."""
        longest: dict[str, int] = {}
        for split, x in self._rows:
            longest[split] = max(longest.get(split, 0), len(x))
        return longest


def _usual(between: NDArray[Any]) -> float:
    return float(np.median(between)) if len(between) else 0.0
