"""Files of one run that were written at the same time, in the order of what they count."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.readers.table import NUMBER, Part, has_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.readers.jsonl.log import Log

# More stretches than this cost more than the order is worth.
_MOST = 4096


def interleaved(log: Log) -> list[Part]:
    """Return the files of a log, cut into stretches in the order in which they were written.

    Where each split is a file, one may count what another does not: train rows with epoch and step
    beside val rows with the epoch alone. A val record is then put behind the train rows of its
    epoch, as if both had been written to one file.

    Parameters
    ----------
    log : Log

    Returns
    -------
    list of Part
        Empty if all files count the same, nothing in common, or not upwards.
    """
    table = log.table
    if not log.is_parallel or any(has_documents(part.data) for part in table.parts):
        return []
    counters = [_counters(log, part) for part in range(len(table.parts))]
    common = set.intersection(*(set(own) for own in counters))
    if not common or all(own.keys() == common for own in counters):
        return []
    least = min(sorted(common), key=lambda name: max(len(np.unique(own[name])) for own in counters))
    keys = [own[least] for own in counters]
    if any((key[1:] < key[:-1]).any() for key in keys):
        return []
    # Of equal counts, the file that counts more was written first.
    rank = np.argsort(np.argsort([-len(own) for own in counters], kind="stable"))
    part_of = np.repeat(np.arange(len(keys)), [len(key) for key in keys])
    order = np.lexsort((np.arange(len(part_of)), rank[part_of], np.concatenate(keys)))
    stretches = [(int(part), [*rows]) for part, rows in groupby(order, key=lambda r: part_of[r])]
    if len(stretches) > _MOST:
        return []
    first = [(part, int(table.lines[rows[0]]) - 1) for part, rows in stretches]
    return _cut(table.parts, first)


def _counters(log: Log, part: int) -> dict[str, NDArray[np.float64]]:
    """Return what runs along the rows of a part, each row with the count that it stands at."""
    table = log.table
    low, high = table.ends[part - 1] if part else 0, table.ends[part]
    found = {}
    for name in (name for name in log.own_x if not is_time_like(name)):
        column = log.columns[name]
        mine = (column.rows >= low) & (column.rows < high) & (column.kinds == NUMBER)
        if mine.any():
            at = column.rows[mine] - low
            counts = np.append(-np.inf, column.values[mine])
            found[name] = counts[np.searchsorted(at, np.arange(high - low), side="right")]
    return found


def _cut(parts: Sequence[Part], first: list[tuple[int, int]]) -> list[Part]:
    """Return stretches of files that begin at these lines, from 0; each file from its beginning."""
    lines: dict[int, list[int]] = {}
    for part, line in first:
        lines.setdefault(part, []).append(line if part in lines else 0)
    bytes_at = {
        part: np.append(0, np.flatnonzero(np.frombuffer(parts[part].data, np.uint8) == 10) + 1)
        for part in lines
    }
    taken = dict.fromkeys(lines, 0)
    cut = []
    for part, _ in first:
        number = taken[part]
        taken[part] += 1
        begin = lines[part][number]
        start = int(bytes_at[part][begin])
        rest = lines[part][number + 1 : number + 2]
        stop = int(bytes_at[part][rest[0]]) if rest else len(parts[part].data)
        cut.append(Part(parts[part].path, parts[part].data[start:stop], begin))
    return cut
