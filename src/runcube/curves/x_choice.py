"""Which quantity is x (rule 11): what keeps the points of the curves apart, with few labels."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import UnknownNameError, is_time_like, nearest
from runcube.curves.x_values import Anchors, shown, x_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.x_values import MissingX, X

# An axis must keep this share of the logged points apart to be chosen by itself.
KEEPS_APART = 0.95
# In the reason for an axis that does not.
LOSES = "no axis keeps 95 % of the points apart"
_FAMILIAR = ("epoch", "step", "global_step", "training_iteration", "iteration", "iter")


def axis_names(logs: Iterable[RunLog]) -> list[str]:
    """Return every x-like quantity of the logs, in order of first appearance."""
    return list(dict.fromkeys(name for log in logs for c in log.curves for name in c.x))


def choose_x(
    logs: Sequence[RunLog], x: str | None = None, missing_x: MissingX = "carry"
) -> tuple[X, str]:
    """Return what is x by rule 11, or the quantity asked for, with the reason.

    Parameters
    ----------
    logs : sequence of RunLog
    x : str, optional
        The quantity asked for, as logged.
    missing_x : {"carry", "drop"}
        Where a record without x stands.

    Returns
    -------
    x : str or tuple of str
    reason : str

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
    if names and not axes:
        return (), f"nothing but a clock ({names[0]}) was logged beside the records"
    if len(axes) < 2:
        return (axes or ["step"])[0], "the only axis"
    inner = inner_counters(logs, axes)
    return _best(logs, [n for n in axes if n not in inner] or axes, inner, missing_x)


def _best(
    logs: Sequence[RunLog], axes: Sequence[str], inner: dict[str, str], missing_x: MissingX
) -> tuple[X, str]:
    """Return the best of several axes, or of pairs of an outer counter and an inner one."""
    good = [name for name in axes if _kept(logs, name) >= KEEPS_APART]
    if good:
        return fewest_labels(logs, good), "the fewest labels for the longest run"
    pairs = [(outer, name) for name, outer in inner.items()]
    for outer, name in pairs:
        if _kept(logs, (outer, name)) >= KEEPS_APART:
            why = f"{outer} does not keep the points apart, and {name} starts anew in each {outer}"
            return (outer, name), why
    candidates: list[X] = [*axes, *pairs]
    shares = {x: _kept(logs, x, carrying=missing_x == "carry") for x in candidates}
    good = [name for name in axes if shares[name] >= KEEPS_APART]
    if good:
        return fewest_labels(
            logs, good
        ), "it keeps the points apart where records without it are carried"
    best = max(shares, key=lambda x: shares[x])
    return best, f"{LOSES}; {shown(best)} keeps the most ({shares[best]:.0%})"


def fewest_labels(logs: Sequence[RunLog], names: Sequence[str]) -> str:
    """Return the axis with the fewest labels; then whole numbers, then familiar names go first."""
    spread = {name: _spread(logs, name) for name in names}
    least = min(spread.values())
    return min(
        (name for name in names if spread[name] == least),
        key=lambda name: (_is_fractional(logs, name), _familiar(name)),
    )


def _familiar(name: str) -> int:
    """Return the rank among axes that do equally well: the most usual name is first."""
    last = name.rsplit("/", 1)[-1]
    return _FAMILIAR.index(last) if last in _FAMILIAR else len(_FAMILIAR)


def _columns(logs: Iterable[RunLog], name: str) -> Iterator[NDArray[Any]]:
    """Yield the values of an axis in each split of each run, without gaps."""
    for log in logs:
        for curves in log.curves:
            if name in curves.x:
                values = curves.x[name]
                yield values if values.dtype.kind == "i" else values[~np.isnan(values)]


def _is_fractional(logs: Iterable[RunLog], name: str) -> bool:
    return any((v != np.floor(v)).any() for v in _columns(logs, name) if v.dtype.kind == "f")


def _spread(logs: Iterable[RunLog], name: str) -> float:
    """Return the number of labels of the union, divided by that of the longest run."""
    distinct: dict[bytes, NDArray[np.float64]] = {}
    longest = 1
    for log in logs:
        parts = {v.tobytes(): v for v in _columns([log], name)}.values()
        mine = np.unique(np.concatenate([np.empty(0), *parts]))
        distinct[mine.tobytes()] = mine
        longest = max(longest, len(mine))
    union = np.unique(np.concatenate([np.empty(0), *distinct.values()]))
    return len(union) / longest


