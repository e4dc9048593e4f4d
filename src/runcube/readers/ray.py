"""Ray Tune: a trial directory with ``result.json`` (JSONL) and ``params.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runcube.core import Problem, Request, RunHeader, RunLog, Source, Status, natural_key
from runcube.readers.config_files import load_sidecar
from runcube.readers.jsonl import Options, differing_keys, read_headers, read_log
from runcube.readers.lines import BadLine, decode_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runcube.core import LogFile
    from runcube.files import Tree
    from runcube.readers.jsonl import Log

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
_OPTIONS = Options(
    config="config",
    run=False,
    x="training_iteration",
    split=False,
    null_is_nan=True,
    ignore=frozenset({*(name for name, _ in _FACTS), "done", "should_checkpoint", "config"}),
    facts=_FACTS,
)


@dataclass(frozen=True)
class RayReader:
    """Reads Ray Tune trials. A trial that only has ``params.json`` is a run without metrics.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    """

    name: str = "ray"

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

    def headers(self, source: Source) -> Sequence[RunHeader]:
        """Return the header of the run of a trial, from its first results and ``params.json``."""
        params, _ = _params(source)
        if not _has_result(source):
            return [_lone(source, params)]
        headers = read_headers(_log_only(source), _OPTIONS)
        return [_merged(header, params, source) for header in headers]

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a trial; ``error.txt`` or ``done`` is the marker of its end."""
        params, problems = _params(source)
        if not _has_result(source):
            marker = Status.FAILED if _beside(source, ERROR) else None
            lone = RunLog(_lone(source, params), marker=marker, problems=problems)
            lone.columns = frozenset()
            return [lone]
        log, runs = read_log(_log_only(source), _OPTIONS, request)
        for run in runs:
            conflict = _conflict(params, run.header.config)
            if conflict:
                problems.append(Problem("config_conflict", conflict, source.path))
            run.problems = [p for p in run.problems if p.kind != "no_config" or not params]
            run.problems += problems
            run.header = _merged(run.header, params, source)
            run.marker = Status.FAILED if _beside(source, ERROR) else _done(log)
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
    files += [beside[name] for name in (PARAMS, ERROR) if name in beside]
    return Source(tree.root, files[0].path, tuple(files))


def _beside(source: Source, name: str) -> str | None:
    """Return the path of a file of the trial by name; None if the trial has no such file."""
    paths = (file.path for file in source.files)
    return next((path for path in paths if path.rpartition("/")[2] == name), None)


def _has_result(source: Source) -> bool:
    return source.path.rpartition("/")[2] == RESULT


def _log_only(source: Source) -> Source:
    return replace(source, files=source.files[:1])


def _params(source: Source) -> tuple[dict[str, Any], list[Problem]]:
    path = _beside(source, PARAMS)
    return ({}, []) if path is None else load_sidecar(source, path)


def _lone(source: Source, params: Mapping[str, Any]) -> RunHeader:
    return RunHeader(source, config=params, has_config=bool(params), has_metrics=False)


def _merged(header: RunHeader, params: Mapping[str, Any], source: Source) -> RunHeader:
    config = merge(params, header.config)
    return replace(header, source=source, config=config, has_config=bool(config))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings merged, key by key; where both have a value, that of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(dict(old or {}), value) if nested else value
    return merged


def _conflict(params: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return a message that names the keys in which ``params.json`` and the results differ."""
    keys = differing_keys(params, config, both=True)
    if not keys:
        return ""
    return f"{PARAMS} differs from the results' config in {', '.join(keys)}; the results win"


def _done(log: Log) -> Status | None:
    column = log.table.columns.get("done")
    if column is None or not column.logged.any():
        return None
    return Status.COMPLETE if column.values[column.logged][-1] else None
