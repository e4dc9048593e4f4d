"""A journal file: one operation a line, replayed in order."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, decode_line, split_lines
from runcube.readers.optuna.trials import (
    DIRECTIONS,
    METRIC_NAMES,
    RUNNING,
    STATES,
    Study,
    Trial,
    is_number,
    is_step,
    parameter,
)
from runcube.readers.times import utc_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runcube.core import Limits

# On any line, since the first one may be damaged.
_BEGINS = re.compile(rb'^\s*\{\s*"op_code"\s*:\s*\d+\s*,\s*"worker_id"\s*:', re.MULTILINE)
_OPERATION = re.compile(rb'\{\s*"op_code"\s*:')
_CODE = re.compile(rb'"op_code"\s*:\s*(\d{1,9})\s*[,}]')
_STUDY = re.compile(rb'"study_id"\s*:\s*(\d{1,9})\s*[,}]')
_NAME = re.compile(rb'"study_name"\s*:\s*"([^"\\]+)"')
_STEP = re.compile(r"-?[0-9]{1,18}")
_CREATES_TRIAL = 4
# What stands in operations of another kind than those that create a trial.
_OF_OTHERS = (b'"trial_id"', b'"study_name"', b'_attr"', b'"directions"')
_DOUBT = "it may have created a trial: those behind it may be called one too low"


def is_journal(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a journal."""
    return _BEGINS.search(head) is not None


def read_journal(data: bytes, path: str, limits: Limits) -> tuple[list[Study], list[Problem]]:
    """Return the studies of a journal, and what is wrong with its lines.

    Operations that Optuna itself would refuse, such as one on a trial that has ended, do nothing.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
    """
    replay = _Replay(path)
    for line in split_lines(data):
        try:
            replay.apply(decode_line(line.data, limits), line.number)
        except BadLine as whole:
            pieces = _pieces(line.data)
            for piece in pieces:
                try:
                    replay.apply(decode_line(piece, limits), line.number)
                except BadLine as error:
                    known = error if len(pieces) > 1 else whole
                    is_last = piece is pieces[-1] and not line.ended
                    replay.lose(piece, line.number, known, is_cut=is_last)
    return [study for study in replay.studies.values() if study is not None], replay.problems


def _pieces(line: bytes) -> list[bytes]:
    """Return the operations on a line: behind half a one, of a writer that died, another begins."""
    starts = [0, *(match.start() for match in _OPERATION.finditer(line, 1)), len(line)]
    return [line[start:end] for start, end in pairwise(starts)]


class _Unfit(ValueError):
    """An operation that says what none can."""


