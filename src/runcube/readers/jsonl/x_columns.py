"""Which columns run along the rows, as far as their names and how they move say so."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_count_like, is_time_like, is_x_like
from runcube.readers.jsonl.names import last_segment, split_and_metric
from runcube.readers.table import NUMBER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from runcube.readers.jsonl.options import Options
    from runcube.readers.jsonl.run_rows import RunRows
    from runcube.readers.table import Column

# Plural counts that are budgets (hyperparameters) where they never move.
_BUDGET = re.compile(
    r"(?:.*_)?(?:epochs|steps|timesteps|iters|iterations|updates|frames|samples"
    r"|tokens|images|batches|rounds|examples|sequences|total)|batch|round"
)


@lru_cache(4096)
def axis_of(name: str) -> str | None:
    """Return the axis that the name of a column shows; None if it shows none.

    Examples
    --------
    >>> [axis_of(n) for n in ("train/epoch", "val_num_updates", "elapsed/seconds", "val_time")]
    ['epoch', 'num_updates', 'elapsed_seconds', None]
    """
    last = last_segment(name)
    if is_x_like(name):
        # A mere unit goes with what it is of.
        return last if is_x_like(last) else "_".join(re.split(r"[/.]", name)[-2:])
    split, rest = split_and_metric(last)
    return rest if split is not None and is_count_like(rest) else None


def is_count(name: str) -> bool:
    """Return whether a column of numbers is an axis by its name alone: a count, and no budget.

    Examples
    --------
    >>> [is_count(n) for n in ("train/epoch", "epochs", "elapsed_time", "loss")]
    [True, False, False, False]
    """
    axis = axis_of(name) if is_count_like(name) and not is_time_like(name) else None
    return axis is not None and _BUDGET.fullmatch(axis.lower()) is None


def find_x(
    columns: Mapping[str, Column], options: Options, runs: RunRows, listed: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return the axes that their names show, with the columns of each.

    Parameters
    ----------
    columns : mapping of str to Column
    options : Options
    runs : RunRows
    listed : collection of str
        Columns of the counts that an axis has as a list.
    """
    axes: dict[str, list[str]] = {}
    for name, column in columns.items():
        is_metric = name in options.plain or (options.metrics and name in options.metrics)
        if is_metric or not column.has(NUMBER):
            continue
        axis = axis_of(name)
        if name == options.x or name in options.axes or name in listed:
            axes.setdefault(name, []).append(name)
        elif axis is not None and (is_count(name) or _runs_along(name, column, runs)):
            axes.setdefault(axis, []).append(name)
    asked = options.x
    if asked in columns and asked not in axes and last_segment(str(asked)) in axes:
        axes[str(asked)] = axes.pop(last_segment(str(asked)))
    axes = _without_results(axes, columns, runs)
    if all(is_time_like(name) for name in axes if name != asked):
        return axes
    # What was asked for goes first: of axes that are equally good the first one is taken.
    return dict(sorted(axes.items(), key=lambda item: item[0] != asked))


def _without_results(
    axes: dict[str, list[str]], columns: Mapping[str, Column], runs: RunRows
) -> dict[str, list[str]]:
    """Leave out what stands once a run, on a row without any axis that goes on: a result."""
    often = {name: len(columns[name]) > len(runs.keys) for names in axes.values() for name in names}
    if any(len(rows) > 1 for rows in runs.rows):
        axes = {a: [n for n in ns if often[n] or not is_time_like(n)] for a, ns in axes.items()}
    along = [n for n, is_often in often.items() if is_often and not is_time_like(n)]
    if not along or all(often.values()):
        return {axis: names for axis, names in axes.items() if names}
    rows = np.unique(np.concatenate([columns[name].rows for name in along]))
    kept = {
        axis: [n for n in names if often[n] or np.isin(columns[n].rows, rows).any()]
        for axis, names in axes.items()
    }
    return {axis: names for axis, names in kept.items() if names}


def _runs_along(name: str, column: Column, runs: RunRows) -> bool:
    """Return whether the values behave like an axis.

    Clocks mostly rise, and so does what counts the work of one split; budgets never move.
    """
    numbers = column.kinds == NUMBER
    if not is_time_like(name):
        if not any(len(np.unique(_numbers(column, rows, numbers))) > 1 for rows in runs.rows):
            return False
        if is_count_like(name):
            return True
    falls = steps = 0
    for rows in runs.rows:
        values = _numbers(column, rows, numbers)
        falls += int((values[1:] < values[:-1]).sum())
        steps += max(len(values) - 1, 0)
    # A resumed run starts its clock again; the duration of a step goes up and down all the time.
    return falls * 10 <= steps


def _numbers(
    column: Column, rows: NDArray[np.int64], numbers: NDArray[np.bool_]
) -> NDArray[np.float64]:
    cells = column.on(rows)[1]
    return column.values[cells[numbers[cells]]]
