"""What archives of before left out of a log for want of x: they never held it, and named it not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from runcube.archive.placed import kept_values
from runcube.pipeline import logged_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from runcube.pipeline import ArrayTable, CurvesRecord, LogRecord, Record


def without_unplaced(record: Record, x: str, table: ArrayTable) -> Record:
    """Return a record in which what has no x and was left out is a problem, and no value.

    Parameters
    ----------
    record : Record
    x : str
        The x-axis of the archive.
    table : ArrayTable
        The arrays of the record; others are added.
    """
    logs = (_named(log, record.path, x, table) for log in record.logs)
    return replace(record, logs=tuple(logs))


def _named(log: LogRecord, path: str, x: str, table: ArrayTable) -> LogRecord:
    if log.cell is None:
        return log
    curves: list[CurvesRecord] = []
    lines: list[NDArray[Any]] = []
    names: dict[str, None] = {}
    for part in log.curves:
        own = table.get(part.lines)
        x_of = table.get(part.x[x]) if x in part.x else np.full(len(own), np.nan)
        logged = logged_of(part, table)
        left = logged & np.isnan(x_of) & ~kept_values(part, table)
        is_whole = not left.any()
        curves.append(part if is_whole else replace(part, logged=table.add(logged & ~left)))
        if not is_whole:
            lines.append(own[left.any(axis=0)])
            at = np.flatnonzero(left.any(axis=1)).tolist()
            names |= {f"'{part.metrics[i]}' ({part.split})": None for i in at}
    if not lines:
        return log
    problem = _left_out(path, x, np.concatenate(lines), names)
    return replace(log, curves=tuple(curves), problems=(*log.problems, problem))


def _left_out(
    path: str, x: str, lines: NDArray[np.int64], names: Iterable[str]
) -> tuple[str, str, str, int]:
    """Return the problem of records without x that an archive left out, as a record has it."""
    count, first = len(np.unique(lines)), int(lines.min())
    what = f"{count} record{'s' * (count > 1)} without {x} left out when the archive was made"
    where = f"lines {first} to {lines.max()}" if count > 1 else f"line {first}"
    return "missing_x", f"{what}, {where}: {', '.join(names)}", path, first
