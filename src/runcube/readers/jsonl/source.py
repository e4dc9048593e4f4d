"""One JSONL source to runs and their headers: what all line-wise readers share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.core import Problem, RunLog, is_count_like, value_at
from runcube.readers.config_files import is_sidecar_name, is_unresolved, load_sidecars
from runcube.readers.jsonl.configuration import known_configuration, run_header
from runcube.readers.jsonl.interleave import interleaved
from runcube.readers.jsonl.log import Log
from runcube.readers.jsonl.names import CONFIG_KEYS, RUN_KEYS
from runcube.readers.jsonl.options import Options
from runcube.readers.jsonl.reading import how_it_was_read
from runcube.readers.jsonl.runs import build_run
from runcube.readers.jsonl.training_loops import correct_steps
from runcube.readers.jsonl.x_columns import axis_of
from runcube.readers.lines import is_number
from runcube.readers.reading import content_of
from runcube.readers.table import STEP, WALL, Part, first_records, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runcube.core import Limits, LogFile, Request, Source
    from runcube.readers.table import PointTable


# Problems of a configuration file of which nothing is known.
_UNSOUND = ("no_config", "unreadable")


class Decoded(NamedTuple):
    """A file of another form as JSON lines.

    Parameters
    ----------
    data : bytes
        Its records, each on the line of the file on which it stands.
    problems : sequence of Problem
        What is wrong with its lines.
    notes : sequence of str
        What was found out about its form, for people.
    """

    data: bytes
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()


def read_log(
    source: Source,
    options: Options,
    request: Request,
    decode: Callable[[bytes, str, Limits], Decoded] | None = None,
) -> tuple[Log, list[RunLog]]:
    """Return all runs of a source, and the log they came from.

    Parameters
    ----------
    source : Source
        The files of the log, then its configuration files if it has any.
    options : Options
    request : Request
    decode : callable, optional
        Takes what a file holds, its path and bounds, where it is not JSON lines by itself.

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
    logs, sidecars = files_of_log(source, options)
    beside, problems = load_sidecars(source, sidecars, options.limits)
    damages: list[Problem] = []
    parts, decoded = [], []
    for file in logs:
        data = content_of(source.root, file.path, options.limits, damages)
        decoded.append(decode(data, file.path, options.limits) if decode else Decoded(data))
        parts.append(Part(file.path, decoded[-1].data))
    log = open_log(parts, options)
    log.table.problems += [problem for one in decoded for problem in one.problems]
    names = [file.path.rpartition("/")[2] for file in sidecars]
    runs = runs_of_log(log, source, request, beside, problems, names)
    runs[-1].problems += damages
    notes = ", ".join(dict.fromkeys(note for one in decoded for note in one.notes))
    for run in runs if notes else ():
        run.header = replace(run.header, reading=(*run.header.reading, ("form", notes)))
    return log, runs


def runs_of_log(
    log: Log,
    source: Source,
    request: Request,
    beside: Mapping[str, Any],
    problems: Sequence[Problem],
    names: Sequence[str],
) -> list[RunLog]:
    """Return all runs of a log, whatever format its table was read from.

    Parameters
    ----------
    log : Log
    source : Source
    request : Request
    beside : mapping
        The configuration that is known from elsewhere.
    problems : sequence of Problem
        What is wrong with it.
    names : sequence of str
        Names of its files.

    Returns
    -------
    list of RunLog, (runs,)
        In order of first appearance.
    """
    is_sound = not any(problem.kind in _UNSOUND for problem in problems)
    known = [known_configuration(log, run) for run in range(len(log.runs.keys))]
    headers = [
        run_header(log, run, source, own, beside, is_sound=is_sound)
        for run, own in enumerate(known)
    ]
    runs = [build_run(log, run, header, request) for run, header in enumerate(headers)]
    _share_problems(log, runs)
    for number, run in enumerate(runs):
        run.problems += [*problems, *_config_problems(log, number, run, known[number], beside)]
        if log.runs.column is not None and not known[number] and any(known):
            run.problems.append(_unlike_others(log, number))
        run.header = replace(run.header, reading=how_it_was_read(log, number, run, names))
        if len(log.table.parts) > 1:
            starts = zip(log.table.parts, log.table.first_lines, strict=True)
            run.parts = tuple((part.path, first, part.before) for part, first in starts)
            run.parallel = log.is_parallel
    return runs


def files_of_log(source: Source, options: Options) -> tuple[Sequence[LogFile], Sequence[LogFile]]:
    """Return the files of a source that hold records, and those that hold its configuration."""
    own = options.config_file
    count = 1
    for file in source.files[1:]:
        if is_sidecar_name(file.path) or (own and file.path.endswith(own)):
            break
        count += 1
    return source.files[:count], source.files[count:]


def open_log(parts: Sequence[Part], options: Options) -> Log:
    """Return the log that some files hold together; those written at the same time in order."""
    raw = raw_keys([r for part in parts for r in first_records(part.data, options.limits)], options)
    log = _open_whole(parts, options, raw)
    ordered = interleaved(log)
    if ordered:
        log = _open_whole(ordered, options, raw)
        log.is_ordered = True
    return log


