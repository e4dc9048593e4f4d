"""The bound on the columns of a section: what is beyond it is left out, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.readers.native.records import shown
from runcube.readers.native.tables import Numbers, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.native.oddities import Oddities


def leave_out(
    metrics: dict[str, Numbers],
    own: dict[str, Numbers],
    starts: NDArray[np.int64],
    lines: NDArray[np.int64],
    odd: Sequence[Oddities],
    limits: Limits,
) -> None:
    """Take from columns the values of keys beyond the bound of each part, and note them.

    Parameters
    ----------
    metrics, own : dict of str to Numbers
        Columns by name; both count.
    starts : ndarray of int64, (parts,)
        First row of each part.
    lines : ndarray of int64, (rows,)
        Line numbers, for problems.
    odd : sequence of Oddities, (parts,)
    limits : Limits
    """
    names = [*metrics, *own]
    spans = spans_of([*metrics.values(), *own.values()], starts)
    kept: dict[int, NDArray[np.bool_]] = {}
    for part in np.flatnonzero(np.diff(spans.ends) > limits.columns).tolist():
        mine = spans.of_part(part)
        beyond = np.argsort(mine.first, kind="stable")[limits.columns :]
        table = (array[beyond].tolist() for array in mine[:4])
        for column, row, low, high in zip(*table, strict=True):
            name, columns = names[column], metrics if column < len(metrics) else own
            _note(odd[part], name, int(lines[row]), limits, high - low)
            kept.setdefault(column, np.ones(len(columns[name].rows), bool))[low:high] = False
    for column, keep in kept.items():
        columns = metrics if column < len(metrics) else own
        rows, values = columns[names[column]]
        columns[names[column]] = Numbers(rows[keep], values[keep])


def note_left_out(
    left_out: Iterable[tuple[tuple[str, ...], int]],
    rows: slice,
    lines: NDArray[np.int64],
    odd: Oddities,
    limits: Limits,
) -> None:
    """Note the keys of a section that were not even decoded.

    Parameters
    ----------
    left_out : iterable of (tuple of str, int)
        Paths, and the first row that has each.
    rows : slice
        Those of the section.
    lines : ndarray of int64, (rows,)
        Line numbers of all rows.
    odd : Oddities
        Those of the section.
    limits : Limits
    """
    for path, row in left_out:
        if rows.start <= row < rows.stop:
            _note(odd, "/".join(path[path[0] == "agg_stats" :]), int(lines[row]), limits)


def _note(odd: Oddities, name: str, line: int, limits: Limits, count: int = 1) -> None:
    what = f"values of keys beyond Limits(columns={limits.columns}): left out"
    odd.note("limit", what, line, f"'{shown(name)}'", count)
