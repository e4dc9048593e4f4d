"""Lines: what is left of a cube without its seeds and x, as one dim with coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.cube import coordinate_name, which_tell_apart
from runcube.stats import values_and_logged

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import xarray as xr

    from runcube.stats import Data

# Names of what is computed: a hyperparameter of such a name gets an underscore.
_TAKEN = frozenset(
    "line run k value lost center lower upper raw runs n n_nonfinite n_diverging n_configs n_empty"
    " n_too_few is_full cost n_cost_unknown which iqm sem ci ci_bound quantile quantiles".split()
)


def telling_apart(found: xr.Dataset | xr.DataArray) -> list[str]:
    """Return the fewest coordinates along ``line`` that tell the lines apart, in their order.

    Parameters
    ----------
    found : Dataset or DataArray
        As :func:`curves`, :func:`distribution` and :func:`coverage` return it.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> coords = {
    ...     "lr": ("line", [0.1, 0.1, 0.2]),
    ...     "wd": ("line", [0, 1, 0]),
    ...     "bn": ("line", [1] * 3),
    ... }
    >>> telling_apart(xr.DataArray(np.zeros(3), dims="line", coords=coords))
    ['lr', 'wd']
    """
    names = columns_of(found)
    # Values of two metrics are never of one kind; the number of a configuration says nothing, and
    # counts only where no hyperparameter tells.
    ordered = sorted(names, key=lambda own: (own != "metric", own == "config"))
    kept = [ordered[place] for place in which_tell_apart([found[name].values for name in ordered])]
    return sorted(kept, key=names.index)


def columns_of(found: xr.Dataset | xr.DataArray) -> list[str]:
    """Return the coordinates along ``line`` that figures may group by."""
    names = [str(name) for name, coord in found.coords.items() if coord.dims == ("line",)]
    twins = {n for n in names if n.endswith("_value") and n.removesuffix("_value") in names}
    return [name for name in names if name not in twins]


def column_name(found: xr.Dataset | xr.DataArray, name: str, argument: str) -> str:
    """Return the coordinate along ``line`` of a name that an argument gives.

    Raises
    ------
    UnknownNameError
        If there is none; the message has the nearest names.
    """
    what = "no hyperparameter, split or metric"
    return coordinate_name(found, own_name(name), argument, among=columns_of(found), what=what)


def renamed(data: Data) -> Data:
    """Return the data with an underscore behind names that figures need for themselves."""
    names = {*map(str, data.dims), *map(str, data.coords)} & _TAKEN
    return data.rename({name: own_name(name) for name in names}) if names else data


def own_name(name: str) -> str:
    """Return what a hyperparameter, a dim or x is called in what is computed."""
    return f"{name}_" if name in _TAKEN else name


def with_dims(data: Data, dim: str | Sequence[str], axis: str | None) -> tuple[Data, list[str]]:
    """Return the data with the dims that are reduced, and their names."""
    values, _ = values_and_logged(data)
    dims = [own_name(d) for d in ([dim] if isinstance(dim, str) else dim)]
    known = {str(d) for d in values.dims if d != axis} | {"seed", *map(str, data.coords)}
    dims = [coordinate_name(data, name, "dim", among=known) for name in dims]
    gone = [name for name in dims if name not in values.dims]
    if not gone:
        return data, dims
    data = data.drop_vars([name for name in gone if name in data.coords])
    return data.expand_dims(gone), dims


def stacked(values: xr.DataArray, name: str, dims: Sequence[Hashable]) -> xr.DataArray:
    """Return an array with one new dim in place of some; their labels are left out."""
    lost = [n for n, c in values.coords.items() if {*c.dims} & {*dims}]
    return values.drop_vars(lost).stack({name: dims}, create_index=False)


def in_lines(found: xr.Dataset, data: Data, kept: Sequence[str]) -> xr.Dataset:
    """Return arrays in memory with the dim ``line`` in place of all but some dims."""
    found = found.compute()
    if "config" in found.dims and "config" not in found.coords:
        found = found.assign_coords(config=np.arange(found.sizes["config"]))
    wanted = {
        "split",
        "metric",
        "config",
        *(n for n, c in data.coords.items() if "hparam" in c.attrs),
    }
    wanted |= {*found.dims}
    extra = [n for n in found.coords if n not in wanted]
    dims = [d for d in found.dims if d not in kept]
    order = [d for d in kept if d in found.dims]
    found = found.drop_vars(extra)
    attrs = {n: data[n].attrs for n in found.coords if n in data.coords}
    scalars = {n: found[n].values for n in found.coords if found[n].ndim == 0}
    found = found.drop_vars([*scalars])
    result = found.stack(line=dims, create_index=False) if dims else found.expand_dims("line")
    result = result.transpose("line", *order[::-1])
    size = result.sizes["line"]
    # What was selected is the same in all lines; derived coordinates lie on some of the dims.
    flat = {n: ("line", np.full(size, own)) for n, own in scalars.items()}
    result = result.assign_coords(flat)
    for name, own in attrs.items():
        result[name].attrs = own
    return result
