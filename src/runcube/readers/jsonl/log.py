"""A decoded log: the roles of its columns, its runs, and what held one value in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.jsonl.column_roles import (
    ColumnRoles,
    column_roles,
    group_runs,
    only_names_runs,
)
from runcube.readers.table import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runcube.readers.jsonl.column_roles import Options, RunRows
    from runcube.readers.table import Column, Table


@dataclass
class Log:
    """A table whose columns have their roles, and its rows their runs.

    Parameters
    ----------
    table : Table
        All records of the log.
    options : Options
        What the user, or a reader of a special layout, fixed.
    runs : RunRows
        Which rows belong to which run.
    roles : ColumnRoles
        What each column is.
    """

    table: Table
    options: Options
    runs: RunRows
    roles: ColumnRoles

    @classmethod
    def of(cls, table: Table, options: Options) -> Log:
        """Return the log of a table: rows grouped by run, roles of columns decided."""
        runs = group_runs(table, options)
        return cls(table, options, runs, column_roles(table, options, runs))

    @property
    def varying(self) -> list[frozenset[str]]:
        """Columns that took several values, one set for each run: (runs,)."""
        return self._held_columns[1]

    def moving(self, run: int) -> frozenset[str]:
        """Return the columns whose numbers or texts differ within a run, and those of x.

        ``varying`` also has those that are on some rows only; it costs ten times as much.
        """
        rows = self.runs.rows(run)
        names = (*self.roles.metrics, *self.roles.messages)
        columns = self.table.columns
        return frozenset(n for n in names if _moves(columns[n], rows)) | self.roles.x_columns

    def constants(self, run: int) -> dict[str, Any]:
        """Return the exact values of the columns that held one value throughout a run."""
        rows = {
            name: int(first[run])
            for name, first in self._held_columns[0].items()
            if first[run] >= 0
        }
        records = {row: _leaves(self.table, row) for row in sorted(set(rows.values()))}
        found = {name: records[row][name] for name, row in rows.items()}
        start = self.runs.rows(run)
        if len(start):
            missing = _nulls(self.table.record(int(start[0])), self.table.columns)
            found.update({k: None for k in missing if not self._here(k, start)})
        return found

    def _here(self, name: str, rows: NDArray[np.int64]) -> bool:
        column = self.table.columns.get(name)
        return column is not None and bool(column.present[rows].any())

    @cached_property
    def _held_columns(self) -> tuple[dict[str, NDArray[np.int64]], list[frozenset[str]]]:
        """Columns that held one value, and per run those that took several.

        The first maps a column to the first row that has it, per run; -1 where the column varies
        or is not there.
        """
        taken = {self.roles.split} | self.options.ignore | self.roles.x_columns
        if self.roles.run is not None and only_names_runs(self.roles.run):
            taken.add(self.roles.run)
        varying: list[set[str]] = [set(self.roles.x_columns) for _ in self.runs.keys]
        if self.options.metrics is not None:
            taken |= self.roles.metrics.keys()
            varying = [names | self.roles.metrics.keys() for names in varying]
        columns = {k: v for k, v in self.table.columns.items() if k not in taken}
        spreads = {name: _differs(column, self.runs) for name, column in columns.items()}
        counted = self._counted({k: spread for k, (spread, _) in spreads.items()})
        constant = {}
        for name, column in columns.items():
            differs, first = spreads[name]
            differs = differs | ~self._held(column, counted)
            constant[name] = np.where(differs, -1, first)
            for run in np.flatnonzero(differs & (first >= 0)):
                varying[run].add(name)
        return constant, [frozenset(names) for names in varying]

    def _counted(self, differs: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return the rows (rows,) that a configuration must be on: those with a metric.

        All rows, if no metric moves.
        """
        moving = [
            self.table.columns[name].present
            for name in self.roles.metrics
            if name in differs and differs[name].any()
        ]
        if self.options.metrics is not None:
            moving = [self.table.columns[name].present for name in self.roles.metrics]
        return np.logical_or.reduce(moving) if moving else np.ones(len(self.table), dtype=bool)

    def _held(self, column: Column, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each run (runs,) whether a column is on the rows that a configuration is on.

        It is on all of them, or on those up to or from some row (a key renamed in mid-run), or on
        the first record. What is on a few rows here and there, or on one, is an outcome.
        """
        present = column.present
        if (present | ~counted).all():
            return np.array([bool(counted[self.runs.rows(r)].any()) for r in self._range()])
        heads = np.zeros(len(present), dtype=bool)
        heads[self.header_rows] = True
        held = []
        for run in self._range():
            rows = self.runs.rows(run)
            here = present[rows[counted[rows]]]
            turns = int((here[1:] != here[:-1]).sum())
            block = turns == 0 or (turns == 1 and int(here.sum()) > 1)
            held.append(bool((here.any() and block) or (present & heads)[rows].any()))
        return np.array(held, dtype=bool)

    def _range(self) -> range:
        return range(len(self.runs.keys))

    @cached_property
    def has_x(self) -> NDArray[np.bool_]:
        """Which rows (rows,) are of the curve: those with an x; without any, all but the first."""
        x = [self.table.columns[name].logged for name in self.roles.x_columns]
        if x:
            return np.asarray(np.logical_or.reduce(x))
        rest = np.ones(len(self.table), dtype=bool)
        rest[self._firsts()] = False
        return rest

    def _firsts(self) -> NDArray[np.int64]:
        firsts = [self.runs.rows(run)[:1] for run in self._range()]
        return np.concatenate(firsts) if firsts else np.empty(0, dtype=np.int64)

    @cached_property
    def header_rows(self) -> NDArray[np.int64]:
        """Numbers of the first rows of runs that have no x while later rows have.

        In a log without any x: first rows none of whose columns comes again.
        """
        rows, curve = self._firsts(), self.has_x
        if not curve.any():
            return rows[:0]
        if not self.roles.x:
            rows = np.array([r for r in rows.tolist() if self._is_apart(r)], dtype=np.int64)
        return rows[~curve[rows]]

    def _is_apart(self, row: int) -> bool:
        names = [
            n for n, c in self.table.columns.items() if c.present[row] and n != self.runs.column
        ]
        return all(int(self.table.columns[name].present.sum()) == 1 for name in names)


def _moves(column: Column, rows: NDArray[np.int64]) -> bool:
    """Return whether the numbers or the texts of a column differ on some rows."""
    values, codes = column.values[rows][column.logged[rows]], column.codes[rows]
    texts = codes[codes >= 0]
    if len(values) > 1 and (values != values[0]).any():
        return bool(np.isfinite(values).any())  # NaN differs from itself
    return len(texts) > 1 and bool((texts != texts[0]).any())


def _differs(column: Column, runs: RunRows) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return for each run (runs,) whether a column has several values, and its first row or -1."""
    kinds = (
        (column.values, column.logged),
        (column.codes, column.codes >= 0),
        (column.others, column.others != 0),
    )
    differs = np.zeros(len(runs.keys), dtype=bool)
    first = np.full(len(runs.keys), -1, dtype=np.int64)
    for values, present in kinds:
        if not present.any():
            continue
        other, at = runs.differs(values, present)
        differs |= other | ((at >= 0) & (first >= 0))
        first = np.where(first < 0, at, first)
    return differs, first


def _leaves(table: Table, row: int) -> dict[str, Any]:
    return dict(flatten(table.record(row), frozenset()))


def _nulls(record: Mapping[str, Any], columns: Mapping[str, Column]) -> list[str]:
    return [key for key, value in record.items() if value is None or (not columns and value == {})]
