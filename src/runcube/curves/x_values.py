"""The x of each row of a run: as logged, of two counters together, or of the record before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from runcube.core import as_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog

# What a record without x stands at: the x of the record before it, or nothing.
MissingX = Literal["carry", "drop"]
# What is x: a quantity by its name in the logs; an outer and an inner counter, whose pairs are
# numbered in each run; or nothing that was logged, (), where the records are numbered.
X: TypeAlias = str | tuple[str, ...]


def shown(x: X) -> str:
    """Return what is x as the messages call it."""
    return x if isinstance(x, str) else " and ".join(x) or "x"


def x_values(log: RunLog, x: X) -> list[NDArray[Any]]:
    """Return the x of the rows of each of ``log.curves``.

    Parameters
    ----------
    log : RunLog
    x : str or tuple of str

    Returns
    -------
    list of ndarray, (rows,)
        int64, or float64 with NaN where a row lacks x. Pairs and records are numbered from 0.
    """
    if isinstance(x, str):
        return [_column(curves, x) for curves in log.curves]
    keys = [
        np.stack([_column(c, name) for name in x] or [c.lines], axis=1).astype(np.float64)
        for c in log.curves
    ]
    every = np.concatenate([np.empty((0, max(len(x), 1))), *keys])
    known = ~np.isnan(every).any(axis=1)
    numbers = np.full(len(every), np.nan)
    _, places = np.unique(every[known], axis=0, return_inverse=True)
    numbers[known] = places.reshape(-1)
    ends = np.cumsum([len(rows) for rows in keys])
    return [as_whole(part) for part in np.split(numbers, ends)[: len(keys)]]


def _column(curves: Curves, name: str) -> NDArray[Any]:
    values = curves.x.get(name)
    return np.full(len(curves.lines), np.nan) if values is None else values


@dataclass(frozen=True, slots=True)
class Anchors:
    """The rows of a run that have x, in file order: what other records stand beside.

    Parameters
    ----------
    lines : (anchors,) int64
        Line number of each row.
    x : (anchors,) int64 or float64
        Its x.
    files : (files,) int64
        Lines before each file whose records stand beside none of another file.
    """

    lines: NDArray[np.int64]
    x: NDArray[Any]
    files: NDArray[np.int64]

    @classmethod
    def of(cls, log: RunLog, values: Sequence[NDArray[Any]]) -> Anchors:
        """Return the anchors of a run: ``values`` holds the x of the rows of each split."""
        lines = np.concatenate([np.empty(0, np.int64), *(c.lines for c in log.curves)])
        x = np.concatenate([np.empty(0, np.int64), *values])
        order = np.argsort(lines, kind="stable")
        order = order[~np.isnan(x[order])]
        files = [before for _, before, _ in log.parts] if log.parallel else [0]
        return cls(lines[order], as_whole(x[order]), np.array(files))

    def before(self, lines: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the anchor at or before each line; before the first one, that; -1 without any."""
        file = np.searchsorted(self.files, lines) - 1
        first = np.searchsorted(self.lines, self.files, side="right")
        end = np.append(first[1:], len(self.lines))
        at = np.maximum(np.searchsorted(self.lines, lines, side="right") - 1, first[file])
        return np.where(first[file] < end[file], at, -1)
