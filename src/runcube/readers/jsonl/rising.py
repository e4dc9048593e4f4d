"""Columns of whole numbers that rise along the rows, whatever they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.readers.jsonl.names import is_measure, is_seed_column, split_and_metric, split_in
from runcube.readers.table import NUMBER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.jsonl.run_table import Cells, RunTable

# An axis keeps this share of the points apart.
_APART = 0.95
# Resumes and restarts: so many steps of an axis may go back.
_STEPS_BACK = 0.05


def rising_columns(log: RunTable) -> list[frozenset[str]]:
    """Return for each run the columns of whole numbers that rise along its rows.

    Empty where a column whose name says so is an axis already, and keeps the points apart.
    """
    named = [name for name in log.x_columns if not is_time_like(name)]
    nothing: frozenset[str] = frozenset()
    if log.options.x is not None or not log.options.in_log:
        return [nothing for _ in log.runs.keys]
    found = []
    for run in range(len(log.runs.keys)):
        points = _points(log, run)
        if any(_distinct(log, name, run, points) >= _APART * len(points) for name in named):
            found.append(nothing)
            continue
        found.append(frozenset(_but_metrics(log, run, points)))
    return found


def _but_metrics(log: RunTable, run: int, points: NDArray[np.int64]) -> list[str]:
    """Return the columns that rise; where all that moves does, the first of them alone."""
    rising = [name for name in log.numeric if _rises(log, name, run, points)]
    others = [
        name
        for name in log.numeric
        if name not in rising
        and (cells := log.cells(name, run)) is not None
        and int(np.isin(cells.at, points).sum()) > 1
    ]
    if others or not rising:
        return rising
    return rising[:1] if len(rising) > 1 else []


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


def _points(log: RunTable, run: int) -> NDArray[np.int64]:
    """Return the rows of a run that are points: those of numbers that are not on one row alone."""
    rows = np.zeros(len(log.runs.rows[run]), dtype=bool)
    for name in log.numeric:
        cells = log.cells(name, run)
        if cells is not None and len(cells.at) > 1:
            rows[cells.at] = True
    return np.flatnonzero(rows)


def _distinct(log: RunTable, name: str, run: int, points: NDArray[np.int64]) -> int:
    """Return the number of points whose x, or split, is another than at the point before."""
    cells = log.cells(name, run)
    if cells is None or not len(points):
        return 0
    at = np.isin(cells.at, points)
    same = (np.diff(cells.values[at]) == 0) & (np.diff(_splits(log, run, cells)[at]) == 0)
    return int(at.sum() - same.sum())


def _splits(log: RunTable, run: int, cells: Cells) -> NDArray[np.float64]:
    """Return for each cell a number of the split of its row."""
    found = np.full(len(log.runs.rows[run]), -1.0)
    split = None if log.split is None else log.cells(log.split, run)
    if split is not None:
        found[split.at] = split.values
    return found[cells.at]


def _rises(log: RunTable, name: str, run: int, points: NDArray[np.int64]) -> bool:
    cells = log.cells(name, run)
    if cells is None or is_seed_column(name) or is_measure(split_and_metric(name)[1]):
        return False
    if split_in(name) is not None:
        return False
    values = cells.values
    if not (cells.kinds == NUMBER).all() or not np.isfinite(values).all():
        return False
    if (np.abs(values) >= 2**53).any() or (values != np.floor(values)).any():
        return False
    if len(values) < 2:
        return False
    splits = _splits(log, run, cells)
    steps = np.diff(values)
    stays = (steps == 0) & (np.diff(splits) == 0)
    back = int((steps < 0).sum() + stays.sum())
    # Where splits take turns, what never moves stays in each of them.
    order = np.argsort(splits, kind="stable")
    inside = np.diff(values[order])[np.diff(splits[order]) == 0]
    back = max(back, int((inside <= 0).sum()))
    rises = bool((steps > 0).any()) and back <= _STEPS_BACK * len(steps)
    return rises and np.isin(points, cells.at).mean() >= _APART
