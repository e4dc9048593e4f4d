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

from runcube.readers.lines import BOM, BadLine, Line, decode_line, split_lines
from runcube.readers.table.column import Column, GrowingColumn, ObjectPool, Objects, blank_column
from runcube.readers.table.odd_lines import Splitter
from runcube.readers.table.shape import Shape, flatten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Problem

CHUNK_BYTES = 1 << 20
# A refused chunk is tried again in smaller ones: NaN mostly comes on a few lines in a row.
FINE_BYTES = 1 << 14
SAMPLE_LINES = 8
# A log whose keys depend on its data would else have a new type for every line.
MAX_SHAPES = 16


@dataclass
class Table:
    """All records of a log, one a row, in file order.

    Parameters
    ----------
    data : bytes
        The log itself.
    lines : ndarray of int64, (rows,)
        Number of the line that each record is on, from 1.
    columns : dict of str to Column, each (rows,)
        One for each flattened key (``"info/lr"``), in order of first appearance.
    objects : dict of str to Objects, each (rows,)
        One for each key whose objects are kept whole, sorted by name.
    odd : dict of int to dict
        Records by row that are not what their line alone decodes to: salvaged from a damaged
        line, or several on one.
    problems : list of Problem
        What is wrong with the lines, in file order.
    """

    data: bytes
    lines: NDArray[np.int64]
    columns: dict[str, Column]
    objects: dict[str, Objects]
    odd: dict[int, Any]
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == ord("\n"))

    def record(self, row: int) -> dict[str, Any]:
        """Return the record of one row, decoded exactly as it was logged."""
        if row in self.odd:
            return dict(self.odd[row])
        number = int(self.lines[row]) - 1
        start = int(self._ends[number - 1]) + 1 if number else 0
        end = int(self._ends[number]) if number < len(self._ends) else len(self.data)
        line = self.data[start:end].removeprefix(BOM).strip(b" \t\r\0")
        return dict(decode_line(line))


def first_records(data: bytes) -> list[dict[str, Any]]:
    """Return the records on the first ``SAMPLE_LINES`` lines of a log, decoded exactly."""
    records = []
    for line in islice(split_lines(data), SAMPLE_LINES):
        try:
            record = decode_line(line.data)
        except BadLine:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def read_table(
    data: bytes,
    *,
    path: str,
    raw: frozenset[str],
    first: Sequence[dict[str, Any]] | None = None,
    fast: bool = True,
    chunk: int = CHUNK_BYTES,
) -> Table:
    """Return the table of a log.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    raw : frozenset of str
        Top-level keys whose objects are kept whole instead of flattened.
    first : sequence of dict, optional
        The ``first_records``, where they are available.
    fast : bool
        False takes the exact road for every line.
    chunk : int
        Bytes that are decoded at once.

    Returns
    -------
    Table
        The same for every ``fast`` and ``chunk``.
    """
    shape = Shape(raw)
    splitter = Splitter(path)
    for record in first_records(data) if first is None else first:
        shape.learn(record)
        splitter.learn(record)
    builder = _Builder(shape, splitter, fast)
    start = len(BOM) if data.startswith(BOM) else 0
    for low, high in _chunks(data, chunk, start, len(data)):
        builder.add(data, low, high)
    return builder.table(data)


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
    splitter : Splitter
        Decodes the lines that the types refuse.
    fast : bool
        Whether types are tried at all.

    Attributes
    ----------
    n_shapes, n_rows, n_lines : int
        Times that the shape was widened, rows and lines so far.
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
    """

    def __init__(self, shape: Shape, splitter: Splitter, fast: bool) -> None:
        self.shape = shape
        self.splitter = splitter
        self.fast = fast
        self.n_shapes = 0
        self._unknown = False
        self.n_rows = 0
        self.n_lines = 0
        self.numbers: list[NDArray[np.int64]] = []
        self.pieces: list[tuple[NDArray[np.int64], str, str, Any]] = []
        self.cells: list[tuple[int, str, Any]] = []
        self.odd: dict[int, Any] = {}
        self.pool = ObjectPool()

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
        if decoder is None:
            return None
        try:
            if self.shape.raw and not data.isascii():
                str(memoryview(data)[start:end], "utf-8")
            structs: list[Any] = decoder.decode_lines(memoryview(data)[start:end])
            self.shape.check(structs, self.pool.code)
        except (msgspec.DecodeError, UnicodeDecodeError, BadLine, RecursionError):
            return None
        rows = len(structs)
        newlines = data.count(b"\n", start, end)
        if rows != newlines + (data[end - 1] != ord("\n")):
            return None
        joints = (data.count(joint, start, end) for joint in (b"}\n{", b"}\r\n{"))
        return structs if rows - 1 in joints else None

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
        if decoder is None:
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
        for name, value in flatten(record, self.shape.raw):
            self.cells.append((self.n_rows, name, value))
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

    def table(self, data: bytes) -> Table:
        """Return the table of all that was added; ``data`` is the whole log."""
        columns: dict[str, GrowingColumn] = {}
        objects: dict[str, NDArray[np.int64]] = {}
        for rows, name, kind, part in self.pieces:
            if kind == "raw":
                codes = objects.setdefault(name, np.full(self.n_rows, -1, dtype=np.int64))
                codes[rows] = part
                continue
            grow = columns.get(name) or columns.setdefault(name, GrowingColumn(self.n_rows))
            if kind == "number":
                grow.numbers(rows, part)
            else:
                grow.texts(rows, part)
        for row, name, value in self.cells:
            if name in self.shape.raw:
                codes = objects.setdefault(name, np.full(self.n_rows, -1, dtype=np.int64))
                codes[row] = self.pool.code_of(value)
                continue
            grow = columns.get(name) or columns.setdefault(name, GrowingColumn(self.n_rows))
            grow.put(row, value)
        numbers = np.concatenate(self.numbers) if self.numbers else np.empty(0, dtype=np.int64)
        table = Table(data, numbers, {}, {}, self.odd, self.splitter.problems)
        blank = blank_column(self.n_rows)
        done = {name: grow.column(blank) for name, grow in columns.items()}
        table.columns = _in_order(table, {k: c for k, c in done.items() if c.present.any()})
        table.objects = {
            name: Objects(codes, self.pool.values)
            for name, codes in sorted(objects.items())
            if (codes >= 0).any()
        }
        return table


def _in_order(table: Table, columns: dict[str, Column]) -> dict[str, Column]:
    """Return columns sorted by the first row that has them, then by their place in that record."""
    first = {name: int(np.argmax(column.present)) for name, column in columns.items()}
    ranks: dict[str, tuple[int, int]] = {}
    for row in sorted(set(first.values())):
        names = [name for name, _ in flatten(table.record(row), frozenset())]
        ranks.update({n: (row, i) for i, n in enumerate(names) if first.get(n) == row})
    return dict(sorted(columns.items(), key=lambda item: ranks[item[0]]))
