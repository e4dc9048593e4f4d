"""Where everything stands in records of one layout: many of them are decoded as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.tensorboard.event import Event


class Place(NamedTuple):
    """Where a scalar stands in a record: the bytes of its tag, and the offset of its value."""

    tag: slice
    at: int
    kind: str


@dataclass(frozen=True)
class Layout:
    """Where everything stands in records that differ in nothing else.

    Parameters
    ----------
    first : ndarray of uint8, (length,)
        A record of this layout.
    fixed : ndarray of intp
        Places of the bytes that all have.
    wall : int
    step : slice
        Empty if the records have no step.
    scalars : list of Place
    """

    first: NDArray[np.uint8]
    fixed: NDArray[np.intp]
    wall: int
    step: slice
    scalars: list[Place]

    @classmethod
    def of(cls, event: Event, start: int, first: NDArray[np.uint8]) -> Layout:
        """Return the layout of an event whose record begins at ``start``."""
        step = event.step_at or slice(start, start)
        step = slice(step.start - start, step.stop - start)
        is_fixed = np.ones(len(first), dtype=bool)
        wall = event.wall_at - start
        is_fixed[wall : wall + 8] = False
        is_fixed[step] = False
        scalars = []
        for scalar in event.scalars:
            tag = slice(scalar.tag.start - start, scalar.tag.stop - start)
            at = scalar.at - start
            is_fixed[tag] = False
            is_fixed[at : at + int(scalar.kind[-1])] = False
            scalars.append(Place(tag, at, scalar.kind))
        return cls(first, np.flatnonzero(is_fixed), wall, step, scalars)

    def holds(self, rows: NDArray[np.uint8], among: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of some records have this layout."""
        own = rows[among]
        same: NDArray[np.bool_] = (own[:, self.fixed] == self.first[self.fixed]).all(axis=1)
        steps = own[:, self.step]
        goes_on = self.first[self.step] >= 0x80
        same &= ((steps >= 0x80) == goes_on).all(axis=1)
        return same

    def walls(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the times (records,)."""
        return self.floats(rows, self.wall, "<f8")

    def steps(self, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the steps (records,): of each byte 7 bits, the lowest first."""
        found = np.zeros(len(rows), dtype=np.uint64)
        for place, column in enumerate(rows[:, self.step].T):
            found |= (column & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
        return found.view(np.int64)

    def floats(self, rows: NDArray[np.uint8], at: int, kind: str) -> NDArray[np.float64]:
        """Return the floats (records,) at an offset."""
        width = int(kind[-1])
        raw = np.ascontiguousarray(rows[:, at : at + width])
        found: NDArray[np.float64] = raw.view(kind)[:, 0].astype(np.float64)
        return found
