"""Functions of a cube as methods of an accessor, with one signature and one docstring."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Accessor(Protocol):
    _ds: Any


def method_of(
    function: Callable[Concatenate[Any, _P], _R],
) -> Callable[Concatenate[_Accessor, _P], _R]:
    """Return a function of a cube as a method: its arguments and its docstring are the same."""

    @wraps(function)
    def method(self: _Accessor, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return function(self._ds, *args, **kwargs)

    return method
