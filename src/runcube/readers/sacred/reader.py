"""Sacred's ``FileStorageObserver``: a run is a folder with ``run.json`` and ``metrics.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runcube.core import (
    DEFAULT_LIMITS,
    Limits,
    Problem,
    Source,
    Status,
    elapsed_seconds,
    natural_key,
    value_at,
)
from runcube.files import unpacked_path
from runcube.readers.config_files import find_sidecars, load_named, with_section
from runcube.readers.json_file import is_damaged, read_json_file
from runcube.readers.jsonl import Options, axis_of, open_log, runs_of_log
from runcube.readers.reading import HeadersByReading, content_if_any, text_if_any
from runcube.readers.sacred.plain import plain
from runcube.readers.sacred.rows import as_lines, column_of
from runcube.readers.sacred.series import Series, series_of_info, series_of_metrics
from runcube.readers.table import STEP, WALL, Part
from runcube.readers.times import utc_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree

METRICS, RUN, INFO, PRINTED = "metrics.json", "run.json", "info.json", "cout.txt"
_OWN = (METRICS, RUN, INFO, PRINTED)
_CURVE = re.compile(rb'\s*\{\s*"[^"]*"\s*:\s*\{\s*"(steps|timestamps|values)"\s*:\s*\[')
_FIRST = re.compile(rb'\s*\{\s*"artifacts"\s*:\s*\[')
_STATUS = {
    "COMPLETED": Status.COMPLETE,
    "FAILED": Status.FAILED,
    **dict.fromkeys(("INTERRUPTED", "TIMEOUT", "RUNNING", "QUEUED"), Status.INCOMPLETE),
}
# What is said of a run in the configuration, and where in ``run.json`` it stands.
_FACTS = {
    "experiment": ("experiment", "name"),
    "command": ("command",),
    "named_configs": ("meta", "named_configs"),
    "comment": ("meta", "options", "--comment"),
    "hostname": ("host", "hostname"),
    "start_time": ("start_time",),
}
_SECTION = "sacred"


@dataclass(frozen=True)
class SacredReader(HeadersByReading):
    """Reads the folders of Sacred's file store; ``step`` is the x-axis.

    The line of a problem with a point is the number of its row: of the step, counted over all
    curves.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "sacred"
    limits: Limits = DEFAULT_LIMITS

    # What is a curve, a number or a text shows in the whole files.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each folder of a run: its own files, then its configuration."""
        found = {}
        for file in tree.unclaimed():
            folder, _, name = file.path.rpartition("/")
            if folder not in found and _is_of_sacred(_plain_name(name), tree, file):
                found[folder] = _source(tree, folder)
        yield from sorted(found.values(), key=lambda source: natural_key(source.path))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a source."""
        files = {_plain_name(file.path): file for file in source.files[::-1]}
        problems: list[Problem] = []
        described, metrics, info = (
            self._object(source, files.get(name), problems) for name in (RUN, METRICS, INFO)
        )
        first = source.files[0].path
        paths = [files[name].path if name in files else first for name in (METRICS, INFO)]
        series, rest = _series(metrics, info, paths, problems)
        end = _end(series, rest, described)
        lines, lost = as_lines(series, end, first)
        # No metric is the step or a time of the run.
        names = (*(column_of(one.name) for one in series), *end)
        metrics_alone = [
            n for n in names if axis_of(n) in (STEP, WALL) or elapsed_seconds(n) is not None
        ]
        options = Options.of_logger(STEP, WALL, plain=metrics_alone, limits=self.limits)
        log = open_log([Part(first, lines)], options)
        config, named, beside = self._configuration(source, described)
        problems += [*lost, *named]
        runs = runs_of_log(log, source, request, config, problems, beside)
        for run in runs:
            run.marker = _STATUS.get(str(described.get("status")), run.marker)
            run.problems += _unfinished(described, source.path)
            stop = described.get("stop_time") or described.get("heartbeat")
            run.train_time = utc_seconds(stop) - utc_seconds(described.get("start_time"))
            if request.messages:
                run.messages += self._printed(source, files.get(PRINTED), described, run.problems)
        return runs

    def _object(
        self, source: Source, file: LogFile | None, problems: list[Problem]
    ) -> dict[str, Any]:
        """Return the object that a file of the run holds; empty if there is no such file."""
        if file is None:
            return {}
        data = content_if_any(source.root, file.path, self.limits, problems)
        if data is None:
            return {}
        found, named = read_json_file(data, file.path, self.limits)
        problems += named
        return found

    def _configuration(
        self, source: Source, described: dict[str, Any]
    ) -> tuple[dict[str, Any], list[Problem], list[str]]:
        """Return the configuration with what is said of the run, what is wrong, and its files."""
        found, problems, names = load_named(source, self.limits)
        config = plain(found)
        facts = {name: value_at(described, keys) for name, keys in _FACTS.items()}
        said = {
            name: fact
            for name, fact in facts.items()
            if fact not in (None, [], "") and not is_damaged(fact)
        }
        folder = source.path.rpartition("/")[0]
        said |= {"run_id": folder.rpartition("/")[2]} if folder else {}
        if not (found or problems):
            problems.append(Problem("no_config", "there is no config.json", source.path))
        return with_section(config, _SECTION, said), problems, names

    def _printed(
        self,
        source: Source,
        file: LogFile | None,
        described: dict[str, Any],
        problems: list[Problem],
    ) -> list[str]:
        """Return the lines that a run printed, and those of the exception that ended it."""
        text = None
        if file is not None:
            text = text_if_any(source.root, file.path, self.limits, problems)
        trace = described.get("fail_trace")
        raised = [piece for piece in trace or [] if isinstance(piece, str)]
        lines = [*(text or "").splitlines(), *"".join(raised).splitlines()]
        return [line for line in lines if line.strip()]


def _plain_name(path: str) -> str:
    """Return the name of a file without the ending of a packed one."""
    return unpacked_path(path).rpartition("/")[2]


def _is_of_sacred(name: str, tree: Tree, file: LogFile) -> bool:
    """Return whether a file shows that its folder is a run of Sacred."""
    if name == METRICS:
        return _CURVE.match(tree.head(file.path)) is not None
    if name != RUN:
        return False
    head = tree.head(file.path)
    return _FIRST.match(head) is not None or (b'"command"' in head and b'"experiment"' in head)


def _source(tree: Tree, folder: str) -> Source:
    beside = {_plain_name(name): file for name, file in tree.folder(folder).items()}
    own = [beside[name] for name in _OWN if name in beside]
    path = f"{folder}/{RUN}" if folder else RUN
    return Source(tree.root, path, (*own, *find_sidecars(tree, folder)))


def _series(
    metrics: dict[str, Any], info: dict[str, Any], paths: Sequence[str], problems: list[Problem]
) -> tuple[list[Series], dict[str, Any]]:
    """Return the curves of a run, and what else its ``info.json`` holds."""
    own, lost = series_of_metrics(metrics, paths[0])
    more, rest, others = series_of_info(info, own, paths[1])
    longer = {one.name for one in more}
    problems += [*lost, *others]
    return [*(one for one in own if one.name not in longer), *more], rest


def _end(
    series: Sequence[Series], rest: dict[str, Any], described: dict[str, Any]
) -> dict[str, Any]:
    """Return what stands behind the last row: the result, and what ``info.json`` says once."""
    taken = {one.name for one in series}
    result = described.get("result")
    end = {} if result is None else {"result": plain(result)}
    for name, value in rest.items():
        own = f"info/{name}" if name in taken or name in end else name
        end[column_of(own)] = value
    return end


def _unfinished(described: dict[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem for a run that says it is running: no clock is asked whether it is."""
    if described.get("status") == "RUNNING":
        beat = described.get("heartbeat") or "never"
        what = f"RUNNING, last heartbeat {beat} (UTC): if that is long ago, it was killed"
        yield Problem("not_ended", what, path)
