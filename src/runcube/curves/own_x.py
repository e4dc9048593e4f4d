"""What is x for all runs, and for those that would lose values on it: no log costs another one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import counted, is_time_like, listed
from runcube.curves.attempts import attempts_of
from runcube.curves.x_choice import axis_names, choose_x, fewest_labels
from runcube.curves.x_values import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Curves, RunLog
    from runcube.curves.attempts import Attempt
    from runcube.curves.tracks import Track
    from runcube.curves.x_values import MissingX, X

# One run, and one of so many, may be numbered on the x of the others; more of them need points.
_ONE_IN = 20
# Rows of a column that is compared with others before it is looked at.
_SHORT = 1 << 10
# Logs that a note names.
_MAX_PATHS = 5


@dataclass(frozen=True)
class Choice:
    """What is x.

    Parameters
    ----------
    x : str or tuple of str
        What is x for all runs but those in ``own``.
    reason : str
        Why it was chosen.
    own : mapping of int to (str or tuple of str)
        Runs whose points are numbered in the order of their own axis, with that.
    is_mixed : bool
        Whether all of them are, as no axis serves all.
    """

    x: X
    reason: str
    own: Mapping[int, X] = field(default_factory=dict)
    is_mixed: bool = False


def choose_for_runs(
    logs: Sequence[RunLog], runs: Sequence[int], x: str | None, missing_x: MissingX
) -> Choice:
    """Return what is x, so that no run loses a value that it would have if it were alone.

    Parameters
    ----------
    logs : sequence of RunLog
    runs : sequence of int
        Run of each log, (logs,).
    x : str, optional
        The quantity asked for: it is x, and what has none of it is left out.
    missing_x : {"carry", "drop"}
        Where a record without x stands.

    Raises
    ------
    UnknownNameError
        If no record carries ``x``.
    """
    chosen, reason = choose_x(logs, x, missing_x)
    by_run: dict[int, list[RunLog]] = defaultdict(list)
    for log, run in zip(logs, runs, strict=True):
        if any(curves.metrics for curves in log.curves):
            by_run[run].append(log)
    if x is not None or len(by_run) < 2:
        return Choice(chosen, reason)
    own = _unserved(by_run, chosen, missing_x)
    if not isinstance(chosen, str) or _are_few(own, by_run):
        served = [log for log, run in zip(logs, runs, strict=True) if run not in own]
        usual, why = choose_x(served, None, missing_x) if own else (chosen, reason)
        return Choice(chosen, why if usual == chosen else reason, own)
    losing = f"{len(own)} of {counted(len(by_run), 'run')} would lose values on {chosen}"
    others = [n for n in axis_names(logs) if n != chosen and not is_time_like(n)]
    losers = {name: _unserved(by_run, name, missing_x) for name in others}
    least = min(map(len, losers.values()), default=len(own))
    best = [name for name, its in losers.items() if len(its) == least and _are_few(its, by_run)]
    if best:
        name = fewest_labels(logs, best)
        return Choice(name, losing, losers[name])
    every = {run: choose_x(its, None, missing_x)[0] for run, its in by_run.items()}
    return Choice((), losing, every, is_mixed=True)


def _are_few(losers: Collection[int], runs: Collection[int]) -> bool:
    """Return whether most runs may keep x: a lone one never decides, nor do few of many."""
    return len(losers) <= max(1, len(runs) // _ONE_IN) and 2 * len(losers) < len(runs)


def _unserved(by_run: Mapping[int, list[RunLog]], x: X, missing_x: MissingX) -> dict[int, X]:
    """Return the runs that x takes values from which their own axis would keep, with that axis."""
    rising: dict[tuple[str, bytes], bool] = {}
    found: dict[int, X] = {}
    for run, logs in by_run.items():
        if isinstance(x, str) and all(_has_each(x, log, rising) for log in logs):
            continue
        own, _ = choose_x(logs, None, missing_x)
        if own != x and _loses(logs, x, own, missing_x):
            found[run] = own
    return found


def _has_each(x: str, log: RunLog, known: dict[tuple[str, bytes], bool]) -> bool:
    """Return whether every record of a log has an x of its own, in order.

    ``known`` has what was found of short columns, which are mostly the same.
    """
    for curves in log.curves:
        values = curves.x.get(x)
        if values is None:
            return False
        key = (values.dtype.kind, values.tobytes() if len(values) <= _SHORT else b"")
        if len(values) > _SHORT or key not in known:
            known[key] = _rises(values)
        if not known[key]:
            return False
    return True


def _rises(x: NDArray[Any]) -> bool:
    return bool((x[1:] > x[:-1]).all()) and not np.isnan(x[:1]).any()


def _loses(logs: Sequence[RunLog], x: X, own: X, missing_x: MissingX) -> bool:
    """Return whether a run keeps a value on its own axis that it does not keep on x."""
    here, alone = (
        max((a for log in logs for a in attempts_of(log, one, missing_x)), key=lambda a: a.points)
        for one in (x, own)
    )
    if here.log is not alone.log:
        return here.points < alone.points
    kept, wanted = _kept(here), _kept(alone)
    return any(bool((one & ~other).any()) for one, other in zip(wanted, kept, strict=True))


def _kept(attempt: Attempt) -> list[NDArray[np.bool_]]:
    """Return which values of each split an attempt keeps."""
    return [_kept_of(curves, attempt.tracks) for curves in attempt.log.curves]


def _kept_of(curves: Curves, tracks: Sequence[Track]) -> NDArray[np.bool_]:
    kept = np.zeros(curves.logged.shape, bool)
    for track in tracks:
        if track.curves is curves:
            kept[np.ix_(track.metrics, track.indices)] = True
    return kept


def numbered_note(choice: Choice, paths: Mapping[int, str], align: str) -> list[str]:
    """Return what the user should know of runs that are numbered in the order of their own axis.

    Parameters
    ----------
    choice : Choice
    paths : mapping of int to str
        Path of the log of each run that is numbered and stays in a cell.
    align : {"auto", "union", "order"}
        How the cube is aligned.
    """
    if not paths:
        return []
    axes = ", ".join(dict.fromkeys(shown(choice.own[run]) for run in paths))
    if choice.is_mixed:
        what = f"{choice.reason}: the points of each run are numbered in the order of its own axis"
        remedy = "x=... makes one of them the dim, and names what that leaves out"
        return [f"x='point': {what} ({axes}), which is a coordinate; {remedy}"]
    named = listed(paths.values(), _MAX_PATHS)
    what = f"x={shown(choice.x)!r} would lose values of {named}, numbered in the order of {axes}"
    if isinstance(choice.x, str) and align == "union":
        what += f": no {choice.x}, and incomplete; x={choice.x!r} leaves out what has none"
        what += ", align='order' numbers the points of all runs"
    return [what]
