"""Single values, each of one metric at one step, to a table: a row for each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.readers.table.column import NUMBER, Column
from runcube.readers.table.decode import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers.table.decode import Part

STEP, WALL = "step", "wall_time"


class Points(NamedTuple):
    """Values in the order of their rows.

    Parameters
    ----------
    names : sequence of str, (columns,)
        What their columns are called; neither ``STEP`` nor ``WALL``.
    codes : ndarray of int64, (points,)
        Number of the column of each.
    steps : ndarray of int64, (points,)
    walls : ndarray of float64, (points,)
        When it was written, in seconds since 1970; NaN if unknown.
    values : ndarray of float64, (points,)
    lines : ndarray of int64, (points,)
        What problems call the place of each.
    which : ndarray of int64, (points,)
        Number of the part of the log that each is in, rising.
    periods : ndarray of int64, (points,)
        Times that the run had begun anew, or been resumed, before it, rising.
    """

    names: Sequence[str]
    codes: NDArray[np.int64]
    steps: NDArray[np.int64]
    walls: NDArray[np.float64]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    which: NDArray[np.int64]
    periods: NDArray[np.int64]


@dataclass
class PointTable(Table):
    """A table that was made of points: nothing of it is text.

    Parameters
    ----------
    records : list of int, (parts,)
        Number of lines in each part.
    """

    records: list[int] = field(default_factory=list)

    @cached_property
    def first_lines(self) -> list[int]:
        """Lines in all parts before each one, (parts,)."""
        return [int(count) for count in np.cumsum([0, *self.records[:-1]])]

    def record(self, row: int) -> dict[str, Any]:
        """Return the values of one row by the names of their columns."""
        found = {}
        for name, column in self.columns.items():
            at, cells = column.on(np.array([row]))
            if len(at):
                found[name] = float(column.values[cells[0]])
        return found


def table_of_points(points: Points, parts: Sequence[Part], records: Sequence[int]) -> PointTable:
    """Return points as a table with a column for each name, and for step and time.

    Values of one step that follow each other share a row; a name that comes again at the same step
    begins another one. The time of a step is that of its first value; of a step that comes again
    after a resume, of the first since.

    Parameters
    ----------
    points : Points
    parts : sequence of Part, (parts,)
    records : sequence of int, (parts,)
        Number of lines in each part.
    """
    rows, firsts = _rows(points.steps, points.codes, points.which)
    columns = {}
    if len(firsts):
        columns[STEP] = _column(np.arange(len(firsts)), points.steps[firsts].astype(np.float64))
    clock = _times(points.walls, points.steps, points.periods)[firsts]
    has_wall = np.flatnonzero(~np.isnan(clock))
    if len(has_wall):
        columns[WALL] = _column(has_wall, clock[has_wall])
    order = np.lexsort((rows, points.codes))
    bounds = np.searchsorted(points.codes[order], np.arange(len(points.names) + 1))
    for code, name in enumerate(points.names):
        mine = order[bounds[code] : bounds[code + 1]]
        if len(mine):
            columns[name] = _column(rows[mine], points.values[mine])
    ends = np.searchsorted(points.which[firsts], np.arange(len(parts)), side="right")
    return PointTable(
        parts=parts,
        ends=ends.tolist(),
        lines=points.lines[firsts],
        columns=columns,
        objects={},
        odd={},
        records=list(records),
    )


def column_of(name: str) -> str:
    """Return what the column of a metric is called: those of the step and the time are taken."""
    return f"scalars/{name}" if name in (STEP, WALL) else name


def _times(
    walls: NDArray[np.float64], steps: NDArray[np.int64], periods: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return for each value when the first one of its step was written in its period."""
    if not len(walls):
        return walls
    order = np.lexsort((steps, periods))
    begins = np.append(
        True,
        (steps[order][1:] != steps[order][:-1]) | (periods[order][1:] != periods[order][:-1]),
    )
    first = np.fmin.reduceat(walls[order], np.flatnonzero(begins))
    found = np.empty(len(walls))
    found[order] = first[np.cumsum(begins) - 1]
    return found


def _column(rows: NDArray[np.int64], values: NDArray[np.float64]) -> Column:
    return Column(rows, np.full(len(rows), NUMBER, np.uint8), values, [], [])


def _rows(
    steps: NDArray[np.int64], codes: NDArray[np.int64], which: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row of each value, and the first value of each row.

    A tag that comes again at the same step begins another row.
    """
    if not len(steps):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    begins = np.append(True, (steps[1:] != steps[:-1]) | (which[1:] != which[:-1]))
    group = np.cumsum(begins) - 1
    order = np.lexsort((codes, group))
    same = np.append(
        False,
        (group[order][1:] == group[order][:-1]) & (codes[order][1:] == codes[order][:-1]),
    )
    again = np.empty(len(steps), np.int64)
    place = np.arange(len(order))
    again[order] = place - np.maximum.accumulate(np.where(same, 0, place))
    keys = group * (int(again.max()) + 1) + again
    _, firsts, rows = np.unique(keys, return_index=True, return_inverse=True)
    return rows, firsts
