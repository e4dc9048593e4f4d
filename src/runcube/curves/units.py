"""Rows whose x is in another unit: the epoch on evaluation rows, the iteration on all others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.curves.tracks import Track, named_curves
from runcube.curves.x_values import x_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.x_values import X

# So many times the x of a row is less than a fraction of x in the same unit.
FAR = 4.0


def other_unit(
    curves: Sequence[Curves], values: Sequence[NDArray[Any]]
) -> list[NDArray[np.bool_]] | None:
    """Return which rows of each split have an x in another unit than most; None if no row has.

    Rows of one kind hold the same metrics. A kind is in another unit if its x rises from row to
    row, but never comes near the x of the records before, while those go on behind it.

    Parameters
    ----------
    curves : sequence of Curves
        All splits of a run.
    values : sequence of ndarray, (rows,)
        The x of their rows, NaN where a row lacks it.
    """
    if not _end_apart(curves, values):
        return None
    known = [~np.isnan(x) for x in values]
    kinds = [_kinds(part) for part in curves]
    lines = np.concatenate([part.lines[mask] for part, mask in zip(curves, known, strict=True)])
    order = np.argsort(lines, kind="stable")
    x = np.concatenate([x[mask] for x, mask in zip(values, known, strict=True)])[order]
    before = np.maximum.accumulate(x)
    far, goes_on, at_once = (np.zeros(len(x), dtype=bool) for _ in range(3))
    far[order] = x * FAR < before
    goes_on[order] = np.maximum.accumulate(x[::-1])[::-1] > before
    at_once[order[:-1]] = x[1:] > before[:-1]
    found, at = [], 0
    for values_of, mask, own in zip(values, known, kinds, strict=True):
        here = slice(at, at + int(mask.sum()))
        kind_of, at = own[mask], here.stop
        is_other = np.zeros(len(mask), dtype=bool)
        rows = np.flatnonzero(mask)
        for kind in np.unique(kind_of):
            mine = kind_of == kind
            # Where a kind has one row only, it may as well be the first of another attempt.
            after = goes_on if mine.sum() > 1 else at_once
            if _is_other(values_of[mask][mine], far[here][mine], after[here][mine]):
                is_other[rows[mine]] = True
        found.append(is_other)
    return found if any(mask.any() for mask in found) else None


def _end_apart(curves: Sequence[Curves], values: Sequence[NDArray[Any]]) -> bool:
    ends = [end for part, x in zip(curves, values, strict=True) for end in _ends(part, x)]
    return bool(ends) and min(ends) * FAR < max(ends)


def _ends(curves: Curves, x: NDArray[Any]) -> list[float]:
    """Return the largest x of each kind of rows."""
    if x.dtype.kind == "i" and curves.logged.all():
        return [float(x.max())] if len(x) else []
    known = ~np.isnan(x)
    kinds = _kinds(curves)[known]
    ends = np.full(int(kinds.max(initial=0)) + 1, -np.inf)
    np.maximum.at(ends, kinds, x[known])
    found: list[float] = ends[ends > -np.inf].tolist()
    return found


def _is_other(x: NDArray[Any], far: NDArray[np.bool_], goes_on: NDArray[np.bool_]) -> bool:
    """Return whether rows of one kind are in another unit; the first may be the first of all."""
    rises = len(x) < 2 or bool(x.max() > x[0])
    return rises and bool(far[-1] and far[1:].all() and (far & goes_on).any())


def _kinds(curves: Curves) -> NDArray[np.intp]:
    """Return a number for each row: rows of one number hold the same metrics."""
    if curves.logged.all():
        return np.zeros(len(curves.lines), dtype=np.intp)
    # Eight rows of bits to a byte; a column of bytes, which sorts fast, is the kind of a row.
    packed = np.ascontiguousarray(np.packbits(curves.logged, axis=0).T)
    column = packed.view(f"V{packed.shape[1]}").reshape(-1)
    if packed.shape[1] == 1:
        column = packed.reshape(-1)
    _, numbers = np.unique(column, return_inverse=True)
    return numbers


def curves_in_another_unit(
    logs: Sequence[RunLog], x: X, some: Iterable[RunLog] | None = None
) -> str:
    """Return a note on the curves of which rows have an x in another unit in most runs, or ``""``.

    Parameters
    ----------
    logs : sequence of RunLog
    x : str or tuple of str
        What is x; what is numbered has no unit.
    some : iterable of RunLog, optional
        Logs that have all that the others have, the same metrics at the same x.
    """
    if not isinstance(x, str):
        return ""
    if not any(
        _end_apart(log.curves, x_values(log, x)) for log in (logs if some is None else some)
    ):
        return ""
    parts = []
    for log in logs:
        values = x_values(log, x)
        parts.append((log, values, other_unit(log.curves, values)))
    if all(masks is None for _, _, masks in parts):
        return ""
    votes: Counter[tuple[str, str]] = Counter()
    tracks: dict[tuple[str, str], Track] = {}
    ends = [-np.inf, -np.inf]
    for log, values, masks in parts:
        for number, curves in enumerate(log.curves):
            other = np.zeros(len(curves.lines), dtype=bool) if masks is None else masks[number]
            far = (curves.logged & other).sum(axis=1)
            for i in np.flatnonzero(curves.logged.sum(axis=1) > 1).tolist():
                curve = curves.split, curves.metrics[i]
                votes[curve] += 1 if far[i] > 1 else -1
                if far[i] > 1:
                    tracks[curve] = Track(curves, np.array([i]), slice(None), values[number])
            for side, rows in enumerate((other, ~other)):
                known = values[number][rows & ~np.isnan(values[number])]
                if len(known):
                    ends[side] = max(ends[side], float(known.max()))
    found = [track for curve, track in tracks.items() if votes[curve] > 0]
    if not found:
        return ""
    what = f"{named_curves(found)} have rows that end at {ends[0]:g} beside rows that end at"
    return f"{what} {ends[1]:g}: this may be another unit"
