"""The curves of a run as JSON lines: a row for each step, in the order in which it was logged."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from runcube.core import Problem
from runcube.readers.json_file import LOST
from runcube.readers.table import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.readers.sacred.series import Series

STEP, WALL = "step", "wall_time"


class _Point(NamedTuple):
    """One value.

    Parameters
    ----------
    period : int
        How often steps went back before it.
    step : int or float
    again : int
        How many values the curve has at this step before it.
    time : float
        Seconds since 1970-01-01 UTC; NaN if unknown.
    name : str
        What its column is called.
    value : object
    """

    period: int
    step: float
    again: int
    time: float
    name: str
    value: Any


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
    points, problems = _points(series, path)
    rows: dict[tuple[int, float, int], dict[str, Any]] = {}
    for point in sorted(points, key=lambda one: one[:3]):
        row = rows.setdefault(point[:3], {STEP: point.step})
        if not isnan(point.time):
            row[WALL] = min(row.get(WALL, inf), point.time)
        row[point.name] = point.value
    records = [*rows.values()]
    if end:
        is_point = any(not isinstance(leaf, str) for leaf in flatten(end).values())
        last = {STEP: records[-1][STEP]} if records and is_point else {}
        records.append(last | dict(end))
    # Of what is damaged there is no value.
    lines = "".join(json.dumps(record, default=lambda _: None) + "\n" for record in records)
    return lines.encode("utf-8", "backslashreplace"), problems


def _points(series: Sequence[Series], path: str) -> tuple[list[_Point], list[Problem]]:
    read = [(one, [*map(_seconds, one.times)] or [nan] * len(one.values)) for one in series]
    backs = sorted(
        time
        for one, times in read
        for at, time in enumerate(times)
        if at and _is_back(one.steps, at) and not isnan(time)
    )
    points: list[_Point] = []
    problems = []
    for one, times in read:
        own = count = 0
        seen: Counter[tuple[int, float]] = Counter()
        for at, (step, value, time) in enumerate(zip(one.steps, one.values, times, strict=True)):
            if not _is_step(step):
                count += 1
                continue
            own += at > 0 and _is_back(one.steps, at)
            period = own if isnan(time) else bisect_right(backs, time)
            if value is not LOST and value is not None:
                again = seen[period, step]
                seen[period, step] += 1
                points.append(_Point(period, step, again, time, column_of(one.name), value))
        if count:
            what = f"{one.name!r}: {count} value{'s' * (count > 1)} without a step, left out"
            problems.append(Problem("left_out", what, path))
    return points, problems


def _is_back(steps: Sequence[Any], at: int) -> bool:
    """Return whether the step at a place is below the one before it."""
    before, step = steps[at - 1], steps[at]
    return _is_step(before) and _is_step(step) and bool(step < before)


def _is_step(step: Any) -> bool:
    return isinstance(step, int | float) and bool(abs(step) < inf)


def column_of(name: str) -> str:
    """Return what the column of a metric is called: those of the step and the time are taken."""
    return f"scalars/{name}" if name.strip() in (STEP, WALL) else name


def _seconds(time: Any) -> float:
    """Return a time as Sacred writes it, in UTC without saying so, in seconds since 1970."""
    try:
        return datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return nan


def seconds_between(first: Any, last: Any) -> float:
    """Return how many seconds lie between two times as Sacred writes them; NaN if unknown."""
    return _seconds(last) - _seconds(first)
