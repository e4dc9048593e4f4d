"""The x quantities of one run, split by split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.readers.jsonl.names import meaning, split_in
from runcube.readers.table import NUMBER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runcube.readers.jsonl.run_table import RunTable


class Axes:
    """All x columns over the rows of one run, as float64 with NaN where a row lacks one.

    Parameters
    ----------
    log : RunTable
    run : int
        Number of the run in the log.
    x : dict of str to list of str
        Axes with their columns.
    """

    def __init__(self, log: RunTable, run: int, x: Mapping[str, list[str]]) -> None:
        self._count = len(log.runs.rows[run])
        self._cells = {
            axis: {name: cells for name in names if (cells := log.cells(name, run)) is not None}
            for axis, names in x.items()
        }
        self._whole = {axis: self._joined(axis, "") for axis, c in self._cells.items() if c}
        self._counted: str | None = None if self._whole else ""

    def announce(self, used: NDArray[np.bool_]) -> frozenset[str]:
        """Let axes that stand on records of their own hold for the records behind them.

        If no record with a number has an axis. The records are counted as well, since many may
        follow one announcement.

        Parameters
        ----------
        used : ndarray of bool, (rows,)
            Rows of the run that have numbers.

        Returns
        -------
        frozenset of str
            Columns of these axes.
        """
        named = [axis for axis in self._whole if not is_time_like(axis)]
        if not named or any((~np.isnan(self._whole[axis]) & used).any() for axis in named):
            return frozenset()
        for axis in named:
            x = self._whole[axis]
            last = np.maximum.accumulate(np.where(np.isnan(x), -1, np.arange(len(x))))
            self._whole[axis] = np.where(last >= 0, x[last], np.nan)
        self._counted = next(n for n in ("step", "record", "row") if n not in self._whole)
        columns = frozenset(name for axis in named for name in self._cells[axis])
        self._cells = {axis: {} for axis in self._cells}
        return columns

    def of(self, split: str, at: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return each x on some rows of a split, as logged.

        Without any x the records of the split are counted, from 0: ``row``, since what a step or
        an epoch is to them is not known.

        Parameters
        ----------
        split : str
        at : ndarray of int64, (points,)
            Positions among the rows of the run.

        Returns
        -------
        dict of str to ndarray of float64, (points,)
        """
        found = {
            axis: (self._joined(axis, split) if len(self._cells[axis]) > 1 else values)[at]
            for axis, values in self._whole.items()
        }
        if self._counted is not None:
            name = self._counted or "row"
            found = {name: np.arange(len(at), dtype=np.float64), **found}
        return found

    def places(self) -> NDArray[np.float64]:
        """Return the x (rows, axes) of each row on the axes that are no clocks, NaN where none."""
        found = [x for axis, x in self._whole.items() if not is_time_like(axis)]
        return np.column_stack(found) if found else np.full((self._count, 1), np.nan)

    def _joined(self, axis: str, split: str) -> NDArray[np.float64]:
        """Return the columns of one axis (``train/epoch``, …) as one; the split's goes first."""
        values = np.full(self._count, np.nan)
        columns = self._cells[axis]
        own = [c for c in columns if meaning(split_in(c) or "") == meaning(split)]
        for name in reversed([*own, *(c for c in columns if c not in own)]):
            cells = columns[name]
            numbers = cells.kinds == NUMBER
            values[cells.at[numbers]] = cells.values[numbers]
        return values
