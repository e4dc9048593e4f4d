"""trackio: an SQLite database for each project, and what was logged beside it into an inbox."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source
from runcube.readers.database import database_files, open_database, tables_in
from runcube.readers.jsonl import Options, open_log, runs_of_log
from runcube.readers.lines import BadLine, decode_line
from runcube.readers.reading import HeadersByReading, content_of
from runcube.readers.table import STEP, WALL, Part, column_of
from runcube.readers.times import utc_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree
    from runcube.readers.database import Database

_TABLES = frozenset({"metrics", "configs"})
_COLUMNS = frozenset({"run_name", "step", "timestamp", "metrics"})
_INBOX = "inbox"
_METRIC, _SYSTEM, _ALERT = "metric", "system_metric", "alert"
_KINDS = (_METRIC, _SYSTEM, _ALERT)
# What trackio adds to a configuration, and what it is called here.
_FACTS = {"_Username": "username", "_Created": "created", "_Group": "group"}
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MEDIA = "_type"
_OPTIONS = Options.of_logger(STEP, WALL, plain=map(column_of, (STEP, WALL)))


@dataclass(frozen=True)
class TrackioReader(HeadersByReading):
    """Reads the databases of trackio, and the fragments in their inbox.

    A run is known by its ``run_id``: names are used again. ``step`` is the x-axis. The line of a
    problem is the number of the row of the run: of the call of ``log``.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "trackio"
    limits: Limits = DEFAULT_LIMITS

    # Which runs there are shows the whole database.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each project: its database, then what is in the inbox for it."""
        waiting: dict[tuple[str, str], list[LogFile]] = {}
        for file in tree.unclaimed():
            project = _project_of_fragment(tree, file, self.limits)
            if project is not None:
                folder = file.path.rpartition("/")[0].rpartition("/")[0].rpartition("/")[0]
                waiting.setdefault((folder, project), []).append(file)
        for file in list(tree.unclaimed()):
            tables = tables_in(tree, file)
            if tables.keys() >= _TABLES and _COLUMNS.issubset(tables["metrics"]):
                folder, _, name = file.path.rpartition("/")
                own = waiting.pop((folder, name.partition(".")[0]), [])
                yield Source(tree.root, file.path, (*database_files(tree, file), *own))
        for files in waiting.values():
            yield Source(tree.root, files[0].path, tuple(files))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the runs of a project, in the order in which they first logged anything."""
        project = _Project(source, self.limits)
        if not project.runs:
            said = "; ".join(problem.message for problem in project.problems)
            raise OSError(said or "it holds no run")
        found = [self._log(project, run, source, request) for run in project.runs.values()]
        found[0].problems += project.problems
        return found

    def _log(self, project: _Project, run: _Run, source: Source, request: Request) -> RunLog:
        path = source.path
        if project.is_in_inbox and not any(math.isnan(row.time) for row in run.rows):
            run.rows.sort(key=lambda row: row.time)
        lines, media, problems = run.as_lines(path, self.limits)
        log = open_log([Part(path, lines)], replace(_OPTIONS, limits=self.limits))
        config, named = run.configuration(path, self.limits)
        known = (config, [*problems, *named], ["the run's row in 'configs'"])
        (found,) = runs_of_log(log, source, request, *known)
        for (name, kind), count in media.items():
            values = f"{count} value{'s' * (count > 1)} of type {kind!r}"
            found.problems.append(Problem("left_out", f"{name!r}: {values}, left out", path))
        if request.messages:
            found.messages += run.alerts
        found.header = replace(found.header, key=run.id)
        return found


@dataclass(frozen=True, slots=True)
class _Row:
    """A call of ``log``: values as JSON, its step, and its time in seconds since 1970."""

    step: Any
    time: float
    metrics: Any


@dataclass(slots=True)
class _Run:
    id: str
    name: str
    rows: list[_Row] = field(default_factory=list)
    config: Any = None
    alerts: list[str] = field(default_factory=list)

    def configuration(self, path: str, limits: Limits) -> tuple[dict[str, Any], list[Problem]]:
        """Return the configuration, with facts about the run in a section, and what is wrong."""
        found = _decoded(self.config, limits)
        problems = []
        if self.config is not None and not isinstance(found, dict):
            problems.append(Problem("no_config", "the configuration is no object", path))
        config = dict(found) if isinstance(found, dict) else {}
        facts: dict[str, Any] = {"run_id": self.id, "run_name": self.name}
        facts |= {new: config.pop(old, None) for old, new in _FACTS.items()}
        facts = {key: value for key, value in facts.items() if value is not None}
        if "trackio" in config:
            return config | {f"trackio.{key}": value for key, value in facts.items()}, problems
        return config | {"trackio": facts}, problems

    def as_lines(
        self, path: str, limits: Limits
    ) -> tuple[bytes, Counter[tuple[str, str]], list[Problem]]:
        """Return the rows as JSON lines, what was left out of them, and rows that are damaged."""
        lines, problems, media = [], [], Counter[tuple[str, str]]()
        for number, row in enumerate(self.rows, start=1):
            metrics = _decoded(row.metrics, limits)
            record: dict[str, Any] = {STEP: row.step} if row.step is not None else {}
            record |= {WALL: row.time} if not math.isnan(row.time) else {}
            if isinstance(metrics, dict):
                kept = _plain(metrics, media)
                lines.append(json.dumps(record | {column_of(k): v for k, v in kept.items()}))
            else:
                lines.append("")
                problems.append(Problem("bad_line", "no object of metrics", path, number))
        return "".join(line + "\n" for line in lines).encode(), media, problems


class _Project:
    """What is in a source, by run.

    Attributes
    ----------
    runs : dict of str to _Run
        By id.
    problems : list of Problem
        Of the source as a whole.
    is_in_inbox : bool
        Whether some of it is in an inbox: then times tell the order of rows.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self.runs: dict[str, _Run] = {}
        self.problems: list[Problem] = []
        self._known: set[str] = set()
        self._system = 0
        fragments = [file for file in source.files if _is_fragment(file.path)]
        self.is_in_inbox = bool(fragments)
        if len(fragments) < len(source.files):
            with open_database(source.root, source.files, limits) as database:
                self._read_database(database)
                self.problems += database.problems
        for file in fragments:
            self._read_fragment(source.root, file.path, limits)
        if self._system:
            message = f"{self._system} rows about the machine: left out"
            self.problems.append(Problem("left_out", message, source.path))

    def _run(self, run_id: Any, name: Any) -> _Run:
        # Older versions know runs by their names alone.
        own = str(run_id if run_id is not None else name)
        return self.runs.setdefault(own, _Run(own, str(name)))

    def _read_database(self, database: Database) -> None:
        known = ("run_id", "run_name")
        more = ("step", "timestamp", "metrics", "log_id")
        for run_id, name, step, time, metrics, log_id in database.rows("metrics", *known, *more):
            self._run(run_id, name).rows.append(_Row(step, utc_seconds(time), metrics))
            self._known |= {log_id} if log_id is not None else set()
        for run_id, name, config in database.rows("configs", *known, "config"):
            self._run(run_id, name).config = config
        for run_id, name, *said in database.rows("alerts", *known, "level", "title", "text"):
            self._run(run_id, name).alerts.append(_alert(*said))
        self._system += sum(1 for _ in database.rows("system_metrics", "run_name"))

    def _read_fragment(self, root: str, path: str, limits: Limits) -> None:
        data = content_of(root, path, limits, self.problems)
        for number, line in enumerate(data.splitlines(), start=1):
            record = _decoded(line, limits)
            kind = record.get("kind") if isinstance(record, dict) else None
            if kind not in _KINDS:
                if line.strip():
                    message = "no record of trackio: left out"
                    self.problems.append(Problem("bad_line", message, path, number))
                continue
            run = self._run(record.get("run_id"), record.get("run"))
            if kind == _SYSTEM:
                self._system += 1
            elif kind == _ALERT:
                run.alerts.append(_alert(*(record.get(key) for key in ("level", "title", "text"))))
            elif record.get("log_id") is None or record["log_id"] not in self._known:
                time = utc_seconds(record.get("timestamp"))
                run.rows.append(_Row(record.get("step"), time, record.get("metrics")))
                run.config = record.get("config") or run.config


