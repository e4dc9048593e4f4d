"""Bytes of a table to rows of cells: separators, quotes, lines of names, and what is no row."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runcube.core import Problem
from runcube.readers.csv.cells import is_missing
from runcube.readers.lines import BOM, is_number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import Limits

SEPARATORS = ",;\t"
# A quoted cell that goes on for more lines is a quote that was never closed.
_QUOTED_LINES = 100
_SHOWN = 60


@dataclass
class Block:
    """The rows below one line of names.

    Parameters
    ----------
    names : list of str, (columns,)
    line : int
        Line of the names, from 1.
    separator : str
    lines : list of int, (rows,)
        Line on which each row begins.
    rows : list of list of str
        Cells (columns,) of each row, without blanks around them.
    """

    names: list[str]
    line: int
    separator: str
    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Sheet:
    """A file as blocks of rows, and what else stands in it.

    Parameters
    ----------
    blocks : list of Block
    texts : list of (int, str)
        Comments, and lines before the first names.
    problems : list of Problem
    """

    blocks: list[Block] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_sheet(data: bytes, path: str, limits: Limits) -> Sheet:
    """Return the rows of a file.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits

    Returns
    -------
    Sheet
        A row that has not one cell for each name is a ``bad_line``. The last line is a
        ``truncated_tail`` if no newline ends it: half a number is a number too.
    """
    text = data.removeprefix(BOM).decode("utf-8", "backslashreplace")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    lines = [line.strip("\r\0 ") for line in text.split("\n")]
    reader = _Reader(path, limits)
    last = lines.pop()
    number = 0
    while number < len(lines):
        number += reader.add(lines, number)
    if last.strip("\t"):
        reader.name("truncated_tail", f"no newline ends the last line: {_shown(last)}", number)
    return reader.sheet


class _Reader:
    def __init__(self, path: str, limits: Limits) -> None:
        self.sheet = Sheet()
        self._path = path
        self._limits = limits

    def add(self, lines: Sequence[str], at: int) -> int:
        """Add what begins on a line, and return of how many lines it is."""
        line = lines[at]
        if not line.strip("\t"):
            return 1
        if len(line) > self._limits.line_bytes:
            bound = f"more than Limits(line_bytes={self._limits.line_bytes})"
            self.name("limit", f"line of {len(line):,} characters, {bound}: left out", at)
            return 1
        if line.startswith("#"):
            self.sheet.texts.append((at + 1, line))
            return 1
        block = self.sheet.blocks[-1] if self.sheet.blocks else None
        if block is None or not line[0].isdecimal():
            separator = _separator(line) if block is None or not block.rows else block.separator
            cells = split_cells(line, separator)
            if cells is not None and _are_names(cells) and self._begins(block, cells):
                self._head(cells, separator, at)
                return 1
        if block is None:
            self.sheet.texts.append((at + 1, line))
            return 1
        return self._row(block, lines, at)

    def _begins(self, block: Block | None, cells: list[str]) -> bool:
        """Return whether names are those of the rows behind them: none yet, or like those above."""
        if block is None or not block.rows:
            return True
        return 2 * len(set(cells) & set(block.names)) >= max(len(cells), len(block.names))

    def _head(self, cells: list[str], separator: str, at: int) -> None:
        if self.sheet.blocks and not self.sheet.blocks[-1].rows:
            before = self.sheet.blocks.pop()  # it was text, or is said again
            self.sheet.texts.append((before.line, before.separator.join(before.names)))
        self.sheet.blocks.append(Block(_named(cells), at + 1, separator))

    def _row(self, block: Block, lines: Sequence[str], at: int) -> int:
        wanted, separator = len(block.names), block.separator
        cells = split_cells(lines[at], separator)
        count = 1
        if cells is None and lines[at].count('"') % 2:
            count, cells = _over_lines(lines, at, separator, wanted)
        if cells is None:
            self.name("bad_line", f"quotes that do not match: {_shown(lines[at])}", at)
            return 1
        while len(cells) > wanted and not cells[-1]:
            cells.pop()
        if len(cells) != wanted:
            what = f"{len(cells)} values under {wanted} names: {_shown(lines[at])}"
            self.name("bad_line", what, at)
            return 1
        block.lines.append(at + 1)
        block.rows.append(cells)
        return count

    def name(self, kind: str, message: str, at: int) -> None:
        """Record what is wrong with a line, counted from 0."""
        self.sheet.problems.append(Problem(kind, message, self._path, at + 1))


def split_cells(line: str, separator: str) -> list[str] | None:
    """Return the cells of a line without blanks around them; None if its quotes do not match."""
    if '"' not in line:
        cells = line.split(separator)
        return [cell.strip() for cell in cells] if " " in line or "\t" in line else cells
    try:
        rows = [*csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)]
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None


def _over_lines(
    lines: Sequence[str], at: int, separator: str, wanted: int
) -> tuple[int, list[str] | None]:
    """Return the cells of a row with newlines in its quotes, and of how many lines it is."""
    for count in range(2, _QUOTED_LINES):
        if at + count > len(lines):
            break
        if lines[at + count - 1].count('"') % 2:
            pieces = [line + "\n" for line in lines[at : at + count]]
            try:
                rows = [*csv.reader(pieces, delimiter=separator, skipinitialspace=True)]
            except csv.Error:
                break
            is_row = len(rows) == 1 and len(rows[0]) == wanted
            return (count, [cell.strip() for cell in rows[0]]) if is_row else (1, None)
    return 1, None


def _separator(line: str) -> str:
    """Return what stands most often between the cells of a line, quoted text aside."""
    plain = "".join(line.split('"')[::2])
    return max(SEPARATORS, key=plain.count)


def _are_names(cells: Sequence[str]) -> bool:
    """Return whether cells are names of columns: two at least, none a number; one may lack its."""
    named = [cell for cell in cells if cell]
    return (
        len(named) > 1 and not any(map(is_number_text, named)) and not all(map(is_missing, named))
    )


def _named(cells: list[str]) -> list[str]:
    """Return names that differ, without those that lack at the end of the line."""
    while not cells[-1]:
        cells.pop()
    seen: dict[str, int] = {}
    names = []
    for number, cell in enumerate(cells, 1):
        name = cell or f"column_{number}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _shown(line: str) -> str:
    return repr(line[:_SHOWN] + "…" if len(line) > _SHOWN else line)
