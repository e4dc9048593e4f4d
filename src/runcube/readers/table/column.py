"""One column of a log, and how it is filled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.kernel import Items, Kind, by_appearance
from runcube.readers.lines import as_float, spelling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.kernel import Cells

# Kinds of cells. Missing values and nulls have no cell; booleans are the numbers 0 and 1.
NUMBER, TEXT, OTHER = 1, 2, 3


@dataclass(slots=True, eq=False)
class Column:
    """One flattened key: the cells of the rows that have a value.

    Parameters
    ----------
    rows : ndarray of int64, (cells,)
        Rows that have a value, rising.
    kinds : ndarray of uint8, (cells,)
        ``NUMBER``, ``TEXT``, or ``OTHER``: a list, or what else is neither.
    values : ndarray of float64, (cells,)
        The number in the unit in which it was logged; the index into ``words`` of a text, or into
        ``items``.
    words : list of str, (words,)
        Distinct texts, in order of first appearance.
    items : list, (items,)
        Distinct decoded values that are neither numbers nor texts.
    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float64]
    words: list[str]
    items: list[Any]

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, kind: int) -> bool:
        """Return whether any cell is of a kind."""
        return kind in self.kinds.tobytes()

    def on(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the cells that are on some rows.

        Parameters
        ----------
        rows : ndarray of int64, (rows,)
            Rising row numbers.

        Returns
        -------
        at : ndarray of int64, (found,)
            Positions in ``rows`` that have a cell.
        cells : ndarray of intp, (found,)
            Their cells.
        """
        return _found(self.rows, rows)

    def only(self, cells: NDArray[Any]) -> Column:
        """Return some of the cells."""
        return replace(
            self, rows=self.rows[cells], kinds=self.kinds[cells], values=self.values[cells]
        )


@dataclass(slots=True)
class Objects:
    """A column of whole objects (a repeated config): the distinct ones, and which row has which.

    Parameters
    ----------
    rows : ndarray of int64, (cells,)
        Rows that have an object, rising.
    codes : ndarray of int64, (cells,)
        Index of the object in ``values``.
    values : list, (objects,)
        Distinct decoded objects.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    values: list[Any]

    def on(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions in rising rows that have an object, and the codes of these."""
        at, cells = _found(self.rows, rows)
        return at, self.codes[cells]


def span(rising: NDArray[Any]) -> slice | NDArray[Any]:
    """Return rising positions, at least one, as a slice where they follow each other."""
    first, last = int(rising[0]), int(rising[-1])
    return slice(first, last + 1) if last - first == len(rising) - 1 else rising


def _found(
    own: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return where two rising arrays of rows meet: positions in ``rows``, and in ``own``."""
    if not len(rows) or not len(own):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.intp)
    if len(rows) <= len(own):
        cells = np.searchsorted(own, rows)
        cells[cells == len(own)] = 0
        at = np.flatnonzero(own[cells] == rows)
        return at, cells[at]
    at = np.searchsorted(rows, own)
    at[at == len(rows)] = 0
    cells = np.flatnonzero(rows[at] == own)
    return at[cells], cells


# What a kind of the kernel is in a table; 0: no cell.
_KINDS = np.zeros(Kind.RAW + 1, np.uint8)
_KINDS[Kind.INT : Kind.NINF + 1] = NUMBER
_KINDS[[Kind.TRUE, Kind.FALSE]] = NUMBER
_KINDS[Kind.STRING] = TEXT
_KINDS[[Kind.LIST, Kind.RAW]] = OTHER
# What has no cell, as of ``Cells.seen``.
_NOTHING = (1 << Kind.NULL) | (1 << Kind.EMPTY)


def has_value(cells: Cells) -> NDArray[np.bool_]:
    """Return which cells of the kernel are cells of a table: not null, and no empty object."""
    found: NDArray[np.bool_] = _KINDS[cells.kinds] > 0
    return found


class GrowingColumn:
    """A column while it is filled."""

    def __init__(self) -> None:
        self._pieces: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._cells: tuple[list[int], list[int], list[float]] = ([], [], [])
        self._words: dict[str, int] = {}
        self._items = Items(spelling)
        self._is_sorted = True

    def take(self, cells: Cells, rows: NDArray[np.int64], *, whole: bool) -> None:
        """Take the cells of a path on the rows of the table; none for a negative row.

        ``whole``: all rows stay in their order, and so words and items do.
        """
        self._is_sorted &= whole and not self._pieces
        kinds, values = _KINDS[cells.kinds], cells.values
        if cells.seen & _NOTHING or not whole:
            present = (kinds > 0) & (rows >= 0)
            rows, kinds, values = rows[present], kinds[present], values[present]
        words = [self._words.setdefault(word, len(self._words)) for word in cells.words]
        items = [*map(self._items.code, cells.items)]
        # Objects that differ in the order of their keys alone are one item.
        if self._pieces or len(self._items.values) < len(items):
            values = values.copy()
            for kind, codes in ((TEXT, words), (OTHER, items)):
                at = kinds == kind
                values[at] = np.array(codes, np.float64)[values[at].astype(np.intp)]
        self._pieces.append((rows, kinds, values))

    def put(self, row: int, value: Any) -> None:
        """Fill one row with a value of any kind but null."""
        if isinstance(value, bool | int | float) and (number := as_float(value)) is not None:
            self._add(row, NUMBER, number)
        elif isinstance(value, str):
            self._add(row, TEXT, self._words.setdefault(value, len(self._words)))
        else:
            self.put_whole(row, value)

    def put_whole(self, row: int, value: Any) -> None:
        """Fill one row with an object, or what is there in its place."""
        self._add(row, OTHER, self._items.code(value))

    def _add(self, row: int, kind: int, cell: float) -> None:
        self._is_sorted = False
        rows, kinds, values = self._cells
        rows.append(row)
        kinds.append(kind)
        values.append(cell)

    def column(self) -> Column:
        """Return the finished column."""
        rows, kinds, values = self._cells
        if rows:
            own = np.array(rows, np.int64), np.array(kinds, np.uint8), np.array(values, np.float64)
            self._pieces.append(own)
        where, kind, cells = self._pieces[0]
        if len(self._pieces) > 1:
            where, kind, cells = map(np.concatenate, zip(*self._pieces, strict=True))
        words, items = list(self._words), self._items.values
        if not self._is_sorted:
            order = np.argsort(where, kind="stable")
            where, kind, cells = where[order], kind[order], cells[order]
            texts, others = kind == TEXT, kind == OTHER
            cells[texts], words = by_appearance(cells[texts].astype(np.int64), words)
            cells[others], items = by_appearance(cells[others].astype(np.int64), items)
        return Column(where, kind, cells, words, items)

    def objects(self) -> Objects:
        """Return the finished column of whole objects."""
        column = self.column()
        return Objects(column.rows, column.values.astype(np.int64), column.items)
