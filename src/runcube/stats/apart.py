"""Hyperparameters whose names results need for themselves: they get an underscore there."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

_P = ParamSpec("_P")
_R = TypeVar("_R")
# Arguments that name dims or coordinates of the data.
_NAMING = ("dim", "over", "strata", "cluster")


def other_names(own: Iterable[Hashable], taken: Iterable[str]) -> dict[str, str]:
    """Return the names that are taken with the ones that they get instead.

    The numbers of a text label keep its name before their ``_value``.

    Examples
    --------
    >>> other_names(["lr", "n", "n_value", "ci", "ci_"], ["n", "ci"])
    {'n': 'n_', 'ci': 'ci__', 'n_value': 'n__value'}
    """
    known = [str(name) for name in own]
    found: dict[str, str] = {}
    for name in taken:
        free = name
        while free in taken or free in known:
            free += "_"
        if name in known:
            found[name] = free
    numbers = {f"{name}_value": f"{free}_value" for name, free in found.items()}
    return found | {name: free for name, free in numbers.items() if name in known}


def set_apart(taken: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Return a decorator: no dim or coordinate of the data has a name that the result needs.

    Parameters
    ----------
    taken : str
        The names of the result, with blanks between them.
    """
    names = taken.split()

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def on_renamed(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            known = {name for own in (*args, *kwargs.values()) for name in _names_of(own)}
            if known.isdisjoint(names):
                return function(*args, **kwargs)
            other = other_names(known, names)
            renamed: list[Any] = [_renamed(own, other) for own in args]
            more: dict[str, Any] = {name: _renamed(own, other) for name, own in kwargs.items()}
            more |= {name: _named(more[name], other) for name in _NAMING if name in more}
            return function(*renamed, **more)

        return on_renamed

    return decorate


def _names_of(given: object) -> list[Hashable]:
    if isinstance(given, xr.Dataset | xr.DataArray):
        return [*given.dims, *given.coords]
    return []


def _renamed(given: Any, other: dict[str, str]) -> Any:
    own = {name: other[str(name)] for name in _names_of(given) if name in other}
    return given.rename(own) if own else given


def _named(asked: Any, other: dict[str, str]) -> Any:
    if isinstance(asked, str):
        return other.get(asked, asked)
    return [other.get(name, name) for name in asked] if isinstance(asked, list | tuple) else asked
