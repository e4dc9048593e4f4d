"""How a log was read, for people: what was found, by which evidence; what says so outright."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runcube.core import is_time_like
from runcube.readers.jsonl.configuration import header_rows, objects_of_run
from runcube.readers.jsonl.names import CONFIG_KEYS, split_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import RunLog
    from runcube.readers.jsonl.log import Log

_MOST = 6


def how_it_was_read(
    log: Log, number: int, run: RunLog, files: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return how a run was read, as (topic, text) pairs for ``RunHeader.reading``.

    Parameters
    ----------
    log : Log
    number : int
        Number of the run in the log.
    run : RunLog
    files : sequence of str
        Names of its configuration files.
    """
    if not len(log.table):
        return (("records", "none"),)
    objects = [n for n, o in log.table.objects.items() if len(o.on(log.runs.rows[number])[0])]
    left = Counter([problem.kind for problem in run.problems])
    return (
        ("records", ", ".join(_records(log, number))),
        ("runs", _runs(log)),
        ("configuration", "; ".join(_configuration(log, number, run, objects, files)) or "none"),
        ("x", "; ".join(_x(log, number)) or "none: rows are numbered"),
        ("splits", _splits(log)),
        ("metrics", _some(run.metrics)),
        *((("left out", ", ".join(f"{n} {kind}" for kind, n in left.items())),) if left else ()),
    )


def arguments(log: Log, runs: Sequence[RunLog]) -> Iterator[str]:
    """Yield each argument of ``JsonlReader`` that pins what was found in a log, changing nothing.

    None is for files beside a log, flat records before the rows, columns that never move and
    several axes: what is configuration then, and what is x, no argument says in the same words.

    Parameters
    ----------
    log : Log
    runs : sequence of RunLog, (runs,)
        The runs of the log.
    """
    options, objects = log.options, [*log.table.objects]
    if options.run is None and log.runs.column is not None:
        yield f"run={log.runs.column!r}"
    if options.split is None and log.split is not None:
        yield f"split={log.split!r}"
    if options.config is None and options.header is None and objects:
        if objects[0] not in CONFIG_KEYS and len(objects) == 1:
            yield f"header={objects[0]!r}"
        elif all(name in CONFIG_KEYS for name in objects) and _is_all(log, runs):
            yield f"config={objects!r}"
    named = {name for name in log.x if not is_time_like(name)}
    axes = named.union(*log.rising)
    is_one = options.x is None and len(axes) == 1 and axes <= log.table.columns.keys()
    is_plain = not log.x and all(_is_plain_axis(log, run, axes) for run in range(len(runs)))
    if is_one and (named or is_plain):
        yield f"x={axes.pop()!r}"


def _is_plain_axis(log: Log, run: int, axes: set[str]) -> bool:
    """Return whether a run shows the axis itself, and what its metrics are: else a sweep tells."""
    cells = (log.cells(name, run) for name in log.numeric if name not in axes)
    moves = any(found is not None and not found.is_one_value for found in cells)
    return moves and log.rising[run] == axes


def _is_all(log: Log, runs: Sequence[RunLog]) -> bool:
    """Return whether the configuration of each run is what the objects of its log hold."""
    return all(
        run.header.config and dict(run.header.config) == objects_of_run(log, number)
        for number, run in enumerate(runs)
    )


def _records(log: Log, run: int) -> Iterator[str]:
    rows = log.runs.rows[run]
    head, tail = log.head_and_tail(run)
    inside = int(log.has_x[rows].sum())
    counts = {
        "header": head if log.own_x else len(header_rows(log, run)),
        "row": inside if log.own_x else inside - len(header_rows(log, run)),
        "event": len(rows) - head - inside - (len(rows) - tail),
        "trailer": len(rows) - tail,
    }
    for kind, count in counts.items():
        if count > 0:
            yield f"{count} {kind}{'s' * (count > 1)}"


def _runs(log: Log) -> str:
    if log.runs.column is not None:
        return f"column {log.runs.column!r}"
    if log.runs.told:
        return f"columns that change where x begins anew: {_some(sorted(log.runs.told))}"
    if len(log.runs.keys) > 1:
        return "a configuration that changes begins the next"
    count = len({part.path for part in log.table.parts})
    return "one a file" if count == 1 else f"one in {count} files, joined"


def _configuration(
    log: Log, number: int, run: RunLog, objects: Sequence[str], files: Sequence[str]
) -> Iterator[str]:
    for name in objects:
        mine = log.table.objects[name].on(log.runs.rows[number])[0]
        where = "on each row" if len(mine) * 2 > len(log.runs.rows[number]) else "in a header"
        yield f"object {name!r} {where}"
    for name in dict.fromkeys(files):
        yield name
    plain = [n for n in run.header.config if n in log.table.columns]
    if plain and log.options.in_log:
        yield f"a record before the rows: {_some(plain)}"
    if run.header.constants:
        yield f"columns that never move: {_some([*run.header.constants])}"


def _x(log: Log, run: int) -> Iterator[str]:
    for name, columns in log.x.items():
        if is_time_like(name):
            yield f"{name}: a clock, beside x"
        elif any(log.cells(column, run) is not None for column in columns):
            yield f"{name}: by its name"
    for name in sorted(log.rising[run]):
        yield f"{name}: whole numbers that rise"


def _splits(log: Log) -> str:
    if log.split is not None:
        return f"column {log.split!r}"
    if len(set(log.file_splits)) > 1:
        return "one a file"
    found = {split for name in log.numeric if (split := split_in(name))}
    return f"in the names of metrics: {_some(sorted(found))}" if found else "none"


def _some(names: Sequence[str]) -> str:
    more = f", … {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
