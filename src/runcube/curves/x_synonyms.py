"""One axis by several names: what one logger calls ``step`` is ``_step`` to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import RunLog

_STEP = "step"
# What loggers call the step; of several in one log the first is it.
_NAMES = ("trainer/global_step", "global_step", "_step")


def share_step(logs: Sequence[RunLog], x: str | None = None) -> list[str]:
    """Rename the steps of logs that call them otherwise, where other logs have a ``step``.

    A name that stands beside a ``step`` in any log is another quantity, and stays.

    Parameters
    ----------
    logs : sequence of RunLog
        Their ``Curves.x`` are changed in place.
    x : str, optional
        The axis that was asked for: it keeps its name.

    Returns
    -------
    list of str
        A note for each name that was changed.
    """
    axes = [{name for curves in log.curves for name in curves.x} for log in logs]
    having = [own for own in axes if _STEP in own]
    if not having:
        return []
    names = [name for name in _NAMES if name != x and not any(name in own for own in having)]
    changed: dict[str, int] = {}
    for log, own in zip(logs, axes, strict=True):
        name = next((name for name in names if name in own and _STEP not in own), None)
        if name is None:
            continue
        changed[name] = changed.get(name, 0) + 1
        for curves in log.curves:
            if name in curves.x:
                curves.x[_STEP] = curves.x.pop(name)
    return [
        f"{name!r} of {count} logs is {_STEP!r}, as the others call it; x={name!r} keeps it apart"
        for name, count in changed.items()
    ]
