"""One column of a log, and how it is filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.lines import as_float, decode_line, spelling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits

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
        return bool((self.kinds == kind).any())

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
        Distinct decoded objects, of all such columns of the log together.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    values: list[Any]

    def on(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions in rising rows that have an object, and the codes of these."""
        at, cells = _found(self.rows, rows)
        return at, self.codes[cells]


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


class ObjectPool:
    """Distinct objects; equal ones get one code however they are written.

    Parameters
    ----------
    limits : Limits

    Attributes
    ----------
    values : list, (objects,)
        The decoded objects; a code is an index of it.
    """

    def __init__(self, limits: Limits) -> None:
        self.values: list[Any] = []
        self._limits = limits
        self._by_bytes: dict[bytes, int] = {b"": -1, b"null": -1}
        self._by_text: dict[str, int] = {}

    def code(self, raw: Any) -> int:
        """Return the code of undecoded bytes; -1 for null and for nothing.

        Raises
        ------
        BadLine
            If the bytes are no JSON.
        """
        data = bytes(raw)
        code = self._by_bytes.get(data)
        if code is None:
            code = self._by_bytes[data] = self.code_of(decode_line(data, self._limits))
        return code

    def code_of(self, value: Any) -> int:
        """Return the code of a decoded value; -1 for null."""
        if value is None:
            return -1
        text = spelling(value)
        code = self._by_text.get(text)
        if code is None:
            code = self._by_text[text] = len(self.values)
            self.values.append(value)
        return code


class GrowingColumn:
    """A column while it is filled."""

    def __init__(self) -> None:
        self._pieces: list[tuple[NDArray[np.int64], int, NDArray[np.float64]]] = []
        self._cells: tuple[list[int], list[int], list[float]] = ([], [], [])
        self._words: dict[str | None, int] = {None: -1}
        self._items: dict[str, int] = {}
        self._values: list[Any] = []

    def numbers(self, rows: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Fill rows with numbers that the typed decoder read; NaN is no value."""
        # The typed decoder reads no NaN: msgspec refuses it. NaN here is a missing value.
        present = ~np.isnan(values)
        if not present.all():
            rows, values = rows[present], values[present]
        self._pieces.append((rows, NUMBER, values))

    def texts(self, rows: NDArray[np.int64], texts: Sequence[str | None]) -> None:
        """Fill rows with text; None is no value."""
        for text in dict.fromkeys(texts):
            self._words.setdefault(text, len(self._words) - 1)
        codes = np.fromiter(map(self._words.__getitem__, texts), np.float64, len(rows))
        present = codes >= 0
        self._pieces.append((rows[present], TEXT, codes[present]))

    def put(self, row: int, value: Any) -> None:
        """Fill one row with a value of any kind but null."""
        kind, cell = OTHER, 0.0
        if isinstance(value, bool | int | float) and (number := as_float(value)) is not None:
            kind, cell = NUMBER, number
        elif isinstance(value, str):
            kind, cell = TEXT, self._words.setdefault(value, len(self._words) - 1)
        else:
            code = self._items.setdefault(spelling(value), len(self._values))
            if code == len(self._values):
                self._values.append(value)
            cell = code
        rows, kinds, values = self._cells
        rows.append(row)
        kinds.append(kind)
        values.append(cell)

    def column(self) -> Column:
        """Return the finished column."""
        rows, kinds, values = self._cells
        pieces = [
            (np.array(rows, np.int64), np.array(kinds, np.uint8), np.array(values, np.float64))
        ]
        pieces += [(r, np.full(len(r), kind, np.uint8), v) for r, kind, v in self._pieces]
        if len(self._pieces) == 1 and not rows:
            pieces = pieces[1:]
        where, kind, cells = (
            np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*pieces, strict=True)
        )
        if len(where) > 1 and not (where[1:] > where[:-1]).all():
            order = np.argsort(where, kind="stable")
            where, kind, cells = where[order], kind[order], cells[order]
        words = [word for word in self._words if word is not None]
        return Column(where, kind, *_by_appearance(cells, kind, words), self._values)


def _by_appearance(
    values: NDArray[np.float64], kinds: NDArray[np.uint8], words: list[str]
) -> tuple[NDArray[np.float64], list[str]]:
    """Return cells and words with words in order of appearance, whichever decoder read them."""
    if len(words) < 2:
        return values, words
    text = kinds == TEXT
    used, first = np.unique(values[text], return_index=True)
    order = used[np.argsort(first)].astype(np.intp)
    rank = np.empty(len(words))
    rank[order] = np.arange(len(order))
    values = values.copy()
    values[text] = rank[values[text].astype(np.intp)]
    return values, [words[i] for i in order]