def _is_fragment(path: str) -> bool:
    return path.endswith(".jsonl") and f"/{path}".split("/")[-3] == _INBOX


def _project_of_fragment(tree: Tree, file: LogFile, limits: Limits) -> str | None:
    """Return the name of the database that a fragment waits for; None if a file is none."""
    if file.path.count("/") < 2 or not _is_fragment(file.path):
        return None
    record = _decoded(tree.head(file.path).partition(b"\n")[0], limits)
    if not isinstance(record, dict) or record.get("kind") not in _KINDS or "v" not in record:
        return None
    named = str(record.get("project"))
    return "".join(c for c in named if c.isalnum() or c in "-_") or "default"


def _decoded(value: Any, limits: Limits) -> Any:
    """Return a value, decoded if it is JSON text; None if that is damaged."""
    if not isinstance(value, str | bytes):
        return value
    try:
        data = value if isinstance(value, bytes) else value.encode("utf-8", "backslashreplace")
        return decode_line(data, limits)
    except BadLine:
        return None


def _plain(
    value: Mapping[str, Any], media: Counter[tuple[str, str]], above: str = ""
) -> dict[str, Any]:
    """Return values as numbers where trackio wrote texts for them, without tables and pictures."""
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and _MEDIA in item:
            media[above + key, str(item[_MEDIA])] += 1
        elif isinstance(item, dict):
            kept[key] = _plain(item, media, f"{above}{key}/")
        else:
            kept[key] = _NUMBERS.get(item, item) if isinstance(item, str) else item
    return kept


def _alert(level: Any, title: Any, text: Any) -> str:
    return ": ".join(str(part) for part in (level, title, text) if part)
