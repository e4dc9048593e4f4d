"""The arguments of a load as they come in: checked, each by its kind, and made a `Policy`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import PlanError
from runcube.pipeline.policy import policy_of_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcube.pipeline.policy import Policy


def load_policy(given: Mapping[str, Any] = MappingProxyType({}), **arguments: Any) -> Policy:
    """Return the policy of a load.

    Parameters
    ----------
    given : mapping
        The arguments of a public function, as the user passed them: its ``locals()`` at the
        beginning. Those of ``load_runs`` that shape data are taken, others left.
    **arguments
        More of them. One that is left out in both has its default.

    Raises
    ------
    PlanError
        If one is not of its kind; the message says what it may be.
    """
    known = {name: value for name, value in given.items() if name in _KINDS}
    checked = {name: _KINDS[name](name, value) for name, value in (known | arguments).items()}
    return policy_of_arguments(checked)


def _refuse(name: str, value: object, expected: str) -> PlanError:
    shown = value.__name__ if isinstance(value, type) else repr(value)
    return PlanError(f"{name}={shown}: expected {expected}")


def _as_given(_name: str, value: Any) -> Any:
    return value  # whoever uses it checks it


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _refuse(name, value, f"text or None, as in {name}={_EXAMPLES[name]}")


def _choice(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value  # ``Policy`` knows the choices
    raise _refuse(name, value, f"text, as in {name}={_EXAMPLES[name]}")


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise _refuse(name, value, "True or False")


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_):
        number: float = value.item() if isinstance(value, np.generic) else value  # type: ignore[assignment]
        return number
    raise _refuse(name, value, "a number in units of x, or None")


def _names(name: str, value: Any) -> tuple[str, ...]:
    """Return one name or several as a tuple, each once."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        names = [os.fspath(n) if isinstance(n, os.PathLike) else n for n in value]
        if all(isinstance(n, str) for n in names):
            return tuple(dict.fromkeys(map(str, names)))
    raise _refuse(name, value, f"a name or a list of names, as in {name}={_EXAMPLES[name]}")


def _some_names(name: str, value: Any) -> tuple[str, ...] | None:
    return None if value is None else _names(name, value)


def _names_or_none(name: str, value: Any) -> tuple[str, ...]:
    return () if value is None else _names(name, value)


def _renamed(name: str, value: Any) -> dict[str, str]:
    given = {} if value is None else value
    if isinstance(given, Mapping):
        pairs = dict(given)
        if all(isinstance(text, str) for pair in pairs.items() for text in pair):
            return pairs
    raise _refuse(name, value, f"a mapping of keys to new names, as in {name}={_EXAMPLES[name]}")


def _relabelled(name: str, value: Any) -> dict[str, dict[Any, Any]]:
    given = {} if value is None else value
    if isinstance(given, Mapping):
        keys = dict(given)
        if all(isinstance(k, str) and isinstance(new, Mapping) for k, new in keys.items()):
            return {key: dict(new) for key, new in keys.items()}
    what = "a mapping of keys to mappings of old values to new ones"
    raise _refuse(name, value, f"{what}, as in {name}={_EXAMPLES[name]}")


def _defaulted(name: str, value: Any) -> dict[str, Any]:
    given = {} if value is None else value
    if isinstance(given, Mapping) and all(isinstance(key, str) for key in given):
        return dict(given)
    raise _refuse(name, value, f"a mapping of keys to values, as in {name}={_EXAMPLES[name]}")


_EXAMPLES = {
    "files": '"**/metrics.jsonl"',
    "ignore": '"**/agg/**"',
    "path_keys": '"{study}/trial_{trial}"',
    "dims": '["lr", "optim.name"]',
    "exclude": '["note"]',
    "rename": '{"model.weights": "init"}',
    "relabel": '{"model.weights": {None: "random"}}',
    "defaults": '{"dropout": 0.0}',
    "seed": '"seed"',
    "layout": '"grid"',
    "x": '"step"',
    "align": '"union"',
    "missing_x": '"drop"',
    "splits": '["train", "val"]',
    "metrics": '["loss", "acc1"]',
    "on_duplicate": '"last"',
    "errors": '"raise"',
}
_KINDS: dict[str, Callable[[str, Any], Any]] = {
    "reader": _as_given,
    "files": _names_or_none,
    "ignore": _names_or_none,
    "path_keys": _text,
    "dims": _some_names,
    "exclude": _names_or_none,
    "rename": _renamed,
    "relabel": _relabelled,
    "defaults": _defaulted,
    "exact_labels": _flag,
    "seed": _text,
    "layout": _choice,
    "x": _text,
    "align": _choice,
    "missing_x": _choice,
    "splits": _some_names,
    "metrics": _some_names,
    "messages": _flag,
    "expected": _number,
    "on_duplicate": _choice,
    "errors": _choice,
}
