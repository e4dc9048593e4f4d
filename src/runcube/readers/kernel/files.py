"""The columns of each file of a batch: what the file decodes to alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.kernel.model import Cells, Decoded, Kind, by_appearance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = tuple[tuple[str, ...], Cells, list[int]]

_STRING = 1 << Kind.STRING
_WHOLE = (1 << Kind.LIST) | (1 << Kind.RAW)


def split(decoded: Decoded) -> list[Decoded]:
    """Return what each file of a batch decodes to alone; arrays are views.

    Parameters
    ----------
    decoded : Decoded

    Returns
    -------
    list of Decoded, (files,)

    Raises
    ------
    ValueError
        If columns are left out: of one file alone there may be fewer.
    """
    if decoded.left_out:
        raise ValueError("columns of the batch are left out: decode its files one by one")
    if len(decoded.ends) == 1:
        return [decoded]
    columns: list[Column] = [
        (path, cells, [0, *np.searchsorted(cells.rows, decoded.ends).tolist()])
        for path, cells in decoded.cells.items()
    ]
    bad: list[list[Any]] = [[] for _ in decoded.orders]
    for line in decoded.bad:
        bad[line.file].append(line._replace(file=0))
    found = []
    start = 0
    for file, stop in enumerate(decoded.ends.tolist()):
        cells = {}
        for number in decoded.orders[file]:
            path, column, ends = columns[number]
            cells[path] = _part(column, ends[file], ends[file + 1], start)
        alone = Decoded(
            decoded.lines[start:stop],
            decoded.offsets[start:stop],
            decoded.ends[file : file + 1] - start,
            [tuple(range(len(cells)))],
            cells,
            bad[file],
            {},
        )
        found.append(alone)
        start = stop
    return found


def _part(column: Cells, start: int, stop: int, row: int) -> Cells:
    """Return some cells of a column in a file that begins at a row."""
    at = slice(start, stop)
    kinds, seen = column.kinds[at], column.seen
    if seen & (seen - 1):
        seen = int(np.bitwise_or.reduce(1 << kinds.astype(np.int32)))
    own = Cells(column.rows[at] - row, kinds, column.values[at], [], [], seen)
    if seen & _STRING:
        is_word = None if seen == _STRING else kinds == Kind.STRING
        own.values, own.words = _held(own.values, is_word, column.words)
    if seen & _WHOLE:
        is_item = None if not seen & ~_WHOLE else (kinds == Kind.LIST) | (kinds == Kind.RAW)
        own.values, own.items = _held(own.values, is_item, column.items)
    return own


def _held(
    values: NDArray[Any], at: NDArray[np.bool_] | None, held: list[Any]
) -> tuple[NDArray[Any], list[Any]]:
    """Return values of which those at some cells (None: all) count in the words of these alone."""
    codes = values if at is None else values[at]
    code = int(codes[0])
    if (codes == code).all():
        codes, own = np.zeros(len(codes)), [held[code]]
    else:
        codes, own = by_appearance(codes.astype(np.int64), held)
    if at is None:
        return codes.astype(np.float64, copy=False), own
    values = values.copy()
    values[at] = codes
    return values, own
