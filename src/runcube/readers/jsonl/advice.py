"""What is likely wrong with how a log was read: names that match nothing, rows that are mixed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import Problem, is_time_like, nearest
from runcube.readers.jsonl.names import metric_names
from runcube.readers.table import NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves
    from runcube.readers.jsonl.log import Log

# Where fewer of the points have an x of their own, rows of several things are mixed.
_MIXED = 0.6
_MOST_VALUES = 64


def unknown_names(log: Log, path: str) -> Iterator[Problem]:
    """Yield a problem for each name in the options that matches nothing in a log."""
    options, columns = log.options, [*log.table.columns]
    keys = [*log.table.objects, *columns, *dict.fromkeys(c.partition("/")[0] for c in columns)]
    asked: list[tuple[str, object, str, list[str]]] = [
        (argument, name, name, known)
        for argument, name, known in (
            ("run", options.run, columns),
            ("x", options.x, columns),
            ("header", options.header, keys),
            ("trailer", options.trailer, keys),
        )
        if isinstance(name, str)
    ]
    asked += [("config", name, name, keys) for name in options.config or ()]
    if isinstance(options.split, str) and "(?P<split>" not in options.split:
        asked.append(("split", options.split, options.split, columns))
    plain = metric_names(log.numeric, log.every_metric, splits_elsewhere=log.split is not None)
    metrics = [*dict.fromkeys(name for _, name in plain.values()), *log.numeric]
    asked += [("metrics", name, name, metrics) for name in options.metrics or ()]
    for argument, shown, name, known in asked:
        if name not in known:
            message = f"{argument}={shown!r}: nothing in the log has this name"
            yield Problem("unknown_name", message + nearest(name, known), path)
    pattern = options.split if isinstance(options.split, str) else ""
    if "(?P<split>" in pattern and not any(re.fullmatch(pattern, name) for name in log.numeric):
        message = f"split={pattern!r}: it matches the name of no metric"
        yield Problem("unknown_name", f"{message}, such as {log.numeric[:1]}", path)


def mixed_rows(log: Log, run: int, curves: Sequence[Curves]) -> Iterator[Problem]:
    """Yield a problem where most points share their x, with the likely cause."""
    rows = log.runs.rows[run]
    for part in curves:
        x = [values for name, values in part.x.items() if not is_time_like(name)]
        if not part.metrics or not x or any((v[1:] > v[:-1]).all() for v in x):
            continue
        counts = part.logged.sum(axis=1)
        if counts.max() < 4:
            continue
        row = int(counts.argmax())
        mask = part.logged[row]
        own = [values[mask].astype(np.float64) for values in x]
        again = np.logical_and.reduce([values[1:] == values[:-1] for values in own])
        # Where x begins anew instead, attempts follow each other.
        if again.mean() < 0.5 * (1 - _MIXED):
            continue
        at = np.column_stack(own)
        if len(np.unique(at, axis=0)) > _MIXED * len(at):
            continue
        lines = np.isin(log.table.lines[rows], part.lines[mask])
        cause = _cause(log, run, np.flatnonzero(lines), at, part.metrics)
        shown = next(name for name in part.x if not is_time_like(name))
        count = f"{len(at)} values of {part.metrics[row]!r} share {len(np.unique(at, axis=0))}"
        line = int(part.lines[mask][0])
        path = log.table.parts[0].path
        yield Problem("mixed_rows", f"{count} values of {shown!r}: {cause}", path, line)


def _cause(
    log: Log, run: int, at: NDArray[np.int64], x: NDArray[np.float64], metrics: Sequence[str]
) -> str:
    """Return what most likely tells the rows apart."""
    for name in (*log.texts, *log.numeric):
        cells = log.cells(name, run)
        if cells is None or len(at) != len(x):
            continue
        mine = np.isin(cells.at, at)
        values = cells.values[mine]
        if int(mine.sum()) != len(at) or not 1 < len(np.unique(values)) <= _MOST_VALUES:
            continue
        if len(np.unique(np.column_stack([x, values]), axis=0)) < len(x):
            continue
        if len(metrics) == 1 and (cells.kinds[mine] == TEXT).all():
            return (
                f"each row holds one metric, its name in {name!r} and its value in"
                f" {metrics[0]!r}; rows with a key for each metric can be read"
            )
        many = len(np.unique(values)) * 2 > len(values)
        if many and (cells.kinds[mine] == NUMBER).all() and (values != np.floor(values)).any():
            continue
        return f"several runs or ranks interleaved? JsonlReader(run={name!r}) tells them apart"
    return "several runs or ranks interleaved? JsonlReader(run=...) tells them apart by a column"
