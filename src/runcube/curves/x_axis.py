"""The x-axis of a cube: which quantity it is, and how the runs line up on it (rules 11, 12)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import UnknownNameError, is_time_like, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.attempts import Attempt

Align = Literal["auto", "union", "order"]
# An axis must keep this share of the logged points apart to be chosen by itself.
KEEPS_APART = 0.95
_FAMILIAR = ("epoch", "step", "global_step", "training_iteration", "iteration", "iter")
# More labels than this many times the longest run's: the runs share no x.
UNION_LIMIT = 4.0


@dataclass(frozen=True)
class XAxis:
    """The chosen x-axis.

    Parameters
    ----------
    name : str
        Name of the quantity as logged.
    dim : str
        Name of the dim: ``name`` as an identifier, or ``point`` if aligned by order.
    align : {"union", "order"}
        Whether runs share the labels of x, or are numbered by order.
    labels : (x,) int64 or float64
        Labels of the dim, increasing, in the unit of the quantity; 0, 1, 2, … by order.
    reason : str
        Why this axis was chosen.
    """

    name: str
    dim: str
    align: Literal["union", "order"]
    labels: NDArray[Any]
    reason: str


def axis_names(logs: Iterable[RunLog]) -> list[str]:
    """Return every x-like quantity of the logs, in order of first appearance."""
    return list(dict.fromkeys(name for log in logs for c in log.curves for name in c.x))


def choose_x(logs: Sequence[RunLog], x: str | None = None) -> tuple[str, str]:
    """Return the axis by rule 11, or the one asked for, with the reason.

    Parameters
    ----------
    logs : sequence of RunLog
    x : str, optional
        The axis asked for, as logged.

    Returns
    -------
    name, reason : str

    Raises
    ------
    UnknownNameError
        If no record carries ``x``.
    """
    names = axis_names(logs)
    if x is not None:
        if names and x not in names:
            raise UnknownNameError(f"x={x!r}: no such axis in the logs{nearest(x, names)}")
        return x, "asked for"
    axes = [name for name in names if not is_time_like(name)]
    if len(axes) < 2:
        return (axes or names or ["step"])[0], "the only axis"
    apart = {name: _kept_apart(logs, name) for name in axes}
    good = [name for name in axes if apart[name] >= KEEPS_APART]
    if not good:
        best = max(axes, key=lambda name: apart[name])
        lost = 1 - apart[best]
        return best, f"no axis keeps 95 % of the points apart; {best} loses the fewest ({lost:.0%})"
    spread = {name: _spread(logs, name) for name in good}
    best = min(good, key=lambda name: (spread[name], _familiar(name)))
    return best, "the fewest labels for the longest run"


def _familiar(name: str) -> int:
    """Return the rank among axes that do equally well: the most usual name is first."""
    last = name.rsplit("/", 1)[-1]
    return _FAMILIAR.index(last) if last in _FAMILIAR else len(_FAMILIAR)


def _kept_apart(logs: Iterable[RunLog], name: str) -> float:
    """Return the share of the logged points that have an x of their own within their curve."""
    points = kept = 0
    for log in logs:
        for curves in log.curves:
            logged, distinct = _points(curves, name)
            points += logged
            kept += distinct
    return kept / points if points else 0.0


def _points(curves: Curves, name: str) -> tuple[int, int]:
    mask = curves.logged
    if not curves.metrics:  # a split that was not asked for: its rows count all the same
        mask = np.ones((1, len(curves.lines)), bool)
    logged = int(mask.sum())
    x = curves.x.get(name)
    if x is None:
        return logged, 0
    present = ~np.isnan(x) if x.dtype.kind == "f" else np.ones(len(x), dtype=bool)
    rising = x[present]
    if len(rising) < 2 or (rising[1:] > rising[:-1]).all():
        return logged, int(mask[:, present].sum())
    masks = {row.tobytes(): row for row in mask}
    counts = {key: _apart(x[row & present]) for key, row in masks.items()}
    return logged, sum(counts[row.tobytes()] for row in mask)


def _apart(x: NDArray[Any]) -> int:
    """Return the number of points whose x differs from that of the point before.

    A resume that repeats an earlier x therefore merges no points.
    """
    return int((x[1:] != x[:-1]).sum()) + 1 if len(x) else 0


def separable_curves(logs: Iterable[RunLog], name: str) -> frozenset[tuple[str, str]]:
    """Return the curves, as (split, metric), whose points an axis keeps apart over all runs."""
    points: Counter[tuple[str, str]] = Counter()
    kept: Counter[tuple[str, str]] = Counter()
    for log in logs:
        for curves in log.curves:
            x = curves.x.get(name)
            for metric, logged in zip(curves.metrics, curves.logged, strict=True):
                points[curves.split, metric] += int(logged.sum())
                if x is not None:
                    mine = x[logged]
                    kept[curves.split, metric] += _apart(mine[~np.isnan(mine)])
    return frozenset(c for c in points if points[c] and kept[c] >= KEEPS_APART * points[c])


def unseparated_curves(logs: Sequence[RunLog], names: Iterable[str]) -> list[str]:
    """Return the curves, as ``split/metric``, whose points no axis keeps apart."""
    apart = frozenset().union(*(separable_curves(logs, name) for name in names))
    every = dict.fromkeys((c.split, m) for log in logs for c in log.curves for m in c.metrics)
    return [f"{split}/{metric}" for split, metric in every if (split, metric) not in apart]


def _spread(logs: Iterable[RunLog], name: str) -> float:
    """Return the number of labels of the union, divided by that of the longest run."""
    union: set[float] = set()
    longest = 1
    for log in logs:
        mine: set[float] = set()
        for curves in log.curves:
            if name in curves.x:
                mine.update(curves.x[name].tolist())
        mine = {value for value in mine if value == value}
        longest = max(longest, len(mine))
        union |= mine
    return len(union) / longest


def align_x(
    attempts: Sequence[Attempt], name: str, reason: str, align: Align, taken: Iterable[str]
) -> XAxis:
    """Return the axis over the attempts: its labels, and how the runs align on it (rule 12).

    Parameters
    ----------
    attempts : sequence of Attempt
    name : str
        Name of the axis as logged.
    reason : str
        Why it was chosen; what rule 12 decides is appended.
    align : {"auto", "union", "order"}
    taken : iterable of str
        Names that the dim cannot have.
    """
    distinct: dict[tuple[str, bytes], NDArray[Any]] = {}
    longest = 0
    for attempt in attempts:
        # Splits mostly share one array of x: look at each array once.
        arrays = {id(t.x): t.x for t in attempt.tracks if len(t.metrics)}.values()
        mine = {(x.dtype.str, x.tobytes()): x for x in arrays}
        distinct |= mine
        longest = max([longest, *(len(own) for own in mine.values())])
        if len(mine) > 1:
            longest = max(longest, len(np.unique(np.concatenate(list(mine.values())))))
    labels = np.empty(0, dtype=np.int64)
    if distinct:
        labels = np.unique(np.concatenate(list(distinct.values())))
    chosen: Literal["union", "order"] = "order" if align == "order" else "union"
    if align == "auto" and len(labels) > UNION_LIMIT * longest:
        chosen = "order"
        reason += f"; {len(labels)} distinct values over runs of at most {longest}"
    if chosen == "order":
        return XAxis(name, "point", chosen, np.arange(longest, dtype=np.int64), reason)
    return XAxis(name, identifier(name, taken), chosen, labels, reason)


def identifier(name: str, taken: Iterable[str]) -> str:
    """Return a logged name as an identifier not in ``taken``, so that ``.sel(name=…)`` works."""
    found = re.sub(r"\W+", "_", name.rsplit("/", 1)[-1]) or "x"
    if found[0].isdigit():
        found = f"x_{found}"
    used = set(taken)
    while found in used:
        found = f"x_{found}"
    return found
