"""What a load remembers of files, and shares with no other: what was kept of them, failures.

A load begins with its listing, and is all that runs in this context (``contextvars``) from then on
and in copies of it. What reads without having listed anything is one load.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class _Load:
    """What one load remembers.

    Attributes
    ----------
    failures : list of str
        The root of each read that failed and that no listing shows. It is appended to: threads that
        count with += lose some.
    kept : dict
        The results of each function that keeps some.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.kept: dict[Any, Any] = {}


_LOAD: ContextVar[_Load] = ContextVar("load")
_UNLISTED = _Load()


def begin_load() -> None:
    """Forget what the load before in this context remembers: files may have changed unnoticed."""
    _LOAD.set(_Load())


def count_failure(root: str) -> None:
    """Count a failure that no listing shows."""
    _LOAD.get(_UNLISTED).failures.append(root)


def failed_reads() -> int:
    """Return how often reading has failed in this load in a way that no listing shows.

    On this machine: a disk or a network that fails, too many open files; a listing shows missing
    files and permissions. Behind a URL every failure counts, since permissions are not listed.
    """
    return len(_LOAD.get(_UNLISTED).failures)


def kept_for_load(results: int | None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator of functions of files: the last results are kept as long as the load goes.

    Parameters
    ----------
    results : int or None
        How many are kept at most; None: all.
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def keeping(*args: P.args, **kwargs: P.kwargs) -> T:
            kept = _LOAD.get(_UNLISTED).kept
            if function not in kept:
                kept.setdefault(function, lru_cache(results)(function))
            found: T = kept[function](*args, **kwargs)
            return found

        return keeping

    return decorated
