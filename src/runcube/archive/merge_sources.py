"""The logs of several archives as one log store: what a merge plans and selects from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runcube.archive.sources import lost_values
from runcube.core import LogFile, Problem, Source
from runcube.pipeline import Discovery, Job
from runcube.plan import keys_from_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runcube.archive.existing import ExistingArchive
    from runcube.core import Request, RunLog
    from runcube.curves import Attempt, KeptRun, Selection
    from runcube.pipeline import ArrayTable, Policy, Record


@dataclass(frozen=True)
class _Home:
    """Where a log of the merged archive is kept.

    Parameters
    ----------
    existing : ExistingArchive
    path : str
        Path of the log in that archive.
    """

    existing: ExistingArchive
    path: str


class MergedSources:
    """The logs of several archives, as one ``LogStore`` and as the ``RunSource`` of a ``Writer``.

    Parameters
    ----------
    existing_archives : sequence of ExistingArchive, (archives,)

    Attributes
    ----------
    existing : None
        No chunks are copied.
    hashes : bool
        False: no log is read, so none is hashed.
    """

    existing: ExistingArchive | None = None
    hashes = False

    def __init__(self, existing_archives: Sequence[ExistingArchive]) -> None:
        self._homes: dict[str, _Home] = {}
        paths = [path for existing in existing_archives for path in existing.records]
        clash = len(set(paths)) < len(paths)
        stems = _stems([existing.path for existing in existing_archives])
        for existing, stem in zip(existing_archives, stems, strict=True):
            for path in existing.records:
                name = f"{stem}/{path}" if clash else path
                self._homes[name] = _Home(existing, path)
        self._records: dict[str, Record] = {}
        self._numbers: dict[int, int] = {}

    def discovery(self, policy: Policy) -> Discovery:
        """Return the logs that hold a cell in one of the archives, as if just discovered."""
        discovery = Discovery(".")
        keys: dict[str, dict[str, Any]] = {}
        by_archive: dict[int, list[tuple[str, str]]] = {}
        for name, home in self._homes.items():
            by_archive.setdefault(id(home.existing), []).append((name, home.path))
        for pairs in by_archive.values():
            given = keys_from_paths([path for _, path in pairs], policy.path_keys)
            keys |= {name: own for (name, _), own in zip(pairs, given, strict=True)}
        for name, home in self._homes.items():
            record = home.existing.records[home.path]
            if not any("cell" in item for item in record["logs"]):
                why = f"it holds no cell in {home.existing.path}"
                discovery.skipped.append(Problem("duplicate_run", why, name))
                continue
            files = tuple(LogFile(*file) for file in record["files"])
            job = Job(_Remembered(), Source("", name, files))
            kept, logs = home.existing.kept(_at_home(job, home))
            headers = [replace(header, source=job.source) for header in kept]
            if len(logs) < len(record["logs"]):
                count = len(record["logs"]) - len(logs)
                why = f"{count} of its runs or attempts hold no cell in {home.existing.path}"
                discovery.skipped.append(Problem("duplicate_run", why, name))
            discovery.jobs.append(job)
            discovery.headers += headers
            discovery.path_keys += [keys[name]] * len(headers)
            digest = record["digest"] if len(headers) == 1 else None
            discovery.digests += [digest] * len(headers)
        return discovery

    def get(self, job: Job, request: Request) -> Sequence[RunLog]:
        """Return what its archive has of a log."""
        del request
        name = job.source.path
        home = self._homes[name]
        _, logs = home.existing.kept(_at_home(job, home))
        for number, log in logs.items():
            self._numbers[id(log)] = number
            log.header = replace(log.header, source=job.source)
            log.problems = [replace(p, path=name) for p in log.problems]
        return [*logs.values()]

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Raise: nothing is read, so nothing is put.

        Raises
        ------
        NotImplementedError
        """
        raise NotImplementedError

    def record(self, path: str) -> tuple[Record, ArrayTable] | None:
        """Return the record of a source, with the table of its arrays."""
        home = self._homes[path]
        return home.existing.records[home.path] | {"path": path}, home.existing.table

    def number(self, log: RunLog) -> int:
        """Return the number of a log in the record of its source."""
        return self._numbers[id(log)]

    def message_size(self, log: RunLog) -> int:
        """Return the size in bytes of the packed messages of a log."""
        home = self._homes[log.header.source.path]
        return home.existing.text_size(home.path, self.number(log))

    def messages(self, log: RunLog) -> bytes:
        """Return the packed messages of a log."""
        home = self._homes[log.header.source.path]
        return home.existing.text(home.path, self.number(log))

    def name_lost(self, selection: Selection) -> None:
        """Record a problem of each run whose values are needed and were not kept."""
        for kept_run in selection.kept_runs:
            path = kept_run.attempt.log.header.source.path
            number = self.number(kept_run.attempt.log)
            home = self._homes[path]
            if not home.existing.has_values(home.path, number, kept_run):
                kept_run.attempt.problems.append(lost_values(path))

    def stays(self, attempt: Attempt | None, cell: int) -> bool:
        """Return False: nothing stays where it was."""
        del attempt, cell
        return False

    def all_stay(self, path: str, held: Sequence[tuple[int, KeptRun]]) -> bool:
        """Return False: nothing stays where it was."""
        del path, held
        return False


def _at_home(job: Job, home: _Home) -> Job:
    return replace(job, source=replace(job.source, path=home.path))


class _Remembered:
    """Stands for the reader of a log that is not read."""

    name = "remembered"

    def find(self, tree: Any) -> list[Any]:
        """Return nothing: the log is not there."""
        del tree
        return []

    def headers(self, source: Any) -> list[Any]:
        """Return nothing: the log is not there."""
        del source
        return []

    def read(self, source: Any, request: Any) -> list[Any]:
        """Return nothing: the log is not there."""
        del source, request
        return []


def _stems(paths: Sequence[Path]) -> list[str]:
    """Return a name for each archive: its stem, numbered where two share it."""
    stems: list[str] = []
    for path in paths:
        name, number = path.stem, 2
        while name in stems:
            name, number = f"{path.stem}_{number}", number + 1
        stems.append(name)
    return stems
