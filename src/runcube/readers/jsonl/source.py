"""One JSONL source to headers and runs: what all line-wise readers share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem, RunHeader, RunLog, is_time_like
from runcube.files import read_bytes, read_head
from runcube.readers.config_files import load_sidecar
from runcube.readers.jsonl.column_roles import RUN_KEYS, is_seed_column, only_names_runs
from runcube.readers.jsonl.log import Log
from runcube.readers.jsonl.runs import build_runs
from runcube.readers.table import SAMPLE_LINES, first_records, flatten, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runcube.core import Request, Source
    from runcube.readers.jsonl.column_roles import Options

CONFIG_KEYS = (
    *("config", "args", "hparams", "hyperparameters", "hyper_parameters", "hyperparams", "cfg"),
    *("params", "configuration", "settings", "flags", "opts", "options", "dict_config"),
)
# The first lines of most logs, a configuration on each of them included.
SAMPLE_BYTES = 1 << 16
_EVENT_KEYS = ("event", "type", "msg", "message", "level")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The configuration file of a source, read.

    Parameters
    ----------
    config : dict
        Empty where there is none.
    problems : tuple of Problem
        What is wrong with the file.
    """

    config: dict[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """The first lines of a log.

    Parameters
    ----------
    data : bytes
        At most ``SAMPLE_LINES`` lines, or all of a shorter log.
    records : list of dict, (records,)
        Sound records on these lines.
    whole : bool
        Whether the lines are all of the log.
    """

    data: bytes
    records: list[dict[str, Any]]
    whole: bool


def read_headers(source: Source, options: Options) -> list[RunHeader]:
    """Return the headers of all runs of a source, from its first lines where they suffice.

    Parameters
    ----------
    source : Source
        The log, then its configuration file if it has one.
    options : Options

    Returns
    -------
    list of RunHeader, (runs,)
        In order of first appearance.

    Raises
    ------
    OSError
        If the log cannot be read.
    """
    sidecar = _sidecar(source)
    path = source.files[0].path
    head = take_sample(read_head(source.root, path, SAMPLE_BYTES), whole=False)
    headers = None
    if head is not None:
        headers = _quick_headers(_log(head.data, head, source, options), source, sidecar)
    return headers or _all_headers(read_bytes(source.root, path)[0], source, options, sidecar)[1]


def read_log(source: Source, options: Options, request: Request) -> tuple[Log, list[RunLog]]:
    """Return all runs of a source, and the log they came from.

    Parameters
    ----------
    source : Source
        The log, then its configuration file if it has one.
    options : Options
    request : Request

    Returns
    -------
    log : Log
    runs : list of RunLog, (runs,)
        In order of first appearance.

    Raises
    ------
    OSError
        If the log cannot be read.
    """
    sidecar = _sidecar(source)
    data, damage = read_bytes(source.root, source.files[0].path)
    log, headers = _all_headers(data, source, options, sidecar)
    runs = build_runs(log, headers, request)
    _share_problems(log, runs)
    if damage:
        runs[-1].problems.append(Problem("unreadable", damage, source.path))
    for run in runs:
        run.problems.extend(sidecar.problems)
        run.problems.extend(_config_problems(log, run))
    return log, runs


def _all_headers(
    data: bytes, source: Source, options: Options, sidecar: Sidecar
) -> tuple[Log, list[RunHeader]]:
    """Return the whole log, and headers from its first lines, else from all of it."""
    sample = take_sample(data, whole=True) or Sample(b"", [], whole=True)
    log = _log(data, sample, source, options)
    first = log if sample.whole else _log(sample.data, sample, source, options)
    headers = _quick_headers(first, source, sidecar)
    if headers is None:
        return log, _headers(log, source, sidecar)
    if log.runs.column is not None:
        # A run column that appears only later distinguishes no runs: the header came before it.
        log = Log.of(log.table, replace(options, run=False))
        _drop_header_columns(log)
    return log, headers


def _sidecar(source: Source) -> Sidecar:
    if len(source.files) < 2:
        return Sidecar()
    config, problems = load_sidecar(source, source.files[1].path)
    return Sidecar(config, tuple(problems))


def take_sample(data: bytes, *, whole: bool) -> Sample | None:
    """Return the first ``SAMPLE_LINES`` lines of a log.

    Parameters
    ----------
    data : bytes
    whole : bool
        Whether ``data`` is the whole log, not only a beginning.

    Returns
    -------
    Sample or None
        None if ``data`` is only a beginning that holds fewer lines.
    """
    end = 0
    for _ in range(SAMPLE_LINES):
        end = data.find(b"\n", end) + 1
        if not end:
            return Sample(data, first_records(data), whole=True) if whole else None
    return Sample(data[:end], first_records(data[:end]), whole=whole and end == len(data))


def raw_keys(records: Iterable[Mapping[str, Any]], options: Options) -> frozenset[str]:
    """Return the top-level keys of the first records that hold a configuration object."""
    if isinstance(options.config, tuple) or not options.in_log:
        return frozenset()
    wanted = CONFIG_KEYS if options.config is None else (options.config,)
    return frozenset(key for r in records for key in wanted if isinstance(r.get(key), dict))


def _log(data: bytes, sample: Sample, source: Source, options: Options) -> Log:
    raw = raw_keys(sample.records, options)
    table = read_table(data, path=source.path, raw=raw, first=sample.records)
    log = Log.of(table, options)
    _drop_header_columns(log)
    return log


def _quick_headers(log: Log, source: Source, sidecar: Sidecar) -> list[RunHeader] | None:
    """Return headers from the first lines; None where the whole log is needed.

    Which text is constant, and how many runs there are, shows only at the end of a log.
    """
    options = log.options
    if isinstance(options.config, tuple) or isinstance(options.run, str) or not len(log.table):
        return None
    if options.run is None and any(key in log.table.columns for key in RUN_KEYS):
        return None
    if options.in_log and _known(log, 0) is None and not sidecar.config:
        return None
    return None if _candidates(log) else _headers(log, source, sidecar)


def _candidates(log: Log) -> list[str]:
    """Return columns beside a known configuration that might be hyperparameters all the same."""
    return [
        *(name for name in log.roles.messages if not is_time_like(name)),
        *(name for name in log.roles.metrics if is_seed_column(name)),
        # A run column that is more than a name (run="seed") is a hyperparameter as well.
        *(name for name in (log.roles.run,) if name is not None and not only_names_runs(name)),
    ]


def _headers(log: Log, source: Source, sidecar: Sidecar) -> list[RunHeader]:
    return [_header(log, run, source, sidecar) for run in range(len(log.runs.keys))]


def _header(log: Log, run: int, source: Source, sidecar: Sidecar) -> RunHeader:
    options = log.options
    found = _known(log, run)
    config: dict[str, Any] = dict(sidecar.config) if found is None else dict(found)
    constants: dict[str, Any] = {}
    alone = not options.in_log or found is not None or bool(config and log.runs.column is None)
    candidates = _candidates(log) if alone else ["all"]
    if candidates:
        constants = log.constants(run)
    # Where this run's configuration is, is known; what moves is a metric of other runs, too.
    varying = log.moving(run) if alone else log.varying[run]
    if isinstance(options.config, tuple):
        config.update({k: constants[k] for k in options.config if k in constants})
        constants = {}
    elif alone:
        constants = {k: v for k, v in constants.items() if k in candidates}
    _add_facts(config, log, run)
    owed = options.config is not None or sidecar.problems
    return RunHeader(
        source,
        log.runs.keys[run],
        config,
        constants,
        varying,
        has_config=bool(config) or not owed,
        has_metrics=_has_metrics(log, run, alone=alone),
    )


def _add_facts(config: dict[str, Any], log: Log, run: int) -> None:
    rows = log.runs.rows(run)
    if not len(rows) or not log.options.facts:
        return
    record = log.table.record(int(rows[0]))
    for column, place in log.options.facts:
        if column not in record:
            continue
        inside = config
        for key in place[:-1]:
            below = inside.get(key, {})
            inside[key] = dict(below) if isinstance(below, dict) else {key: below}
            inside = inside[key]
        inside.setdefault(place[-1], record[column])


def _has_metrics(log: Log, run: int, *, alone: bool) -> bool:
    table = log.table
    rows = log.runs.rows(run)
    moving = set() if alone else {name for names in log.varying for name in names}
    names = [n for n in log.roles.metrics if n in moving] or list(log.roles.metrics)
    return any(bool(table.columns[name].present[rows].any()) for name in names)


def _known(log: Log, run: int) -> Mapping[str, Any] | None:
    """Return the configuration that the records of a run themselves hold; None if they do not."""
    rows = log.runs.rows(run)
    for objects in log.table.objects.values():
        codes = objects.codes[rows]
        if (codes >= 0).any():
            value = objects.values[codes[np.argmax(codes >= 0)]]
            if isinstance(value, dict):
                return value
    if log.options.config is not None or not log.options.in_log or not len(rows):
        return None
    if rows[0] not in log.header_rows:
        return None
    record = log.table.record(int(rows[0]))
    if len(record) < 2 or any(key in record for key in _EVENT_KEYS):
        return None
    names = [name for name, _ in flatten(record, frozenset()) if name in log.table.columns]
    if names and not any(_only_in_header(log, name) for name in names if name != log.runs.column):
        return None  # an evaluation before the first step: all of it comes again
    return {k: v for k, v in record.items() if k != log.runs.column}


def _only_in_header(log: Log, name: str) -> bool:
    """Return whether a column is in the first record and never on a row of the curve."""
    present = log.table.columns[name].present
    return bool(present[log.header_rows].any() and not (present & log.has_x).any())


def _drop_header_columns(log: Log) -> None:
    """Remove columns of a first record that is the configuration from metrics and messages."""
    if log.table.objects or not len(log.header_rows):
        return
    if all(_known(log, run) is None for run in range(len(log.runs.keys))):
        return
    for name in [n for n in log.roles.metrics if _only_in_header(log, n)]:
        del log.roles.metrics[name]
    log.roles.messages = [n for n in log.roles.messages if not _only_in_header(log, n)]


def _share_problems(log: Log, runs: list[RunLog]) -> None:
    """Assign each bad line to the run that the record before it belongs to."""
    owner = np.zeros(len(log.table), dtype=np.int64)
    for index in range(len(runs)):
        owner[log.runs.rows(index)] = index
    for problem in log.table.problems:
        row = int(np.searchsorted(log.table.lines, problem.line or 0, side="right")) - 1
        runs[int(owner[row]) if row >= 0 and len(owner) else 0].problems.append(problem)
    for run in runs:
        run.problems.sort(key=lambda problem: problem.line or 0)


def _config_problems(log: Log, run: RunLog) -> list[Problem]:
    path = run.header.source.path
    if not len(log.table):
        return [Problem("empty", "no record", path)]
    if not run.header.has_config:
        return [Problem("no_config", "no configuration in the log or beside it", path)]
    rows = log.runs.rows(log.runs.keys.index(run.header.key))
    for name, objects in log.table.objects.items():
        codes = objects.codes[rows]
        several = np.unique(codes[codes >= 0])
        if len(several) > 1:
            changed = int(np.argmax((codes >= 0) & (codes != codes[np.argmax(codes >= 0)])))
            line = int(log.table.lines[rows[changed]])
            keys = differing_keys(*(objects.values[code] for code in several[:2]))
            message = f"{name!r} changes within the run: {', '.join(keys)}; the first is kept"
            return [Problem("config_conflict", message, path, line)]
    return []


def differing_keys(one: Any, other: Any, *, both: bool = False, prefix: str = "") -> list[str]:
    """Return the dotted keys whose values differ.

    Parameters
    ----------
    one, other : object
        Mappings, or the values of one key.
    both : bool
        Compare only keys that both mappings have.
    prefix : str
        Dotted key of ``one`` and ``other`` themselves.
    """
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [prefix]
    keys: list[str] = []
    for key in dict.fromkeys([*one, *other]):
        dotted = f"{prefix}.{key}" if prefix else str(key)
        if key in one and key in other:
            keys += differing_keys(one[key], other[key], both=both, prefix=dotted)
        elif not both:
            keys.append(dotted)
    return keys
