"""Which row of a log belongs to which split and epoch; logs of one sweep mostly share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from runcube.readers.native.epochs import (
    UNREADABLE,
    epochs_of,
    looks_misplaced,
    misplaced,
    repaired,
)
from runcube.readers.native.texts import MARKER, NO_MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.readers.native.mending import Odd
    from runcube.readers.native.rows import Name

# A line that may have been a marker, or not.
MAYBE_MARKER = -3


@dataclass(frozen=True, slots=True)
class Layout:
    """The records of one section, split after split.

    Parameters
    ----------
    splits : dict of str to slice
        The part of ``rows`` that belongs to each split, in order of first appearance.
    rows : ndarray of int64, (records,)
        Rows of the section; within a split in file order.
    epochs : dict of str to ndarray of int64, (records of the split,)
        From the markers, or counted from 0.
    marker_rows, markers : ndarray of int64, (markers,)
        Rows of the epoch markers, and their epochs.
    last : int
        The last row that is a record of metrics, or was one; -1 without any.
    problems : tuple of (str, str, int)
        Kind, message and row of what is wrong with markers and splits.
    is_sure : bool
        Whether the epoch of each marker is known.
    ends : dict of str to int
        Row of the last record of each split, lost ones included.

    Notes
    -----
    Logs share their layout: its arrays are read-only.
    """

    splits: dict[str, slice]
    rows: NDArray[np.int64]
    epochs: dict[str, NDArray[np.int64]]
    marker_rows: NDArray[np.int64]
    markers: NDArray[np.int64]
    last: int
    problems: tuple[tuple[str, str, int], ...]
    is_sure: bool
    ends: dict[str, int]


@dataclass(slots=True)
class _Records:
    """Records by row, also those that are lost or stand in another split.

    Parameters
    ----------
    rows, splits : ndarray of int64, (records,)
        Row, and number of the split.
    kept : ndarray of bool, (records,)
        False for a record that was lost; it is there so that those behind it keep their epochs.
    """

    rows: NDArray[np.int64]
    splits: NDArray[np.int64]
    kept: NDArray[np.bool_]
    problems: list[tuple[str, str, int]] = field(default_factory=list)


def due_splits(
    codes: NDArray[np.int64], names: Sequence[Name], is_text: NDArray[np.bool_]
) -> dict[int, str]:
    """Return the split that belongs there for each row whose own is probably damaged.

    Parameters
    ----------
    codes : ndarray of int64, (rows,)
        Index of ``names``, -1 of other rows: the rows of a whole log.
    names : sequence of Name
    is_text : ndarray of bool, (rows,)
    """
    used, counts = np.unique(codes[codes >= 0], return_counts=True)
    by_split: dict[str, int] = {}
    for code, count in zip(used.tolist(), counts.tolist(), strict=True):
        split = names[code].split
        by_split[split] = by_split.get(split, 0) + count
    if not looks_misplaced(by_split):
        return {}
    splits: list[str | None] = [names[code].split if code >= 0 else None for code in codes.tolist()]
    for row in np.flatnonzero(is_text).tolist():
        splits[row] = ""
    due = misplaced(splits)
    for row, (split, code) in enumerate(zip(splits, codes.tolist(), strict=True)):
        # The split is nowhere else, and the title has the name of another one.
        if split and by_split[split] == 1:
            title = names[code].title.removeprefix("agg_")
            if title != split and title in by_split:
                due[row] = title
    return due


def layout_of(
    codes: NDArray[np.int64],
    names: Sequence[Name],
    markers: NDArray[np.int64],
    lost: Mapping[int, Odd],
    due: Mapping[int, str],
) -> Layout:
    """Return the layout of a section.

    Parameters
    ----------
    codes : ndarray of int64, (rows,)
        Index of ``names``; -1 of what is no record of metrics.
    names : sequence of Name
    markers : ndarray of int64, (rows,)
        Epochs, ``UNREADABLE`` or ``NO_MARKER``.
    lost : mapping of int to Odd
        Rows whose records are unreadable.
    due : mapping of int to str
        As of `due_splits`.
    """
    splits: dict[str, int] = {}
    numbers = np.array([splits.setdefault(n.split, len(splits)) for n in names] or [0], np.int64)
    rows = np.flatnonzero(codes >= 0)
    found = _Records(rows, numbers[codes[rows]], np.ones(len(rows), bool))
    if lost:
        found, markers = _with_lost(found, markers, lost, splits)
    for row, split in sorted(due.items()):
        found = _moved(found, row, split, splits)
    marker_rows = np.flatnonzero(markers != NO_MARKER)
    epochs, repairs = _repaired(marker_rows, markers[marker_rows])
    is_known = np.array([epoch is not None for epoch in epochs], bool)
    marker_rows = marker_rows[is_known]
    marked = np.array([epoch for epoch in epochs if epoch is not None], np.int64)
    order, at, own, ends = _by_split(found, [*splits], marker_rows, marked)
    for array in (order, *own.values(), marker_rows, marked):
        array.flags.writeable = False
    last = int(found.rows.max(initial=-1))
    return Layout(
        at,
        order,
        own,
        marker_rows,
        marked,
        last,
        (*found.problems, *repairs),
        bool(is_known.all()),
        ends,
    )


def _with_lost(
    found: _Records,
    markers: NDArray[np.int64],
    lost: Mapping[int, Odd],
    splits: dict[str, int],
) -> tuple[_Records, NDArray[np.int64]]:
    """Return records and markers with what unreadable lines probably were."""
    markers = markers.copy()
    rows, numbers = [], []
    for row, odd in lost.items():
        if odd.split is not None:
            rows.append(row)
            numbers.append(splits.setdefault(odd.split, len(splits)))
        elif odd.may_be_marker:
            markers[row] = UNREADABLE if odd.is_marker else MAYBE_MARKER
    more = _Records(
        np.array(rows, np.int64), np.array(numbers, np.int64), np.zeros(len(rows), bool)
    )
    return _merged(found, more), markers


def _merged(one: _Records, other: _Records) -> _Records:
    rows = np.concatenate([one.rows, other.rows])
    order = np.argsort(rows, kind="stable")
    splits = np.concatenate([one.splits, other.splits])[order]
    kept = np.concatenate([one.kept, other.kept])[order]
    return _Records(rows[order], splits, kept, one.problems + other.problems)


def _moved(found: _Records, row: int, due: str, splits: dict[str, int]) -> _Records:
    """Return records with one that probably belongs to another split.

    It is kept where its split is a new one: there it has the epoch that it would have in the
    split that belongs there.
    """
    at = int(np.flatnonzero((found.rows == row) & found.kept)[0])
    own, other = int(found.splits[at]), splits.setdefault(due, len(splits))
    before = np.arange(len(found.rows)) < at
    is_new = not (before & (found.splits == own)).any()
    split = next(name for name, number in splits.items() if number == own)
    kept = f"its values stand in '{split}'" if is_new else "its values are left out"
    message = f"'{split}' where '{due}' stands elsewhere: {kept}"
    stay = np.ones(len(found.rows), bool)
    stay[at] = is_new
    alike = found.rows[before & (found.splits == other)] if is_new else found.rows[:0]
    rows = np.append(alike, row)
    numbers = np.full(len(rows), own)
    numbers[-1] = other
    rest = _Records(
        found.rows[stay],
        found.splits[stay],
        found.kept[stay],
        [*found.problems, ("odd_split", message, row)],
    )
    return _merged(rest, _Records(rows, numbers, np.zeros(len(rows), bool)))


def _repaired(
    rows: NDArray[np.int64], logged: NDArray[np.int64]
) -> tuple[list[int | None], list[tuple[str, str, int]]]:
    """Return the epochs of the markers, and what was corrected."""
    if (np.diff(logged) == 1).all() and (logged >= 0).all():
        return logged.tolist(), []
    own = [None if epoch == MAYBE_MARKER else epoch for epoch in logged.tolist()]
    epochs, problems = repaired(own), []
    for row, before, epoch in zip(rows.tolist(), own, epochs, strict=True):
        if epoch is not None and before != epoch:
            unreadable = before is None or before == UNREADABLE
            what = "an unreadable one" if unreadable else f"'{MARKER} {before}'"
            message = f"{what} among the epoch markers: read as epoch {epoch}"
            problems.append(("bad_marker", message, row))
    return epochs, problems


def _by_split(
    found: _Records,
    names: Sequence[str],
    marker_rows: NDArray[np.int64],
    markers: NDArray[np.int64],
) -> tuple[NDArray[np.int64], dict[str, slice], dict[str, NDArray[np.int64]], dict[str, int]]:
    """Return rows split after split, where each split is among them, epochs, and last rows."""
    order = np.argsort(found.splits, kind="stable")
    starts = np.searchsorted(found.splits[order], np.arange(len(names) + 1))
    parts = [np.empty(0, np.int64)]
    epochs: dict[str, NDArray[np.int64]] = {}
    at: dict[str, slice] = {}
    ends: dict[str, int] = {}
    size = 0
    # By first appearance of a record that is kept; lost ones count for the epochs alone.
    for number in pd.unique(found.splits[found.kept]).tolist():
        mine = order[starts[number] : starts[number + 1]]
        rows, kept = found.rows[mine], found.kept[mine]
        of_rows = epochs_of(rows, marker_rows, markers)
        parts.append(rows[kept])
        epochs[names[number]] = of_rows[kept]
        at[names[number]] = slice(size, size + len(parts[-1]))
        ends[names[number]] = int(rows[-1])
        size += len(parts[-1])
    return np.concatenate(parts), at, epochs, ends
