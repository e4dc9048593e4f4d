"""Logged values to float64 columns: what is a number, what is missing, what is neither."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, is_x_like
from runcube.readers.lines import is_number_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from runcube.core import Limits

# No bound but what a short list is: a longer one is no set of metrics but a vector, and is named.
_LIST_LENGTH = 32
_SHOWN = 60
_WHAT = {
    "non_numeric": "no number, the first {shown}",
    "huge_number": "beyond float64, read as infinity",
    "text_number": "read as numbers, the first {shown}",
    "clashing_key": "left out: the same record has another value of this name, which is kept",
    "extra_key": "beside a text or a configuration left out, the first {shown}",
}


def flat_items(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the items of nested metrics, the names of inner ones joined with ``/``."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat_items(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def shown(text: str) -> str:
    """Return a text, or the beginning and the end of a long one."""
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]}…{text[-_SHOWN:]}"


class Oddities:
    """What is odd about the values of a run: one problem for each kind and key.

    Parameters
    ----------
    path : str
        Path that problems name.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: dict[tuple[str, str], tuple[int, Any, int]] = {}

    def note(self, kind: str, name: str, line: int, value: Any = None) -> None:
        """Count one value.

        Parameters
        ----------
        kind : str
            Kind of the problem.
        name : str
            The key; of a ``limit`` or ``bad_line``, what the problem says of all of them.
        line : int
            Line number, from 1.
        value : object
            An example, of which the first is shown.
        """
        first, example, count = self._found.get((kind, name), (line, value, 0))
        self._found[kind, name] = (first, example, count + 1)

    def problems(self) -> list[Problem]:
        """Return one problem for each kind and key, with its first line and its count."""
        found = []
        for (kind, name), (line, value, count) in self._found.items():
            if kind in _WHAT:
                what = _WHAT[kind].format(shown=f"{value!r}"[:_SHOWN])
                message = f"'{shown(name)}': {count} value{'s' * (count > 1)} {what}"
            else:
                message = f"{name}; {count} time{'s' * (count > 1)}, the first {value}"
            found.append(Problem(kind, message, self._path, line))
        return found


