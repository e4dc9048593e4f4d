"""Run ids that are damaged on one record: not runs of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_count_like
from runcube.readers.table import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.readers.table import Column, Table

# So many records show that an id is one.
_MANY = 3
# Where more ids than this share are on one record, records are runs.
_FEW = 0.1


def damaged_ids(
    table: Table, column: Column, codes: NDArray[np.int64], keys: Sequence[str]
) -> dict[int, int]:
    """Return the cells whose id is damaged, with the code of the id that was meant.

    Such an id is on one record, is one edit away from the id of many, and the record is what that
    run lacks: nothing that is constant there is another value here, and its x is not there.

    Parameters
    ----------
    table : Table
    column : Column
        That of the ids.
    codes : ndarray of int64, (cells,)
        Number of the id in each cell.
    keys : sequence of str, (ids,)
    """
    counts = np.bincount(codes, minlength=len(keys))
    lone, many = np.flatnonzero(counts == 1), np.flatnonzero(counts >= _MANY)
    if not len(lone) or not len(many) or len(lone) > max(1, _FEW * len(many)):
        return {}
    shortened: dict[str, list[int]] = {}
    for code in many.tolist():
        for text in _shortened(keys[code]):
            shortened.setdefault(text, []).append(code)
    found = {}
    for code in lone.tolist():
        cell = int(np.flatnonzero(codes == code)[0])
        near = dict.fromkeys(c for t in _shortened(keys[code]) for c in shortened.get(t, ()))
        for other in near:
            rows = column.rows[codes == other]
            if _is_one_edit(keys[code], keys[other]) and _lacks(
                table, column, rows, int(column.rows[cell])
            ):
                found[cell] = other
                break
    return found


def _shortened(text: str) -> Iterator[str]:
    """Yield a text, and what it is without one of its characters: one edit away share one."""
    yield text
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]


def _is_one_edit(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    at = next((i for i, c in enumerate(short) if c != long[i]), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _lacks(table: Table, ids: Column, rows: NDArray[np.int64], row: int) -> bool:
    """Return whether a record could be one that is missing among some rows."""
    for objects in table.objects.values():
        own, other = objects.on(np.array([row]))[1], objects.on(rows)[1]
        if len(own) and len(other) and own[0] not in other:
            return False
    has_x = False
    for name, column in table.columns.items():
        cell, cells = column.on(np.array([row]))[1], column.on(rows)[1]
        if column is ids or not len(cell) or len(cells) < _MANY:
            continue
        mine, theirs = column.values[cell[0]], column.values[cells]
        same = (theirs == mine) & (column.kinds[cells] == column.kinds[cell[0]])
        is_fixed = bool((theirs == theirs[0]).all())
        if is_fixed and not same.all():
            return False
        if is_count_like(name) and column.kinds[cell[0]] == NUMBER and not is_fixed:
            has_x = True
            # Records of several splits share their x.
            if int(same.sum()) >= int(np.unique(theirs, return_counts=True)[1].max()):
                return False
    return has_x
