"""Which rows of a log belong to which run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_count_like
from runcube.readers.jsonl.blocks import runs_in_blocks
from runcube.readers.jsonl.names import CONFIG_KEYS, RUN_KEYS
from runcube.readers.jsonl.run_ids import damaged_ids
from runcube.readers.table import NUMBER, OTHER, TEXT, flatten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.readers.jsonl.options import Options
    from runcube.readers.table import Column, Objects, Table


# Rows that name no run are damaged if they are so few.
_FEW = 0.1


@dataclass(slots=True)
class RunRows:
    """The rows of each run of a table.

    Parameters
    ----------
    column : str or None
        Column that tells the runs apart; None where nothing on the rows does.
    keys : list of str, (runs,)
        What that column holds for each run, in order of first appearance; without one ``""``,
        ``"@2"``, …: a configuration that changes begins the next run.
    rows : list of ndarray of int64, (runs,)
        Row numbers of each run, in file order. Those before the first row may be of several.
    lost : dict of int to str
        Rows of no run, with what is wrong with the name of theirs.
    told : frozenset of str
        Columns that together tell apart runs that follow each other.
    """

    column: str | None
    keys: list[str]
    rows: list[NDArray[np.int64]]
    lost: dict[int, str]
    told: frozenset[str] = frozenset()


def group_runs(table: Table, options: Options, split: str | None = None) -> RunRows:
    """Return the rows of each run; one run with the key ``""`` where nothing tells runs apart.

    Parameters
    ----------
    table : Table
    options : Options
    split : str, optional
        Column of splits.
    """
    name = options.run if isinstance(options.run, str) else None
    if options.run is None:
        name = next((k for k in RUN_KEYS if _tells_runs(table.columns.get(k), len(table))), None)
    column = table.columns.get(name) if name is not None else None
    if name is None or column is None:
        return _sections(table, options, split)
    keys: dict[str, int] = {}
    own = np.array(_run_codes(table, name, column, keys), dtype=np.int64)
    names = list(keys)
    damaged = damaged_ids(table, column, own, names)
    lost = dict.fromkeys(_nameless(table, column), "is not on this line, but on all like it")
    for cell, meant in damaged.items():
        lost[int(column.rows[cell])] = f"is {names[own[cell]]!r}, not {names[meant]!r}"
        own[cell] = meant
    kept, own = np.unique(own, return_inverse=True)
    names = [names[code] for code in kept.tolist()]
    codes = np.full(len(table), -1, dtype=np.int64)
    codes[column.rows] = own
    # A row that names no run belongs to the run before it, at the top to the first one.
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(table)), -1))
    codes = codes[np.where(last >= 0, last, column.rows[0])]
    codes[[*lost]] = len(names)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(1, len(names) + 1))
    return RunRows(name, names, np.split(order, starts)[: len(names)], lost)


def _few(count: int, column: Column) -> bool:
    return count <= max(1, _FEW * len(column))


def _nameless(table: Table, column: Column) -> list[int]:
    """Return the rows that name no run though they have all that only rows with a name have.

    A byte of the key was damaged: of the runs that take turns, any may be theirs.
    """
    named = np.zeros(len(table), dtype=bool)
    named[column.rows] = True
    without = np.flatnonzero(~named)
    if not _few(len(without), column):
        return []
    like = np.zeros(len(table), dtype=bool)
    for other in table.columns.values():
        # A key of rows that name their run, and of next to no others.
        if other is not column and len(other) > 2 and _few(int((~named[other.rows]).sum()), other):
            like[other.rows] = True
    for objects in table.objects.values():
        # A configuration without a name beside others that have one.
        if named[objects.rows].any():
            like[objects.rows] = True
    return without[like[without]].tolist()  # type: ignore[no-any-return]


def _sections(table: Table, options: Options, split: str | None) -> RunRows:
    """Return the runs that their configurations tell apart."""
    every = np.arange(len(table), dtype=np.int64)
    found, told = [every], list[str]()
    if options.run is None:
        known = options.config or CONFIG_KEYS
        for name, objects in table.objects.items():
            if len(objects.rows) * 2 <= len(table):
                begins = objects.rows[1:][objects.codes[1:] != objects.codes[:-1]]
                found = np.split(every, begins)
            elif (objects.codes != objects.codes[0]).any():
                found = _by_configuration(table, objects, every, is_known=name in known)
            if len(found) > 1:
                break
        if not table.objects:
            found = np.split(every, _header_records(table))
        if len(found) == 1 and options.in_log:
            told, blocks = runs_in_blocks(table, {split, *options.known})
            found = blocks or found
    keys = ["", *(f"@{number}" for number in range(2, len(found) + 1))]
    return RunRows(None, keys, found, {}, frozenset(told))


def _header_records(table: Table) -> list[int]:
    """Return the rows of header records, from the second on, that say something else than before.

    They have the keys of the first record that no row with an x has, and x begins anew behind them:
    evaluations without x have such keys as well, and x goes on.
    """
    counts = [column for name, column in table.columns.items() if is_count_like(name)]
    axis = max(counts, key=len, default=None)
    if axis is None or axis.rows[0] == 0:
        return []
    own = [
        column
        for column in table.columns.values()
        if column.rows[0] == 0 and not len(column.on(axis.rows)[0])
    ]
    if len(own) < 2 or any(len(column) != len(own[0]) for column in own):
        return []
    rows = own[0].rows
    if any((column.rows != rows).any() for column in own):
        return []
    said = np.column_stack([part for c in own for part in (c.kinds, c.values)])
    begins = rows[1:][(said[1:] != said[:-1]).any(axis=1)]
    after = np.searchsorted(axis.rows, begins)
    if (after == len(axis)).any() or (axis.values[after] > axis.values[after - 1]).any():
        return []
    return [int(row) for row in begins]


def _by_configuration(
    table: Table, objects: Objects, every: NDArray[np.int64], *, is_known: bool
) -> list[NDArray[np.int64]]:
    """Return the rows of each configuration that stands on the rows themselves.

    They are runs if that takes away steps back of x, or nothing counts at all and the object is
    known for a configuration, as in a table of results; else a configuration changes within its
    run.
    """
    last = np.searchsorted(objects.rows, every, side="right") - 1
    codes = objects.codes[np.maximum(last, 0)]
    parts = [every[codes == code] for code in dict.fromkeys(codes.tolist())]
    counts = [column for name, column in table.columns.items() if is_count_like(name)]
    for column in counts:
        if _steps_back(column, every):
            return [every] if any(_steps_back(column, part) for part in parts) else parts
    return parts if is_known and not counts else [every]


def _steps_back(column: Column, rows: NDArray[np.int64]) -> bool:
    values = column.values[column.on(rows)[1]]
    return bool((values[1:] < values[:-1]).any())


def _tells_runs(column: Column | None, n_rows: int) -> bool:
    """Return whether a column is on most rows, and does not hold one value alone."""
    if column is None or column.has(OTHER) or 2 * len(column) < n_rows:
        return False
    return len(column.words) + len(np.unique(column.values[column.kinds == NUMBER])) > 1


def _run_codes(table: Table, name: str, column: Column, keys: dict[str, int]) -> list[int]:
    if not column.has(NUMBER) and not column.has(OTHER):
        keys.update({word: code for code, word in enumerate(column.words)})
        return column.values.astype(np.int64).tolist()  # type: ignore[no-any-return]
    numeric = column.kinds == NUMBER
    exact = bool((np.abs(column.values[numeric]) < 2**53).all())
    codes = []
    cells = zip(column.rows.tolist(), column.kinds.tolist(), column.values.tolist(), strict=True)
    for row, kind, value in cells:
        if kind == TEXT:
            key = column.words[int(value)]
        elif kind == NUMBER and exact:
            key = str(int(value)) if value.is_integer() else repr(value)
        else:
            key = str(flatten(table.record(row))[name])
        codes.append(keys.setdefault(key, len(keys)))
    return codes
