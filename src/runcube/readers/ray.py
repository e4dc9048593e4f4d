"""Ray Tune: a trial directory with ``result.json`` (JSONL) and ``params.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    DEFAULT_LIMITS,
    Limits,
    Problem,
    Request,
    Roles,
    RunHeader,
    RunLog,
    Source,
    Status,
    natural_key,
    value_at,
)
from runcube.readers.config_files import find_sidecars, load_named, merge, shown_keys
from runcube.readers.jsonl import Options, differing_keys, read_log
from runcube.readers.last_words import strongest
from runcube.readers.lines import BadLine, decode_line
from runcube.readers.reading import HeadersByReading, text_if_any
from runcube.readers.table import NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.core import LogFile
    from runcube.files import Tree
    from runcube.readers.jsonl import Log
    from runcube.readers.table import Column

RESULT, PARAMS, ERROR = "result.json", "params.json", "error.txt"
_KEYS = frozenset({"training_iteration", "time_total_s", "time_this_iter_s", "timesteps_total"})
# Ray ends the name of a trial's directory with the time, from 2021 on without the seconds' id.
_TRIAL_DIR = re.compile(r".*_\d{4}-\d\d-\d\d_\d\d-\d\d")
_OF_RAY = frozenset({"params.pkl", ERROR, "error.pkl"})
# Facts about where and when a run ran. They go into the configuration, where their names keep
# them from becoming dimensions; none of them is a metric.
_FACTS = (
    *((name, (name,)) for name in ("date", "hostname", "pid", "experiment_id", "experiment_tag")),
    *((name, (name,)) for name in ("trial_id", "trial_name", "job_id", "run_id")),
    ("node_ip", ("node", "host")),
)
_FLAGS = ("done", "should_checkpoint", "config")
_OPTIONS = Options(
    config=("config",),
    run=False,
    x="training_iteration",
    split=False,
    null_is_nan=True,
    ignore=frozenset({*dict(_FACTS), *_FLAGS}),
    facts=_FACTS,
)


@dataclass(frozen=True)
class RayReader(HeadersByReading):
    """Reads Ray Tune trials. A trial that only has ``params.json`` is a run without metrics.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "ray"
    limits: Limits = DEFAULT_LIMITS

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each trial directory."""
        unclaimed = {file.path: file for file in tree.unclaimed()}
        found = []
        for path, file in unclaimed.items():
            folder, _, name = path.rpartition("/")
            if name == RESULT and _is_result(tree, file):
                found.append(_source(tree, folder, file))
            elif name == PARAMS and _is_lone_trial(tree, folder):
                found.append(_source(tree, folder, None))
        yield from sorted(found, key=lambda source: natural_key(source.path))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a trial; ``error.txt`` or ``done`` is the marker of its end."""
        params, problems, _ = load_named(source, self.limits)
        paths = (file.path for file in source.files)
        error = next((path for path in paths if path.rpartition("/")[2] == ERROR), None)
        said = None if error is None else text_if_any(source.root, error, self.limits, problems)
        texts = (said or "").splitlines()
        if source.path.rpartition("/")[2] != RESULT:
            header = RunHeader(source, config=params, has_config=bool(params), has_metrics=False)
            marker = None if error is None else Status.FAILED
            lone = RunLog(header, marker=marker, problems=problems, roles=Roles())
            lone.messages = texts if request.messages else []
            return [lone]
        log_alone = replace(source, files=source.files[:1])
        log, runs = read_log(log_alone, replace(_OPTIONS, limits=self.limits), request)
        for run in runs:
            keys = differing_keys(params, run.header.config, both=True)
            if keys:
                what = f"{PARAMS} differs from the results' config; the results win"
                message = f"{shown_keys(keys)}: {what}"
                problems.append(Problem("config_conflict", message, source.path))
            run.problems = [p for p in run.problems if p.kind != "no_config" or not params]
            run.problems += [*problems, *_left_out(log, run)]
            config = merge(params, run.header.config)
            run.header = replace(run.header, source=source, config=config, has_config=bool(config))
            run.marker = strongest(run.marker, _done(log) if error is None else Status.FAILED)
            run.messages += texts if request.messages else []
        return runs


def _is_result(tree: Tree, file: LogFile) -> bool:
    if not file.size:
        return PARAMS in tree.folder(file.path.rpartition("/")[0])
    first = tree.head(file.path).lstrip().partition(b"\n")[0]
    try:
        record = decode_line(first)
    except BadLine:
        # The first line may be the damaged one.
        return any(b'"%s"' % key.encode() in first for key in _KEYS)
    return isinstance(record, dict) and not _KEYS.isdisjoint(record)


def _is_lone_trial(tree: Tree, folder: str) -> bool:
    """Return whether ``params.json`` without a result is a trial, not a sidecar of another log."""
    names = tree.folder(folder).keys()
    if any(name != PARAMS and _is_log(name) for name in names):
        return False
    directory = folder.rpartition("/")[2] or tree.name
    return not _OF_RAY.isdisjoint(names) or _TRIAL_DIR.match(directory) is not None


def _is_log(name: str) -> bool:
    bare = name.removesuffix(".gz")
    return name == RESULT or bare.endswith((".jsonl", ".ndjson", ".csv"))


def _source(tree: Tree, folder: str, result: LogFile | None) -> Source:
    beside = tree.folder(folder)
    files = [result] if result is not None else []
    files += [beside[PARAMS]] if PARAMS in beside else []
    files += [file for file in find_sidecars(tree, folder) if file not in files]
    files += [beside[ERROR]] if ERROR in beside else []
    return Source(tree.root, files[0].path, tuple(files))


def _left_out(log: Log, run: RunLog) -> Iterator[Problem]:
    """Yield a problem for each column that is no metric and has values that are kept nowhere.

    After a restart the host is another one, and the date is another on every row.
    """
    for name in (*dict(_FACTS), *_FLAGS):
        column = log.table.columns.get(name)
        if column is None:
            continue
        # The last ``done`` is the status of the run; before, it says that the run goes on.
        keys = dict(_FACTS).get(name, ())
        kept = False if name == "done" else value_at(run.header.config, keys)
        others = column.rows[~_holds(column, kept)]
        if name == "done":
            others = others[others != column.rows[-1]]
        if len(others):
            path, line = log.table.place(int(others[0]))
            what = "other values than the one that is kept" if name in dict(_FACTS) else "no metric"
            message = f"{name!r} on {len(others)} lines: {what}, left out"
            yield Problem("left_out", message, path, line)


def _holds(column: Column, value: Any) -> NDArray[np.bool_]:
    """Return which cells (cells,) of a column hold this number or text."""
    kind, cell = 0, np.nan
    if isinstance(value, str) and value in column.words:
        kind, cell = TEXT, column.words.index(value)
    elif isinstance(value, bool | int | float):
        kind, cell = NUMBER, value
    held: NDArray[np.bool_] = (column.kinds == kind) & (column.values == cell)
    return held


def _done(log: Log) -> Status | None:
    column = log.table.columns.get("done")
    if column is None or column.kinds[-1] != NUMBER:
        return None
    return Status.COMPLETE if column.values[-1] else None
