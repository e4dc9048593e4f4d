"""The x-axis of a cube, and how the runs line up on it (rule 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.curves.attempts import Attempt
    from runcube.curves.own_x import Choice
    from runcube.curves.x_values import X

Align = Literal["auto", "union", "order"]
# More labels than this many times the longest run's: the runs share no x.
UNION_LIMIT = 4.0
# The dim of points that are numbered.
_POINT = "point"


@dataclass(frozen=True)
class XAxis:
    """The chosen x-axis.

    Parameters
    ----------
    name : str
        Name of the quantity as logged; ``point`` where no single one is x.
    dim : str
        Name of the dim: ``name`` as an identifier, or ``point`` if aligned by order.
    align : {"union", "order"}
        Whether runs share the labels of x, or are numbered by order.
    labels : (x,) int64 or float64
        Labels of the dim, increasing, in the unit of the quantity; 0, 1, 2, … by order.
    reason : str
        Why this axis was chosen.
    counters : tuple of str, optional
        The counters whose pairs are numbered, or () if the records are; None: ``name`` is x.
    is_mixed : bool
        Whether the points of each run are numbered in the order of an axis of its own.
    """

    name: str
    dim: str
    align: Literal["union", "order"]
    labels: NDArray[Any]
    reason: str
    counters: tuple[str, ...] | None = None
    is_mixed: bool = False

    @property
    def x(self) -> X:
        """What is x in the logs."""
        return self.name if self.counters is None else self.counters


def align_x(
    attempts: Sequence[Attempt], choice: Choice, align: Align, taken: Iterable[str]
) -> XAxis:
    """Return the axis over the attempts: its labels, and how the runs align on it (rule 12).

    Parameters
    ----------
    attempts : sequence of Attempt
    choice : Choice
        What is x. Points that are numbered in each run are aligned by that number.
    align : {"auto", "union", "order"}
    taken : iterable of str
        Names that the dim cannot have.
    """
    x, reason = choice.x, choice.reason
    distinct: dict[tuple[str, bytes], NDArray[Any]] = {}
    longest = 0
    for attempt in {one.course: one for one in attempts}.values():
        arrays = [track.x for track in attempt.tracks if len(track.metrics)]
        mine = {(own.dtype.str, own.tobytes()): own for own in arrays}
        distinct |= mine
        longest = max([longest, *(len(own) for own in mine.values())])
        if len(mine) > 1:
            longest = max(longest, len(np.unique(np.concatenate(list(mine.values())))))
    labels = np.empty(0, dtype=np.int64)
    if distinct:
        labels = np.unique(np.concatenate(list(distinct.values())))
    if not isinstance(x, str):
        how: Literal["union", "order"] = "order" if choice.is_mixed else "union"
        dim = identifier(_POINT, taken)
        return XAxis(_POINT, dim, how, labels, reason, x, choice.is_mixed)
    chosen: Literal["union", "order"] = "order" if align == "order" else "union"
    if align == "auto" and len(labels) > UNION_LIMIT * longest:
        chosen = "order"
        reason += f"; {len(labels)} distinct values over runs of at most {longest}"
    if chosen == "order":
        return XAxis(x, _POINT, chosen, np.arange(longest, dtype=np.int64), reason)
    return XAxis(x, identifier(x, taken), chosen, labels, reason)


def identifier(name: str, taken: Iterable[str]) -> str:
    """Return a logged name as an identifier not in ``taken``, so that ``.sel(name=…)`` works."""
    found = re.sub(r"\W+", "_", name.rsplit("/", 1)[-1]) or "x"
    if found[0].isdigit():
        found = f"x_{found}"
    used = set(taken)
    while found in used:
        found = f"x_{found}"
    return found
