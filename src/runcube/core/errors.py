"""The exceptions that runcube raises on purpose, and the category of its warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class RuncubeError(Exception):
    """Base of the errors that runcube raises on purpose; their messages are safe to show."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))


class NoRunsError(RuncubeError, ValueError):
    """Nothing under the path is a training log that the reader can read."""


class UnknownNameError(RuncubeError, KeyError):
    """An argument names a hyperparameter, metric, split or axis that does not exist."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which turns a sentence into a quoted one.
        return str(self.args[0]) if self.args else ""


class PlanError(RuncubeError, ValueError):
    """Arguments contradict each other or the logs."""


class ExecutorError(PlanError):
    """An executor of the user returned an error instead of the results of a batch."""


class LogError(RuncubeError, ValueError):
    """The first problem of a load with ``errors="raise"``."""


class CubeTooLargeError(RuncubeError, MemoryError):
    """The cube would not fit in memory; raised before anything is allocated."""


class ArchiveError(RuncubeError, ValueError):
    """A file is no archive, is damaged or in use, or cannot hold the given Dataset."""


class StoreError(RuncubeError, ImportError):
    """No installed library reads such a URL; the message names the one that would."""


class SweepWarning(UserWarning):
    """One warning at the end of a load: what it found and decided."""


def check_choice(argument: str, value: object, choices: Sequence[object]) -> None:
    """Raise `PlanError` unless an argument has one of its values."""
    if value not in choices:
        raise PlanError(f"{argument}={value!r}: expected one of {', '.join(map(repr, choices))}")