class Cells:
    """Columns of one split that are filled while its records are taken.

    Attributes
    ----------
    columns : dict of str to (array of int64, array of float64)
        Rows and values of each column.
    """

    def __init__(self) -> None:
        self.columns: dict[str, tuple[array[int], array[float]]] = {}

    def put(self, name: str, row: int, value: float) -> None:
        """Store one value; raise OverflowError for an integer beyond float64."""
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = (array("q"), array("d"))
        column[1].append(value)
        column[0].append(row)

    def column(self, name: str, rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return values (rows,), NaN where missing, and where they were logged (rows,)."""
        values, logged = np.full(rows, np.nan), np.zeros(rows, dtype=bool)
        at = np.array(self.columns[name][0], dtype=np.int64)
        values[at] = self.columns[name][1]
        logged[at] = True
        return values, logged


class SplitColumns:
    """The values of one split.

    Attributes
    ----------
    rows : int
        Number of records so far.
    metrics, own : Cells
        Metrics, and what runs along a curve.
    lists : dict of str to list of (int, int, list)
        Row, line and numbers of each list of numbers.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.metrics = Cells()
        self.own = Cells()
        self.lists: dict[str, list[tuple[int, int, list[float]]]] = {}


class RecordColumns:
    """The records of one run as columns of numbers; what is no number is noted.

    Parameters
    ----------
    odd : Oddities
    limits : Limits

    Attributes
    ----------
    splits : dict of str to SplitColumns
        By split, in order of first appearance.
    """

    def __init__(self, odd: Oddities, limits: Limits) -> None:
        self.splits: dict[str, SplitColumns] = {}
        self._odd = odd
        self._limits = limits
        self._metrics: dict[str, None] = {}
        self._own: dict[str, None] = {}

    def put(self, split: str, line: int, stats: Mapping[str, Any], beside: dict[str, Any]) -> None:
        """Add one record.

        Parameters
        ----------
        split : str
        line : int
            Line number for the problems, from 1.
        stats : mapping
            Metrics, nested or flat.
        beside : dict
            What stands beside them: metrics too, but for what runs along a curve.
        """
        columns = self.splits.get(split)
        if columns is None:
            columns = self.splits[split] = SplitColumns()
        row, columns.rows = columns.rows, columns.rows + 1
        seen: set[str] = set()
        for name, value in flat_items(stats):
            if type(value) is float and name in self._metrics and name not in seen:
                seen.add(name)
                columns.metrics.put(name, row, value)
            else:
                self._metric(columns, row, line, name, value, seen)
        own_seen: set[str] = set()
        for name, value in flat_items(beside):
            if not is_x_like(name):
                self._metric(columns, row, line, name, value, seen)
                continue
            number = self._number(name, line, value)
            if number != number:  # NaN is nowhere along a curve
                self._odd.note("non_numeric", name, line, value)
            elif number is not None and self._known(self._own, name, line):
                self._store(columns.own, row, line, name, number, own_seen)

    def _metric(
        self, columns: SplitColumns, row: int, line: int, name: str, value: Any, seen: set[str]
    ) -> None:
        if _is_short_list(value):
            names = (f"{name}/{i}" for i in range(len(value)))
            if all(self._known(self._metrics, one, line) for one in names):
                columns.lists.setdefault(name, []).append((row, line, value))
            return
        number = self._number(name, line, value)
        if number is not None and self._known(self._metrics, name, line):
            self._store(columns.metrics, row, line, name, number, seen)

    def _store(
        self, cells: Cells, row: int, line: int, name: str, number: float, seen: set[str]
    ) -> None:
        if name in seen:
            self._odd.note("clashing_key", name, line)
            return
        seen.add(name)
        try:
            cells.put(name, row, number)
        except OverflowError:
            cells.put(name, row, np.inf if number > 0 else -np.inf)
            self._odd.note("huge_number", name, line)

    def _number(self, name: str, line: int, value: Any) -> float | None:
        """Return a number; None for a missing value, and for what is noted to be none."""
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, str) and len(value) <= self._limits.digits and is_number_text(value):
            self._odd.note("text_number", name, line, value)
            return float(value)
        self._odd.note("non_numeric", name, line, value)
        return None

    def _known(self, names: dict[str, None], name: str, line: int) -> bool:
        """Return whether a column is there, or there is room for one more."""
        if name not in names:
            if len(self._metrics) + len(self._own) >= self._limits.columns:
                what = f"values of keys beyond Limits(columns={self._limits.columns}): left out"
                self._odd.note("limit", what, line, f"'{shown(name)}'")
                return False
            names[name] = None
        return True

    def finish(self) -> None:
        """Make metrics of lists of numbers, if they mostly have one length; note the others.

        Where one of them is damaged, the others are metrics all the same.
        """
        lengths: dict[str, Counter[int]] = {}
        for columns in self.splits.values():
            for name, lists in columns.lists.items():
                lengths.setdefault(name, Counter()).update(len(numbers) for *_, numbers in lists)
        for columns in self.splits.values():
            for name, lists in columns.lists.items():
                total = lengths[name].total()
                for row, line, numbers in lists:
                    if 2 * lengths[name][len(numbers)] < total:
                        self._odd.note("non_numeric", name, line, numbers)
                        continue
                    for i, number in enumerate(numbers):
                        self._item(columns.metrics, row, line, f"{name}/{i}", number)

    def _item(self, cells: Cells, row: int, line: int, name: str, number: float) -> None:
        """Store one number of a list, if the record has no other metric of its name."""
        held = cells.columns.get(name)
        at = 0 if held is None else bisect_left(held[0], row)
        if held is None or at == len(held[0]):
            self._store(cells, row, line, name, number, set())
        elif held[0][at] == row:
            self._odd.note("clashing_key", name, line)
        else:
            self._store(cells, row, line, name, number, set())
            held[0].insert(at, held[0].pop())
            held[1].insert(at, held[1].pop())

    def metrics(self) -> tuple[str, ...]:
        """Return the metrics that have a value, in order of first appearance in the log."""
        held = {name for columns in self.splits.values() for name in columns.metrics.columns}
        return tuple(name for name in self._metrics if name in held)

    def table(self, split: str) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the metrics of a split, values and where they were logged (metrics, rows)."""
        columns = self.splits[split]
        names = tuple(name for name in self._metrics if name in columns.metrics.columns)
        values = np.full((len(names), columns.rows), np.nan)
        logged = np.zeros(values.shape, dtype=bool)
        for i, name in enumerate(names):
            values[i], logged[i] = columns.metrics.column(name, columns.rows)
        return names, values, logged

    def own(self, split: str) -> dict[str, NDArray[np.float64]]:
        """Return what runs along the records of a split, (rows,) each; NaN where one lacks it."""
        columns = self.splits[split]
        names = (name for name in self._own if name in columns.own.columns)
        return {name: columns.own.column(name, columns.rows)[0] for name in names}


def _is_short_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= _LIST_LENGTH
        and all(type(number) in (int, float) for number in value)
    )
