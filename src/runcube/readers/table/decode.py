"""Bytes of a JSONL log to columns.

The fast road decodes whole chunks of lines with a type made for the keys of the log. A chunk that
it refuses is decoded line by line, and a line that is refused again is decoded exactly, key by
key. All roads make the same table; only their speed differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.readers.lines import (
    BOM,
    BadLine,
    Line,
    count_plain,
    decode_line,
    nul_problem,
    split_lines,
)
from runcube.readers.table.column import Column, GrowingColumn, ObjectPool, Objects
from runcube.readers.table.documents import has_documents, read_documents
from runcube.readers.table.odd_lines import Splitter
from runcube.readers.table.shape import Shape, flatten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits

CHUNK_BYTES = 1 << 20
# A refused chunk is tried again in smaller ones: NaN mostly comes on a few lines in a row.
FINE_BYTES = 1 << 14
SAMPLE_LINES = 8
# A log whose keys depend on its data would else have a new type for every line.
MAX_SHAPES = 16


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
        Records by row that are not what their line alone decodes to: salvaged from a damaged
        line, or several on one.
    problems : list of Problem
        What is wrong with the lines, in file order.
    """

    parts: Sequence[Part]
    ends: list[int]
    lines: NDArray[np.int64]
    columns: dict[str, Column]
    objects: dict[str, Objects]
    odd: dict[int, Any]
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def _newlines(self) -> list[NDArray[np.intp]]:
        return [
            np.flatnonzero(np.frombuffer(part.data, dtype=np.uint8) == ord("\n"))
            for part in self.parts
        ]

    @cached_property
    def first_lines(self) -> list[int]:
        """Lines in all parts before each one, (parts,)."""
        counts = [len(newlines) + 1 for newlines in self._newlines[:-1]]
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
        part = self.part_of(row)
        data, ends = self.parts[part].data, self._newlines[part]
        number = int(self.lines[row]) - self.parts[part].before - 1
        start = int(ends[number - 1]) + 1 if number else 0
        end = int(ends[number]) if number < len(ends) else len(data)
        return dict(decode_line(data[start:end].removeprefix(BOM).strip(b" \t\r\0"), deep=True))


