"""The kernel in Python alone: for machines without a compiler, and what the one in C is held to.

Whole chunks of lines are decoded at once, and records with the same keys become columns together,
so that there is no loop over cells. A chunk that cannot be decoded is taken in smaller ones, then
line by line.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from itertools import compress
from operator import itemgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from runcube.core import DEFAULT_LIMITS
from runcube.readers.kernel.model import (
    MAX_DIGITS,
    Bad,
    Cells,
    Decoded,
    Items,
    Kind,
    bounds,
    seen_in,
)
from runcube.readers.lines import BOM, as_float, count_plain, spelling, whole_number

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits

    Path: TypeAlias = tuple[str, ...]
    # Rows and values of each path.
    Found: TypeAlias = dict[Path, tuple[list[NDArray[np.int32]], list[Any]]]

_CHUNK_BYTES = 1 << 20
# A refused chunk is tried again in smaller ones: NaN mostly comes on a few lines in a row.
_FINE_BYTES = 1 << 14
_WHOLE = 2**53
# A text, which may hold brackets, or a bracket. Each byte is looked at once, in half a text too.
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]')
_decode_line = msgspec.json.Decoder().decode
_decode_lines = msgspec.json.Decoder().decode_lines
_pack = msgspec.msgpack.Encoder().encode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(
    buffers: Sequence[bytes | memoryview],
    raw: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    always: Collection[str] = (),
) -> Decoded:
    """Return the columns of a batch of files, as ``compiled.decode`` does."""
    batch = _Batch(frozenset(raw), limits, frozenset((key,) for key in always))
    ends, orders = [], []
    for number, data in enumerate(buffers):
        batch.add_file(number, bytes(data))
        ends.append(len(batch.lines))
        orders.append(tuple(batch.order.values()))
    return Decoded(
        np.array(batch.lines, np.int32),
        np.array(batch.offsets, np.int64),
        np.array(ends, np.int64),
        orders,
        {path: column.cells() for path, column in batch.columns.items()},
        batch.bad,
        batch.left_out,
    )


class _Batch:
    """The records of files so far.

    Attributes
    ----------
    lines, offsets : list of int, (rows,)
    order : dict of tuple of str to int
        Numbers of the columns of the last file, in order of first appearance.
    columns : dict of tuple of str to _Growing
    bad : list of Bad
    left_out : dict of tuple of str to int
        As of `Decoded`.
    """

    def __init__(self, raw: frozenset[str], limits: Limits, always: frozenset[Path]) -> None:
        self.lines: list[int] = []
        self.offsets: list[int] = []
        self.order: dict[Path, int] = {}
        self.columns: dict[Path, _Growing] = {}
        self._numbers: dict[Path, int] = {}
        self.bad: list[Bad] = []
        self.left_out: dict[Path, int] = {}
        self._raw = raw
        self._always = always
        self._most, self._depth, line_bytes, digits = bounds(limits)
        self._limits = replace(limits, line_bytes=line_bytes, digits=digits)
        self._decoder = json.JSONDecoder(parse_int=whole_number(self._limits))

    def add_file(self, file: int, data: bytes) -> None:
        """Add the records of one more file."""
        self.order = {}
        start, line = len(BOM) if data.startswith(BOM) else 0, 1
        for low, high in _chunks(data, _CHUNK_BYTES, start, len(data)):
            if self._whole(data, low, high, line):
                line += data.count(b"\n", low, high)
                continue
            for fine, end in _chunks(data, _FINE_BYTES, low, high):
                if not self._whole(data, fine, end, line):
                    self._by_line(file, data, fine, end, line)
                line += data.count(b"\n", fine, end)

    def _whole(self, data: bytes, low: int, high: int, line: int) -> bool:
        """Add the records of a chunk, unless there is anything but one on each line."""
        chunk = memoryview(data)[low:high]
        # Digits that msgspec takes: fewer are counted by the other decoder.
        if self._limits.digits < MAX_DIGITS:
            return False
        count = count_plain(chunk, self._limits)
        if not count:
            return False
        try:
            records = _decode_lines(chunk)
        except _REFUSED:
            return False
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + (low + 1)
        starts = np.concatenate(([low], ends))[:count]
        stops = np.append(starts[1:], high)
        # A shorter line holds no more brackets that are open at once.
        long = np.flatnonzero(stops - starts > 2 * self._depth)
        pairs = zip(starts[long].tolist(), stops[long].tolist(), strict=True)
        several = [
            pair
            for pair in pairs
            if data.count(b"{", *pair) + data.count(b"[", *pair) > self._depth
        ]
        if len(records) != count or any(self._is_deep(data, *pair) for pair in several):
            return False
        self._add(records, list(range(line, line + count)), starts.tolist())
        return True

    def _by_line(self, file: int, data: bytes, low: int, high: int, line: int) -> None:
        records, lines, starts = [], [], []
        while low < high:
            end = data.find(b"\n", low, high)
            end = high if end < 0 else end
            text = data[low:end].strip(b" \t\r\0")
            record = self._record(text) if text else None
            if record is not None:
                records.append(record)
                lines.append(line)
                starts.append(low)
            elif text:
                self.bad.append(Bad(file, line, low, end))
            low, line = end + 1, line + 1
        self._add(records, lines, starts)

    def _record(self, text: bytes) -> dict[str, Any] | None:
        """Return the object on a line; None if it is none, or beyond a bound."""
        is_deep = text.count(b"{") + text.count(b"[") > self._depth
        if len(text) > self._limits.line_bytes or (is_deep and self._is_deep(text, 0, len(text))):
            return None
        try:
            if self._limits.digits < MAX_DIGITS:
                raise msgspec.DecodeError
            value = _decode_line(text)
        except _REFUSED:
            # Python writes NaN and Infinity, which msgspec rightly refuses.
            try:
                value = self._decoder.decode(text.decode())
            except (ValueError, RecursionError):
                return None
        return value if isinstance(value, dict) else None

    def _is_deep(self, data: bytes, start: int, stop: int) -> bool:
        depth = 0
        for found in _NESTING.finditer(data, start, stop):
            mark = found[0]
            depth += mark in b"[{"
            depth -= mark in b"]}"
            if depth > self._depth:
                return True
        return False

    def _add(self, records: list[dict[str, Any]], lines: list[int], starts: list[int]) -> None:
        if not records:
            return
        first = len(self.lines)
        self.lines += lines
        self.offsets += starts
        found: Found = {}
        self._spread(records, np.arange(first, len(self.lines), dtype=np.int32), (), found)
        self._begin_columns(found, records, first)
        for path, (rows, values) in found.items():
            if path in self.columns:
                self.columns[path].add(rows, values)

    def _spread(
        self, records: Sequence[dict[str, Any]], rows: NDArray[np.int32], path: Path, found: Found
    ) -> None:
        """Add what stands under each key, for all records that have the same keys at once."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, keys in enumerate(map(tuple, records)):
            groups.setdefault(keys, []).append(i)
        for keys, members in groups.items():
            its, own = records, rows
            if len(groups) > 1:
                its, own = [records[i] for i in members], rows[members]
            for key in keys:
                where, values, on = (*path, key), list(map(itemgetter(key), its)), own
                is_raw = not path and key in self._raw
                if not is_raw and dict in set(map(type, values)):
                    is_inside = [type(value) is dict and bool(value) for value in values]
                    if any(is_inside):
                        inside = np.array(is_inside)
                        self._spread(list(compress(values, inside)), on[inside], where, found)
                        values, on = list(compress(values, ~inside)), on[~inside]
                if values:
                    known = found.setdefault(where, ([], []))
                    known[0].append(on)
                    known[1].extend(values)

    def _begin_columns(self, found: Found, records: list[dict[str, Any]], first: int) -> None:
        """Begin the columns that are new in this file, in the order that they have in records."""
        new = found.keys() - self.order.keys() - self.left_out.keys()
        begins: dict[int, list[Path]] = {}
        for path in new:
            row = min(int(rows[0]) for rows in found[path][0])
            begins.setdefault(row, []).append(path)
        for row, paths in sorted(begins.items()):
            if len(paths) > 1:
                places = {path: i for i, path in enumerate(self._paths(records[row - first], ()))}
                paths.sort(key=places.__getitem__)
            for path in paths:
                is_bound = len(self.columns) >= self._most and path not in self._always
                if path not in self.columns and is_bound:
                    self.left_out[path] = row
                    continue
                if path not in self.columns:
                    self._numbers[path] = len(self.columns)
                    self.columns[path] = _Growing(is_raw=len(path) == 1 and path[0] in self._raw)
                self.order[path] = self._numbers[path]

    def _paths(self, record: dict[str, Any], path: Path) -> Iterator[Path]:
        for key, value in record.items():
            if value and isinstance(value, dict) and (path or key not in self._raw):
                yield from self._paths(value, (*path, key))
            else:
                yield (*path, key)


