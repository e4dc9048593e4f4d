"""How many runs are behind a mean, and how many diverged, are incomplete or failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from runcube.core import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands in brackets behind a result, and how it is counted.
MARKS = {"d": "n_diverged", "i": "n_incomplete", "f": "n_failed"}
_MEANING = {
    "d": "runs that diverged (a logged NaN or infinity)",
    "i": "incomplete runs",
    "f": "failed runs",
}


def count_runs(values: xr.DataArray, logged: xr.DataArray, dim: str) -> dict[str, xr.DataArray]:
    """Return how many runs there are of each kind, on the dims of the values without one.

    Parameters
    ----------
    values, logged : DataArray
        One value of each run, and whether it logged any; with the coordinate ``status``
        incomplete and failed runs are counted too.
    dim : str
        The seeds.

    Returns
    -------
    dict
        ``n``, in the mean; ``n_diverged``, of which the value is a NaN or infinity; of the others
        ``n_incomplete`` and ``n_failed``, and how many of these are in the mean, ``…_counted``.
    """
    finite = logged & np.isfinite(values)
    lost = logged & ~finite
    status = values.coords.get("status")
    found = {"n": finite, "n_diverged": lost}
    for kind in (Status.INCOMPLETE.value, Status.FAILED.value):
        is_so = xr.zeros_like(lost)
        if status is not None and {*status.dims} <= {*values.dims}:
            is_so = (status == kind) & ~lost
        found |= {f"n_{kind}": is_so, f"n_{kind}_counted": is_so & finite}
    return {name: own.sum(dim).transpose(*_without(values, dim)) for name, own in found.items()}


def marked(counts: Mapping[str, int]) -> str:
    """Return how many runs are not as they should be, as a text such as ``1d 2i``.

    Parameters
    ----------
    counts : mapping of str to int
        By the letter that stands for them.

    Examples
    --------
    >>> marked({"d": 1, "i": 0, "f": 2})
    '1d 2f'
    """
    return " ".join(f"{count}{mark}" for mark, count in counts.items() if count)


def legend(total: Mapping[str, int]) -> str:
    """Return what the marks stand for, of those that occur; empty if none does.

    Parameters
    ----------
    total : mapping of str to int
        How many there are of each, as `count_runs` names them.

    Examples
    --------
    >>> legend({"n_diverged": 0, "n_incomplete": 2, "n_incomplete_counted": 0, "n_failed": 0})
    'i: incomplete runs, left out'
    """
    return "; ".join(
        f"{mark}: {_MEANING[mark]}, {'counted' if total.get(f'{name}_counted', 0) else 'left out'}"
        for mark, name in MARKS.items()
        if total[name]
    )


def _without(values: xr.DataArray, dim: str) -> list[str]:
    return [str(d) for d in values.dims if d != dim]
