"""TensorBoard: a run is a folder with event files, and what belongs to it in folders below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    DEFAULT_LIMITS,
    Limits,
    Problem,
    Source,
    Status,
    natural_key,
    opened,
    value_at,
)
from runcube.readers.config_files import find_sidecars, load_sidecars, shown_keys
from runcube.readers.jsonl import differing_keys, log_of_points, runs_of_log
from runcube.readers.reading import HeadersByReading, content_of
from runcube.readers.tensorboard.folders import (
    below,
    folder_of,
    is_event_name,
    names_in_run,
    runs_of_folders,
)
from runcube.readers.tensorboard.rows import EventFile, table_of
from runcube.readers.tensorboard.scalars import read_events
from runcube.readers.tensorboard.text_tables import config_in_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree
    from runcube.readers.tensorboard.scalars import FileEvents

_ENDS = {1: Status.COMPLETE, 2: Status.FAILED}
_ROOT = "."
_NOTHING = object()
_READING = ("values", "float32 as TensorBoard keeps them, each widened to float64 as it is")


@dataclass(frozen=True)
class TensorBoardReader(HeadersByReading):
    """Reads TensorBoard event files: scalars, hyperparameters and text.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "tensorboard"
    limits: Limits = DEFAULT_LIMITS

    # Hyperparameters may stand anywhere in a file.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each run: its event files, then its configuration files."""
        found = []
        for folder, files in runs_of_folders(tree):
            beside = find_sidecars(tree, folder)
            found.append(Source(tree.root, folder or _ROOT, (*files, *beside)))
        yield from sorted(found, key=lambda source: natural_key(source.path))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a source."""
        files, problems = self._files(source)
        own, conflicts = _hparams(files)
        written = [text for file in files for text in file.events.texts]
        for _, _, text in written:
            own |= config_in_text(text)
        sidecars = [file for file in source.files if not is_event_name(file.path)]
        config, named = self._config(source, sidecars, own)
        table = table_of(files)
        table.problems += [problem for file in files for problem in file.events.problems]
        log = log_of_points(table, self.limits)
        names = [file.path.rpartition("/")[2] for file in sidecars]
        names += ["hyperparameters in the events"] if own else []
        (run,) = runs_of_log(log, source, request, config, [*problems, *conflicts, *named], names)
        run.marker = _marker(files)
        run.train_time = _seconds(files)
        if request.messages:
            run.messages = [f"{tag}: {text}" if tag else text for _, tag, text in written]
        run.header = replace(run.header, reading=(*run.header.reading, _READING))
        return [run]

    def _files(self, source: Source) -> tuple[list[EventFile], list[Problem]]:
        """Return the event files of a run in the order of their first records."""
        base = "" if source.path == _ROOT else source.path
        found: list[EventFile] = []
        problems: list[Problem] = []
        for file in source.files:
            if not is_event_name(file.path):
                continue
            data = content_of(source.root, file.path, self.limits, problems, binary=True)
            events = read_events(data, file.path, self.limits)
            path = below(folder_of(file.path), base)
            is_session = events.is_of_add_hparams
            names = names_in_run(path, events.tags, is_session=is_session)
            found.append(EventFile(file.path, events, names))
        found.sort(key=lambda file: (_began(file.events), natural_key(file.path)))
        return found, problems

    def _config(
        self, source: Source, sidecars: Sequence[LogFile], own: dict[str, Any]
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Return the configuration of a run, and problems: what its events hold counts most.

        A key that a file holds as well keeps its place and its type there. The plugin knows no
        sections: what loggers call ``optim/lr`` is ``lr`` in ``optim``.
        """
        beside, problems = load_sidecars(source, sidecars, self.limits)
        kept: dict[str, Any] = {}
        for key, value in own.items():
            parts = [key] if key in beside else _sections(key, own, beside)
            held = value_at(beside, parts, _NOTHING)
            if held is not _NOTHING and _is_same(held, value):
                continue
            opened(kept, parts[:-1])[parts[-1]] = value
        if not (own and beside):
            return kept or beside, problems
        return load_sidecars(source, sidecars, self.limits, own=(source.files[0].path, kept))


def _began(events: FileEvents) -> float:
    return np.inf if np.isnan(events.began) else events.began


def _hparams(files: Sequence[EventFile]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the hyperparameters of all sessions of a run; where they differ the last count."""
    found: dict[str, Any] = {}
    problems = []
    for file in files:
        for session in file.events.sessions:
            hparams = session.event.hparams or {}
            keys = differing_keys(found, hparams, both=True)
            if keys:
                what = f"{shown_keys(keys)}: another value than in the session before; it counts"
                problems.append(Problem("config_conflict", what, file.path, session.number))
            found |= hparams
    return found, problems


def _marker(files: Sequence[EventFile]) -> Status | None:
    """Return how the last session ended, if it took its time to do so.

    ``add_hparams`` writes that a session ended well when it begins.
    """
    sessions = [s.event for f in files if not f.events.is_of_add_hparams for s in f.events.sessions]
    return _ENDS.get(sessions[-1].status) if sessions and sessions[-1].ends_session else None


def _seconds(files: Sequence[EventFile]) -> float:
    """Return how long anything was written: the time that all files together cover."""
    spans = sorted(
        (file.events.began, file.events.ended)
        for file in files
        if file.events.ended > file.events.began
    )
    total, reached = 0.0, -np.inf
    for began, ended in spans:
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total or float("nan")


def _sections(key: str, *configs: dict[str, Any]) -> list[str]:
    """Return a key with its sections, outermost first; alone if a section is a value itself."""
    parts = key.split("/")
    above = ["/".join(parts[:size]) for size in range(1, len(parts))]
    is_value = any(not isinstance(config.get(one, {}), dict) for config in configs for one in above)
    return [key] if is_value or not all(parts) else parts


def _is_same(value: Any, logged: Any) -> bool:
    """Return whether the plugin has a value of a file, in so far as it can hold it.

    PyTorch writes true and false as 1 and 0.
    """
    if isinstance(logged, str) and not isinstance(value, str):
        return str(value) == logged
    return isinstance(value, bool) >= isinstance(logged, bool) and bool(value == logged)
