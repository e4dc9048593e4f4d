"""Python's garbage collector, which waits while a sweep is loaded."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class _Loads:
    """Loads under way in the threads of this process."""

    lock: Lock = field(default_factory=Lock)
    count: int = 0
    was_enabled: bool = True


_LOADS = _Loads()


def _forked() -> None:
    # The threads that load do not exist in a forked process.
    if _LOADS.count and _LOADS.was_enabled:
        gc.enable()
    _LOADS.lock, _LOADS.count = Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the cyclic garbage collector from walking a million records over and over.

    Parsed logs form no cycles, so nothing piles up meanwhile. The last of several threads that load
    lets it run again.
    """
    with _LOADS.lock:
        if not _LOADS.count:
            _LOADS.was_enabled = gc.isenabled()
            gc.disable()
        _LOADS.count += 1
    try:
        yield
    finally:
        with _LOADS.lock:
            _LOADS.count = max(0, _LOADS.count - 1)  # of a forked process it was zero
            if not _LOADS.count and _LOADS.was_enabled:
                gc.enable()
