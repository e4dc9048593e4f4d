"""The configuration of each run of a log: objects, header records, columns that never move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import RunHeader, is_time_like, opened
from runcube.readers.config_files import merge
from runcube.readers.jsonl.names import (
    CONFIG_KEYS,
    EVENT_KEYS,
    is_measure,
    is_seed_column,
    last_segment,
    only_names_runs,
    split_and_metric,
    split_in,
)
from runcube.readers.jsonl.rising import may_be_axes
from runcube.readers.jsonl.splits import names_of_run
from runcube.readers.jsonl.trailer import trailer_configuration
from runcube.readers.table import OTHER, TEXT, TEXT_AROUND, flatten, span

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from runcube.core import Source
    from runcube.readers.jsonl.log import Log
    from runcube.readers.jsonl.run_table import Cells


def run_header(
    log: Log,
    run: int,
    source: Source,
    known: Mapping[str, Any],
    beside: Mapping[str, Any],
    *,
    is_sound: bool = True,
) -> RunHeader:
    """Return the header of one run.

    Parameters
    ----------
    log : Log
    run : int
        Number of the run in the log.
    source : Source
    known : mapping
        As of `known_configuration`.
    beside : mapping
        Configuration of the files beside the log; what the log says itself goes before it.
    is_sound : bool
        Whether the files beside the log could be read.
    """
    config = merge(beside, known)
    alone = bool(known) or not log.options.in_log or (bool(beside) and log.runs.column is None)
    constants, varying = _constants(log, run, alone=alone)
    if log.options.config is not None:
        columns = [name for name in log.options.config if name in log.table.columns]
        constants = {} if columns else constants
        for name in columns:
            cells = log.cells(name, run)
            if cells is not None:
                row = int(log.runs.rows[run][cells.at[0]])
                _set(config, name, log.value(name, row))
    if not config and not constants:
        config = trailer_configuration(log, run)
    _add_facts(config, log, run)
    # A log without records is a run that wrote nothing, whatever it would have written.
    owed = (len(log.table) > 0 and log.options.config is not None) or not is_sound
    return RunHeader(
        source,
        log.runs.keys[run],
        config,
        constants,
        varying,
        has_config=bool(config) or not owed,
        has_metrics=_has_metrics(log, run, varying, alone=alone),
        rising=log.rising[run] if varying else log.rising[run] | may_be_axes(log, run),
        names=names_of_run(log, run),
    )


def known_configuration(log: Log, run: int) -> dict[str, Any]:
    """Return the configuration that objects and header records of a run hold."""
    if not log.options.in_log:
        return {}
    config = objects_of_run(log, run)
    if log.options.config is None:
        for record in _header_records(log, run):
            config = merge(record, config)
    return config


def objects_of_run(log: Log, run: int) -> dict[str, Any]:
    """Return the configuration that objects of a run hold."""
    config: dict[str, Any] = {}
    rows = log.runs.rows[run]
    for name, objects in log.table.objects.items():
        _, codes = objects.on(rows)
        if not len(codes):
            continue
        value = objects.values[codes[0]]
        is_plain = isinstance(value, dict) and name in (log.options.config or CONFIG_KEYS)
        inside = value if is_plain else {name: value}
        clash = any(key in config and config[key] != inside[key] for key in inside)
        config = merge(config, {name: value} if clash else inside)
    return config


def _header_records(log: Log, run: int) -> list[dict[str, Any]]:
    """Return what records before the first row of the curve hold, and no row of it.

    An evaluation before the first step is none: all of it comes again.
    """
    head = header_rows(log, run)
    found = []
    for row in head:
        record = log.table.record(row)
        leaves = flatten(record, frozenset(log.table.objects))
        own = [name for name in leaves if name in log.columns and _only_in(log, run, name, head)]
        if any(key in record for key in EVENT_KEYS) or len(leaves) < 2:
            continue
        kept: dict[str, Any] = {}
        settings = _settings(log, own)
        for name in own:
            if isinstance(leaves[name], str) or split_in(name) is None or name in settings:
                _set(kept, name, leaves[name])
        nulls = [key for key, value in record.items() if value is None and own]
        found.append(kept | dict.fromkeys(nulls))
    return found


def _settings(log: Log, own: Collection[str]) -> set[str]:
    """Return those keys of a header alone that are settings of a split: ``train_batch_size``.

    They stand beside two others without a split, and nothing else in the log has that name: a
    ``val_loss`` before the first step is a result.
    """
    plain = [name for name in own if split_in(name) is None and name not in EVENT_KEYS]
    if len(plain) < 2:
        return set()
    metrics = {name: split_and_metric(last_segment(name))[1] for name in own}
    return {
        name
        for name, metric in metrics.items()
        if split_in(name) is not None and not is_measure(metric) and log.last_names[metric] < 2
    }


def header_rows(log: Log, run: int) -> list[int]:
    """Return the rows of a run before its first x; in a log without x, a first one that is alone.

    A record of the same keys behind the first x is a header again: that of another attempt.
    """
    rows = log.runs.rows[run]
    if log.own_x:
        head, _ = log.head_and_tail(run)
        return [int(row) for row in rows[:head]]
    first = rows[:1].tolist()
    names = flatten(log.table.record(first[0])) if first else {}
    alone = all(len(log.columns[n].on(rows)[0]) == 1 for n in names if n in log.columns)
    rows_follow = any(len(column.on(rows[1:])[0]) > 1 for column in log.columns.values())
    return first if names and alone and rows_follow else []


def _only_in(log: Log, run: int, name: str, head: list[int]) -> bool:
    """Return whether a column holds one value in a run, and only on rows without x."""
    cells = log.cells(name, run)
    if cells is None or not cells.is_one_value:
        return False
    rows = log.runs.rows[run][cells.at]
    if not log.own_x:
        return bool(np.isin(rows, head).all())
    return not bool(log.has_x[rows].any())


def _set(config: dict[str, Any], name: str, value: Any) -> None:
    """Set a flattened key of a nested configuration."""
    *above, last = name.split("/")
    opened(config, above).setdefault(last, value)


def _add_facts(config: dict[str, Any], log: Log, run: int) -> None:
    """Add the first values of columns that are facts about a run."""
    rows = log.runs.rows[run]
    for column, place in log.options.facts:
        if column not in log.table.columns or not len(rows):
            continue
        cells = log.cells(column, run)
        if cells is None:
            continue
        inside = config
        for key in place[:-1]:
            below = inside.get(key, {})
            inside[key] = dict(below) if isinstance(below, dict) else {key: below}
            inside = inside[key]
        inside.setdefault(place[-1], log.value(column, int(rows[cells.at[0]])))


def _constants(log: Log, run: int, *, alone: bool) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the columns that held one value in a run, with it, and those that took several.

    A column that differs on one row alone is among both. Where the configuration is known
    (``alone``), only texts, seeds and whole objects that never move are more of it.
    """
    present = {
        name: cells
        for name in (*log.numeric, *log.texts, *_others(log))
        if (cells := log.cells(name, run)) is not None
    }
    moving = {name for name, cells in present.items() if not cells.is_one_value}
    numbers = [present[name] for name in log.numeric if name in present]
    moved = [present[name] for name in log.numeric if name in moving]
    counted = _counted(log, run, moved or numbers)
    head = set(header_rows(log, run)) if log.options.in_log else set()
    rows = log.runs.rows[run]
    fixed = _fixed_objects(present, moving) if alone and log.options.objects else frozenset()
    own = [n for n, c in present.items() if int(rows[c.at[0]]) in head]
    settings = _settings(log, [n for n in own if _only_in(log, run, n, [*head])])
    labels = fixed | log.runs.told | {*log.texts}
    varying, constants = set(moving), {}
    for name, cells in present.items():
        if not _may_label(log, name) and name not in settings:
            varying.add(name)
            continue
        if is_time_like(name) or (alone and not (name in labels or _is_label(name, cells))):
            continue
        where = None
        if _is_nan(cells):  # a metric of a run that diverged
            varying.add(name)
        elif name not in moving:
            where = int(cells.at[0])
            if not (_is_held(cells, counted) or int(rows[where]) in head):
                where = None
                varying.add(name)
        elif len(counted) > 2:
            where = _mostly(cells)
        if where is not None:
            constants[name] = log.value(name, int(rows[where]))
    column = log.runs.column
    if column is not None and not only_names_runs(column) and len(rows):
        constants[column] = _run_value(log, column, run)
    if not alone and len(rows):
        constants |= _nulls(log, run, present)
    # Where nothing but x moves, a number may be of either kind: only other runs tell.
    return constants, frozenset(varying) if moving else frozenset()


