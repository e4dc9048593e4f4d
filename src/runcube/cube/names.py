"""Which coordinate a user means: by its name, the key in the logs, or the end of that key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core import UnknownNameError, nearest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import xarray as xr


def find_name(
    data: xr.Dataset | xr.DataArray, asked: Hashable, among: Iterable[Hashable] | None = None
) -> str | None:
    """Return the dim or coordinate that a name means, None where there is none.

    Dims come first, then hyperparameters: one with the key ``path`` is called ``path_``, since
    ``path`` is our name for the path of the log, and whoever writes ``path`` means what stands in
    the logs. ``seed`` is always the dim.

    Parameters
    ----------
    data : Dataset or DataArray
        Anything with the coordinates of a cube.
    asked : str
        A name, the full dotted key of a hyperparameter, or the end of a key (``lr`` of
        ``optim.lr``).
    among : iterable of str, optional
        The names that may be meant; by default all dims and coordinates.

    Raises
    ------
    UnknownNameError
        If several keys end like this.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cube import find_name
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> find_name(ds, "optim.lr"), find_name(ds, "lr"), find_name(ds, "learning rate")
    ('lr', 'lr', None)
    """
    known = [str(n) for n in (among if among is not None else (*data.dims, *data.coords))]
    keys = hyperparameter_keys(data, known)
    asked = str(asked)
    if asked in keys or (asked in known and asked in data.dims):
        return asked
    exact = [name for name, key in keys.items() if key == asked]
    if exact or asked in known:
        return exact[0] if exact else asked
    ends = [name for name, key in keys.items() if key.endswith(f".{asked}")]
    if len(ends) > 1:
        listed = ", ".join(repr(keys[name]) for name in ends[:5])
        raise UnknownNameError(f"{asked!r} is ambiguous, it could be {listed}")
    return ends[0] if ends else None


def coordinate_name(
    data: xr.Dataset | xr.DataArray,
    asked: Hashable,
    argument: str,
    *,
    among: Iterable[Hashable] | None = None,
    what: str = "no such dim",
) -> str:
    """Return the dim or coordinate that an argument means.

    Parameters
    ----------
    data, asked, among
        As for :func:`find_name`.
    argument : str
        Its name, for the error.
    what : str
        What the error says of a name that is not there.

    Raises
    ------
    UnknownNameError
        If there is none, with the nearest names; or if several keys end like this.
    """
    known = [str(n) for n in (among if among is not None else (*data.dims, *data.coords))]
    found = find_name(data, asked, known)
    if found is None:
        keys = hyperparameter_keys(data, known)
        names = [*known, *(key for key in keys.values() if key not in known)]
        raise UnknownNameError(f"{argument}={asked!r}: {what}{nearest(str(asked), names)}")
    return found


def hyperparameter_keys(data: xr.Dataset | xr.DataArray, known: Iterable[str]) -> dict[str, str]:
    """Return the full key of each hyperparameter; the numbers of a text label have none."""
    held = {n: data.coords[n].attrs["hparam"] for n in known if "hparam" in _attrs(data, n)}
    return {
        name: key
        for name, key in held.items()
        if not (name.endswith("_value") and held.get(name.removesuffix("_value")) == key)
    }


def _attrs(data: xr.Dataset | xr.DataArray, name: str) -> dict[Hashable, object]:
    return data.coords[name].attrs if name in data.coords else {}
