"""What both kernels return: the cells of every path over the records of a batch of files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits

# Beyond these both kernels leave a line to Python, whatever the limits are.
MAX_DEPTH = 200
MAX_DIGITS = 4_300


class Kind:
    """What a cell holds, and what stands in ``values`` for it.

    ``INT`` is a whole number that a float64 holds, ``BIGINT`` one beyond ±2**53 (its nearest
    float64, or ±inf), ``INF`` and ``NINF`` are also what a float64 cannot hold. ``STRING`` counts
    in ``words``, ``LIST`` and ``RAW`` in ``items``. ``EMPTY`` is an object with nothing in it.
    """

    INT = 1
    BIGINT = 2
    FLOAT = 3
    NAN = 4
    INF = 5
    NINF = 6
    NULL = 7
    TRUE = 8
    FALSE = 9
    STRING = 10
    LIST = 11
    EMPTY = 12
    RAW = 13


class Bad(NamedTuple):
    """A line that is no object of JSON, or is beyond a bound.

    Parameters
    ----------
    file : int
        Number of the file in the batch.
    line : int
        Its line, from 1.
    start, stop : int
        Where it begins and ends in the file, without its newline.
    """

    file: int
    line: int
    start: int
    stop: int


@dataclass(slots=True, eq=False)
class Cells:
    """The cells of one path; a row that lacks it has none.

    Parameters
    ----------
    rows : ndarray of int32, (cells,)
        Rising.
    kinds : ndarray of uint8, (cells,)
        As of `Kind`.
    values : ndarray of float64, (cells,)
        Numbers; 1 and 0 for ``TRUE`` and ``FALSE``; an index of ``words`` or ``items``.
    words : list of str, (words,)
        Distinct texts, in order of first appearance.
    items : list, (items,)
        Distinct values that are kept whole, decoded, in order of first appearance.
    seen : int
        Bit k is set where kind k occurs.
    """

    rows: NDArray[Any]
    kinds: NDArray[Any]
    values: NDArray[Any]
    words: list[str]
    items: list[Any]
    seen: int

    def where(self, keep: NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        kinds = self.kinds[keep]
        return Cells(
            self.rows[keep], kinds, self.values[keep], self.words, self.items, seen_in(kinds)
        )

    def value(self, at: int) -> Any:
        """Return the value of a cell as it was logged."""
        kind, value = int(self.kinds[at]), float(self.values[at])
        if kind == Kind.STRING:
            return self.words[int(value)]
        if kind in (Kind.LIST, Kind.RAW):
            return self.items[int(value)]
        if kind in (Kind.TRUE, Kind.FALSE):
            return kind == Kind.TRUE
        return int(value) if kind in (Kind.INT, Kind.BIGINT) and np.isfinite(value) else value


@dataclass(slots=True, eq=False)
class Decoded:
    """A batch of files, one row for each record.

    Parameters
    ----------
    lines : ndarray of int32, (rows,)
        Line of each record in its file, from 1.
    offsets : ndarray of int64, (rows,)
        Where that line begins.
    ends : ndarray of int64, (files,)
        Number of rows up to the end of each file.
    orders : list of tuple of int, (files,)
        Numbers of the columns that each file has, in order of first appearance in that file.
    cells : dict of tuple of str to Cells
        One for each path of keys, in order of first appearance.
    bad : list of Bad
        In file order.
    left_out : dict of tuple of str to int
        Paths beyond the bound on columns, and the first row that has each.
    """

    lines: NDArray[Any]
    offsets: NDArray[Any]
    ends: NDArray[Any]
    orders: list[tuple[int, ...]]
    cells: dict[tuple[str, ...], Cells]
    bad: list[Bad]
    left_out: dict[tuple[str, ...], int]


def seen_in(kinds: NDArray[Any]) -> int:
    """Return the kinds that occur, as of ``Cells.seen``."""
    return sum(1 << kind for kind in np.flatnonzero(np.bincount(kinds)).tolist())


class Items:
    """Distinct values of one path; one code however a value is written.

    Parameters
    ----------
    spelled : callable
        Returns one text for values that are one; by default the order of keys tells them apart.

    Attributes
    ----------
    values : list, (items,)
        The values; a code is an index of it.
    """

    def __init__(self, spelled: Callable[[Any], str] = json.dumps) -> None:
        self.values: list[Any] = []
        self._spelled = spelled
        self._by_key: dict[Hashable, int] = {}
        self._by_text: dict[str, int] = {}

    def known(self, key: Hashable) -> int | None:
        """Return the code of a value by how it was written; None if that is new."""
        return self._by_key.get(key)

    def add(self, key: Hashable, value: Any) -> int:
        """Return the code of a value whose writing is new."""
        code = self._by_key[key] = self.code(value)
        return code

    def code(self, value: Any) -> int:
        """Return the code of a value."""
        code = 0
        if self.values:
            if not self._by_text:  # one value alone need not be spelled
                self._by_text[self._spelled(self.values[0])] = 0
            code = self._by_text.setdefault(self._spelled(value), len(self.values))
        if code == len(self.values):
            self.values.append(value)
        return code


def by_appearance(
    codes: NDArray[np.int64], held: Sequence[Any]
) -> tuple[NDArray[np.int64], list[Any]]:
    """Return what codes stand for in the order of these, without what none does, and new codes."""
    used, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[codes], [held[i] for i in used[order].tolist()]


def bounds(limits: Limits) -> tuple[int, int, int, int]:
    """Return the bounds of both kernels: columns, depth, bytes of a line, digits."""
    depth, digits = min(limits.depth, MAX_DEPTH), min(limits.digits, MAX_DIGITS)
    return limits.columns, depth, limits.line_bytes, digits
