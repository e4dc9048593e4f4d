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
    checked = {name: _checked(name, value) for name, value in (known | arguments).items()}
    return policy_of_arguments(checked)


class _OtherKindError(Exception):
    """A value is not of the kind that its argument has; what it may be."""


def _checked(name: str, value: Any) -> Any:
    """Return the value of an argument in the form that a policy has it."""
    kind, example = _KINDS[name]
    try:
        return kind(value)
    except _OtherKindError as error:
        shown = value.__name__ if isinstance(value, type) else repr(value)
        such = f", as in {name}={example}" if example else ""
        raise PlanError(f"{name}={shown}: expected {error}{such}") from None


def _as_given(value: Any) -> Any:
    return value  # whoever uses it checks it


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _OtherKindError("text or None")


def _choice(value: Any) -> str:
    if isinstance(value, str):
        return value  # ``Policy`` knows the choices
    raise _OtherKindError("text")


def _flag(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise _OtherKindError("True or False")


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_):
        number: float = value.item() if isinstance(value, np.generic) else value  # type: ignore[assignment]
        return number
    raise _OtherKindError("a number in units of x, or None")


def _names(value: Any) -> tuple[str, ...]:
    """Return one name or several as a tuple, each once."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        names = [os.fspath(n) if isinstance(n, os.PathLike) else n for n in value]
        if all(isinstance(n, str) for n in names):
            return tuple(dict.fromkeys(map(str, names)))
    raise _OtherKindError("a name or a list of names")


def _some_names(value: Any) -> tuple[str, ...] | None:
    return None if value is None else _names(value)


def _names_or_none(value: Any) -> tuple[str, ...]:
    return () if value is None else _names(value)


def _mapping(to: str, may_be: type) -> Callable[[Any], dict[str, Any]]:
    """Return the kind of mappings from keys to values of a type, or None for an empty one."""

    def checked(value: Any) -> dict[str, Any]:
        if value is None or isinstance(value, Mapping):
            pairs = dict(value or {})
            if all(isinstance(k, str) and isinstance(v, may_be) for k, v in pairs.items()):
                return pairs
        raise _OtherKindError(f"a mapping of keys to {to}")

    return checked


# Each argument: what checks it, and how one is written.
_KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "reader": (_as_given, ""),
    "files": (_names_or_none, '"**/metrics.jsonl"'),
    "ignore": (_names_or_none, '"**/agg/**"'),
    "path_keys": (_text, '"{study}/trial_{trial}"'),
    "dims": (_some_names, '["lr", "optim.name"]'),
    "exclude": (_names_or_none, '["note"]'),
    "rename": (_mapping("new names", str), '{"model.weights": "init"}'),
    "relabel": (
        _mapping("mappings of old values to new ones", Mapping),
        '{"model.weights": {None: "random"}}',
    ),
    "defaults": (_mapping("values", object), '{"dropout": 0.0}'),
    "exact_labels": (_flag, ""),
    "seed": (_text, '"seed"'),
    "layout": (_choice, '"grid"'),
    "x": (_text, '"step"'),
    "align": (_choice, '"union"'),
    "missing_x": (_choice, '"drop"'),
    "splits": (_some_names, '["train", "val"]'),
    "metrics": (_some_names, '["loss", "acc1"]'),
    "messages": (_flag, ""),
    "expected": (_number, ""),
    "on_duplicate": (_choice, '"last"'),
    "errors": (_choice, '"raise"'),
}
