"""What detectron2, mmcv and mmengine write into their JSON lines, where that is not what it says.

Rows of validation have a step that is none: their epoch, or the number of batches that they took.
Values of training are medians or means of several iterations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem
from runcube.readers.table import NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from runcube.readers.table import Column, Table

_STEP, _EPOCH, _ITER, _MODE = "step", "epoch", "iter", "mode"
_EVALUATIONS = ("val", "test")
# Columns by which a loop is known, and what it does to the values of training.
_LOOPS = (
    (
        {"iteration", "data_time", "eta_seconds"},
        "of training medians of up to 20 iterations, as detectron2 writes them",
    ),
    (
        {_ITER, _EPOCH, "data_time", _STEP},
        "of training means of the last iterations, by default 10, as mmengine writes them",
    ),
    (
        {_ITER, _EPOCH, "data_time", _MODE},
        "of training means since the row before, as mmcv writes them",
    ),
)


def smoothing(columns: Collection[str]) -> str | None:
    """Return what the loop that wrote some columns did to the values; None for any other log.

    Examples
    --------
    >>> smoothing(["iteration", "loss", "data_time", "eta_seconds"])
    'of training medians of up to 20 iterations, as detectron2 writes them'
    >>> smoothing(["iteration", "loss"])
    """
    return next((text for names, text in _LOOPS if names <= {*columns}), None)


def correct_steps(table: Table) -> None:
    """Take from rows of validation the steps that are none; then they stand at the row before.

    Parameters
    ----------
    table : Table
        Just read; its columns are replaced, and a problem is added for each that is.
    """
    epoch, inner = table.columns.get(_EPOCH), table.columns.get(_ITER)
    if epoch is None or inner is None or not (_is_numeric(epoch) and _is_numeric(inner)):
        return
    step, mode = table.columns.get(_STEP), table.columns.get(_MODE)
    if step is not None and _is_numeric(step):
        own = _epochs_called_step(step, epoch, inner)
        if len(own):
            _name(table, _STEP, step.rows[own], "it is the epoch")
            table.columns[_EPOCH] = _with(epoch, step, own)
            table.columns[_STEP] = step.only(np.delete(np.arange(len(step)), own))
    if mode is not None:
        own = _batches_called_iter(mode, inner)
        if len(own):
            _name(table, _ITER, inner.rows[own], "it is the number of batches, left out")
            table.columns[_ITER] = inner.only(np.delete(np.arange(len(inner)), own))


def _epochs_called_step(step: Column, epoch: Column, inner: Column) -> NDArray[np.intp]:
    """Return the cells of ``step`` that are the epoch of the row before.

    Elsewhere ``step`` is the same as ``iter``, which such rows lack.
    """
    _, mine, other = np.intersect1d(step.rows, inner.rows, return_indices=True)
    alone = np.flatnonzero(~np.isin(step.rows, [*inner.rows, *epoch.rows]))
    before = np.searchsorted(epoch.rows, step.rows[alone]) - 1
    is_same = len(mine) > 0 and np.array_equal(step.values[mine], inner.values[other])
    is_epoch = (before >= 0).all() and (step.values[alone] == epoch.values[before]).all()
    return alone if is_same and is_epoch else alone[:0]


def _batches_called_iter(mode: Column, inner: Column) -> NDArray[np.intp]:
    """Return the cells of ``iter`` that are the number of batches of an evaluation.

    That is the same in all of them, and never the iteration of the row before.
    """
    codes = [mode.words.index(word) for word in _EVALUATIONS if word in mode.words]
    evaluations = mode.rows[(mode.kinds == TEXT) & np.isin(mode.values, codes)]
    is_own = np.isin(inner.rows, evaluations)
    own, others = np.flatnonzero(is_own), np.flatnonzero(~is_own)
    before = np.searchsorted(inner.rows[others], inner.rows[own]) - 1
    if not len(own) or not len(others) or (before < 0).any():
        return own[:0]
    last = inner.values[others][before]
    is_count = len(np.unique(inner.values[own])) == 1 and (inner.values[own] != last).all()
    return own if is_count else own[:0]


def _is_numeric(column: Column) -> bool:
    return bool((column.kinds == NUMBER).all())


def _with(column: Column, other: Column, cells: NDArray[np.intp]) -> Column:
    more = other.only(cells)
    both = replace(
        column,
        rows=np.concatenate([column.rows, more.rows]),
        kinds=np.concatenate([column.kinds, more.kinds]),
        values=np.concatenate([column.values, more.values]),
    )
    return both.only(np.argsort(both.rows, kind="stable"))


def _name(table: Table, name: str, rows: NDArray[np.int64], what: str) -> None:
    path, line = table.place(int(rows[0]))
    message = f"{name!r} on {len(rows)} row{'s' * (len(rows) > 1)} of validation: {what}"
    table.problems.append(
        Problem("missing_x", f"{message}; they stand at the row before", path, line)
    )
