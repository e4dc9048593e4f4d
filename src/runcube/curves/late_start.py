"""Curves whose beginning is gone, as of a logger that overwrote its file when it was resumed."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.curves.attempts import Attempt
    from runcube.curves.x_axis import XAxis


def name_late_starts(attempts: Sequence[Attempt], groups: Sequence[int], axis: XAxis) -> None:
    """Add a ``late_start`` to the problems of each attempt that begins far beyond the others.

    Most of the runs with a split have to begin it at one x. A run begins late that lacks at least
    two points of it, unless all runs of its configuration do, several of them.

    Parameters
    ----------
    attempts : sequence of Attempt
        Those that stay in the cells.
    groups : sequence of int, (attempts,)
        Number of the configuration of each.
    axis : XAxis
    """
    if axis.align == "order" or axis.counters is not None:
        return
    firsts: dict[str, dict[int, float]] = defaultdict(dict)
    for i, attempt in enumerate(attempts):
        if not attempt.is_numbered:
            for split, (first, _) in attempt.counted.spans.items():
                firsts[split][i] = first
    late: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for split, own in firsts.items():
        usual, count = Counter(own.values()).most_common(1)[0]
        if count < 2 or 2 * count <= len(own):
            continue
        beyond = {i for i, first in own.items() if first > usual}
        spacing = _spacing([attempts[i] for i in own if own[i] == usual], split) if beyond else 0
        in_group = Counter(groups[i] for i in own)
        late_in_group = Counter(groups[i] for i in beyond)
        for i in sorted(beyond):
            is_of_all = in_group[groups[i]] == late_in_group[groups[i]] > 1
            mine = _spacing([attempts[i]], split)
            if not is_of_all and own[i] - usual > max(spacing, mine):
                late[i].append((split, usual))
    for i, found in late.items():
        first = min(firsts[split][i] for split, _ in found)
        names = ", ".join(repr(split) for split, _ in found)
        message = f"{names} begins at {axis.name} {first:g}, in other runs at {found[0][1]:g}"
        path = attempts[i].log.header.source.path
        attempts[i].problems.append(
            Problem("late_start", f"{message}: its beginning is gone", path)
        )


def _spacing(attempts: Sequence[Attempt], split: str) -> float:
    """Return what mostly lies between two points of a split; 0 where each run has one."""
    between = [np.diff(attempt.counted.positions().get(split, np.zeros(0))) for attempt in attempts]
    every = np.concatenate(between) if between else np.zeros(0)
    return float(np.median(every)) if len(every) else 0.0