def _is_label(name: str, cells: Cells) -> bool:
    """Return whether a column may be a seed, or is a list that never moves."""
    return is_seed_column(name) or bool(cells.kinds[0] == OTHER and (cells.kinds == OTHER).all())


def _is_nan(cells: Cells) -> bool:
    return bool(np.isnan(cells.values[0]) and np.isnan(cells.values).all())


def _run_value(log: Log, column: str, run: int) -> Any:
    rows = log.runs.rows[run]
    at, _ = log.table.columns[column].on(rows)
    return log.value(column, int(rows[at[0]])) if len(at) else log.runs.keys[run]


def _others(log: Log) -> list[str]:
    taken = {*log.numeric, *log.texts, *log.x_columns}
    return [name for name in log.columns if name not in taken]


def _may_label(log: Log, name: str) -> bool:
    """Return whether a column may be configuration: a number with a split in its name may not."""
    if name == TEXT_AROUND or (log.options.metrics is not None and name in log.names):
        return False
    if name in log.texts or log.options.split is False:
        return True
    return split_in(name) is None


def _counted(log: Log, run: int, metrics: list[Cells]) -> NDArray[np.int64]:
    """Return the positions that a configuration must be on: rows with a metric, if there are."""
    every = np.zeros(len(log.runs.rows[run]), dtype=bool)
    for cells in metrics:
        every[span(cells.at)] = True
    return np.flatnonzero(every) if metrics else np.arange(len(every))


