"""Runs that follow each other in one file, told apart by columns that change with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runcube.core import is_count_like, is_time_like
from runcube.readers.jsonl.names import is_measure, split_in
from runcube.readers.table import NUMBER, OTHER, TEXT_AROUND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.readers.table import Column, Table

# Where x falls more often than this, it is no axis that begins anew with each run.
_SHORTEST = 3
# A column of configuration stands on this share of the rows.
_MOST = 0.9


def runs_in_blocks(
    table: Table, known: Collection[str | None]
) -> tuple[list[str], list[NDArray[np.int64]]]:
    """Return what tells runs apart that follow each other, and their rows; empty if nothing does.

    Configuration is what changes only where x begins anew, as in
    ``{"lr": 0.1, "seed": 0, "epoch": 0, "loss": 2.3}``. Where it becomes again what it was, there
    is another attempt at that run. Rows before the first one with it are of all runs.

    Parameters
    ----------
    table : Table
    known : collection of str
        Columns that are something else.

    Returns
    -------
    names : list of str
        Columns that tell the runs apart.
    rows : list of ndarray of int64, (runs,)
        Rows of each run, in order of first appearance.
    """
    axis, anew = _restarts([*_counters(table)])
    if axis is None or not len(anew):
        return [], []
    told = {
        name: values
        for name, column in table.columns.items()
        if name not in known and name != axis.name and _may_tell(name)
        if (values := _between_restarts(column, axis.rows, anew)) is not None
    }
    if not told:
        return [], []
    pairs = np.column_stack([*told.values()])
    keys = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    first = float(np.median(axis.values[anew]))
    begins = (_first_row(keys, axis.values, at, first) for at in anew.tolist())
    cuts = sorted({at for at in begins if at is not None})
    blocks = np.split(np.arange(len(keys)), cuts)
    # A damaged value on one row does not move that row to another run.
    owners = [int(np.bincount(keys[block]).argmax()) for block in blocks]
    columns = [table.columns[name] for name in told]
    ends = [*(_first_with(columns, *axis.rows[[c - 1, c]].tolist()) for c in cuts), len(table)]
    head = min(int(axis.rows[0]), *(int(column.rows[0]) for column in columns))
    starts = [head, *ends[:-1]]
    found: dict[int, list[NDArray[np.int64]]] = {}
    for owner, start, end in zip(owners, starts, ends, strict=True):
        found.setdefault(owner, [np.arange(head)]).append(np.arange(start, end))
    if len(found) < 2:
        return [], []
    return [*told], [np.concatenate(parts) for parts in found.values()]


def _may_tell(name: str) -> bool:
    """Return whether a column of this name may be configuration."""
    is_other = is_time_like(name) or is_measure(name) or split_in(name) is not None
    return not is_other and name != TEXT_AROUND


class _Counter(NamedTuple):
    """The numbers of a column that counts."""

    name: str
    rows: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def moves(self) -> int:
        return int(np.count_nonzero(self.values[1:] != self.values[:-1]))


def _counters(table: Table) -> Iterator[_Counter]:
    for name, column in table.columns.items():
        if not is_count_like(name):
            continue
        numbers = (column.kinds == NUMBER) & np.isfinite(column.values)
        if np.count_nonzero(numbers) > _MOST * len(numbers):
            yield _Counter(name, column.rows[numbers], column.values[numbers])


def _restarts(counters: Sequence[_Counter]) -> tuple[_Counter | None, NDArray[np.intp]]:
    """Return the axis with the most rows, and the cells where it, and no other, begins anew."""
    nothing = np.empty(0, dtype=np.intp)
    axis = max((c for c in counters if c.moves), key=lambda c: len(c.rows), default=None)
    if axis is None:
        return None, nothing
    falls = np.flatnonzero(axis.values[1:] < axis.values[:-1]) + 1
    if not len(falls) or len(axis.rows) < _SHORTEST * (len(falls) + 1):
        return axis, nothing
    for other in counters:
        # A count that moves no more often than runs begin is a budget.
        if other is not axis and other.moves > len(falls):
            before = np.searchsorted(other.rows, axis.rows[falls - 1], side="right") - 1
            after = np.searchsorted(other.rows, axis.rows[falls])
            after = np.minimum(after, len(other.rows) - 1)
            falls = falls[~((before >= 0) & (other.values[after] > other.values[before]))]
    if not len(falls):
        return axis, nothing
    # A resume goes back to a later x. One of the values may be damaged.
    firsts = np.sort(np.append(axis.values[0], axis.values[falls]))
    second = axis.values[np.argmax(axis.values != axis.values[0])]
    begin = max(float(firsts[len(firsts) // 4]), float(second))
    return axis, falls[axis.values[falls] <= begin]


def _between_restarts(
    column: Column, rows: NDArray[np.int64], anew: NDArray[np.intp]
) -> NDArray[np.intp] | None:
    """Return a code of the value of a column on each row of x; None unless it changes at restarts.

    One row may hold another value: it is damaged.
    """
    at, cells = column.on(rows)
    values = column.values[cells]
    if len(at) < _MOST * len(rows) or (column.kinds[cells] == OTHER).any():
        return None
    if np.count_nonzero(values[1:] != values[:-1]) > len(anew) + 2:
        return None
    pairs = np.column_stack([column.kinds[cells], values])
    codes = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    last = np.maximum(np.searchsorted(at, np.arange(len(rows)), side="right") - 1, 0)
    filled = codes[last]
    lone = np.flatnonzero((filled[:-2] == filled[2:]) & (filled[1:-1] != filled[2:])) + 1
    filled[lone] = filled[lone - 1]
    starts = np.flatnonzero(np.diff(filled)) + 1
    lengths = np.diff(np.append(starts, len(filled)))
    # Values of x or of the column may be damaged on the first row of a run, or on the last one.
    elsewhere = ~np.isin(starts, np.concatenate([[1], anew - 1, anew, anew + 1]))
    is_damage = int(elsewhere.sum()) <= 1 and bool((lengths[elsewhere] == 1).all())
    return filled if len(starts) and is_damage else None


def _first_row(keys: NDArray[np.intp], x: NDArray[np.float64], at: int, first: float) -> int | None:
    """Return where the run begins whose x begins anew; None if the key does not change there.

    Key or x may be damaged on the last row of a run, or on the first one of the next. ``first`` is
    where x mostly begins.
    """
    if keys[at] != keys[at - 1]:
        return at
    if at + 1 < len(keys) and keys[at + 1] != keys[at]:
        return at + 1 if x[at + 1] <= max(first, x[at]) else at
    if at > 1 and keys[at - 1] != keys[at - 2]:
        is_usual = at > 2 and x[at - 1] - x[at - 2] == x[at - 2] - x[at - 3]
        return at if is_usual else at - 1
    return None


def _first_with(columns: Sequence[Column], before: int, row: int) -> int:
    """Return the first row behind the last x of a run that has what the first x of the next has."""
    first = row
    for column in columns if row - before > 1 else ():
        at, cells = column.on(np.arange(before, row + 1))
        values = column.values[cells]
        if at[0] == 0 and values[0] != values[-1]:
            first = min(first, before + int(at[np.argmax(values == values[-1])]))
    return first
