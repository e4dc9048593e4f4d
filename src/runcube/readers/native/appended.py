"""A native log that has grown: what was read of it before, joined with the records since."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Remarks
from runcube.readers.last_words import joined_remarks, strongest
from runcube.readers.native.epochs import misplaced, repaired
from runcube.readers.native.pattern import FIRST_LINE, NotPlainError, epochs_of

if TYPE_CHECKING:
    from runcube.core import Curves, Resume, RunLog
    from runcube.readers.native.typed import TypedLog


def joined(before: RunLog, resume: Resume, more: TypedLog) -> TypedLog:
    """Return a log joined with the records that were appended to it.

    Parameters
    ----------
    before : RunLog
        The log as it was, with its values, and without anything unusual in it.
    resume : Resume
        Where that reading stopped.
    more : TypedLog
        The new records, with lines as if they began on line 2.

    Returns
    -------
    TypedLog
        The table of the whole log. ``texts`` and ``times`` are the new ones alone.

    Raises
    ------
    NotPlainError
        If the whole log shows something unusual that neither part does.
    """
    shift = resume.lines - 1
    marker_lines = np.concatenate([resume.marker_lines, more.marker_lines + shift])
    markers = np.concatenate([resume.markers, more.markers])
    held = {curves.split: curves for curves in before.curves}
    splits: dict[str, slice] = {}
    parts: list[list[Any]] = []
    for split in dict.fromkeys([*before.splits, *more.splits]):
        at = more.splits.get(split, slice(0, 0))
        new = [more.values[:, at], more.logged[:, at], more.own[:, at], more.lines[at] + shift]
        if split in held:
            pairs = zip(_table(held[split], more), new, strict=True)
            new = [np.concatenate(pair, axis=-1) for pair in pairs]
        start = sum(len(part[-1]) for part in parts)
        splits[split] = slice(start, start + len(new[-1]))
        parts.append(new)
    values, logged, own, lines = _all(parts, more)
    order = [""] * (shift + more.count)
    for split, at in splits.items():
        for line in lines[at].tolist():
            order[line - FIRST_LINE] = split
    if misplaced(order) or repaired(markers.tolist()) != markers.tolist():
        raise NotPlainError("a split or a marker that the rest of the log contradicts")
    epochs = {s: epochs_of(lines[at], marker_lines, markers) for s, at in splits.items()}
    return replace(
        more,
        splits=splits,
        lines=lines,
        values=values,
        logged=logged,
        own=own,
        epochs=epochs,
        marker_lines=marker_lines,
        markers=markers,
        count=shift + more.count,
        marker=more.marker if more.splits else strongest(before.marker, more.marker),
        remarks=joined_remarks(
            before.remarks or Remarks(), more.remarks, has_values=bool(more.splits)
        ),
    )


def _table(curves: Curves, more: TypedLog) -> list[Any]:
    """Return values, logged (metrics, rows), keys (keys, rows) and lines (rows,) of one split."""
    rows = len(curves.lines)
    values = np.full((len(more.names), rows), np.nan)
    logged = np.zeros(values.shape, bool)
    at = [more.names.index(name) for name in curves.metrics]
    values[at], logged[at] = curves.values, curves.logged
    own = np.full((len(more.extras), rows), np.nan)
    for i, name in enumerate(more.extras):
        own[i] = curves.x.get(name, np.nan)
    return [values, logged, own, curves.lines]


def _all(parts: list[list[Any]], more: TypedLog) -> list[Any]:
    if not parts:
        return [more.values, more.logged, more.own, more.lines]
    return [np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)]
