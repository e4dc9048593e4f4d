"""Bytes of a JSONL log to columns.

The kernel decodes all lines that are sound. What it leaves is decoded exactly, record by record,
and put in its place: lines that hold records all the same, records whose keys clash, whole numbers
that no float64 holds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.readers.kernel import Kind, decode
from runcube.readers.lines import BadLine, Line, decode_line, nul_problem, split_lines
from runcube.readers.table.column import Column, GrowingColumn, Objects, has_value, span
from runcube.readers.table.documents import has_documents, read_documents
from runcube.readers.table.flat import flatten
from runcube.readers.table.odd_lines import Splitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Decoded

SAMPLE_LINES = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a log, or a stretch of it.

    Parameters
    ----------
    path : str
        Path that problems name.
    data : bytes
        What it holds.
    before : int
        Lines of the file before it.
    """

    path: str
    data: bytes
    before: int = 0


@dataclass
class Table:
    """All records of a log, one a row, in file order; a log may be several files.

    Parameters
    ----------
    parts : sequence of Part, (parts,)
        The files of the log.
    ends : list of int, (parts,)
        Number of rows up to the end of each part.
    lines : ndarray of int64, (rows,)
        Number of the line that each record is on in its file, from 1.
    columns : dict of str to Column
        One for each flattened key (``"info/lr"``), in order of first appearance.
    objects : dict of str to Objects
        One for each key whose objects are kept whole, sorted by name.
    odd : dict of int to dict
        Records by row that the kernel did not decode, or not well: salvaged from a damaged line,
        several on one, with keys that clash, ….
    problems : list of Problem
        What is wrong with the lines, in file order.
    starts : ndarray of int64, (rows,)
        Where the line of each record begins in its file; of no use where it is odd.
    """

    parts: Sequence[Part]
    ends: list[int]
    lines: NDArray[np.int64]
    columns: dict[str, Column]
    objects: dict[str, Objects]
    odd: dict[int, Any]
    problems: list[Problem] = field(default_factory=list)
    starts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def first_lines(self) -> list[int]:
        """Lines in all parts before each one, (parts,)."""
        counts = [part.data.count(b"\n") + 1 for part in self.parts[:-1]]
        return [int(count) for count in np.cumsum([0, *counts])]

    def part_of(self, row: int) -> int:
        """Return the number of the part that a row is in."""
        return int(np.searchsorted(self.ends, row, side="right"))

    def place(self, row: int) -> tuple[str, int]:
        """Return the path of the file and the number of the line that a row is on."""
        return self.parts[self.part_of(row)].path, int(self.lines[row])

    def record(self, row: int) -> dict[str, Any]:
        """Return the record of one row, decoded exactly as it was logged."""
        if row in self.odd:
            return dict(self.odd[row])
        line = _line_at(self.parts[self.part_of(row)].data, int(self.starts[row]))
        return dict(decode_line(line, deep=True))


def _line_at(data: bytes, start: int) -> bytes:
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else None].strip(b" \t\r\0")


