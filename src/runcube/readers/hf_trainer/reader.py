"""Hugging Face's ``Trainer``: a run is a folder of checkpoints, and the longest of them is it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source, Status, natural_key, value_at
from runcube.files import PACKED_ENDINGS
from runcube.readers.config_files import SIDECARS, find_sidecars, load_sidecars, merge
from runcube.readers.hf_trainer.history import (
    AXES,
    TRAIN_TIME,
    common_length,
    filtered,
    is_summary,
    named_entry,
    number_of,
    step_of,
)
from runcube.readers.json_file import is_damaged, read_json_file
from runcube.readers.jsonl import Options, open_log, runs_of_log
from runcube.readers.reading import HeadersByReading, content_if_any
from runcube.readers.table import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree
    from runcube.readers.jsonl import Log

STATE = "trainer_state.json"
_NAMES = tuple(STATE + packed for packed in PACKED_ENDINGS)
_CHECKPOINT = re.compile(r"checkpoint[-_].+")
_GLOBAL_STEP = re.compile(rb'"global_step"\s*:\s*(\d{1,15})\b')
_KEYS = (b'"global_step"', b'"best_metric"', b'"log_history"')
# ``trainer.args.to_json_string()``, and what PEFT writes, beside the configuration of the model.
_CONFIGS = ("training_args.json", *SIDECARS, "adapter_config.json")
# What the state says of the configuration: often nothing else does that needs no unpickling.
_FACTS = (
    *("num_train_epochs", "max_steps", "train_batch_size"),
    *("logging_steps", "eval_steps", "save_steps"),
)
_FILTER = "logging_nan_inf_filter"
_READING = (
    "values",
    "training losses are means since the entry before; where logging_nan_inf_filter is on, as it "
    "is by default, a NaN or infinite loss is no part of a mean, in training and evaluation",
)
_OPTIONS = Options.of_logger(*AXES, split="(?P<split>[^/]+)/(?P<metric>.+)")
_EVENTS = "tfevents."


class _State(NamedTuple):
    """What one ``trainer_state.json`` holds.

    Parameters
    ----------
    file : LogFile
    facts : dict
        All but the history.
    entries : list of dict
        The history.
    problems : list of Problem
    """

    file: LogFile
    facts: dict[str, Any]
    entries: list[dict[str, Any]]
    problems: list[Problem]

    @property
    def rank(self) -> tuple[float, int]:
        """How far the history goes, and of how many entries it is."""
        return max(map(step_of, self.entries), default=-1), len(self.entries)


@dataclass(frozen=True)
class TrainerReader(HeadersByReading):
    """Reads the ``trainer_state.json`` of Hugging Face's Trainer; ``step`` is the x-axis.

    Checkpoints of one folder are one run: the longest history counts, and the others are its
    beginnings, which is checked. The line of a problem is the number of the entry.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "hf-trainer"
    limits: Limits = DEFAULT_LIMITS

    # Which history is the longest shows in the whole files.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each run: its states, the longest first, then its configuration."""
        runs: dict[str, list[LogFile]] = {}
        for file in tree.unclaimed():
            folder, _, name = file.path.rpartition("/")
            if name in _NAMES and any(key in tree.head(file.path) for key in _KEYS):
                above, _, own = folder.rpartition("/")
                is_part = _CHECKPOINT.fullmatch(own) is not None
                runs.setdefault(above if is_part else folder, []).append(file)
        found = []
        for folder, files in runs.items():
            files.sort(key=lambda file: (-_reached(tree, file), file.path.count("/")))
            places = dict.fromkeys(file.path.rpartition("/")[0] for file in files)
            configs = (c for place in places for c in find_sidecars(tree, place, _CONFIGS))
            whole = dict.fromkeys((*files, *configs, *_events(tree, folder)))
            # Where the last state of the run stands, or would: its name stays what it is.
            path = f"{folder}/{STATE}" if folder else STATE
            found.append(Source(tree.root, path, (*whole,)))
        yield from sorted(found, key=lambda source: natural_key(source.path))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a source."""
        states = [self._state(source, file) for file in source.files if _is_state(file)]
        state = max(states, key=lambda one: one.rank)
        points = [entry for entry in state.entries if not is_summary(entry)]
        log = self._log(points, state.file.path)
        sidecars = [f for f in source.files if not (_is_state(f) or _is_events(f))]
        config, problems = self._configuration(source, sidecars, state)
        names = [STATE, *(file.path.rpartition("/")[2] for file in sidecars)]
        problems += chain.from_iterable(one.problems for one in states)
        problems += _filtered(points, state.file.path)
        problems += _second_record(source, state)
        problems += [p for one in states if one is not state for p in _differing(one, state)]
        runs = runs_of_log(log, source, request, config, problems, names)
        for run in runs:
            run.marker = _ending(state)
            run.train_time = _train_time(state)
            if request.messages:
                run.messages += _remarks(state)
            if config.get(_FILTER) is not False:
                run.header = replace(run.header, reading=(*run.header.reading, _READING))
        return runs

    def _log(self, points: Sequence[dict[str, Any]], path: str) -> Log:
        named = [*map(named_entry, points)]
        lines = "".join(json.dumps(entry, default=str) + "\n" for entry in named)
        plain = frozenset(name for entry in named for name in entry) - frozenset(AXES)
        options = replace(_OPTIONS, plain=plain, limits=self.limits)
        return open_log([Part(path, lines.encode("utf-8", "backslashreplace"))], options)

    def _state(self, source: Source, file: LogFile) -> _State:
        problems: list[Problem] = []
        data = content_if_any(source.root, file.path, self.limits, problems)
        if data is None:
            return _State(file, {}, [], problems)
        found, named = read_json_file(data, file.path, self.limits)
        history = found.pop("log_history", None)
        entries = history if isinstance(history, list) else []
        # Of a file that is cut, the last entry may lack its step, which comes last in it.
        whole = [entry for entry in entries if step_of(entry) >= 0 and not is_damaged(entry)]
        if len(whole) < len(entries):
            what = f"{len(entries) - len(whole)} entries that are damaged, or without a step"
            named = [*named, Problem("left_out", f"{what}: left out", file.path)]
        facts = {name: fact for name, fact in found.items() if not is_damaged(fact)}
        return _State(file, facts, whole, [*problems, *named])

    def _configuration(
        self, source: Source, sidecars: Sequence[LogFile], state: _State
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Return the configuration, and what is wrong with it: what was searched counts most."""
        tried = state.facts.get("trial_params")
        own = (state.file.path, tried) if isinstance(tried, dict) else None
        found, problems = load_sidecars(source, sidecars, self.limits, own=own)
        said = {name: state.facts[name] for name in _FACTS if state.facts.get(name) is not None}
        if state.facts.get("trial_name") is not None:
            said["trial_name"] = state.facts["trial_name"]
        return merge(said, found), problems