def log_of_points(table: PointTable, limits: Limits) -> Log:
    """Return the log of points, whose step and time are known: all else is metrics.

    A metric that is called like an axis (``epoch``) may be one beside the step.
    """
    own = (STEP, WALL)
    plain = [name for name in table.columns if name not in own and axis_of(name) in own]
    options = Options.of_logger(STEP, WALL, plain=plain, limits=limits)
    log = Log(table, replace(options, objects=False))
    log.is_ordered = True
    return log


def _open_whole(parts: Sequence[Part], options: Options, raw: frozenset[str]) -> Log:
    """Return a log whose objects are kept whole while they look like the configuration.

    If one turns out to move within a run, its keys are columns like others.
    """
    while True:
        table = read_table(parts, raw=raw, limits=options.limits)
        correct_steps(table)
        log = Log(table, options)
        wanted = (*(options.config or CONFIG_KEYS), options.header)
        moving = {
            name
            for name, objects in log.table.objects.items()
            # A metric that is called like a configuration holds numbers as well.
            if any(map(is_number, objects.values)) or (name not in wanted and _moves(log, name))
        }
        if not moving:
            return log
        raw -= moving


def _moves(log: Log, name: str) -> bool:
    objects = log.table.objects[name]
    return any((codes != codes[:1]).any() for _, codes in map(objects.on, log.runs.rows))


def raw_keys(records: Sequence[Mapping[str, Any]], options: Options) -> frozenset[str]:
    """Return the top-level keys of the first records whose objects are a configuration.

    Those of familiar names, and those of a first record that has no x and is not like the others.
    """
    if not options.in_log:
        return frozenset()
    objects = [
        k for r in records for k, v in r.items() if isinstance(v, dict) and k and k == k.strip()
    ]
    said = frozenset([options.header] if options.header is not None else [])
    if options.config is not None or said:
        return (said | frozenset(options.config or ())).intersection(objects)
    found = frozenset(objects).intersection(CONFIG_KEYS) - {options.trailer}
    first = records[0] if records else {}
    if any(is_count_like(key) and is_number(value) for key, value in first.items()):
        return found
    own = {k for k, v in first.items() if isinstance(v, dict) and k and k == k.strip()}
    own.discard(str(options.trailer))
    beside = first.keys() - own - set(RUN_KEYS)
    later = {key for r in records[1:] for key in r if r.keys() != first.keys()}
    if len(records) > 1 and all(r.keys() == first.keys() for r in records) and beside:
        return found
    return found | (own - later)


def _share_problems(log: Log, runs: Sequence[RunLog]) -> None:
    """Assign each bad line to the run that the record before it belongs to."""
    table = log.table
    owner = np.zeros(len(table), dtype=np.int64)
    for index in range(len(runs)):
        owner[log.runs.rows[index]] = index
    for row, what in log.runs.lost.items():
        path, line = table.place(row)
        message = f"{log.runs.column!r} {what}: its record is left out"
        table.problems.append(Problem("bad_line", message, path, line))
    for problem in table.problems:
        line = problem.line or 0
        own = [i for i, p in enumerate(table.parts) if p.path == problem.path and p.before <= line]
        part = own[-1] if own else 0
        start = table.ends[part - 1] if part else 0
        lines = table.lines[start : table.ends[part]]
        row = start + int(np.searchsorted(lines, line, side="right")) - 1
        runs[int(owner[row]) if row >= 0 and len(owner) else 0].problems.append(problem)
    for run in runs:
        run.problems.sort(key=lambda problem: (problem.path, problem.line or 0))


def _unlike_others(log: Log, number: int) -> Problem:
    """Return the problem of a run that has no configuration where others of its log have one."""
    rows = log.runs.rows[number]
    path, line = log.table.place(int(rows[0]))
    message = f"run {log.runs.keys[number]!r}, {len(rows)} records from this line on, has none"
    return Problem("no_config", f"{message}, unlike other runs of the log", path, line)


def _config_problems(
    log: Log, number: int, run: RunLog, known: Mapping[str, Any], beside: Mapping[str, Any]
) -> Iterable[Problem]:
    path = run.header.source.path
    if not len(log.table):
        yield Problem("empty", "no record", path)
        return
    if not run.header.has_config:
        yield Problem("no_config", "no configuration in the log or beside it", path)
    differing = [
        key
        for key in differing_keys(beside, known, both=True)
        if not is_unresolved(value_at(beside, key.split(".")))
    ]
    if differing:
        message = f"{', '.join(map(repr, differing))} differ in the log and beside it"
        yield Problem("config_conflict", f"{message}; the log counts", path)
    rows = log.runs.rows[number]
    for name, objects in log.table.objects.items():
        at, codes = objects.on(rows)
        changed = codes != codes[:1]
        if changed.any():
            values = [objects.values[code] for code in dict.fromkeys(codes.tolist())]
            keys = dict.fromkeys(k for v in values[1:] for k in differing_keys(values[0], v))
            where, line = log.table.place(int(rows[at[changed][0]]))
            count = int(changed.sum())
            shown = ", ".join(map(repr, keys))
            what = f"changes within the run on {count} line{'s' * (count > 1)}"
            message = f"{name!r} {what}: {shown}; the first is kept"
            yield Problem("config_conflict", message, where, line)


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