def inner_counters(logs: Sequence[RunLog], axes: Sequence[str]) -> dict[str, str]:
    """Return the counters that start anew in each epoch, with what counts the epochs.

    A counter steps back where a run starts again as well; there the outer one does not go on. What
    most of the runs show holds for all; runs of one epoch show nothing.
    """
    found = {}
    for name in axes:
        if not any((v[1:] < v[:-1]).any() for v in _columns(logs, name)):
            continue
        votes: Counter[str] = Counter()
        for log in logs:
            here = {other for curves in log.curves for other in curves.x if name in curves.x}
            for outer in axes if here else ():
                vote = _restarts(log, name, outer) if outer in here else False
                votes[outer] += 0 if vote is None else 1 if vote else -1
        outers = [outer for outer in axes if votes[outer] > 0]
        if outers:
            found[name] = min(
                outers, key=lambda o: sum(len(np.unique(v)) for v in _columns(logs, o))
            )
    return found


def outer_counter(log: RunLog, x: str) -> str | None:
    """Return what counts the epochs if x starts anew in each epoch of one run, else None."""
    return inner_counters([log], [n for n in axis_names([log]) if not is_time_like(n)]).get(x)


def _restarts(log: RunLog, name: str, outer: str) -> bool | None:
    """Return whether ``name`` starts anew where ``outer`` goes on; None if that never does."""
    steps = moved = back = inside = 0
    for curves in log.curves:
        inner, other = curves.x.get(name), curves.x.get(outer)
        if name == outer or inner is None or other is None:
            continue
        for mask in _masks(curves).values():
            both = mask & ~np.isnan(inner) & ~np.isnan(other)
            own, outside = inner[both], other[both]
            falls, stays = own[1:] < own[:-1], outside[1:] == outside[:-1]
            onward = outside[1:] > outside[:-1]
            steps += int(onward.sum())
            # A row in each epoch, at its end, has no restarts; what goes on at each row no epochs.
            moved += int(onward.sum()) if falls.any() else 0
            # Where both step back a run starts again, or is resumed.
            back += int((falls & (onward | stays)).sum())
            inside += int((falls & stays).sum())
    if not steps:
        return None
    return bool(back) and inside <= (1 - KEEPS_APART) * back and moved <= 2 * back


def _masks(curves: Curves) -> dict[bytes, NDArray[np.bool_]]:
    """Return the rows of each curve, those of several curves once; all rows without metrics."""
    rows = curves.logged if curves.metrics else np.ones((1, len(curves.lines)), dtype=bool)
    return {row.tobytes(): row for row in rows}


def _kept(logs: Iterable[RunLog], x: X, *, carrying: bool = False) -> float:
    """Return the share of the logged points that have an x of their own within their curve.

    With ``carrying`` a record without x stands at that of the record before it.
    """
    points = kept = 0
    for log in logs:
        values = x_values(log, x)
        anchors: Anchors | None = None
        for curves, own in zip(log.curves, values, strict=True):
            logged = int(curves.logged.sum()) if curves.metrics else len(curves.lines)
            points += logged
            lacks = np.isnan(own)
            if not lacks.any() and (own[1:] > own[:-1]).all():
                kept += logged
                continue
            masks = _masks(curves)
            counts = {key: _apart(own[row & ~lacks]) for key, row in masks.items()}
            if carrying:
                anchors = anchors or Anchors.of(log, values)
                at = anchors.before(curves.lines)
                for key, row in masks.items():
                    carried = anchors.x[at[row & lacks & (at >= 0)]]
                    counts[key] += len(np.setdiff1d(carried, own[row & ~lacks]))
            rows = curves.logged if curves.metrics else [*masks.values()]
            kept += sum(counts[row.tobytes()] for row in rows)
    return kept / points if points else 0.0


def _apart(x: NDArray[Any]) -> int:
    """Return the number of points whose x differs from that of the point before.

    A resume that repeats an earlier x therefore merges no points.
    """
    return int((x[1:] != x[:-1]).sum()) + 1 if len(x) else 0


def separable_curves(logs: Iterable[RunLog], x: X) -> frozenset[tuple[str, str]]:
    """Return the curves, as (split, metric), whose points x keeps apart in runs that have it."""
    points: Counter[tuple[str, str]] = Counter()
    kept: Counter[tuple[str, str]] = Counter()
    for log in logs:
        for curves, values in zip(log.curves, x_values(log, x), strict=True):
            for metric, logged in zip(curves.metrics, curves.logged, strict=True):
                mine = values[logged]
                known = mine[~np.isnan(mine)]
                if len(known):
                    points[curves.split, metric] += len(mine)
                    kept[curves.split, metric] += _apart(known)
    return frozenset(c for c in points if kept[c] >= KEEPS_APART * points[c])