class _Replay:
    """The state of a journal after some of its operations.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    studies : dict of int to Study or None
        By id; None where one was deleted.
    problems : list of Problem
    """

    def __init__(self, path: str) -> None:
        self.studies: dict[int, Study | None] = {}
        self.problems: list[Problem] = []
        self._path = path
        # By id; None where the line that created one is lost, and with it its study.
        self._trials: list[Trial | None] = []
        self._lost = 0
        self._codes: dict[int, Callable[[Mapping[str, Any]], object]] = {
            0: self._create_study,
            1: self._delete_study,
            2: self._study_attr,
            3: self._study_system_attr,
            _CREATES_TRIAL: self._create_trial,
            5: self._param,
            6: self._state,
            7: self._report,
            8: self._trial_attr,
            9: self._open_trial,  # what a sampler notes for itself
        }

    def apply(self, operation: Any, line: int) -> None:
        """Apply what one line says; where it is damaged, ids count on if it created a trial."""
        operation = operation if isinstance(operation, dict) else {}
        code = operation.get("op_code")
        try:
            if not is_step(code) or code not in self._codes:
                raise _Unfit(f"operation {code!r} is none that Optuna has")
            self._codes[code](operation)
        except _Unfit as error:
            if code != _CREATES_TRIAL:
                self._create_unnamed(operation)
            self._name("bad_line", str(error), line)

    def _create_unnamed(self, operation: Mapping[str, Any]) -> None:
        """Create what an operation did whose code is damaged, as far as it shows."""
        if "trial_id" not in operation and "datetime_start" in operation:
            own = operation.get("study_id")
            self._add_trial(self.studies.get(own) if is_step(own) else self._lone_study())
        elif isinstance(operation.get("study_name"), str):
            self._add_study(operation["study_name"])

    def lose(self, line: bytes, number: int, error: BadLine, *, is_cut: bool) -> None:
        """Take notice of a line that cannot be read; ids count on, if it created something."""
        found = _CODE.search(line)
        code = int(found[1]) if found else None
        is_other = any(word in line for word in _OF_OTHERS)
        study, name = _STUDY.search(line), _NAME.search(line)
        message = str(error)
        if code == _CREATES_TRIAL and not is_other:
            own = self.studies.get(int(study[1])) if study else self._lone_study()
            self._add_trial(own)
        elif name is not None and code in (None, 0):
            self._add_study(name[1].decode("utf-8", "backslashreplace"))
        elif code == 0:
            self._lost += 1
        elif not is_cut and not is_other and code not in self._codes:
            self._lost += 1
            message += f"; {_DOUBT}"
        self._name("truncated_tail" if is_cut else error.kind, message, number)

    def _name(self, kind: str, message: str, line: int) -> None:
        self.problems.append(Problem(kind, message, self._path, line))

    def _lone_study(self) -> Study | None:
        left = [study for study in self.studies.values() if study is not None]
        return left[0] if len(left) == 1 else None

    def _create_study(self, operation: Mapping[str, Any]) -> None:
        name, directions = operation.get("study_name"), operation.get("directions")
        if not isinstance(name, str):
            self._lost += 1
            raise _Unfit("a study without a name")
        numbers = directions if isinstance(directions, list) else []
        known = [d for d in numbers if is_step(d) and 0 <= d < len(DIRECTIONS)]
        self._add_study(name, [DIRECTIONS[d].lower() for d in known])

    def _add_study(self, name: str, directions: Sequence[str] = ()) -> None:
        """Add a study; one that is there already is what a second worker opened."""
        if all(study is None or study.name != name for study in self.studies.values()):
            self.studies[len(self.studies)] = Study(name, [*directions])

    def _study(self, operation: Mapping[str, Any]) -> Study | None:
        """Return the study that an operation is on; None if it was deleted.

        The next id that there is none of yet is that of a study whose line was lost.
        """
        number = operation.get("study_id")
        if self._lost and number == len(self.studies):
            self._lost -= 1
            self._add_study(f"study {number}")
        if not is_step(number) or number not in self.studies:
            raise _Unfit(f"study {number!r} is not there")
        return self.studies[number]

    def _delete_study(self, operation: Mapping[str, Any]) -> None:
        if self._study(operation) is not None:
            self.studies[operation["study_id"]] = None

    def _study_attr(self, operation: Mapping[str, Any]) -> None:
        study = self._study(operation)
        if study is not None:
            study.attrs |= _mapping(operation, "user_attr")

    def _study_system_attr(self, operation: Mapping[str, Any]) -> None:
        study = self._study(operation)
        names = _mapping(operation, "system_attr").get(METRIC_NAMES)
        if study is not None and isinstance(names, list):
            study.metric_names = [*map(str, names)]

    def _create_trial(self, operation: Mapping[str, Any]) -> None:
        try:
            study = self._study(operation)
        except _Unfit:
            self._add_trial(self._lone_study())
            raise
        if study is None:
            return
        state = operation.get("state", 0)
        trial = self._add_trial(study)
        trial.state = STATES[state] if is_step(state) and 0 <= state < len(STATES) else RUNNING
        trial.attrs = dict(_mapping(operation, "user_attrs"))
        trial.began = utc_seconds(operation.get("datetime_start"))
        trial.ended = utc_seconds(operation.get("datetime_complete"))
        values = operation.get("values")
        value = operation.get("value")
        trial.values = _numbers(values if values is not None or value is None else [value])
        distributions = _mapping(operation, "distributions")
        for step, value in _mapping(operation, "intermediate_values").items():
            if not is_number(value) or not _STEP.fullmatch(step):
                raise _Unfit("no number is reported at a step")
            trial.reported[int(step)] = float(value)
        for name, value in _mapping(operation, "params").items():
            self._set_param(trial, name, value, distributions.get(name))

    def _add_trial(self, study: Study | None) -> Trial:
        trial = Trial(0 if study is None else len(study.trials))
        self._trials.append(trial if study is not None else None)
        if study is not None:
            study.trials.append(trial)
        return trial

    def _open_trial(self, operation: Mapping[str, Any]) -> Trial | None:
        """Return the trial that an operation is on; None if it may not change any more.

        The next id that there is none of yet is that of a trial whose line was lost.
        """
        number = operation.get("trial_id")
        if not is_step(number) or number < 0:
            raise _Unfit(f"trial {number!r} is not there")
        if self._lost and number == len(self._trials):
            self._lost -= 1
            self._add_trial(self._lone_study())
        if number >= len(self._trials):
            raise _Unfit(f"trial {number!r} is not there")
        trial = self._trials[number]
        if trial is None:
            raise _Unfit(f"trial {number!r} is of a study that is not known")
        return None if trial.is_finished else trial

    def _param(self, operation: Mapping[str, Any]) -> None:
        trial, name = self._open_trial(operation), operation.get("param_name")
        if not isinstance(name, str):
            raise _Unfit("a parameter without a name")
        if trial is not None:
            stored = operation.get("param_value_internal")
            self._set_param(trial, name, stored, operation.get("distribution"))

    def _set_param(self, trial: Trial, name: str, stored: Any, distribution: Any) -> None:
        """Set a parameter; of one whose distribution is lost, what is stored stays."""
        trial.params[name] = stored
        if not is_number(stored):
            raise _Unfit(f"{name!r}: no number is stored")
        try:
            trial.params[name] = parameter(stored, distribution)
        except ValueError as error:
            raise _Unfit(f"{name!r}: {error}: the number that is stored stays") from error

    def _state(self, operation: Mapping[str, Any]) -> None:
        trial, number = self._open_trial(operation), operation.get("state")
        if not is_step(number) or not 0 <= number < len(STATES):
            raise _Unfit(f"state {number!r} is none that Optuna has")
        state = STATES[number]
        if trial is None or state == trial.state == RUNNING:
            return
        if state == RUNNING:
            trial.began = utc_seconds(operation.get("datetime_start"))
        trial.state = state
        if trial.is_finished:
            trial.ended = utc_seconds(operation.get("datetime_complete"))
        if operation.get("values") is not None:
            trial.values = _numbers(operation["values"])

    def _report(self, operation: Mapping[str, Any]) -> None:
        trial, step = self._open_trial(operation), operation.get("step")
        value = operation.get("intermediate_value")
        if not is_step(step) or not is_number(value):
            raise _Unfit("no number is reported at a step")
        if trial is not None:
            trial.reported[step] = float(value)

    def _trial_attr(self, operation: Mapping[str, Any]) -> None:
        trial = self._open_trial(operation)
        if trial is not None:
            trial.attrs |= _mapping(operation, "user_attr")


def _mapping(operation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what an operation has under a name; nothing where it has none.

    Raises
    ------
    _Unfit
        If it is no object.
    """
    found = operation.get(name)
    if found is not None and not isinstance(found, dict):
        raise _Unfit(f"{name!r} is no object")
    return found or {}


def _numbers(values: Any) -> list[float]:
    """Return the values of objectives.

    Raises
    ------
    _Unfit
        If these are none.
    """
    if values is None:
        return []
    if not isinstance(values, list) or not all(map(is_number, values)):
        raise _Unfit("the values of the objectives are no numbers")
    return [*map(float, values)]