def first_records(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """Return the records on the first ``SAMPLE_LINES`` lines of a log, decoded exactly."""
    if has_documents(data):
        found, _ = read_documents(data, "", limits, most=SAMPLE_LINES)
        return [record for _, record in found]
    records = []
    for line in islice(split_lines(data), SAMPLE_LINES):
        try:
            record = decode_line(line.data, limits)
        except BadLine:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def read_table(
    parts: Sequence[Part],
    *,
    raw: frozenset[str] = frozenset(),
    fast: bool = True,
    chunk: int = CHUNK_BYTES,
    limits: Limits = DEFAULT_LIMITS,
) -> Table:
    """Return the table of a log.

    Parameters
    ----------
    parts : sequence of Part, (parts,)
        Its files, in order.
    raw : frozenset of str
        Top-level keys whose objects are kept whole instead of flattened.
    fast : bool
        False takes the exact road for every line.
    chunk : int
        Bytes that are decoded at once.
    limits : Limits

    Returns
    -------
    Table
        The same for every ``fast`` and ``chunk``.
    """
    builder = _Builder(Shape(raw), fast, limits)
    ends = []
    for part in parts:
        builder.begin(part)
        if has_documents(part.data):
            builder.documents(part)
        else:
            start = len(BOM) if part.data.startswith(BOM) else 0
            for low, high in _chunks(part.data, chunk, start, len(part.data)):
                builder.add(part.data, low, high)
        ends.append(builder.n_rows)
    return builder.table(parts, ends)


def _chunks(data: bytes, size: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    while start < stop:
        end = data.rfind(b"\n", start, min(start + size, stop)) + 1
        end = end or data.find(b"\n", start, stop) + 1 or stop
        yield start, end
        start = end


class _Builder:
    """Collects rows, in pieces of columns from typed records and one by one from exact ones.

    Parameters
    ----------
    shape : Shape
        Keys that are known so far; it is widened.
    fast : bool
        Whether types are tried at all.
    limits : Limits

    Attributes
    ----------
    n_shapes, n_rows, n_lines : int
        Times that the shape was widened; rows so far, and lines of the part.
    numbers : list of ndarray of int64
        Line numbers of the rows, piece by piece.
    pieces : list of tuple
        Rows, name, kind and values of a part of a column.
    cells : list of tuple
        Row, name and value of a single value.
    odd : dict of int to dict
        As in `Table`.
    pool : ObjectPool
        Distinct objects that are kept whole.
    problems : list of Problem
        What is wrong with lines of the parts so far.
    """

    def __init__(self, shape: Shape, fast: bool, limits: Limits) -> None:
        self.shape = shape
        self.limits = limits
        self.splitter = Splitter("", limits)
        self.fast = fast
        self.n_shapes = 0
        self._unknown = False
        self.n_rows = 0
        self.n_lines = 0
        self.numbers: list[NDArray[np.int64]] = []
        self.pieces: list[tuple[NDArray[np.int64], str, str, Any]] = []
        self.cells: list[tuple[int, str, Any]] = []
        self.odd: dict[int, Any] = {}
        self.pool = ObjectPool(limits)

    def begin(self, part: Part) -> None:
        """Begin another file: its lines are numbered from 1."""
        self.n_lines = part.before
        self.splitter.path = part.path
        self.splitter.problems += nul_problem(part.data, part.path)
        for record in first_records(part.data, self.limits):
            self.shape.learn(record)
            self.splitter.learn(record)
        self.shape.rebuild()

    def documents(self, part: Part) -> None:
        """Add objects that are printed over several lines, or stand in one array."""
        records, problems = read_documents(part.data, part.path, self.limits)
        for _, record in records:
            self._exact(record, odd=True)
        self.numbers.append(np.array([line for line, _ in records], dtype=np.int64))
        self.splitter.problems += problems

    def add(self, data: bytes, start: int, end: int) -> None:
        """Decode the lines of one chunk, by smaller chunks where the type refuses it."""
        structs = self._typed(data, start, end) if self.fast else None
        if structs is not None:
            self.numbers.append(np.arange(1, len(structs) + 1, dtype=np.int64) + self.n_lines)
            self.n_lines += len(structs)
            self._piece(structs, np.arange(len(structs), dtype=np.int64) + self.n_rows)
            self.n_rows += len(structs)
            return
        parts = list(_chunks(data, FINE_BYTES, start, end)) if self.fast else []
        if len(parts) > 1:
            for low, high in parts:
                self.add(data, low, high)
            return
        self._by_line(data[start:end])
        self.n_lines += data.count(b"\n", start, end)

    def _typed(self, data: bytes, start: int, end: int) -> list[Any] | None:
        """Return the records of a chunk; None unless each line is just one record of known keys."""
        decoder = self.shape.decoder
        chunk = memoryview(data)[start:end]
        if decoder is None or (lines := count_plain(chunk, self.limits)) is None:
            return None
        try:
            if self.shape.raw and not data.isascii():
                str(chunk, "utf-8")
            structs: list[Any] = decoder.decode_lines(chunk)
            self.shape.check(structs, self.pool.code)
        except (msgspec.DecodeError, UnicodeDecodeError, BadLine, RecursionError):
            return None
        return structs if len(structs) == lines else None

    def _by_line(self, data: bytes) -> None:
        structs: list[Any] = []
        rows: list[int] = []
        numbers: list[int] = []
        for line in split_lines(data):
            struct = self._typed_line(line.data) if self.fast else None
            if struct is not None:
                structs.append(struct)
                rows.append(self.n_rows)
                numbers.append(line.number + self.n_lines)
                self.n_rows += 1
                continue
            moved = Line(line.number + self.n_lines, line.data, line.ended)
            records = self.splitter.split(moved)
            for record in records:
                self._exact(record, odd=self.splitter.odd)
                numbers.append(moved.number)
            if self._unknown and self._widen(records):
                self._piece(structs, np.array(rows, dtype=np.int64))
                structs, rows = [], []
                self.shape.rebuild()
        self._piece(structs, np.array(rows, dtype=np.int64))
        self.numbers.append(np.array(numbers, dtype=np.int64))

    def _typed_line(self, line: bytes) -> Any | None:
        decoder = self.shape.decoder
        if decoder is None or len(line) > self.limits.line_bytes:
            return None
        try:
            if self.shape.raw and not line.isascii():
                line.decode("utf-8")
            struct = decoder.decode(line)
            self.shape.check([struct], self.pool.code)
        except (msgspec.DecodeError, UnicodeDecodeError, BadLine, RecursionError) as error:
            # NaN is no JSON to msgspec; the keys of such a line are known all the same.
            self._unknown = isinstance(error, msgspec.ValidationError)
            return None
        return struct

    def _exact(self, record: dict[str, Any], *, odd: bool) -> None:
        """Add one record key by key; an odd one is not what its line alone decodes to."""
        if odd:
            self.odd[self.n_rows] = record
        self.cells += [(self.n_rows, n, v) for n, v in flatten(record, self.shape.raw).items()]
        self.n_rows += 1

    def _widen(self, records: Sequence[dict[str, Any]]) -> bool:
        """Widen the shape; return whether that is of use: something new, and not too often."""
        changed = [self.shape.learn(record) for record in records]
        self.n_shapes += any(changed)
        return any(changed) and self.n_shapes < MAX_SHAPES

    def _piece(self, structs: Sequence[Any], rows: NDArray[np.int64]) -> None:
        if not structs:
            return
        for name, kind, values in self.shape.columns(structs):
            part: Any = values
            if kind == "raw":
                part = np.fromiter(map(self.pool.code, values), np.int64, len(rows))
            elif kind == "number":
                part = np.array(values, dtype=np.float64)
            elif kind == "text":
                part = list(values)
            else:
                self.cells.extend(
                    (row, name, v)
                    for row, v in zip(rows.tolist(), values, strict=True)
                    if v is not None
                )
                continue
            self.pieces.append((rows, name, kind, part))

    def table(self, parts: Sequence[Part], ends: list[int]) -> Table:
        """Return the table of all that was added."""
        columns: dict[str, GrowingColumn] = {}
        objects: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
        left_out: dict[str, int] = {}

        def column(name: str, row: int) -> GrowingColumn | None:
            known = columns.get(name)
            if known is None and len(columns) < self.limits.columns:
                known = columns[name] = GrowingColumn()
            elif known is None:
                left_out.setdefault(name, row)
            return known

        for rows, name, kind, part in self.pieces:
            if kind == "raw":
                objects.setdefault(name, []).append((rows, part))
            elif (grow := column(name, int(rows[0]))) is not None:
                (grow.numbers if kind == "number" else grow.texts)(rows, part)
        for row, name, value in self.cells:
            if name in self.shape.raw:
                one = np.array([row], np.int64), np.array([self.pool.code_of(value)], np.int64)
                objects.setdefault(name, []).append(one)
            elif (grow := column(name, row)) is not None:
                grow.put(row, value)
        numbers = np.concatenate(self.numbers) if self.numbers else np.empty(0, dtype=np.int64)
        table = Table(parts, ends, numbers, {}, {}, self.odd)
        splitter = self.splitter
        counted = [*splitter.texts.problems(), *splitter.printed.problems()]
        table.problems = splitter.problems + counted
        done = {name: grow.column() for name, grow in columns.items()}
        table.columns = _in_order(table, {k: c for k, c in done.items() if len(c)})
        table.objects = {name: self._objects(objects[name]) for name in sorted(objects)}
        table.objects = {name: found for name, found in table.objects.items() if len(found.rows)}
        if left_out:
            table.problems.append(self._too_many(table, left_out))
        return table

    def _too_many(self, table: Table, left_out: dict[str, int]) -> Problem:
        path, line = table.place(min(left_out.values()))
        shown = ", ".join(repr(name) for name in islice(left_out, 3))
        bound = f"more than Limits(columns={self.limits.columns}) keys"
        message = f"{bound}: the values of {len(left_out)} more, {shown} …, are left out"
        return Problem("limit", message, path, line)

    def _objects(self, pieces: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Objects:
        rows, codes = (np.concatenate(part) for part in zip(*pieces, strict=True))
        order = np.argsort(rows, kind="stable")
        rows, codes = rows[order], codes[order]
        return Objects(rows[codes >= 0], codes[codes >= 0], self.pool.values)


def _in_order(table: Table, columns: dict[str, Column]) -> dict[str, Column]:
    """Return columns sorted by the first row that has them, then by their place in that record."""
    first = {name: int(column.rows[0]) for name, column in columns.items()}
    ranks: dict[str, tuple[int, int]] = {}
    for row in sorted(set(first.values())):
        names = enumerate(flatten(table.record(row)))
        ranks.update({n: (row, i) for i, n in names if first.get(n) == row})
    return dict(sorted(columns.items(), key=lambda item: ranks[item[0]]))
