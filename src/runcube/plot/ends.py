"""Of which runs a figure is, by how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core import Status
from runcube.cube import of_status
from runcube.stats import values_and_logged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runcube.stats import Data

_ENDS = [status.value for status in Status if status != Status.ABSENT]


def of_runs(data: Data, statuses: str | Sequence[str] | None) -> tuple[Data, dict[str, str]]:
    """Return the data of the runs that count, and attrs that say which do.

    Parameters
    ----------
    data : Dataset or DataArray
    statuses : str or sequence of str, optional
        As for :func:`runcube.plot.data.curves`.

    Returns
    -------
    data
    attrs : dict
        ``statuses``, "all" or those that were asked for; ``runs`` and ``runs_left_out``, how many
        with any value there are of each status, in words. Empty for data without a status.

    Raises
    ------
    PlanError
        As :func:`runcube.cube.of_status`.
    """
    kept = data if statuses is None else of_status(data, statuses)
    if "status" not in data.coords:
        return kept, {}
    status = data.coords["status"]
    _, logged = values_and_logged(data)
    held = logged.any([d for d in logged.dims if d not in status.dims])
    words = status.transpose(*held.dims).values[held.values]
    asked = [statuses] if isinstance(statuses, str) else statuses
    wanted = _ENDS if asked is None else [*asked]
    return kept, {
        "statuses": "all" if statuses is None else ", ".join(wanted),
        "runs": _in_words(words, wanted),
        "runs_left_out": _in_words(words, [own for own in _ENDS if own not in wanted]),
    }


def runs_said(attrs: Mapping[str, str]) -> str:
    """Return what a caption says of the runs that are in a figure; empty if nothing is known.

    Examples
    --------
    >>> runs_said({"statuses": "all", "runs": "9 complete, 1 failed", "runs_left_out": ""})
    'All runs: 9 complete, 1 failed.'
    >>> runs_said({"statuses": "complete", "runs": "9 complete", "runs_left_out": "1 failed"})
    'Complete runs only; left out: 1 failed.'
    """
    if not attrs.get("runs"):
        return ""
    if attrs["statuses"] == "all":
        is_mixed = any(f" {word}" in attrs["runs"] for word in _ENDS[1:])
        return f"All runs: {attrs['runs']}." if is_mixed else "All runs drawn are complete."
    which = attrs["statuses"].replace(", ", " and ").capitalize()
    return f"{which} runs only; left out: {attrs['runs_left_out'] or 'none'}."


def _in_words(statuses: NDArray[np.str_], wanted: Sequence[str]) -> str:
    counts = {word: int((statuses == word).sum()) for word in wanted}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
