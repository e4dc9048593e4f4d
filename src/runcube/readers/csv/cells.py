"""What a cell of a table is: a number, a text, or nothing; and how JSON writes it."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

import msgspec

from runcube.readers.lines import BadLine, decode_line, is_number_text, is_short_list

if TYPE_CHECKING:
    from collections.abc import Sequence

# What stands for a value that is not there; ``nan`` is a value that was logged.
MISSING = frozenset(("", "na", "n/a", "<na>", "null", "none", "-"))
_NULLS = frozenset(("null", "none"))
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[-+]?[0-9]*\.[0-9]*(?:[eE][-+]?[0-9]+)?")
_PADDED = re.compile(r"0+[0-9]+")
_FLAGS = frozenset(("true", "false"))


def has_decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether numbers have a decimal comma: some do, and none has a point."""
    has_comma = False
    for cells in rows:
        for cell in cells:
            if "." in cell and _DECIMAL_POINT.fullmatch(cell):
                return False
            has_comma = has_comma or _DECIMAL_COMMA.fullmatch(cell) is not None
    return has_comma


def is_missing(cell: str) -> bool:
    """Return whether a cell stands for a value that is not there."""
    return not cell or cell.lower() in MISSING


def is_nan(cell: str) -> bool:
    """Return whether a cell is a NaN that was logged."""
    return cell.lower() == "nan"


def written_cells(cells: Sequence[str], *, counts: bool, commas: bool) -> list[str | None]:
    """Return the cells of a column as JSON; None for a value that is not there.

    What a word such as ``None`` or ``True`` stands for depends on the column: beside other words
    it is one of them.

    Parameters
    ----------
    cells : sequence of str, (rows,)
    counts : bool
        Whether the name of the column counts something: then ``007`` is a number.
    commas : bool
        Whether numbers have a decimal comma.

    Returns
    -------
    list of str or None, (rows,)
    """
    if _are_json_numbers([cell for cell in cells if cell]):
        return [cell or None for cell in cells]
    known: dict[str, str | None] = {}
    for cell in dict.fromkeys(cells):
        known[cell] = None if is_missing(cell) else _number(cell, counts=counts, commas=commas)
    words = {cell for cell, number in known.items() if number is None and not is_missing(cell)}
    numbers = [n for cell, n in known.items() if n is not None and not is_nan(cell)]
    if words and not numbers:
        is_flag = {word.lower() for word in words} <= _FLAGS
        known |= {c: _word(c, is_flag=is_flag) for c in known if c and (c in words or not is_flag)}
    elif words:
        known |= {cell: _word(cell, is_flag=cell.lower() in _FLAGS) for cell in words}
    elif not numbers:
        known |= dict.fromkeys((c for c in known if c.lower() in _NULLS), "null")
    return [*map(known.__getitem__, cells)]


def _are_json_numbers(cells: Sequence[str]) -> bool:
    """Return whether all of some cells are numbers as JSON writes them; the decoder is quick."""
    try:
        text = f"[{','.join(cells)}]"
        return len(msgspec.json.decode(text, type=list[float])) == len(cells)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return False


def _number(cell: str, *, counts: bool, commas: bool) -> str | None:
    """Return a number as JSON writes it, digit by digit where that is possible; else None."""
    if _JSON_NUMBER.fullmatch(cell):
        return cell
    if commas and _DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    elif counts and _PADDED.fullmatch(cell):
        return cell.lstrip("0") or "0"
    if not is_number_text(cell):
        return None
    number = float(cell)
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _word(cell: str, *, is_flag: bool) -> str:
    if is_flag:
        return cell.lower()
    cell = cell.strip(chr(34)) if cell.startswith(chr(34) + "[") else cell
    if cell.startswith("["):
        try:
            if is_short_list(decode_line(cell.encode("utf-8", "surrogatepass"))):
                return cell.replace("\n", " ")
        except BadLine:
            pass
    return json.dumps(cell)
