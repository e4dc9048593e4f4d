"""The x quantities of one run, split by split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.jsonl.log import Log

_INNER = ("iter", "iteration", "step", "batch")
_OUTER = "epoch"


class Axes:
    """All x columns over the rows of one run, as float64 with NaN where a row lacks one.

    Parameters
    ----------
    log : Log
    rows : ndarray of int64, (rows,)
        Rows of the run in the table of the log.
    """

    def __init__(self, log: Log, rows: NDArray[np.int64]) -> None:
        self._log = log
        self._rows = rows
        self._values = {name: self._joined(cols, "") for name, cols in log.roles.x.items()}

    def of(self, split: str, at: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return each x on some rows of a split.

        Without any x the records of the split are counted, from 0.

        Parameters
        ----------
        split : str
        at : ndarray of int64, (points,)
            Positions among the rows of the run.

        Returns
        -------
        dict of str to ndarray of float64, (points,)
            As logged; an iteration that restarts in each epoch counts through.
        """
        if not self._values:
            name = "epoch" if split != "all" else "step"
            return {name: np.arange(len(at), dtype=np.float64)}
        found = {}
        for name, columns in self._log.roles.x.items():
            values = self._joined(columns, split) if len(columns) > 1 else self._values[name]
            found[name] = values[at]
        self._unroll(found, at)
        return found

    def _joined(self, columns: list[str], split: str) -> NDArray[np.float64]:
        """Return the columns of one axis (``train/epoch``, …) as one; the split's goes first."""
        values = np.full(len(self._rows), np.nan)
        own = [c for c in columns if c.startswith(split) and split]
        for name in [*own, *(c for c in columns if c not in own)]:
            column = self._log.table.columns[name]
            here = column.values[self._rows]
            values = np.where(np.isnan(values) & column.logged[self._rows], here, values)
        return values

    def _unroll(
        self,
        found: dict[str, NDArray[np.float64]],
        at: NDArray[np.int64],
    ) -> None:
        """Make an iteration that restarts in each epoch count through; ``found`` is changed."""
        epoch = self._values.get(_OUTER)
        if epoch is None:
            return
        for name in _INNER:
            inner = self._values.get(name)
            main = None if inner is None else self._main_rows(inner)
            if inner is None or main is None or not _restarts(epoch[main], inner[main]):
                continue
            epochs = np.unique(epoch[main])
            last = np.array([inner[main][epoch[main] == e].max() for e in epochs])
            before = np.concatenate([[0.0], np.cumsum(last)[:-1]])
            place = np.searchsorted(epochs, epoch[at]).clip(max=len(epochs) - 1)
            known = epochs[place] == epoch[at]
            is_main = np.isin(at, main)
            # One record per epoch (validation) is at the end of its epoch.
            lone = len(np.unique(epoch[at])) == len(at) and not is_main.any()
            moved = before[place] + (last[place] if lone else inner[at])
            found[name] = np.where(known, moved, np.nan)

    def _main_rows(self, inner: NDArray[np.float64]) -> NDArray[np.int64] | None:
        """Return the rows of the split with the most records: training counts iterations."""
        split = self._log.roles.split
        present = ~np.isnan(inner) & ~np.isnan(self._values[_OUTER])
        if split is not None:
            codes = self._log.table.columns[split].codes[self._rows]
            counts = np.bincount(codes[present] + 1)
            if not len(counts):
                return None
            present &= codes == int(np.argmax(counts)) - 1
        rows = np.flatnonzero(present)
        return rows if len(rows) > 1 else None


def _restarts(epoch: NDArray[np.float64], inner: NDArray[np.float64]) -> bool:
    """Return whether the iteration steps back just where the epoch steps up."""
    back, up = np.diff(inner) <= 0, np.diff(epoch) > 0
    return bool(back.any() and (back == up).all() and (np.diff(epoch) >= 0).all())