def _is_state(file: LogFile) -> bool:
    return file.path.rpartition("/")[2] in _NAMES


def _is_events(file: LogFile) -> bool:
    return _EVENTS in file.path.rpartition("/")[2]


def _events(tree: Tree, folder: str) -> Iterator[LogFile]:
    """Yield the event files that the Trainer wrote of a run, as by default it does."""
    runs = f"{folder}/runs/" if folder else "runs/"
    for path, file in tree.files.items():
        if _is_events(file) and (path.startswith(runs) or path.rpartition("/")[0] == folder):
            yield file


def _second_record(source: Source, state: _State) -> Iterator[Problem]:
    """Yield a problem that names event files of the run: what the last state lacks is in them."""
    files = [file for file in source.files if _is_events(file)]
    if files:
        what = (
            f"{len(files)} TensorBoard event file{'s' * (len(files) > 1)} of this run, a second "
            f"record in float32; what was logged after step {state.rank[0]:.15g} is there alone: "
            "reader='tensorboard' reads them"
        )
        yield Problem("not_read", what, files[0].path)


def _reached(tree: Tree, file: LogFile) -> int:
    """Return the step that a state was written at, by the beginning of its file."""
    match = _GLOBAL_STEP.search(tree.head(file.path))
    return int(match[1]) if match else -1


def _differing(other: _State, state: _State) -> Iterator[Problem]:
    """Yield a problem for a state whose history is not the beginning of that of the run."""
    same = common_length(other.entries, state.entries)
    if same < len(other.entries):
        count = len(other.entries) - same
        what = (
            f"no beginning of {state.file.path}: from entry {same + 1} on (step "
            f"{step_of(other.entries[same]):.15g}) they differ; {count} "
            f"entr{'ies' if count > 1 else 'y'} left out"
        )
        yield Problem("left_out", what, other.file.path, same + 1)


def _filtered(points: Sequence[dict[str, Any]], path: str) -> Iterator[Problem]:
    """Yield a problem if losses that are no numbers were replaced."""
    found = filtered(points)
    if found:
        what = (
            f"grad_norm is {found[0]['grad_norm']} on {len(found)} entries from step "
            f"{step_of(found[0]):.15g} on, where loss is a number: the Trainer replaces a NaN or "
            f"infinite loss ({_FILTER}), so the run has diverged"
        )
        yield Problem("filtered_nan", what, path, points.index(found[0]) + 1)


def _ending(state: _State) -> Status:
    """Return how a run ended: by its summary, its last step, or the word of a callback."""
    if any(map(is_summary, state.entries)):
        return Status.COMPLETE
    stop = ("stateful_callbacks", "TrainerControl", "args", "should_training_stop")
    reached, most = state.facts.get("global_step"), state.facts.get("max_steps")
    numbers = isinstance(reached, int | float) and isinstance(most, int | float)
    is_whole = numbers and 0 < most <= reached  # type: ignore[operator]
    return Status.COMPLETE if is_whole or value_at(state.facts, stop) is True else Status.INCOMPLETE


def _train_time(state: _State) -> float:
    seconds = next((e[TRAIN_TIME] for e in reversed(state.entries) if is_summary(e)), None)
    known = number_of(seconds)
    return float("nan") if known is None else known


def _remarks(state: _State) -> list[str]:
    """Return what the state holds beside curves and configuration, as text."""
    rest = {k: v for k, v in state.facts.items() if k not in (*_FACTS, "trial_params")}
    said = [entry for entry in state.entries if is_summary(entry)]
    return [json.dumps(one, sort_keys=True, default=str) for one in (*said, rest) if one]
