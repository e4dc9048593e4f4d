"""Columns of whole numbers that rise along the rows, whatever they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import are_whole, is_time_like
from runcube.readers.jsonl.names import is_measure, is_seed_column, split_and_metric, split_in
from runcube.readers.table import NUMBER, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers.jsonl.run_table import Cells, RunTable

# An axis keeps this share of the points apart.
_APART = 0.95
# Resumes and restarts: so many steps of an axis may go back.
_STEPS_BACK = 0.05
# A count that falls more often is an outcome: the steps of an episode.
_UP_AND_DOWN = 0.25
_ALL_BITS = (1 << 64) - 1


def rising_columns(log: RunTable) -> list[frozenset[str]]:
    """Return for each run the columns of whole numbers that rise along its rows.

    Empty where a column whose name says so is an axis already: whole numbers that keep the points
    apart, and do not go up and down.
    """
    named = [name for name in log.x_columns if not is_time_like(name)]
    nothing: frozenset[str] = frozenset()
    if log.options.x is not None or not log.options.in_log:
        return [nothing for _ in log.runs.keys]
    found = []
    for run in range(len(log.runs.keys)):
        points, kinds = _points(log, run)
        axes = [cells for name in named if (cells := log.cells(name, run)) is not None]
        if any(_runs_along(cells, points, kinds, axes) for cells in axes):
            found.append(nothing)
            continue
        held = ((name, log.cells(name, run)) for name in log.numeric)
        metrics = {name: cells for name, cells in held if cells is not None}
        rising = [n for n, cells in metrics.items() if _rises(n, cells, points, kinds)]
        others = (c for n, c in metrics.items() if n not in rising)
        # Where all that moves rises, the first one alone is an axis.
        if rising and not any(points[cells.at].sum() > 1 for cells in others):
            rising = rising[:1] if len(rising) > 1 else []
        found.append(frozenset(rising))
    return found


def may_be_axes(log: RunTable, run: int) -> frozenset[str]:
    """Return the columns of whole numbers of a run that has one value of each."""
    return frozenset(
        name
        for name in log.numeric
        if (cells := log.cells(name, run)) is not None
        and len(cells.at) == 1
        and cells.kinds[0] == NUMBER
        and float(cells.values[0]).is_integer()
    )


def _points(log: RunTable, run: int) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Return which rows of a run are points, and of which kind each row is.

    Points have numbers that are not on one row alone. Rows are of one kind if they have the same
    split, and the same columns of numbers.
    """
    count = len(log.runs.rows[run])
    rows = np.zeros(count, dtype=bool)
    kinds = np.zeros(count, dtype=np.uint64)
    # Columns of rows that follow each other are mostly of the same ones.
    spans: dict[tuple[int, int], int] = {}
    for number, name in enumerate(log.numeric):
        cells = log.cells(name, run)
        weight = hash((number,)) & _ALL_BITS  # one number for each set of columns
        at = slice(0) if cells is None else span(cells.at)
        if isinstance(at, slice):
            spans[at.start or 0, at.stop] = spans.get((at.start or 0, at.stop), 0) ^ weight
        else:
            rows[at] = True
            kinds[at] ^= np.uint64(weight)
    for (start, stop), weight in spans.items():
        rows[start:stop] |= stop - start > 1
        kinds[start:stop] ^= np.uint64(weight)
    split = None if log.split is None else log.cells(log.split, run)
    if split is not None:
        kinds[split.at] += split.values.astype(np.uint64) + np.uint64(1)
    return rows, kinds


def _runs_along(
    cells: Cells, points: NDArray[np.bool_], kinds: NDArray[np.uint64], axes: Sequence[Cells]
) -> bool:
    """Return whether an axis by its name is one: see `rising_columns`."""
    count = np.count_nonzero(points)
    if not count:
        return False
    at = points[cells.at]
    values, mine = cells.values[at], kinds[cells.at[at]]
    same = (values[1:] == values[:-1]) & (mine[1:] == mine[:-1])
    if len(values) - np.count_nonzero(same) < _APART * count or not _are_whole(cells):
        return False
    falls = np.flatnonzero(cells.values[1:] < cells.values[:-1])
    if len(falls) <= _UP_AND_DOWN * len(cells.at):
        return True
    # A count that starts anew in each epoch falls where another one goes on.
    for other in axes:
        if other is not cells and len(falls):
            ends = np.searchsorted(other.at, cells.at, side="right") - 1
            goes_on = other.values[ends[falls + 1]] > other.values[ends[falls]]
            falls = falls[~(goes_on & (ends[falls] >= 0))]
    return len(falls) <= _UP_AND_DOWN * len(cells.at)


def _are_whole(cells: Cells) -> bool:
    return are_whole(cells.values[cells.kinds == NUMBER])


def _rises(name: str, cells: Cells, points: NDArray[np.bool_], kinds: NDArray[np.uint64]) -> bool:
    if is_seed_column(name) or is_measure(split_and_metric(name)[1]):
        return False
    if split_in(name) is not None:
        return False
    values = cells.values
    if not (cells.kinds == NUMBER).all() or not _are_whole(cells) or len(values) < 2:
        return False
    mine = kinds[cells.at]
    steps = np.diff(values)
    stays = (steps == 0) & (np.diff(mine) == 0)
    back = int((steps < 0).sum() + stays.sum())
    # Where kinds of rows take turns, what never moves stays in each of them.
    order = np.argsort(mine, kind="stable")
    inside = np.diff(values[order])[np.diff(mine[order]) == 0]
    back = max(back, int((inside <= 0).sum()))
    rises = bool((steps > 0).any()) and back <= _STEPS_BACK * len(steps)
    return rises and int(points[cells.at].sum()) / int(points.sum()) >= _APART
