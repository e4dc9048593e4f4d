"""Studies and trials, wherever they were stored: what is configuration, and what are values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from runcube.core import Status, clean_text, leaves
from runcube.readers.jsonl import is_seed_column
from runcube.readers.table import STEP, Points, column_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

REPORTED, VALUE = "intermediate_value", "value"
METRIC_NAMES = "study:metric_names"
WAITING, RUNNING = "WAITING", "RUNNING"
# As journals number them.
STATES = (RUNNING, "COMPLETE", "PRUNED", "FAIL", WAITING)
DIRECTIONS = ("NOT_SET", "MINIMIZE", "MAXIMIZE")
# A longer list, or object, of numbers is no set of results.
_MOST_NUMBERS = 32
_STATUS = {"COMPLETE": Status.COMPLETE, "FAIL": Status.FAILED}


@dataclass
class Study:
    """A study: what its trials have in common.

    Parameters
    ----------
    name : str
    directions : list of str, (objectives,)
        Lower case.
    attrs : dict of str to Any
        What the user said of it.
    metric_names : list of str, (objectives,)
        Names of the objectives; empty if they have none.
    trials : list of Trial
    """

    name: str
    directions: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)
    metric_names: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)


@dataclass
class Trial:
    """A trial.

    Parameters
    ----------
    number : int
        Its number in the study.
    state : str
        One of ``STATES``.
    params : dict of str to Any
    attrs : dict of str to Any
        What the user said of it.
    values : list of float, (objectives,)
    reported : dict of int to float
        Step to intermediate value.
    began, ended : float
        Seconds since 1970; NaN if unknown.
    """

    number: int
    state: str = RUNNING
    params: dict[str, Any] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    reported: dict[int, float] = field(default_factory=dict)
    began: float = float("nan")
    ended: float = float("nan")

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it can change any more."""
        return self.state not in (RUNNING, WAITING)

    @property
    def status(self) -> Status:
        """How it ended; one that was pruned is incomplete, as is one that still runs, or died."""
        return _STATUS.get(self.state, Status.INCOMPLETE)


def configuration(study: Study, trial: Trial) -> dict[str, Any]:
    """Return what of a trial is configuration: its parameters, then what else is known of it.

    Numbers among its attributes are values, but for seeds; all else there is configuration, as
    texts are everywhere where the configuration is known.
    """
    config = dict(trial.params)
    for key, value in trial.attrs.items():
        if not _is_value(key, value):
            config.setdefault(f"user_attrs.{key}", value)
    for key, value in _facts(study, trial):
        config.setdefault(key, value)
    return {clean_text(key): _clean(value) for key, value in config.items()}


def points(study: Study, trial: Trial) -> Points:
    """Return the values of a trial, in the order of their steps.

    Its objectives, and the numbers among its attributes, stand at the last step that it reported,
    at step 0 if there is none.
    """
    names = _objectives(study, len(trial.values))
    own = {STEP, REPORTED, *names}
    last = dict(zip(names, trial.values, strict=True))
    for key, value in trial.attrs.items():
        if _is_value(key, value):
            name = clean_text(f"user_attrs/{key}" if key in own else key)
            last |= _numbers(column_of(name), value)
    steps = sorted(trial.reported)
    end = steps[-1] if steps else 0
    at = np.array([*steps, *[end] * len(last)], dtype=np.int64)
    values = [*(trial.reported[step] for step in steps), *last.values()]
    codes = [*[0] * len(steps), *range(1, len(last) + 1)]
    zeros = np.zeros(len(at), dtype=np.int64)
    return Points(
        names=[REPORTED, *last],
        codes=np.array(codes, dtype=np.int64),
        steps=at,
        walls=np.full(len(at), np.nan),
        values=np.array(values, dtype=np.float64),
        lines=np.arange(1, len(at) + 1),
        which=zeros,
        periods=zeros,
    )


def _facts(study: Study, trial: Trial) -> Iterator[tuple[str, Any]]:
    yield "study.name", study.name
    directions = study.directions
    if directions:
        yield "study.direction", directions[0] if len(directions) == 1 else directions
    for key, value in study.attrs.items():
        yield f"study.user_attrs.{key}", value
    yield "optuna.number", trial.number
    yield "optuna.state", trial.state
    if trial.began == trial.began:
        began = datetime.fromtimestamp(trial.began, UTC)
        yield "optuna.datetime_start", began.replace(tzinfo=None).isoformat(" ")


def _objectives(study: Study, count: int) -> list[str]:
    """Return the names of the objectives, as a table of trials has them in Optuna."""
    names = study.metric_names
    if len(names) == count and len({*names, STEP, REPORTED}) == count + 2:
        return [column_of(clean_text(name)) for name in names]
    return [VALUE] if count == 1 else [f"values_{number}" for number in range(count)]


def _clean(value: Any) -> Any:
    """Return a value of JSON whose texts are valid Unicode."""
    if isinstance(value, dict):
        return {clean_text(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [*map(_clean, value)]
    return clean_text(value) if isinstance(value, str) else value


def _is_value(key: str, value: Any) -> bool:
    """Return whether an attribute is a result: a number, or holds nothing but some numbers."""
    return not is_seed_column(key) and _are_numbers(value)


def _are_numbers(value: Any) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 0 < len(value) <= _MOST_NUMBERS and all(map(_are_numbers, inner))
    return is_number(value)


def _numbers(name: str, value: Any) -> dict[str, float]:
    """Return the numbers of an attribute by their names: ``acc/0`` is the first one of a list."""
    found = leaves({name: value}, "/", name_of=lambda key: clean_text(str(key)), inner=_inner)
    return {name: float(number) for name, number in found}


def _inner(value: Any) -> Iterable[tuple[Any, Any]] | None:
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else None


def parameter(value: float, distribution: Any) -> Any:
    """Return the value of a parameter from the number that is stored, and its distribution.

    Raises
    ------
    ValueError
        If the distribution cannot be read, or has no such value.
    """
    name, attributes = _distribution(distribution) if isinstance(distribution, str) else ("", {})
    if not name:
        raise ValueError("its distribution cannot be read")
    if name == "CategoricalDistribution":
        choices = attributes.get("choices") or ()
        if value != value or not 0 <= value < len(choices) or int(value) != value:
            raise ValueError(f"its distribution has no choice {value:g}")
        return choices[int(value)]
    if name.startswith("Int") and value == value and abs(value) < 2**63:
        return int(value) if int(value) == value else value
    return value


# Each trial repeats those of its parameters.
@lru_cache(maxsize=256)
def _distribution(text: str) -> tuple[str, Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "", {}
    if not isinstance(found, dict):
        return "", {}
    name, attributes = found.get("name"), found.get("attributes")
    if not isinstance(name, str) or not isinstance(attributes, dict):
        return "", {}
    if not isinstance(attributes.get("choices", []), list):
        return "", {}
    return name, attributes


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of JSON is a number that float64 holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 2**1023


def is_step(value: Any) -> TypeGuard[int]:
    """Return whether a value of JSON is a step."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
