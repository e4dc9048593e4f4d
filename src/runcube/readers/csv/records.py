"""A table as JSON lines, each record on the line of its row: the form that all logs are read in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runcube.core import Problem, is_count_like
from runcube.readers.csv.cells import has_decimal_commas, is_missing, is_nan, written_cells
from runcube.readers.csv.rows import read_sheet
from runcube.readers.jsonl import Decoded
from runcube.readers.lines import nul_problem, object_on
from runcube.readers.table import TEXT_AROUND

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runcube.core import Limits
    from runcube.readers.csv.rows import Block, Sheet

# Of each episode its return, its length and the time at its end, as stable-baselines writes them.
_MONITOR = ["r", "l", "t"]
_FORMS = {",": "a table", ";": "a table separated by ';'", "\t": "a table separated by tabs"}


def as_records(data: bytes, path: str, limits: Limits) -> Decoded:
    """Return a table as JSON lines.

    A comment that is an object is the configuration, any other one a message.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
    """
    sheet = read_sheet(data, path, limits)
    records: dict[int, str] = {}
    for line, text in sheet.texts:
        comment = text.lstrip("# ")
        config = object_on(comment.encode("utf-8", "surrogatepass"), limits)
        found = {"config": config} if config else {TEXT_AROUND: comment}
        records[line] = json.dumps(found)
    problems = [*nul_problem(data, path), *sheet.problems]
    is_monitor = any('"t_start"' in record for record in records.values())
    steps = 0
    for block in sheet.blocks:
        left_out = _not_logged(block)
        problems += [Problem("left_out", m, path, block.line) for m in left_out.values()]
        written = _columns(block, left_out)
        if is_monitor and block.rows and block.names[:3] == _MONITOR:
            steps, written["timesteps"] = _summed(written["l"], steps)
        _write(block, written, records)
    lines = [records.get(line, "") for line in range(1, max(records, default=0) + 1)]
    out = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
    return Decoded(out, problems, _notes(sheet))


def _has_commas(block: Block) -> bool:
    return block.separator != "," and has_decimal_commas(block.rows)


def _by_name(block: Block) -> dict[str, list[str]]:
    return dict(zip(block.names, map(list, zip(*block.rows, strict=True)), strict=False))


def _columns(block: Block, left_out: Collection[str]) -> dict[str, list[str | None]]:
    """Return the columns (rows,) of a block as JSON."""
    commas = _has_commas(block)
    return {
        name: written_cells(cells, counts=is_count_like(name), commas=commas)
        for name, cells in _by_name(block).items()
        if name not in left_out
    }


def _not_logged(block: Block) -> dict[str, str]:
    """Return the columns that a writer of tables added by itself, with what there is to say."""
    columns, found = _by_name(block), {}
    first, count = block.names[0], len(block.rows)
    if first == "column_1" and columns.get(first) in _numbered(count):
        found[first] = f"{first!r}: numbers of the rows under no name, left out"
    for name in (name for name in columns if name.startswith("val_")):
        cells, train = columns[name], columns.get(name.removeprefix("val_"), [])
        is_empty = all(is_nan(c) or is_missing(c) for c in cells) and any(map(is_nan, cells))
        if is_empty and any(map(_is_finite, train)):
            what = f"nan on all {count} rows, nothing was validated: left out"
            found[name] = f"{name!r}: {what}"
    return found


def _numbered(count: int) -> list[list[str]]:
    """Return the numbers of rows as texts, from 0 and from 1."""
    return [[*map(str, range(start, start + count))] for start in (0, 1)]


def _is_finite(cell: str) -> bool:
    return not is_missing(cell) and cell.lower().lstrip("+-") not in ("nan", "inf", "infinity")


def _summed(lengths: Sequence[str | None], before: int) -> tuple[int, list[str | None]]:
    """Return the sum of the lengths of all episodes, and at the end of each one."""
    sums: list[str | None] = []
    for length in lengths:
        before += int(length) if length is not None and length.isdecimal() else 0
        sums.append(str(before))
    return before, sums


def _write(block: Block, columns: dict[str, list[str | None]], records: dict[int, str]) -> None:
    keys = [f"{json.dumps(name)}: " for name in columns]
    whole = "{" + ", ".join(key.replace("%", "%%") + "%s" for key in keys) + "}"
    for line, cells in zip(block.lines, zip(*columns.values(), strict=True), strict=False):
        if None not in cells:
            records[line] = whole % cells
            continue
        pairs = [key + cell for key, cell in zip(keys, cells, strict=True) if cell is not None]
        if pairs:
            records[line] = "{" + ", ".join(pairs) + "}"


def _notes(sheet: Sheet) -> list[str]:
    said = [_FORMS[block.separator] for block in sheet.blocks]
    commas = ["decimal commas"] if any(map(_has_commas, sheet.blocks)) else []
    again = len(sheet.blocks) - 1
    more = [f"{again} more line{'s' * (again > 1)} of names"] if again > 0 else []
    return [*dict.fromkeys(said), *commas, *more]
