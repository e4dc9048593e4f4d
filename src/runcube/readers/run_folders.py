"""Folders of runs as W&B and SwanLab write them: one for each start, ``run-<time>-<id>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runcube.files import PACKED_ENDINGS
from runcube.readers.config_files import find_sidecars
from runcube.readers.leveldb_log import is_framed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile
    from runcube.files import Tree

_FOLDER = re.compile(r"(?:offline-)?run-(?P<time>\d{8}_\d{6})-.+")


@dataclass(frozen=True)
class RunFolders:
    """The files of one logger.

    Parameters
    ----------
    ending : str
        Of its logs, ``run-<id>.<ending>``.
    magic : bytes
        What they begin with.
    beside : tuple of str
        Names of the files in the folder ``files`` beside a log, in the order in which they count.
    """

    ending: str
    magic: bytes
    beside: tuple[str, ...]

    @cached_property
    def _log(self) -> re.Pattern[str]:
        packed = "|".join(map(re.escape, PACKED_ENDINGS))
        return re.compile(rf"run-(?P<id>.+)\.{self.ending}(?:{packed})")

    def logs_of(self, files: Sequence[LogFile]) -> list[LogFile]:
        """Return the logs among the files of a run."""
        return [file for file in files if self._log.fullmatch(file.path.rpartition("/")[2])]

    def runs(
        self, tree: Tree, *, may_be_empty: bool = False
    ) -> dict[tuple[str, str], list[LogFile]]:
        """Return the unclaimed logs of each run in order of time, by place and id of the run.

        Parameters
        ----------
        tree : Tree
        may_be_empty : bool
            Whether the log of a run that was killed early is an empty file.
        """
        runs: dict[tuple[str, str], list[LogFile]] = {}
        for file in tree.unclaimed():
            folder, _, name = file.path.rpartition("/")
            match = self._log.fullmatch(name)
            is_empty = may_be_empty and not file.size
            if match and (is_empty or is_framed(tree.head(file.path), self.magic)):
                above, _, own = folder.rpartition("/")
                place = above if _FOLDER.fullmatch(own) else folder
                runs.setdefault((place, match["id"]), []).append(file)
        for logs in runs.values():
            logs.sort(key=lambda file: (_begun(file.path), file.path))
        return runs

    def beside_logs(self, tree: Tree, logs: Sequence[LogFile]) -> Iterator[LogFile]:
        """Yield the files beside those of a run, the configuration of the last start first."""
        found: dict[str, LogFile] = {}
        for log in reversed(logs):
            paths = [in_files(log, name) for name in self.beside]
            found |= {path: tree.files[path] for path in paths if path in tree.files}
        for file in find_sidecars(tree, logs[-1].path.rpartition("/")[0]):
            found.setdefault(file.path, file)
        yield from found.values()


def in_files(log: LogFile, name: str) -> str:
    """Return the path of a file of a run's directory, as both loggers arrange them."""
    return "/".join(part for part in (log.path.rpartition("/")[0], "files", name) if part)


def _begun(path: str) -> str:
    """Return when a run was started, by the name of its directory; ``""`` if that is another."""
    match = _FOLDER.fullmatch(path.rpartition("/")[0].rpartition("/")[2])
    return match["time"] if match else ""
