"""What stands behind the last value of a run: its last words, and records of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.readers.last_words import ending_said, kind_of, remarks_of
from runcube.readers.table import NUMBER, TEXT, TEXT_AROUND

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from runcube.core import Remarks, Status
    from runcube.readers.jsonl.log import Log

_LONGEST = 80


def ending_of(log: Log, run: int, used: NDArray[np.bool_]) -> tuple[Status | None, Remarks]:
    """Return how a run ended by its last words, and what it says beside its values.

    A kind is also the keys of a record that has numbers, but no point of a curve.

    Parameters
    ----------
    log : Log
    run : int
        Number of the run in the log.
    used : ndarray of bool, (rows of the run,)
        Which rows hold values of metrics.
    """
    rows = log.runs.rows[run]
    points = used & log.has_x[rows]
    distance = _behind_the_last(log, rows, points if points.any() else used)
    # The record of the last value may say itself that it is the last one.
    said = [text for _, _, text in _texts(log, run, distance >= 0)]
    behind = distance > 0
    if not behind.any():
        return ending_said(said), remarks_of((), ())
    kinds = {(name, kind_of(text, name)) for name, _, text in _texts(log, run, behind)}
    again = {
        kind_of(text, name)
        for name, _, text in _texts(log, run, ~behind, only={name for name, _ in kinds})
    }
    first, last = _records(log, run, behind)
    texts = {kind for _, kind in kinds}
    return ending_said(said), remarks_of(first | (again & texts), last | texts)


def _behind_the_last(
    log: Log, rows: NDArray[np.int64], points: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return how many rows each (rows,) stands behind the last point; negative before it.

    Files that were written at the same time have a last point each.
    """
    every = np.arange(len(rows))
    parts = np.zeros(len(rows), np.intp)
    if log.is_parallel:
        parts = np.searchsorted(log.table.ends, rows, side="right")
    last = np.full(len(log.table.parts) + 1, -1)
    np.maximum.at(last, parts[points], every[points])
    distance: NDArray[np.int64] = every - last[parts]
    return distance


def _texts(
    log: Log, run: int, mask: NDArray[np.bool_], only: Collection[str] | None = None
) -> list[tuple[str, int, str]]:
    """Return the distinct texts of each column on some rows: column, first row, text; row by row.

    A text around records has no column.
    """
    found = []
    for name, column in log.table.columns.items():
        key = "" if name == TEXT_AROUND else name
        if not column.words or name == log.runs.column or is_time_like(name):
            continue
        cells = log.cells(name, run) if only is None or key in only else None
        if cells is not None:
            mine = np.flatnonzero(mask[cells.at] & (cells.kinds == TEXT))
            codes, at = np.unique(cells.values[mine].astype(np.intp), return_index=True)
            where = cells.at[mine[at]].tolist()
            found += [
                (key, place, column.words[code])
                for code, place in zip(codes.tolist(), where, strict=True)
            ]
    return sorted(found, key=lambda one: one[1])


def _records(log: Log, run: int, behind: NDArray[np.bool_]) -> tuple[set[str], set[str]]:
    """Return the kinds of the records with numbers behind the last point, and those before it.

    Those before come first; of them only the ones that are behind as well.
    """
    rows = log.runs.rows[run]
    masks: dict[str, NDArray[np.bool_]] = {}
    count = np.zeros(len(rows), np.int64)
    numbers = np.zeros(len(rows), dtype=bool)
    for key, places in _places(log, run, numbers).items():
        mask = np.zeros(len(rows), dtype=bool)
        for at in places:
            mask[at] = True
        count += mask
        if mask[behind].any():
            masks[key] = mask
    first, last = set(), set()
    for row in np.flatnonzero(behind & numbers).tolist():
        keys = [key for key, mask in masks.items() if mask[row]]
        kind = _named(keys)
        if kind not in last:
            alike = np.logical_and.reduce([masks[key] for key in keys]) & (count == len(keys))
            last.add(kind)
            first |= {kind} if (alike & ~behind).any() else set()
    return first, last


def _places(log: Log, run: int, numbers: NDArray[np.bool_]) -> dict[str, list[NDArray[np.int64]]]:
    """Return the rows that have each first key; mark those that have a number."""
    found: dict[str, list[NDArray[np.int64]]] = {}
    for name in log.table.columns:
        cells = None if name == log.runs.column else log.cells(name, run)
        if cells is not None:
            found.setdefault(name.partition("/")[0], []).append(cells.at)
            numbers[cells.at[cells.kinds == NUMBER]] = True
    for name, objects in log.table.objects.items():
        found.setdefault(name, []).append(objects.on(log.runs.rows[run])[0])
    return found


def _named(keys: Sequence[str]) -> str:
    names = ", ".join(sorted(keys))
    return names if len(names) <= _LONGEST else f"{names[:_LONGEST]}… ({len(keys)} keys)"