def first_records(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[dict[str, Any]]:
    """Yield the records on the first ``SAMPLE_LINES`` lines of a log, decoded exactly."""
    if has_documents(data):
        found, _ = read_documents(data, "", limits, most=SAMPLE_LINES)
        yield from (record for _, record in found)
        return
    for line in islice(split_lines(data), SAMPLE_LINES):
        try:
            record = decode_line(line.data, limits)
        except BadLine:
            continue
        if isinstance(record, dict):
            yield record


def read_table(
    parts: Sequence[Part],
    *,
    raw: frozenset[str] = frozenset(),
    limits: Limits = DEFAULT_LIMITS,
) -> Table:
    """Return the table of a log.

    Parameters
    ----------
    parts : sequence of Part, (parts,)
        Its files, in order.
    raw : frozenset of str
        Top-level keys whose objects are kept whole instead of flattened.
    limits : Limits
    """
    documents = [has_documents(part.data) for part in parts]
    batch = [b"" if several else part.data for part, several in zip(parts, documents, strict=True)]
    decoded = decode(batch, raw, limits)
    splitter = Splitter("", limits)
    rest = _left_to_python(parts, documents, decoded, splitter, limits)
    unsure = _unsure_rows(decoded, raw)
    for row in unsure.tolist():
        file = int(np.searchsorted(decoded.ends, row, side="right"))
        start = int(decoded.offsets[row])
        record = decode_line(_line_at(parts[file].data, start), limits)
        rest.append(_Rest(file, int(decoded.lines[row]), record))
    rest.sort(key=lambda record: (record.file, record.line))
    places = _Places(decoded, unsure, rest)
    table = Table(parts, places.ends, places.lines, {}, {}, {}, starts=places.starts)
    for file, (several, part) in enumerate(zip(documents, parts, strict=True)):
        start = places.ends[file - 1] if file else 0
        table.lines[start : places.ends[file]] += 0 if several else part.before
    records = (left.record for left in rest)
    table.odd = dict(zip(places.of_rest.tolist(), records, strict=True))
    counted = [*splitter.texts.problems(), *splitter.printed.problems()]
    table.problems = splitter.problems + counted
    _Filling(raw, limits, decoded, places).fill(table)
    return table


class _Rest(NamedTuple):
    """A record that Python decoded: on which line of which file."""

    file: int
    line: int
    record: dict[str, Any]


def _left_to_python(
    parts: Sequence[Part],
    documents: Sequence[bool],
    decoded: Decoded,
    splitter: Splitter,
    limits: Limits,
) -> list[_Rest]:
    """Return the records of files that are no lines of them, and of lines that were refused."""
    rest: list[_Rest] = []
    bad = defaultdict(list)
    for line in decoded.bad:
        bad[line.file].append(line)
    for file, part in enumerate(parts):
        splitter.path = part.path
        splitter.problems += nul_problem(part.data, part.path)
        if bad:
            for record in first_records(part.data, limits):
                splitter.learn(record)
        if documents[file]:
            records, problems = read_documents(part.data, part.path, limits)
            rest += [_Rest(file, number, record) for number, record in records]
            splitter.problems += problems
        for line in bad.get(file, ()):
            data = part.data[line.start : line.stop].strip(b" \t\r\0")
            own = Line(line.line + part.before, data, line.stop < len(part.data))
            rest += [_Rest(file, line.line, record) for record in splitter.split(own)]
    return rest


def _name_of(path: tuple[str, ...]) -> str:
    return "/".join(key.strip() for key in path) if len(path) > 1 else path[0].strip()


def _unsure_rows(decoded: Decoded, raw: frozenset[str]) -> NDArray[np.int64]:
    """Return the rows whose keys clash, or whose numbers are beyond float64."""
    unsure: list[NDArray[np.int32]] = []
    same: dict[str, list[tuple[str, ...]]] = {}
    for path, cells in decoded.cells.items():
        name = _name_of(path)
        same.setdefault(name, []).append(path)
        if name in raw and path != (name,):
            unsure.append(cells.rows)
        if cells.seen >> Kind.BIGINT & 1:
            huge = (cells.kinds == Kind.BIGINT) & np.isinf(cells.values)
            unsure.append(cells.rows[huge])
    for paths in same.values():
        if len(paths) > 1:
            of_name = [decoded.cells[path] for path in paths]
            valued = np.concatenate([cells.rows[has_value(cells)] for cells in of_name])
            rows, counts = np.unique(valued, return_counts=True)
            unsure.append(rows[counts > 1])
    return np.unique(np.concatenate(unsure)).astype(np.int64) if unsure else np.empty(0, np.int64)


class _Places:
    """Which row of the table is what.

    Parameters
    ----------
    decoded : Decoded
    unsure : ndarray of int64, (unsure,)
        Rows of it that are decoded again.
    rest : list of _Rest
        Sorted.

    Attributes
    ----------
    of_decoded : ndarray of int64, (rows of decoded,)
        Rows in the table; -1 for those that are unsure.
    of_rest : ndarray of int64, (rest,)
        The same of the others.
    lines : ndarray of int64, (rows,)
        Line numbers, as if each part began a file.
    starts : ndarray of int64, (rows,)
    ends : list of int, (parts,)
    """

    def __init__(self, decoded: Decoded, unsure: NDArray[np.int64], rest: list[_Rest]) -> None:
        count = len(decoded.lines)
        self.is_whole = not rest
        if self.is_whole:
            self.of_rest, self.of_decoded = np.empty(0, np.int64), np.arange(count)
            self.lines, self.starts = decoded.lines.astype(np.int64), decoded.offsets
            self.ends: list[int] = decoded.ends.tolist()
            return
        kept = np.ones(count, bool)
        kept[unsure] = False
        lines = decoded.lines[kept].astype(np.int64)
        ends = np.concatenate(([0], np.cumsum(kept)))[decoded.ends]
        starts = np.concatenate(([0], ends[:-1]))
        before = np.array(
            [
                starts[left.file]
                + np.searchsorted(lines[starts[left.file] : ends[left.file]], left.line)
                for left in rest
            ],
            np.int64,
        )
        self.of_rest = before + np.arange(len(rest))
        own = np.arange(len(lines))
        own += np.searchsorted(before, own, side="right")
        self.of_decoded = np.full(count, -1)
        self.of_decoded[kept] = own
        self.lines, self.starts = np.zeros((2, len(lines) + len(rest)), np.int64)
        self.lines[own], self.starts[own] = lines, decoded.offsets[kept]
        self.lines[self.of_rest] = [left.line for left in rest]
        more = np.bincount(np.array([left.file for left in rest], np.int64), minlength=len(ends))
        self.ends = [int(end) for end in ends + np.cumsum(more)]


class _Filling:
    """Columns and objects of a table, from what the kernel decoded and from the rest."""

    def __init__(
        self, raw: frozenset[str], limits: Limits, decoded: Decoded, places: _Places
    ) -> None:
        self.raw, self.limits = raw, limits
        self.decoded, self.places = decoded, places
        self.columns: dict[str, GrowingColumn] = {}
        self.objects: dict[str, GrowingColumn] = {}
        self.left_out: dict[str, int] = {}
        # The first row that had each column in any way, null and empty objects included; -1 where
        # several paths have one name.
        self.began: dict[str, int] = {}

    def fill(self, table: Table) -> None:
        """Fill the columns and the objects of a table, and name what is beyond the bound."""
        of_decoded, is_whole = self.places.of_decoded, self.places.is_whole
        for path, cells in self.decoded.cells.items():
            name, rows = _name_of(path), of_decoded[span(cells.rows)]
            self.began[name] = -1 if name in self.began else int(rows[0])
            is_raw = len(path) == 1 and path[0] in self.raw
            growing = self.objects if is_raw else self.columns
            if name not in growing:
                growing[name] = GrowingColumn()
            growing[name].take(cells, rows, whole=is_whole)
        for path, row in self.decoded.left_out.items():
            if of_decoded[row] >= 0:
                self.left_out.setdefault(_name_of(path), int(of_decoded[row]))
        for row, record in table.odd.items():
            for name, value in flatten(record, self.raw).items():
                self._put(name, row, value)
        done = {name: growing.column() for name, growing in self.columns.items()}
        table.columns = self._in_order(table, {k: c for k, c in done.items() if len(c)})
        for name in sorted(self.objects):
            objects = self.objects[name].objects()
            if len(objects.rows):
                table.objects[name] = objects
        if self.left_out:
            table.problems.append(self._too_many(table))

    def _put(self, name: str, row: int, value: Any) -> None:
        if name in self.raw:
            self.objects.setdefault(name, GrowingColumn()).put_whole(row, value)
        elif name in self.columns or len(self.columns) < self.limits.columns:
            self.columns.setdefault(name, GrowingColumn()).put(row, value)
        else:
            self.left_out.setdefault(name, row)

    def _in_order(self, table: Table, columns: dict[str, Column]) -> dict[str, Column]:
        """Return columns by the first row that has them, then by their place in its record."""
        first = {name: int(column.rows[0]) for name, column in columns.items()}
        if self.places.is_whole and all(self.began[name] == row for name, row in first.items()):
            return columns
        ranks = {name: i for i, name in enumerate(columns)}
        odd = {*table.odd}
        odd.update(row for name, row in first.items() if self.began.get(name, row) != row)
        for row in odd & {*first.values()}:
            names = enumerate(flatten(table.record(row)))
            ranks.update({name: i for i, name in names if first.get(name) == row})
        return dict(sorted(columns.items(), key=lambda item: (first[item[0]], ranks[item[0]])))

    def _too_many(self, table: Table) -> Problem:
        path, line = table.place(min(self.left_out.values()))
        shown = ", ".join(repr(name) for name in islice(self.left_out, 3))
        bound = f"more than Limits(columns={self.limits.columns}) keys"
        message = f"{bound}: the values of {len(self.left_out)} more, {shown} …, are left out"
        return Problem("limit", message, path, line)
