"""A decoded log as runs: which rows are whose, and what each column holds on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import is_count_like
from runcube.readers.jsonl.names import SPLIT_KEYS, SPLIT_WORDS, last_segment
from runcube.readers.jsonl.run_rows import group_runs
from runcube.readers.jsonl.x_columns import axis_of, find_x
from runcube.readers.lines import is_number_text, is_short_list
from runcube.readers.table import NUMBER, OTHER, TEXT, TEXT_AROUND, flatten

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from runcube.readers.jsonl.options import Options
    from runcube.readers.jsonl.run_rows import RunRows
    from runcube.readers.table import Column, Table


@dataclass(slots=True, eq=False)
class Cells:
    """The cells of one column on the rows of one run.

    Parameters
    ----------
    at : ndarray of int64, (cells,)
        Positions among the rows of the run, rising.
    kinds : ndarray of uint8, (cells,)
        ``NUMBER``, ``TEXT`` or ``OTHER``.
    values : ndarray of float64, (cells,)
        As in `Column`.
    """

    at: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float64]

    @property
    def is_one_value(self) -> bool:
        """Whether all cells hold the same; NaN is the same as NaN."""
        first, last = self.values[0], self.values[-1]
        if first == first and first != last:  # most columns move
            return False
        same = (self.values == first) | (np.isnan(self.values) & np.isnan(first))
        return bool(same.all() and (self.kinds == self.kinds[0]).all())


class RunTable:
    """A table with its runs, and the kinds of its columns.

    Parameters
    ----------
    table : Table
        All records of the log.
    options : Options
        What the user, or a reader of a special layout, fixed.

    Attributes
    ----------
    runs : RunRows
        Which rows belong to which run.
    split : str or None
        Column whose words are the splits of the rows.
    x : dict of str to list of str
        The columns of each axis: ``{"epoch": ["train/epoch", "val/epoch"]}``, as far as their names
        say that they are axes.
    """

    def __init__(self, table: Table, options: Options) -> None:
        table, listed = _with_counts(_with_read_axes(table))
        self.table = table
        self.options = options
        # The record that was flattened last: columns that never move are all on one.
        self._flat: tuple[int, dict[str, Any]] = (-1, {})
        # The cells of columns of which all rows are of one run.
        self._whole: dict[tuple[str, int], Cells] = {}
        self.split = None if options.split is False else _split_column(table, options.split)
        self.runs: RunRows = group_runs(table, options, self.split)
        taken = {self.runs.column, self.split, *options.known}
        self.columns = {name: c for name, c in table.columns.items() if name not in taken}
        self.x = find_x(self.columns, options, self.runs, listed)

    @cached_property
    def x_columns(self) -> frozenset[str]:
        """Columns whose names say that they are axes, clocks among them."""
        return frozenset(name for columns in self.x.values() for name in columns)

    @cached_property
    def numeric(self) -> list[str]:
        """Columns that hold numbers, or lists of them, and are no axes by their names."""
        taken = {*self.x_columns, TEXT_AROUND}
        return [n for n, c in self.columns.items() if n not in taken and _is_numeric(c)]

    @cached_property
    def texts(self) -> list[str]:
        """Columns of text."""
        numeric = {*self.numeric, *self.x_columns}
        return [n for n, c in self.columns.items() if n not in numeric and c.has(TEXT)]

    def cells(self, name: str, run: int) -> Cells | None:
        """Return the cells of a column on the rows of a run; None if there are none."""
        known = self._whole.get((name, run))
        if known is not None:
            return known
        column, rows = self.table.columns[name], self.runs.rows[run]
        if len(rows) == len(self.table):
            found = self._whole[name, run] = Cells(column.rows, column.kinds, column.values)
            return found
        at, cells = column.on(rows)
        return Cells(at, column.kinds[cells], column.values[cells]) if len(at) else None

    def value(self, name: str, row: int) -> Any:
        """Return the exact value of a column on a row of the table."""
        if row != self._flat[0]:
            record = flatten(self.table.record(row), frozenset(self.table.objects))
            self._flat = row, record
        return self._flat[1][name]


def _is_numeric(column: Column) -> bool:
    """Return whether a column holds numbers: as such, in lists, or as text that mostly is one."""
    if column.has(NUMBER):
        return True
    if column.has(OTHER):
        return any(is_short_list(item) for item in column.items)
    return sum(map(is_number_text, column.words)) * 2 > len(column.words)


def _with_read_axes(table: Table) -> Table:
    """Return a table where numbers that are written as text are numbers in columns of axes."""
    read = {
        name: _read(column)
        for name, column in table.columns.items()
        if axis_of(name) is not None
        and set(column.kinds.tolist()) == {TEXT}
        and _is_numeric(column)
    }
    return replace(table, columns=table.columns | read) if read else table


def _with_counts(table: Table) -> tuple[Table, list[str]]:
    """Return a table where an axis of several counts (``"step": [epoch, iter]``) is a column each.

    And the names of these columns.
    """
    columns, listed = dict(table.columns), list[str]()
    for name, column in table.columns.items():
        if not column.items or not is_count_like(name) or not all(map(_are_counts, column.items)):
            continue
        lists = np.flatnonzero(column.kinds == OTHER)
        items = [column.items[code] for code in column.values[lists].astype(np.intp)]
        for place in range(max(map(len, items))):
            has = lists[[len(item) > place for item in items]]
            values = np.array([item[place] for item in items if len(item) > place], np.float64)
            kinds = np.full(len(values), NUMBER, column.kinds.dtype)
            new = _unused(f"{name}_{place}", columns)
            columns[new] = replace(column, rows=column.rows[has], kinds=kinds, values=values)
            listed.append(new)
        columns[name] = column.only(column.kinds != OTHER)
    if not listed:
        return table, []
    return replace(table, columns={n: c for n, c in columns.items() if len(c)}), listed


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _are_counts(item: Any) -> bool:
    """Return whether a value is a list of some counts: of epochs, and of iterations."""
    return isinstance(item, list) and len(item) < 4 and all(type(v) is int and v >= 0 for v in item)


def _read(column: Column) -> Column:
    sound = np.array([is_number_text(word) for word in column.words])
    numbers = np.array([float(word) if is_number_text(word) else 0.0 for word in column.words])
    codes = column.values.astype(np.intp)
    kinds = np.where(sound[codes], NUMBER, TEXT).astype(column.kinds.dtype)
    return replace(column, kinds=kinds, values=np.where(sound[codes], numbers[codes], codes))


def _split_column(table: Table, name: str | None) -> str | None:
    if name is not None:
        return name if name in table.columns else None
    inside = [column for column in table.columns if last_segment(column) in SPLIT_KEYS]
    for key in dict.fromkeys([*SPLIT_KEYS, *inside, *table.columns]):
        column = table.columns.get(key)
        if column is None or not column.words or column.has(NUMBER) or column.has(OTHER):
            continue
        known = [word.lower() in SPLIT_WORDS for word in column.words]
        counts = np.bincount(column.values.astype(np.int64), minlength=len(known))
        # A word that is damaged on one row takes no split from the others.
        if (key in SPLIT_KEYS or sum(known) > 1) and counts[known].sum() > 0.5 * counts.sum():
            return key
    return None