def _is_held(cells: Cells, counted: NDArray[np.int64]) -> bool:
    """Return whether a column is on the rows that a configuration is on.

    It is on all of them, but one at most of three or more, or on those up to or from some row (a
    key renamed in mid-run). What is on a few rows here and there, or on one, is an outcome.
    """
    here = np.isin(counted, cells.at)
    if here.all():
        return len(counted) > 0
    if len(counted) > 2 and here.sum() >= len(counted) - 1:
        return True
    turns = int((here[1:] != here[:-1]).sum())
    return turns == 1 and int(here.sum()) > 1


def _mostly(cells: Cells) -> int | None:
    """Return the position of a value that all cells but one hold; None if there is none."""
    count = len(cells.at)
    if count < 3:
        return None
    for first in (0, 1):
        same = (cells.values == cells.values[first]) & (cells.kinds == cells.kinds[first])
        if int(same.sum()) == count - 1:
            return int(cells.at[first])
    return None


def _fixed_objects(present: Mapping[str, Cells], moving: set[str]) -> frozenset[str]:
    """Return the columns of objects none of whose columns moves, and which are on several rows.

    Of objects within others, those that hold a text: ``{"process": {"id": 7, "name": "main"}}``.
    """
    inside: dict[str, list[str]] = {}
    for name, cells in present.items():
        if "/" in name and len(cells.at) > 1:
            for key in {name.partition("/")[0], name.rpartition("/")[0]}:
                inside.setdefault(key, []).append(name)
    moved = {key for name in moving for key in (name.partition("/")[0], name.rpartition("/")[0])}
    fixed = {key: names for key, names in inside.items() if key not in moved}
    return frozenset(
        name
        for key, names in fixed.items()
        if "/" not in key or any((present[n].kinds == TEXT).any() for n in names)
        for name in names
    )


def _nulls(log: Log, run: int, present: Mapping[str, Cells]) -> dict[str, Any]:
    """Return what the first record has as null, and no other record of the run as a value."""
    record = log.table.record(int(log.runs.rows[run][0]))
    return {
        key: None
        for key, value in record.items()
        if (value is None or (not log.table.columns and value == {}))
        and key not in present
        and (key not in log.table.columns or log.cells(key, run) is None)
    }


def _has_metrics(log: Log, run: int, varying: frozenset[str], *, alone: bool) -> bool:
    moving = [] if alone else [name for name in log.numeric if name in varying]
    return any(log.cells(name, run) is not None for name in moving or log.numeric)
