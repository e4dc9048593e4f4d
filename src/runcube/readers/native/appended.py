"""A native log that has grown: what was read of it before, joined with the records since."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Remarks
from runcube.readers.last_words import joined_remarks, strongest
from runcube.readers.native.epochs import epochs_of, misplaced, repaired
from runcube.readers.native.sections import FIRST_LINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runcube.core import Curves, Resume, RunLog
    from runcube.readers.native.sections import Section


def joined(before: RunLog, resume: Resume, more: Section) -> Section | None:
    """Return a log joined with the records that were appended to it.

    Parameters
    ----------
    before : RunLog
        The log as it was, with its values, and without anything unusual in it.
    resume : Resume
        Where that reading stopped.
    more : Section
        The new records, with lines as if they began on line 2.

    Returns
    -------
    Section or None
        The whole log, but ``texts`` are the new ones alone. None if it shows something unusual, or
        the new part has keys that were not there before.
    """
    names, extras = before.metrics, resume.extras
    if not (more.is_plain and {*more.names} <= {*names} and {*more.extras} <= {*extras}):
        return None
    shift = resume.lines - 1
    marker_lines = np.concatenate([resume.marker_lines, more.marker_lines + shift])
    markers = np.concatenate([resume.markers, more.markers])
    held = {curves.split: curves for curves in before.curves}
    splits: dict[str, slice] = {}
    lines: dict[str, NDArray[np.int64]] = {}
    parts: list[list[Any]] = []
    start = 0
    for split in dict.fromkeys([*before.splits, *more.splits]):
        at = more.splits.get(split, slice(0, 0))
        new = more.lines.get(split, marker_lines[:0]) + shift
        lines[split] = np.concatenate([held[split].lines, new]) if split in held else new
        splits[split] = slice(start, start + len(lines[split]))
        start = splits[split].stop
        parts.append(_tables(held.get(split), more, at, names, extras))
    count = shift + more.count
    if repaired(markers.tolist()) != markers.tolist() or misplaced(_order(lines, count)):
        return None
    values, logged, own = [
        np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)
    ] or (more.values, more.logged, more.own)
    times = [*([] if np.isnan(before.train_time) else [before.train_time]), *more.times]
    return replace(
        more,
        config=before.header.config,
        names=names,
        extras=extras,
        splits=splits,
        lines=lines,
        values=values,
        logged=logged,
        own=own,
        epochs={s: epochs_of(own, marker_lines, markers) for s, own in lines.items()},
        marker_lines=marker_lines,
        markers=markers,
        count=count,
        times=times,
        marker=more.marker if more.splits else strongest(before.marker, more.marker),
        remarks=joined_remarks(
            before.remarks or Remarks(), more.remarks, has_values=bool(more.splits)
        ),
    )


def _tables(
    before: Curves | None, more: Section, at: slice, names: tuple[str, ...], extras: tuple[str, ...]
) -> list[Any]:
    """Return values, logged (metrics, rows) and keys (keys, rows) of one split, old and new."""
    new = [
        _rows(names, more.names, more.values[:, at], np.nan),
        _rows(names, more.names, more.logged[:, at], False),
        _rows(extras, more.extras, more.own[:, at], np.nan),
    ]
    if before is None:
        return new
    gone = np.full(len(before.lines), np.nan)
    old = [
        _rows(names, before.metrics, before.values, np.nan),
        _rows(names, before.metrics, before.logged, False),
        np.array([before.x.get(name, gone) for name in extras]).reshape(len(extras), len(gone)),
    ]
    return [np.concatenate(pair, axis=-1) for pair in zip(old, new, strict=True)]


def _order(lines: Mapping[str, NDArray[np.int64]], count: int) -> list[str | None]:
    """Return the split of each line behind the configuration; ``""`` of a text."""
    order: list[str | None] = [""] * count
    for split, own in lines.items():
        for line in own.tolist():
            order[line - FIRST_LINE] = split
    return order


def _rows(
    names: tuple[str, ...], own: tuple[str, ...], values: NDArray[Any], missing: float
) -> NDArray[Any]:
    """Return values (names, rows), with something else where a name has none."""
    found = np.full((len(names), values.shape[1]), missing)
    found[[names.index(name) for name in own]] = values
    return found
