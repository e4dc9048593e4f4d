"""The curves of a run as JSON lines: a row for each step, in the order in which it was logged."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import pairwise
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, TypeAlias

from runcube.core import Problem
from runcube.readers.json_file import LOST
from runcube.readers.table import STEP, WALL, flatten
from runcube.readers.times import utc_seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runcube.readers.sacred.series import Series

# Of a row: how often steps went back before it, its step, and how many rows have it before.
_Place: TypeAlias = tuple[int, float, int]


def as_lines(
    series: Sequence[Series], end: Mapping[str, Any], path: str
) -> tuple[bytes, list[Problem]]:
    """Return the rows of a run as JSON lines.

    Values of one step share a row, with the time of the first of them. Where the steps of a curve
    go back, those of all curves begin anew at that time.

    Parameters
    ----------
    series : sequence of Series
    end : mapping
        What stands behind the last row, its numbers at its step; empty for nothing.
    path : str
        Path that problems name.
    """
    read = [(one, [*map(utc_seconds, one.times)], _backs(one.steps)) for one in series]
    went_back = (times[at] for _, times, backs in read if times for at in backs)
    cuts = sorted(time for time in went_back if not isnan(time))
    rows: dict[_Place, dict[str, Any]] = {}
    problems = []
    for one, times, backs in read:
        count = _put(one, times, backs, cuts, rows)
        if count:
            what = f"{one.name!r}: {count} value{'s' * (count > 1)} without a step, left out"
            problems.append(Problem("left_out", what, path))
    records = [rows[place] for place in sorted(rows)]
    if end:
        is_point = any(not isinstance(leaf, str) for leaf in flatten(end).values())
        last = {STEP: records[-1][STEP]} if records and is_point else {}
        records.append(last | dict(end))
    # Of what is damaged there is no value.
    lines = "".join(json.dumps(record, default=lambda _: None) + "\n" for record in records)
    return lines.encode("utf-8", "backslashreplace"), problems


def _put(
    one: Series,
    times: Sequence[float],
    backs: Collection[int],
    cuts: Sequence[float],
    rows: dict[_Place, dict[str, Any]],
) -> int:
    """Put the points of a curve on their rows, and return how many have no step.

    Parameters
    ----------
    one : Series
    times : sequence of float, (points,) or (0,)
        In seconds; NaN where unknown.
    backs : collection of int
        Where its steps go back.
    cuts : sequence of float
        When the steps of any curve go back, rising.
    rows : dict
        Each row by its place; added to.
    """
    name, own, lost = column_of(one.name), 0, 0
    seen: dict[tuple[int, float], int] = {}
    for at, (step, value) in enumerate(zip(one.steps, one.values, strict=True)):
        own += at in backs
        if not _is_step(step):
            lost += 1
            continue
        if value is LOST or value is None:
            continue
        time = times[at] if times else nan
        period = own if isnan(time) else bisect_right(cuts, time)
        again = seen.get((period, step), 0)
        seen[period, step] = again + 1
        row = rows.setdefault((period, step, again), {STEP: step})
        if not isnan(time):
            row[WALL] = min(row.get(WALL, inf), time)
        row[name] = value
    return lost


def _backs(steps: Sequence[Any]) -> frozenset[int]:
    """Return the places whose step is below the one before."""
    pairs = enumerate(pairwise(steps), 1)
    return frozenset(at for at, (a, b) in pairs if _is_step(a) and _is_step(b) and b < a)


def _is_step(step: Any) -> bool:
    return isinstance(step, int | float) and -inf < step < inf


def column_of(name: str) -> str:
    """Return what the column of a metric is called: those of the step and the time are taken."""
    return f"scalars/{name}" if name.strip() in (STEP, WALL) else name
