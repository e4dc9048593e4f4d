"""Objects behind the last row: what they say of the configuration, and what is a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import is_x_like
from runcube.readers.config_files import merge
from runcube.readers.jsonl.names import CONFIG_KEYS, is_measure, last_segment, split_and_metric
from runcube.readers.lines import is_number_text, is_short_list
from runcube.readers.table import flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcube.readers.jsonl.log import Log


def trailer_configuration(log: Log, run: int) -> dict[str, Any]:
    """Return the configuration that objects behind the last row hold, where nothing else has any.

    Where it is known, what a trailer adds stays what it is on a row: numbers at the end of the run,
    and messages. A run that ended early has no trailer, and would be of another configuration.

    Parameters
    ----------
    log : Log
    run : int
        Number of the run in the log.
    """
    options = log.options
    if not (options.in_log and options.config is None and log.own_x):
        return {}
    found: dict[str, Any] = {}
    for key, value in _objects(log, run):
        if key in CONFIG_KEYS:
            found = merge(value, found)
        elif key != options.trailer and _is_configuration(log, value):
            found = merge({key: value}, found)
    return found


def _objects(log: Log, run: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects that stand on one row of a run alone, behind the last row with an x."""
    rows = log.runs.rows[run]
    _, tail = log.head_and_tail(run)
    places: dict[str, set[int]] = {}
    for name in log.columns if tail < len(rows) else ():
        first, slash, _ = name.partition("/")
        cells = log.cells(name, run) if slash else None
        if cells is not None:
            places.setdefault(first, set()).update(np.unique(cells.at)[:2].tolist())
    for first, at in places.items():
        if len(at) == 1 and min(at) >= tail:
            record = log.table.record(int(rows[min(at)]))
            value = next((v for key, v in record.items() if key.strip() == first), None)
            if isinstance(value, dict):
                yield first, value


def _is_configuration(log: Log, value: dict[str, Any]) -> bool:
    """Return whether an object of an unfamiliar name is configuration, not results.

    It holds text, or lists of other things than numbers. Numbers and booleans (``converged``) may
    be either, unless one is called like a result: like a metric of the rows, an axis or a clock.
    """
    leaves = flatten(value)
    plain = [name for name, leaf in leaves.items() if _may_be_result(leaf)]
    names = {split_and_metric(last_segment(name))[1] for name in plain}
    return len(plain) < len(leaves) and not any(
        is_measure(name) or is_x_like(name) or name in log.row_metrics for name in names
    )


def _may_be_result(leaf: Any) -> bool:
    if isinstance(leaf, str):
        return is_number_text(leaf)
    return is_short_list(leaf) or isinstance(leaf, int | float)