class _Growing:
    """The cells of one path while they are collected.

    Parameters
    ----------
    is_raw : bool
        Whether values are kept whole.
    """

    def __init__(self, *, is_raw: bool) -> None:
        self._is_raw = is_raw
        self._rows: list[NDArray[np.int32]] = []
        self._kinds: list[NDArray[np.uint8]] = []
        self._values: list[NDArray[np.float64]] = []
        self._words: dict[str, int] = {}
        self._items = Items()

    def add(self, rows: list[NDArray[np.int32]], values: list[Any]) -> None:
        """Add values of rows behind those so far, in any order."""
        where = rows[0]
        if len(rows) > 1:
            where = np.concatenate(rows)
            order = np.argsort(where)
            where, values = where[order], [values[i] for i in order.tolist()]
        alike = set(map(type, values))
        if self._is_raw:
            alike = {object, NoneType} if NoneType in alike else {object}
        kinds, cells = np.empty(len(values), np.uint8), np.empty(len(values))
        for kind in alike:
            if len(alike) == 1:
                kinds[:], cells[:] = self._alike(kind, values)
                continue
            is_kind = [type(v) is kind or (kind is object and v is not None) for v in values]
            at = np.flatnonzero(is_kind)
            kinds[at], cells[at] = self._alike(kind, list(compress(values, is_kind)))
        self._rows.append(where)
        self._kinds.append(kinds)
        self._values.append(cells)

    def _alike(self, kind: type, values: list[Any]) -> tuple[Any, Any]:
        """Return the kinds and the cells of values of one type."""
        if kind is NoneType:
            return Kind.NULL, 0.0
        if self._is_raw:
            return Kind.RAW, self._codes(values)
        if kind is float:
            return _floats(values)
        if kind is int:
            return _wholes(values)
        if kind is bool:
            return np.where(values, Kind.TRUE, Kind.FALSE), values
        if kind is str:
            for word in dict.fromkeys(values):
                self._words.setdefault(word, len(self._words))
            return Kind.STRING, [*map(self._words.__getitem__, values)]
        if kind is list:
            return Kind.LIST, self._codes(values)
        return Kind.EMPTY, 0.0

    def _codes(self, values: list[Any]) -> list[int]:
        found = []
        for value in values:
            key = _key(value)
            known = self._items.known(key)
            found.append(self._items.add(key, value) if known is None else known)
        return found

    def cells(self) -> Cells:
        """Return the finished column."""
        pieces = (self._rows, self._kinds, self._values)
        rows, kinds, values = (p[0] if len(p) == 1 else np.concatenate(p) for p in pieces)
        words, items = list(self._words), self._items.values
        return Cells(rows, kinds, values, words, items, seen_in(kinds))


