"""Logged values to float64 columns: what is a number, what is missing, what is neither."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import is_x_like, leaves
from runcube.readers.kernel import Kind
from runcube.readers.lines import as_float, is_number_text, is_short_list
from runcube.readers.native.bound import leave_out
from runcube.readers.native.records import OWN_KEYS, beside
from runcube.readers.native.rows import TEXT
from runcube.readers.native.tables import LAST, Columns, Numbers, places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Cells
    from runcube.readers.native.oddities import Oddities
    from runcube.readers.native.rows import Rows

# Kinds that are numbers.
_NUMBERS = sum(1 << kind for kind in (*range(Kind.INT, Kind.NINF + 1), Kind.TRUE, Kind.FALSE))
_BIG = 1 << Kind.BIGINT
_IS_NUMBER = np.array([bool(_NUMBERS >> kind & 1) for kind in range(32)])


@dataclass(slots=True)
class _Lists:
    """Lists of numbers of one name: row of each, and which of ``items`` it is."""

    rows: NDArray[Any]
    codes: NDArray[np.int64]
    items: list[Any]


@dataclass(slots=True)
class Gathering:
    """The columns of decoded rows while they are collected.

    Parameters
    ----------
    table : Rows
    starts : ndarray of int64, (parts,)
        First row of each part: of each section of each log.
    place : ndarray of int64, (rows,)
        Where a row stands in the result; -1 of what does not.
    lines : ndarray of int64, (rows,)
        Line numbers, for problems.
    odd : sequence of Oddities, (parts,)
    limits : Limits

    Attributes
    ----------
    with_lists : set of int
        Parts that have lists of numbers.
    """

    table: Rows
    starts: NDArray[np.int64]
    place: NDArray[np.int64]
    lines: NDArray[np.int64]
    odd: Sequence[Oddities]
    limits: Limits
    with_lists: set[int] = field(default_factory=set)
    _metrics: dict[str, list[Numbers]] = field(default_factory=lambda: defaultdict(list))
    _own: dict[str, list[Numbers]] = field(default_factory=lambda: defaultdict(list))
    _beside: set[str] = field(default_factory=set)
    _columns_beside: set[int] = field(default_factory=set)
    _lists: list[tuple[str, _Lists]] = field(default_factory=list)
    _numbers: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    # The column that is taken.
    _number: int = 0

    def gather(self) -> tuple[Columns, Columns]:
        """Return the metrics, and what runs along them; note what is odd about their values."""
        is_placed = self.place >= 0
        is_text = self.table.kinds == TEXT
        for number, (path, cells) in enumerate(self.table.decoded.cells.items()):
            keep = is_placed[cells.rows]
            placed = cells if keep.all() else cells.where(keep)
            self._number = number
            if path[0] not in ("type", "value") and placed is not cells:
                self._note_extra("/".join(path), cells.where(is_text[cells.rows]))
            if path[0] == "agg_stats":
                if len(path) > 1:
                    self._take("/".join(path[1:]), placed, beside=False)
            elif path[0] not in OWN_KEYS or path[0] == "value":
                self._take("/".join(path), placed, beside=True)
            elif path[0] == "type" and (len(path) > 1 or cells.seen != 1 << Kind.STRING):
                odd = placed.where(placed.kinds != Kind.STRING)
                self._take("/".join(path), odd, beside=True)
        for key, found in self.table.beside.items():
            paths = enumerate(self.table.decoded.cells)
            self._number = next((number for number, path in paths if path[0] == key), -1)
            for row, value in found:
                for name, inner in leaves({key: value}, "/") if is_placed[row] else ():
                    self._put(name, row, inner)
        metrics = {name: self._merged(name, found) for name, found in self._metrics.items()}
        own = {name: self._merged(name, found, is_own=True) for name, found in self._own.items()}
        for name, lists in self._lists:
            self._itemize(name, lists, metrics)
        if len(metrics) + len(own) > self.limits.columns:
            leave_out(metrics, own, self.starts, self.lines, self.odd, self.limits)
        return self._assembled(metrics), self._assembled(own)

    def places(self, order: tuple[int, ...]) -> dict[str, int]:
        """Return the place of each name in records whose columns have these numbers."""
        place = places_of(order, self._columns_beside)
        return {
            name: min((place.get(number, LAST) for number in numbers), default=LAST)
            for name, numbers in self._numbers.items()
        }

    def _note(
        self, kind: str, name: str, rows: NDArray[Any], example: Callable[[int], Any]
    ) -> None:
        """Note values on these rows, of which ``example`` returns one by its number."""
        if not len(rows):
            return
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        found, first, counts = np.unique(parts, return_index=True, return_counts=True)
        for part, at, count in zip(found.tolist(), first.tolist(), counts.tolist(), strict=True):
            self.odd[part].note(kind, name, int(self.lines[rows[at]]), example(at), count)

    def _note_extra(self, name: str, cells: Cells) -> None:
        valued = cells.where((cells.kinds != Kind.NULL) & (cells.kinds != Kind.EMPTY))
        self._note("extra_key", name, valued.rows, valued.value)

    def _put(self, name: str, row: int, value: Any) -> None:
        """Take one value beside metrics."""
        self._numbers[name].add(self._number)
        self._columns_beside.add(self._number)
        rows = np.array([row])
        number = as_float(value) if isinstance(value, int | float) else None
        if isinstance(value, str) and self._is_number(value):
            self._note("text_number", name, rows, lambda _: value)
            number = float(value)
        if number is not None:
            self._add(name, Numbers(rows, np.array([number])), beside=True)
        elif value is not None:
            self._note("non_numeric", name, rows, lambda _: value)

    def _is_number(self, text: str) -> bool:
        return len(text) <= self.limits.digits and is_number_text(text)

    def _take(self, name: str, cells: Cells, *, beside: bool) -> None:
        """Take the cells of one path."""
        if not len(cells.rows):
            return
        self._numbers[name].add(self._number)
        if beside:
            self._columns_beside.add(self._number)
        if cells.seen & ~_NUMBERS == 0:
            numbers = Numbers(cells.rows, cells.values)
        else:
            numbers = self._read(name, cells)
        if cells.seen & _BIG:
            huge = cells.rows[(cells.kinds == Kind.BIGINT) & np.isinf(cells.values)]
            self._note("huge_number", name, huge, lambda _: None)
        self._add(name, numbers, beside=beside)

    def _read(self, name: str, cells: Cells) -> Numbers:
        """Return the numbers among cells of any kind; texts may be some, lists hold some."""
        is_number = _IS_NUMBER[cells.kinds]
        values = cells.values
        is_text = cells.kinds == Kind.STRING
        if is_text.any():
            numeric = np.array([self._is_number(word) for word in cells.words], bool)
            known = [float(w) if n else np.nan for w, n in zip(cells.words, numeric, strict=True)]
            codes = np.where(is_text, values, 0).astype(np.intp)
            reads = is_text & numeric[codes]
            values = np.where(reads, np.array(known)[codes], values)
            for kind, which in (("text_number", reads), ("non_numeric", is_text & ~reads)):
                at = np.flatnonzero(which)
                self._note(kind, name, cells.rows[at], lambda i, at=at: cells.value(at[i]))  # type: ignore[misc]
            is_number = is_number | reads
        at = np.flatnonzero(cells.kinds == Kind.LIST)
        if len(at):
            short = np.array([is_short_list(item) for item in cells.items], bool)
            codes = cells.values[at].astype(np.intp)
            long = at[~short[codes]]
            self._note("non_numeric", name, cells.rows[long], lambda i: cells.value(long[i]))
            at, codes = at[short[codes]], codes[short[codes]]
            if len(at):
                self._lists.append((name, _Lists(cells.rows[at], codes, cells.items)))
        return Numbers(cells.rows[is_number], values[is_number])

    def _add(self, name: str, numbers: Numbers, *, beside: bool) -> None:
        rows, values = numbers
        if not len(rows):
            return
        if beside and is_x_like(name):
            lacks = np.isnan(values)  # NaN is nowhere along a curve
            if lacks.any():
                self._note("non_numeric", name, rows[lacks], lambda _: np.nan)
                numbers = Numbers(rows[~lacks], values[~lacks])
            self._own[name].append(numbers)
        else:
            # What is beside the statistics comes behind them.
            known = self._metrics[name]
            known.insert(0 if not beside and name in self._beside else len(known), numbers)
        if beside:
            self._beside.add(name)

    def _merged(self, name: str, found: Sequence[Numbers], *, is_own: bool = False) -> Numbers:
        """Return the numbers of all paths of one name; of two in a record the first is kept."""
        if len(found) == 1:
            return found[0]
        rows = np.concatenate([numbers.rows for numbers in found])
        order = np.argsort(rows, kind="stable")
        rows, values = rows[order], np.concatenate([numbers.values for numbers in found])[order]
        is_first = np.append(True, rows[1:] != rows[:-1])
        if not is_first.all():
            self._note("clashing_key", name, rows[~is_first], lambda _: None)
            several = np.unique(rows[~is_first])
            rows, values = rows[is_first], values[is_first]
            for at in np.searchsorted(rows, several).tolist():
                values[at] = self._first_of(name, int(rows[at]), values[at], is_own)
        return Numbers(rows, values)

    def _first_of(self, name: str, row: int, otherwise: float, is_own: bool) -> float:
        """Return the first number of a name in the record of a row."""
        record = self.table.record(row)
        # What runs along the records is never among their statistics.
        stats = {} if is_own else record["agg_stats"]
        for key, value in (*leaves(stats, "/"), *leaves(beside(record), "/")):
            if key == name:
                if isinstance(value, int | float):
                    number = as_float(value)
                    return number if number is not None else np.inf if value > 0 else -np.inf
                if isinstance(value, str) and self._is_number(value):
                    return float(value)
        return otherwise

    def _itemize(self, name: str, lists: _Lists, metrics: dict[str, Numbers]) -> None:
        """Make metrics of lists of numbers, if they mostly have one length; note the others.

        Where one of them is damaged, the others are metrics all the same.
        """
        sizes = np.array([len(lists.items[code]) for code in lists.codes.tolist()])
        parts = np.searchsorted(self.starts, lists.rows, side="right") - 1
        usual = np.zeros(len(parts), bool)
        self.with_lists.update(parts.tolist())
        for part in np.unique(parts).tolist():
            mine = parts == part
            for size, count in Counter(sizes[mine].tolist()).items():
                usual[mine & (sizes == size)] = 2 * count >= mine.sum()
        other = np.flatnonzero(~usual)
        self._note(
            "non_numeric",
            name,
            lists.rows[other],
            lambda i: lists.items[int(lists.codes[other[i]])],
        )
        for i in range(int(sizes[usual].max(initial=0))):
            at = np.flatnonzero(usual & (sizes > i))
            read = [lists.items[code][i] for code in lists.codes[at].tolist()]
            numbers = [as_float(number) for number in read]
            huge = [k for k, number in enumerate(numbers) if number is None]
            item = f"{name}/{i}"
            self._numbers[item] |= self._numbers[name]
            self._note("huge_number", item, lists.rows[at][huge], lambda _: None)
            values = [
                (np.inf if whole > 0 else -np.inf) if number is None else number
                for whole, number in zip(read, numbers, strict=True)
            ]
            new = Numbers(lists.rows[at], np.array(values, np.float64))
            metrics[item] = self._merged(item, [*([metrics[item]] if item in metrics else []), new])

    def _assembled(self, columns: dict[str, Numbers]) -> Columns:
        numbers = [self._numbers[name] for name in columns]
        found = [*columns.values()]
        return Columns([*columns], found, numbers, self.starts, self.place, self._columns_beside)
