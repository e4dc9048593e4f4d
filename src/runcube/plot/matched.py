"""Configurations that differ in one hyperparameter alone, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.plot.encode import ordered
from runcube.plot.lines import telling_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats import Data


# Names that an error lists.
_SHOWN = 5


def matched(data: Data, over: str) -> Data:
    """Return data in the configs layout with a hyperparameter as a dim, as a grid has it.

    Parameters
    ----------
    data : Dataset or DataArray
        One value of each run, along ``config``.
    over : str
        A hyperparameter along ``config``.

    Returns
    -------
    data
        On ``over`` in place of itself, and ``config``, which has an entry for each group of
        configurations that differ in ``over`` alone, with the fewest of the other hyperparameters
        that tell groups apart. What goes with ``over``, having one value for each of its labels
        where these recur, is no difference. NaN where a group lacks a label.

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter.
    PlanError
        If no two configurations differ in it alone, or nothing tells some of them apart.
    """
    columns = _columns(data)
    if over not in columns:
        raise UnknownNameError(f"over={over!r}: no hyperparameter{nearest(over, columns)}")
    labels, at = ordered(columns.pop(over))
    others = {
        name: code
        for name, code in ((name, ordered(values)[1]) for name, values in columns.items())
        if code.any() and not _goes_with(at, code)
    }
    codes = np.stack([*others.values(), np.zeros_like(at)])
    _, first, group = np.unique(codes, axis=1, return_index=True, return_inverse=True)
    rows = np.full((len(labels), len(first)), -1)
    if len(np.unique(np.stack([at, group.reshape(-1)]), axis=1).T) < len(at):
        raise PlanError(f"over={over!r}: several configurations are alike in everything")
    rows[at, group.reshape(-1)] = np.arange(len(at))
    kept = (rows >= 0).sum(axis=0) > 1
    if not kept.any():
        raise PlanError(
            f"over={over!r}: no two configurations differ in it alone, so there is nothing to "
            f"compare (others that differ: {_some([*others])}); marginals averages over them"
        )
    beside = {name: ("line", columns[name][first[kept]]) for name in others}
    names = telling_apart(xr.DataArray(np.zeros(kept.sum()), dims="line", coords=beside))
    coords = {name: ("config", beside[name][1], data[name].attrs) for name in names}
    coords[over] = (over, labels, data[over].attrs)
    return _picked(data, rows[:, kept], over).assign_coords(coords)


def _columns(data: Data) -> dict[str, NDArray[np.generic]]:
    """Return the hyperparameters along ``config``; not the numbers of a text label."""
    names = [
        str(n) for n, c in data.coords.items() if c.dims == ("config",) and "hparam" in c.attrs
    ]
    twins = {n for n in names if n.endswith("_value") and n.removesuffix("_value") in names}
    return {name: data[name].values for name in names if name not in twins}


def _some(names: list[str]) -> str:
    more = [f"… ({len(names) - _SHOWN} more)"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more]) or "none"


def _goes_with(at: NDArray[np.intp], code: NDArray[np.intp]) -> bool:
    """Return whether each label of one key has one of another, though labels recur."""
    pairs = np.unique(np.stack([at, code]), axis=1).shape[1]
    return bool(pairs == at.max(initial=-1) + 1 < len(at))


def _picked(data: Data, rows: NDArray[np.intp], over: str) -> Data:
    # Drawn seeds, which make no pairs, and how runs ended stay beside the data.
    kept = ("seed_value", "status")
    lost = [n for n, c in data.coords.items() if "config" in c.dims and n not in kept]
    dims = (over, "config")
    found = data.drop_vars(lost).isel(config=xr.DataArray(rows.clip(0), dims=dims))
    is_there = xr.DataArray(rows >= 0, dims=dims)
    if isinstance(found, xr.DataArray):
        return found.where(is_there)
    return found.assign(logged=found["logged"] & is_there)