def _floats(values: list[float]) -> tuple[Any, NDArray[np.float64]]:
    cells = np.array(values)
    if np.isfinite(cells).all():
        return Kind.FLOAT, cells
    tests = [np.isnan(cells), np.isposinf(cells), np.isneginf(cells)]
    return np.select(tests, [Kind.NAN, Kind.INF, Kind.NINF], Kind.FLOAT), cells


def _wholes(values: list[int]) -> tuple[Any, NDArray[np.float64]]:
    try:
        cells = np.array(values, np.float64)
        is_big = np.abs(cells) >= _WHOLE
    except OverflowError:
        cells = np.array([_nearest(value) for value in values])
        is_big = np.ones(len(values), bool)
    for i in np.flatnonzero(is_big).tolist():
        is_big[i] = not -_WHOLE <= values[i] <= _WHOLE
    return np.where(is_big, Kind.BIGINT, Kind.INT), cells


def _nearest(value: int) -> float:
    number = as_float(value)
    return number if number is not None else math.inf if value > 0 else -math.inf


def _key(value: Any) -> Hashable:
    try:
        return _pack(value)
    except (OverflowError, ValueError):
        return spelling(value)


def _chunks(data: bytes, size: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where chunks of whole lines begin and end."""
    while start < stop:
        end = data.rfind(b"\n", start, min(start + size, stop)) + 1
        end = end or data.find(b"\n", start, stop) + 1 or stop
        yield start, end
        start = end
