"""Numbers on their way from columns to metrics, and columns that would become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runcube.readers.jsonl.names import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.readers.jsonl.axes import Axes


class Numbers(NamedTuple):
    """Numbers of one metric.

    Parameters
    ----------
    split : str or None
        Its split; None: that of the row.
    metric : str
    column : str
        Full name of the column.
    at : ndarray of int64, (points,)
        Positions among the rows of the run.
    values : ndarray of float64, (points,)
    """

    split: str | None
    metric: str
    column: str
    at: NDArray[np.int64]
    values: NDArray[np.float64]


def in_splits(
    found: Iterable[Numbers], by_row: Sequence[tuple[str, NDArray[np.bool_]]]
) -> Iterator[Numbers]:
    """Yield numbers, those whose names tell no split once for each split that has their rows."""
    for numbers in found:
        if numbers.split not in (None, ALL) or not by_row:
            yield numbers
            continue
        for split, rows in by_row:
            here = rows[numbers.at]
            if here.any():
                at, values = numbers.at[here], numbers.values[here]
                yield numbers._replace(split=split, at=at, values=values)


def by_name(found: Iterable[Numbers]) -> dict[tuple[str | None, str], list[Numbers]]:
    """Return the numbers of each split and metric."""
    groups: dict[tuple[str | None, str], list[Numbers]] = {}
    for numbers in found:
        groups.setdefault((numbers.split, numbers.metric), []).append(numbers)
    return groups


def told_apart(found: list[Numbers], axes: Axes) -> list[Numbers]:
    """Return numbers with full names where columns of one metric share a row, or an x."""
    clashing = {key for key, ones in by_name(found).items() if len(ones) > 1 and meet(ones, axes)}
    if not clashing:
        return found
    named = []
    taken: dict[str, int] = {}
    for n in found:
        if (n.split, n.metric) in clashing:
            # A list beside a key that is spelled like a part of it: both have one full name.
            count = taken[n.column] = taken.get(n.column, 0) + 1
            name = n.column if count == 1 else f"{n.column} ({count})"
            named.append(n._replace(split=ALL, metric=name))
        else:
            named.append(n)
    return named


def meet(columns: list[Numbers], axes: Axes) -> bool:
    """Return whether values of several columns are on one row, or at one x; clocks aside."""
    rows = np.concatenate([numbers.at for numbers in columns])
    if len(np.unique(rows)) < len(rows):
        return True
    places = axes.places()
    places = places[:, ~np.isnan(places).all(axis=0)]
    known = [np.unique(places[n.at][~np.isnan(places[n.at]).any(axis=1)], axis=0) for n in columns]
    every = np.concatenate(known)
    return bool(places.shape[1]) and len(np.unique(every, axis=0)) < len(every)
