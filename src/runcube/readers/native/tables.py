"""Numbers of columns as the table of each part: of each section of each log."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

# The place of what records have no column of.
LAST = 1 << 40
# A table of all parts that has so many times more cells than numbers is one for each part.
_SPARSE = 16


class Numbers(NamedTuple):
    """Numbers of one name: rows, which rise, and values (numbers,)."""

    rows: NDArray[Any]
    values: NDArray[np.float64]


class Spans(NamedTuple):
    """Which numbers each part has: those of one column in one part are a span.

    Parameters
    ----------
    columns : ndarray of int64, (spans,)
        The column; they rise within a part.
    first : ndarray of int64, (spans,)
        The first row.
    low, high : ndarray of int64, (spans,)
        Which numbers of the column.
    ends : ndarray of int64, (parts + 1,)
        Where the spans of each part begin, and those of the last one end.
    """

    columns: NDArray[np.int64]
    first: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    ends: NDArray[np.int64]

    def of_part(self, part: int) -> Spans:
        """Return the spans of one part."""
        at = slice(self.ends[part], self.ends[part + 1])
        return Spans(self.columns[at], self.first[at], self.low[at], self.high[at], self.ends[:0])


def spans_of(found: Sequence[Numbers], starts: NDArray[np.int64]) -> Spans:
    """Return which numbers of columns stand in which part.

    Parameters
    ----------
    found : sequence of Numbers, (columns,)
    starts : ndarray of int64, (parts,)
        First row of each part.
    """
    sizes = np.array([len(rows) for rows, _ in found], np.int64)
    if len(found) * len(starts) <= sizes.sum():
        lows = np.array([np.searchsorted(rows, starts) for rows, _ in found], np.int64)
        lows = lows.reshape(len(found), len(starts))
        highs = np.column_stack([lows[:, 1:], sizes])
        parts, columns = np.nonzero((lows < highs).T)
        low, high = lows[columns, parts], highs[columns, parts]
    else:  # most parts have few of the columns
        of = np.searchsorted(starts, np.concatenate([rows for rows, _ in found]), side="right") - 1
        begins = np.cumsum(sizes) - sizes
        is_first = np.diff(of, prepend=-1) != 0
        is_first[begins[sizes > 0]] = True
        at = np.flatnonzero(is_first)
        columns = np.repeat(np.arange(len(found)), sizes)[at]
        by = np.argsort(of[at], kind="stable")
        parts, columns = of[at][by], columns[by]
        low, high = (edge[by] - begins[columns] for edge in (at, np.append(at[1:], len(of))))
    pairs = zip(columns.tolist(), low.tolist(), strict=True)
    first = np.array([found[column].rows[at] for column, at in pairs], np.int64)
    return Spans(columns, first, low, high, np.searchsorted(parts, np.arange(len(starts) + 1)))


@dataclass
class Columns:
    """Numbers of records that stand in another order than their rows.

    Parameters
    ----------
    names : list of str
    found : list of Numbers, (names,)
    numbers : list of set of int, (names,)
        Numbers of the decoded columns of each name.
    starts : ndarray of int64, (parts,)
        First row of each part.
    place : ndarray of int64, (rows,)
        Where a row stands in the result; -1 of what does not.
    beside : set of int
        Decoded columns that stand beside the statistics, and come behind them.
    """

    names: list[str]
    found: list[Numbers]
    numbers: list[set[int]]
    starts: NDArray[np.int64]
    place: NDArray[np.int64]
    beside: set[int]
    _places: dict[tuple[int, ...], NDArray[np.int64]] = field(default_factory=dict)
    _names: dict[bytes, tuple[str, ...]] = field(default_factory=dict)

    def of_part(
        self, part: int, order: tuple[int, ...], at: slice
    ) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the names that a part has, by first appearance, its values, and where they are.

        Parameters
        ----------
        part : int
        order : tuple of int
            Numbers of the decoded columns, as the records of the part have them.
        at : slice
            Records of the part.
        """
        places = self._places.get(order)
        if places is None:
            place = places_of(order, self.beside)
            own = [min(place.get(n, LAST) for n in mine) for mine in self.numbers]
            places = self._places[order] = np.array(own, np.int64)
        which, first, low, high, _ = self._spans.of_part(part)
        by = np.lexsort((places[which], first))
        which = which[by]
        key = which.tobytes()
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = tuple(self.names[i] for i in which.tolist())
        if self._whole is None:
            spans = zip(which.tolist(), low[by].tolist(), high[by].tolist(), strict=True)
            own_numbers = [Numbers(*(a[lo:hi] for a in self.found[i])) for i, lo, hi in spans]
            where = [self.place[rows] - at.start for rows, _ in own_numbers]
            return names, *_filled(own_numbers, where, at.stop - at.start)
        values, logged = self._whole[0][:, at], self._whole[1][:, at]
        if len(which) < len(self.names) or (which[1:] < which[:-1]).any():
            values, logged = values[which], logged[which]
        return names, values, logged

    @cached_property
    def _spans(self) -> Spans:
        return spans_of(self.found, self.starts)

    @cached_property
    def _whole(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """The table of all parts; None if it would be mostly empty."""
        everywhere = self.place[self.place >= 0]
        count = len(everywhere)
        if len(self.found) * count > _SPARSE * sum(len(rows) for rows, _ in self.found):
            return None
        where = [everywhere if len(r) == count else self.place[r] for r, _ in self.found]
        return _filled(self.found, where, count)


def _filled(
    found: Sequence[Numbers], where: Sequence[NDArray[Any]], count: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values and where they are (columns, records) of numbers that stand at some records."""
    values = np.full((len(found), count), np.nan)
    logged = np.zeros(values.shape, bool)
    for i, ((_, mine), at) in enumerate(zip(found, where, strict=True)):
        values[i, at] = mine
        logged[i, at] = True
    return values, logged


def places_of(order: Sequence[int], beside: Collection[int]) -> dict[int, int]:
    """Return the place of each decoded column in records, by its number."""
    return {n: i + (len(order) if n in beside else 0) for i, n in enumerate(order)}
