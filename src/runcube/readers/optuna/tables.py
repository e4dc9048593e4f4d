"""The tables of an SQLite database, of every schema since the first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, decode_line
from runcube.readers.optuna.trials import (
    METRIC_NAMES,
    STATES,
    Study,
    Trial,
    is_number,
    is_step,
    parameter,
)
from runcube.readers.times import utc_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runcube.core import Limits
    from runcube.readers.database import Database

_TABLES = ("studies", "trials", "trial_params")
_TYPED = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


def are_tables_of_optuna(tables: Mapping[str, Any]) -> bool:
    """Return whether a database with these tables is one of Optuna."""
    return all(name in tables for name in _TABLES)


def read_tables(database: Database, limits: Limits) -> tuple[list[Study], list[Problem]]:
    """Return the studies of a database, and what is wrong with its rows.

    Parameters
    ----------
    database : Database
    limits : Limits
    """
    reading = _Reading(database, limits)
    studies = reading.read()
    return studies, [*database.problems, *reading.problems]


class _Reading:
    """Rows of tables to studies; what is wrong with rows of a table is named once.

    Parameters
    ----------
    database : Database
    limits : Limits
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._studies: dict[Any, Study] = {}
        self._trials: dict[Any, Trial] = {}
        self._unfit: dict[tuple[str, str], int] = {}

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with rows, once for each table."""
        return [
            Problem("bad_line", f"{table!r}: {what}: {_count(count)}", self._database.path)
            for (table, what), count in self._unfit.items()
        ]

    def read(self) -> list[Study]:
        """Return the studies, with their trials in order of their numbers."""
        for number, name in self._database.rows("studies", "study_id", "study_name"):
            self._studies[number] = Study(name if isinstance(name, str) else f"study {number}")
        self._directions()
        for study, key, value in self._attrs("study_user_attributes", self._studies):
            study.attrs[key] = value
        for study, key, value in self._attrs("study_system_attributes", self._studies):
            if key == METRIC_NAMES and isinstance(value, list):
                study.metric_names = [*map(str, value)]
        self._read_trials()
        self._params()
        self._values()
        self._reports()
        for trial, key, value in self._attrs("trial_user_attributes", self._trials):
            trial.attrs[key] = value
        for study in self._studies.values():
            study.trials.sort(key=lambda trial: trial.number)
        return [*self._studies.values()]

    def _name(self, table: str, what: str) -> None:
        self._unfit[table, what] = self._unfit.get((table, what), 0) + 1

    def _directions(self) -> None:
        # Of schemas before the second the direction stands in the table of studies.
        old = [*self._database.rows("studies", "study_id", "direction")]
        new = [*self._database.rows("study_directions", "study_id", "direction")]
        for number, direction in [*old, *new]:
            study = self._studies.get(number)
            if study is not None and isinstance(direction, str):
                study.directions.append(direction.lower())

    def _attrs(self, table: str, owners: Mapping[Any, Any]) -> Iterator[tuple[Any, str, Any]]:
        """Yield owner, key and value of attributes; what is no JSON is the text that it is."""
        owner_id = "study_id" if table.startswith("study") else "trial_id"
        for number, key, text in self._database.rows(table, owner_id, "key", "value_json"):
            owner = owners.get(number)
            if owner is None or not isinstance(key, str) or not isinstance(text, str):
                self._name(table, "no attribute of what there is")
                continue
            try:
                yield (
                    owner,
                    key,
                    decode_line(text.encode("utf-8", "backslashreplace"), self._limits),
                )
            except BadLine:
                self._name(table, "no JSON, kept as text")
                yield owner, key, text

    def _read_trials(self) -> None:
        columns = ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete")
        for trial_id, number, study_id, state, began, ended in self._database.rows(
            "trials", *columns
        ):
            study = self._studies.get(study_id)
            if study is None or state not in STATES:
                self._name("trials", "no trial of a study")
                continue
            own = number if is_step(number) else len(study.trials)
            trial = Trial(own, state, began=utc_seconds(began), ended=utc_seconds(ended))
            study.trials.append(trial)
            self._trials[trial_id] = trial

    def _params(self) -> None:
        columns = ("trial_id", "param_name", "param_value", "distribution_json")
        for number, name, stored, distribution in self._database.rows("trial_params", *columns):
            trial = self._trials.get(number)
            if trial is None or not isinstance(name, str):
                self._name("trial_params", "no parameter of a trial")
                continue
            trial.params[name] = stored if isinstance(stored, str | int | float) else None
            try:
                if not is_number(stored):
                    raise ValueError("no number is stored")
                trial.params[name] = parameter(stored, distribution)
            except ValueError as error:
                self._name("trial_params", f"{name!r}: {error}: what is stored stays")

    def _values(self) -> None:
        table, columns = "trial_values", ("trial_id", "objective", "value", "value_type")
        if "objective" not in self._database.tables.get(table, ()):
            # The first schemas had one objective, in the table of trials.
            for number, stored in self._database.rows("trials", "trial_id", "value"):
                if number in self._trials and is_number(stored):
                    self._trials[number].values = [float(stored)]
            return
        found: dict[Any, dict[int, float]] = {}
        for number, objective, stored, kind in self._database.rows(table, *columns):
            value = _typed(stored, kind)
            if number not in self._trials or not is_step(objective) or value is None:
                self._name(table, "no value of a trial")
            else:
                found.setdefault(number, {})[objective] = value
        for number, values in found.items():
            self._trials[number].values = [values[objective] for objective in sorted(values)]

    def _reports(self) -> None:
        table, of_value = "trial_intermediate_values", "intermediate_value"
        if table not in self._database.tables:
            table, of_value = "trial_values", "value"  # as the first schemas called it
            if "step" not in self._database.tables.get(table, ()):
                return
        columns = ("trial_id", "step", of_value, "intermediate_value_type")
        for number, step, stored, kind in self._database.rows(table, *columns):
            # Before there were types, NaN was a value that is missing.
            value = math.nan if stored is kind is None else _typed(stored, kind)
            trial = self._trials.get(number)
            if trial is None or not is_step(step) or value is None:
                self._name(table, "no value at a step of a trial")
            else:
                trial.reported[step] = value


def _typed(value: Any, kind: Any) -> float | None:
    """Return a value from the number that is stored, and what kind of number it is."""
    if kind in _TYPED:
        return _TYPED[kind]
    return float(value) if is_number(value) else None


def _count(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
