"""The runs of a cube by how they ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import xarray as xr

from runcube.core import PlanError, Status, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDS = [status.value for status in Status if status != Status.ABSENT]
_Data = TypeVar("_Data", xr.Dataset, xr.DataArray, "xr.Dataset | xr.DataArray")


def of_status(data: _Data, statuses: str | Sequence[str]) -> _Data:
    """Return the data with the values of runs that ended as asked, NaN and False for the others.

    Parameters
    ----------
    data : Dataset or DataArray
        A cube, in either layout, whole or selected; or an array with its coordinate ``status``,
        such as ``rc.final(ds)``. Dask arrays stay lazy.
    statuses : str or sequence of str
        Of ``complete``, ``incomplete`` and ``failed``.

    Raises
    ------
    PlanError
        If the data has no status of its runs, or a status is another word.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> end = rc.final(ds.sel(metric="acc1", split="val"))
    >>> int(end.count()), int(of_status(end, "complete").count())
    (120, 118)
    """
    given: object = statuses
    is_one = isinstance(given, str) or not isinstance(given, Iterable)
    wanted = [given] if is_one else [*statuses]
    for status in wanted or [None]:
        check_choice("statuses", status, _ENDS)
    if "status" not in data.coords:
        raise PlanError(
            f"statuses={statuses!r}: the data has no coordinate 'status'; "
            "pass the cube, a selection of it, or rc.final(ds)"
        )
    # A variable: with labels, xarray would bring back what was selected away.
    mask = xr.DataArray(data["status"].isin(wanted).variable)
    if isinstance(data, xr.DataArray):
        return data.where(mask).transpose(*data.dims)
    curve = data["curve"].where(mask).transpose(*data["curve"].dims)
    logged = ((data["logged"] == 1) & mask).transpose(*data["logged"].dims)
    return data.assign(curve=curve, logged=logged)
