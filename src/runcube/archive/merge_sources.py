"""The logs of several archives as one log store: what a merge plans and selects from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runcube.archive.homes import Home
from runcube.core import LogFile, Problem, Source
from runcube.pipeline import Discovery, Job
from runcube.plan import keys_from_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runcube.archive.existing import ExistingArchive
    from runcube.core import Request, RunLog
    from runcube.pipeline import Policy


class MergedSources:
    """The logs of several archives, as one ``LogStore``.

    Parameters
    ----------
    existing_archives : sequence of ExistingArchive, (archives,)

    Attributes
    ----------
    homes : dict of str to Home
        Where each log is, by its path in the merged archive.
    hashes : bool
        False: no log is read, so none is hashed.
    """

    hashes = False

    def __init__(self, existing_archives: Sequence[ExistingArchive]) -> None:
        self._archives: dict[str, ExistingArchive] = {}
        self.homes: dict[str, Home] = {}
        paths = [path for existing in existing_archives for path in existing.records]
        clash = len(set(paths)) < len(paths)
        stems = _stems([existing.path for existing in existing_archives])
        for existing, stem in zip(existing_archives, stems, strict=True):
            for path in existing.records:
                name = f"{stem}/{path}" if clash else path
                self._archives[name], self.homes[name] = existing, Home(existing, path)

    def discovery(self, policy: Policy) -> Discovery:
        """Return the logs that hold a cell in one of the archives, as if just discovered."""
        discovery = Discovery(".")
        keys: dict[str, dict[str, Any]] = {}
        by_archive: dict[ExistingArchive, list[tuple[str, str]]] = {}
        for name, existing in self._archives.items():
            by_archive.setdefault(existing, []).append((name, self.homes[name].path))
        for pairs in by_archive.values():
            given = keys_from_paths([path for _, path in pairs], policy.path_keys)
            keys |= {name: own for (name, _), own in zip(pairs, given, strict=True)}
        for name, existing in self._archives.items():
            path = self.homes[name].path
            record = existing.records[path]
            if not existing.holds_any(path):
                why = f"it holds no cell in {existing.path}"
                discovery.skipped.append(Problem("duplicate_run", why, name))
                continue
            files = tuple(LogFile(*file) for file in record.files)
            job = Job(_Remembered(), Source("", name, files))
            kept, logs = existing.kept(self._at_home(job))
            headers = [replace(header, source=job.source) for header in kept]
            if len(logs) < len(record.logs):
                count = len(record.logs) - len(logs)
                why = f"{count} of its runs or attempts hold no cell in {existing.path}"
                discovery.skipped.append(Problem("duplicate_run", why, name))
            discovery.jobs.append(job)
            discovery.headers.extend(headers)
            discovery.path_keys.extend([keys[name]] * len(headers))
            digest = record.digest if len(headers) == 1 else None
            discovery.digests.extend([digest] * len(headers))
        return discovery

    def _at_home(self, job: Job) -> Job:
        path = self.homes[job.source.path].path
        return replace(job, source=replace(job.source, path=path))

    def get(self, job: Job, request: Request) -> Sequence[RunLog]:
        """Return what its archive has of a log."""
        del request
        name = job.source.path
        _, logs = self._archives[name].kept(self._at_home(job))
        for log in logs:
            log.header = replace(log.header, source=job.source)
            log.problems = [replace(p, path=name) for p in log.problems]
        return logs

    def put(self, job: Job, request: Request, logs: Sequence[RunLog]) -> Sequence[RunLog]:
        """Raise: nothing is read, so nothing is put.

        Raises
        ------
        NotImplementedError
        """
        raise NotImplementedError


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
