"""One column of a log, and how it is filled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.readers.lines import decode_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass
class Column:
    """One flattened key over all rows: numbers, and what is there instead of numbers.

    A missing or null value is neither number nor text nor other.

    Parameters
    ----------
    values : ndarray of float64, (rows,)
        Numbers in the unit in which they were logged, booleans as 0 and 1; NaN where there is none.
    logged : ndarray of bool, (rows,)
        Whether there is a number; True for a logged NaN.
    codes : ndarray of int64, (rows,)
        Index of the text in ``words``; -1 where there is none.
    others : ndarray of int64, (rows,)
        Hash of a value that is neither number nor text (a list); 0 where there is none.
    words : list of str, (words,)
        Distinct texts, in order of first appearance.
    """

    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    codes: NDArray[np.int64]
    others: NDArray[np.int64]
    words: list[str]

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Rows on which the column has a value of any kind."""
        return np.asarray(self.logged | (self.codes >= 0) | (self.others != 0))


@dataclass(slots=True)
class Objects:
    """A column of whole objects (a repeated config): the distinct ones, and which row has which.

    Parameters
    ----------
    codes : ndarray of int64, (rows,)
        Index of the object in ``values``; -1 where there is none.
    values : list, (objects,)
        Distinct decoded objects, of all such columns of the log together.
    """

    codes: NDArray[np.int64]
    values: list[Any]


class ObjectPool:
    """Distinct objects; equal ones get one code however they are written.

    Attributes
    ----------
    values : list, (objects,)
        The decoded objects; a code is an index of it.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
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
            code = self._by_bytes[data] = self.code_of(decode_line(data))
        return code

    def code_of(self, value: Any) -> int:
        """Return the code of a decoded value; -1 for null."""
        if value is None:
            return -1
        text = json.dumps(value, sort_keys=True)
        code = self._by_text.get(text)
        if code is None:
            code = self._by_text[text] = len(self.values)
            self.values.append(value)
        return code


class GrowingColumn:
    """A column while it is filled.

    Parameters
    ----------
    n_rows : int
        Length of the column.
    """

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._values = np.full(n_rows, np.nan)
        self._logged = np.zeros(n_rows, dtype=bool)
        self._codes: NDArray[np.int64] | None = None
        self._others: NDArray[np.int64] | None = None
        self._words: dict[str | None, int] = {None: -1}

    def numbers(self, rows: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Fill rows with numbers that the typed decoder read; NaN is no value."""
        # The typed decoder reads no NaN: msgspec refuses it. NaN here is a missing value.
        self._values[rows] = values
        self._logged[rows] = ~np.isnan(values)

    def texts(self, rows: NDArray[np.int64], texts: Sequence[str | None]) -> None:
        """Fill rows with text; None is no value."""
        if self._codes is None:
            self._codes = np.full(self._n_rows, -1, dtype=np.int64)
        for text in set(texts):
            self._words.setdefault(text, len(self._words) - 1)
        self._codes[rows] = np.fromiter(map(self._words.__getitem__, texts), np.int64, len(rows))

    def put(self, row: int, value: Any) -> None:
        """Fill one row with a value of any kind but null."""
        if isinstance(value, (bool, int, float)):
            self._values[row] = _as_float(value)
            self._logged[row] = True
        elif isinstance(value, str):
            self.texts(np.array([row]), [value])
        else:
            if self._others is None:
                self._others = np.zeros(self._n_rows, dtype=np.int64)
            self._others[row] = _hash(value)

    def column(self, blank: Column) -> Column:
        """Return the finished column; ``blank`` has the arrays for a column of numbers alone."""
        others = blank.others if self._others is None else self._others
        if self._codes is None:
            return Column(self._values, self._logged, blank.codes, others, [])
        # Words in order of appearance, whichever decoder they came from.
        codes, words = self._codes, [word for word in self._words if word is not None]
        used, first = np.unique(codes[codes >= 0], return_index=True)
        rank = np.full(len(words) + 1, -1, dtype=np.int64)
        rank[used[np.argsort(first)]] = np.arange(len(used))
        kept = [words[code] for code in used[np.argsort(first)]]
        return Column(self._values, self._logged, rank[codes], others, kept)


def blank_column(n_rows: int) -> Column:
    """Return a column in which no row has a value."""
    return GrowingColumn(n_rows).column(
        Column(
            np.empty(0),
            np.empty(0, dtype=bool),
            np.full(n_rows, -1, dtype=np.int64),
            np.zeros(n_rows, dtype=np.int64),
            [],
        )
    )


def _hash(value: Any) -> int:
    try:
        return hash(msgspec.json.encode(value)) or 1
    except (ValueError, OverflowError):  # lone surrogates, huge integers
        return hash(json.dumps(value)) or 1


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
