"""A decoded log: what runs along its rows, and what its columns are called."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.readers.jsonl.names import last_segment, metric_names, split_and_metric
from runcube.readers.jsonl.parts import splits_of_files
from runcube.readers.jsonl.rising import rising_columns
from runcube.readers.jsonl.run_table import RunTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from runcube.readers.jsonl.options import Options


class Log(RunTable):
    """A table with its runs, its axes, and the names of its metrics.

    Attributes
    ----------
    is_ordered : bool
        Whether files that were written at the same time are in order.
    """

    is_ordered = False

    @cached_property
    def rising(self) -> list[frozenset[str]]:
        """Columns of whole numbers that rise along each run, (runs,), where no other is an axis."""
        return rising_columns(self)

    @cached_property
    def own_x(self) -> frozenset[str]:
        """Columns that run along the rows, as far as this log alone shows; no clocks."""
        named = frozenset(name for name in self.x_columns if not is_time_like(name))
        return named | frozenset().union(*self.rising)

    def x_with(self, others: Collection[str]) -> dict[str, list[str]]:
        """Return the axes, with columns that the sweep found to be axes."""
        known = {*self.x, *self.x_columns}
        # In the order of the log: of axes that are equally good the first one is taken.
        return self.x | {n: [n] for n in self.columns if n in others and n not in known}

    @cached_property
    def has_x(self) -> NDArray[np.bool_]:
        """Which rows (rows,) are of the curve: those with an x; without any axis, all."""
        if not self.own_x:
            return np.ones(len(self.table), dtype=bool)
        found = np.zeros(len(self.table), dtype=bool)
        for name in self.own_x:
            found[self.columns[name].rows] = True
        return found

    @cached_property
    def whole_kinds(self) -> frozenset[str]:
        """First keys that alone make up records without x: ``_summary`` of ``{"_summary": …}``."""
        first = {name.partition("/")[0] for name in self.table.columns if "/" in name}
        if first <= self.table.columns.keys():
            return frozenset()
        inside: dict[str, NDArray[np.bool_]] = {}
        for name, column in self.table.columns.items():
            if name not in (self.runs.column, self.split):
                key = name.partition("/")[0]
                mask = inside.setdefault(key, np.zeros(len(self.table), dtype=bool))
                mask[column.rows] = True
        total = np.sum(list(inside.values()), axis=0) if inside else np.zeros(0)
        return frozenset(
            key
            for key, rows in inside.items()
            if key not in self.table.columns
            and not self.has_x[rows].any()
            and (key == self.options.trailer or (total[rows] == 1).all())
        )

    @property
    def is_parallel(self) -> bool:
        """Whether the files were written at the same time, and the order of their rows is open."""
        return not self.is_ordered and len(set(self.file_splits)) > 1

    @cached_property
    def file_splits(self) -> list[str]:
        """The split of each file, (parts,), if the names of all tell one; else none."""
        return splits_of_files([part.path for part in self.table.parts])

    @cached_property
    def names(self) -> dict[str, tuple[str | None, str]]:
        """Split and metric of each column that is a metric, unless it is configuration or x."""
        return metric_names(
            self.numeric,
            self.options,
            splits_elsewhere=self.split is not None,
            whole=self.whole_kinds,
        )

    @cached_property
    def row_metrics(self) -> frozenset[str]:
        """Last names, without the split, of the numbers on rows with an x."""
        on_rows = (n for n in self.numeric if self.has_x[self.columns[n].rows].any())
        return frozenset(split_and_metric(last_segment(name))[1] for name in on_rows)

    @cached_property
    def last_names(self) -> Counter[str]:
        """How many columns have a name, but for the objects and the split that they are in."""
        return Counter(split_and_metric(last_segment(name))[1] for name in self.columns)

    @property
    def every_metric(self) -> Options:
        """The options, with every column of numbers as a metric."""
        return replace(self.options, metrics=None)

    def head_and_tail(self, run: int) -> tuple[int, int]:
        """Return how many rows of a run are before its first x, and where those after it begin."""
        rows = self.runs.rows[run]
        at = np.flatnonzero(self.has_x[rows])
        return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, len(rows))
