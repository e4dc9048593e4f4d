"""The cells of a cube as rows: what reports and selections read from dims and coordinates."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from runcube.core import PlanError, Status
from runcube.cube.names import hyperparameter_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

# The value of a key that a run does not have, among values that may be None.
ABSENT: Final[Any] = object()
_NAMED: dict[str, Any] = {"None": None, "absent": ABSENT, "True": True, "False": False}
_INNER = frozenset({"split", "metric"})


def hyperparameters(ds: xr.Dataset) -> list[str]:
    """Return the names of the hyperparameters that vary: dims first, then other coordinates.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Returns
    -------
    list of str
        Short names, in the order of the dims and coordinates.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> from runcube.cube import hyperparameters
    >>> hyperparameters(ds)
    ['weights', 'lr', 'weight_decay']
    """
    dims = [str(d) for d in ds["status"].dims if d not in ("seed", "config")]
    others = hyperparameter_keys(ds, map(str, ds.coords))
    return dims + [name for name in others if name not in (*dims, "seed", "seed_value")]


def x_dim(ds: xr.Dataset) -> str | None:
    """Return the dim along which curves run; None where it was selected away.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.

    Raises
    ------
    PlanError
        If the Dataset is no cube.
    """
    check_cube(ds)
    cell = set(ds["status"].dims) | _INNER
    return next((str(d) for d in reversed(ds["curve"].dims) if d not in cell), None)


def check_cube(ds: xr.Dataset) -> None:
    """Raise `PlanError` unless the Dataset is a cube whose runs are still told apart."""
    lost = [name for name in ("status", "curve", "logged") if name not in ds.variables]
    if lost:
        found = ", ".join(map(repr, list(ds.variables)[:8]))
        hint = (
            "; a mean over seeds has no runs: ask the cube before it" if lost[0] == "status" else ""
        )
        raise PlanError(f"not a runcube cube: no variable {lost[0]!r} (found: {found}){hint}")


def full_key(ds: xr.Dataset, name: str) -> str:
    """Return the full dotted key of a hyperparameter."""
    return str(ds[name].attrs.get("hparam", name))


def display_name(ds: xr.Dataset, name: str) -> str:
    """Return what a hyperparameter or the seed is called where it is shown: its ``long_name``."""
    return str(ds[name].attrs.get("long_name", name))


def laid_out(variable: xr.Variable, sizes: Mapping[Any, int]) -> NDArray[Any]:
    """Return the values of a variable broadcast to the dims of ``sizes``, in their order.

    Parameters
    ----------
    variable : Variable
        On some of these dims, in any order.
    sizes : mapping of str to int
        Size of each dim of the result.
    """
    own = [dim for dim in sizes if dim in variable.dims]
    values = variable.transpose(*own).values
    shape = [size if dim in own else 1 for dim, size in sizes.items()]
    return np.broadcast_to(values.reshape(shape), tuple(sizes.values()))


@dataclass(frozen=True, eq=False)
class CellRows:
    """The cells of a cube as tables (configurations, seeds).

    Parameters
    ----------
    dims : tuple of str
        Cell dims, ``seed`` last, also where the cube has lost it.
    sizes : tuple of int
        Size of each of ``dims``; configurations are the product of all but the last.
    names : list of str
        Short names of the hyperparameters that vary.
    seeds : (seeds,) int64 or <U
        Labels of ``seed``.
    status : (configurations, seeds) <U
        ``complete``, ``incomplete``, ``failed`` or ``absent``.
    """

    dims: tuple[str, ...]
    sizes: tuple[int, ...]
    names: list[str]
    seeds: NDArray[Any]
    status: NDArray[np.str_]

    @classmethod
    def of(cls, ds: xr.Dataset) -> CellRows:
        """Return the cells of a cube, whole or selected.

        Raises
        ------
        PlanError
            If the Dataset is no cube.
        """
        check_cube(ds)
        dims = (*(str(d) for d in ds["status"].dims if d != "seed"), "seed")
        sizes = tuple(ds.sizes.get(d, 1) for d in dims)
        seeds = np.atleast_1d(ds["seed"].values) if "seed" in ds.variables else np.zeros(1, int)
        cells = cls(dims, sizes, hyperparameters(ds), seeds, np.empty((0, 0), dtype=np.str_))
        return cls(dims, sizes, cells.names, seeds, cells.column(ds, "status"))

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether a cell holds a run, (configurations, seeds)."""
        held: NDArray[np.bool_] = self.status != Status.ABSENT.value
        return held

    def column(self, ds: xr.Dataset, name: str) -> NDArray[Any]:
        """Return a coordinate as an array (configurations, seeds)."""
        sizes = dict(zip(self.dims, self.sizes, strict=True))
        return self._rows(laid_out(ds[name].variable, sizes))

    def known(self, ds: xr.Dataset, name: str) -> NDArray[np.bool_]:
        """Return whether any run determines the value of a coordinate in each cell.

        Returns
        -------
        (configurations, seeds) bool
        """
        on = ds[name].dims
        if on == (name,):
            return np.ones_like(self.held)
        held = self.held.reshape(self.sizes)
        others = tuple(i for i, dim in enumerate(self.dims) if dim not in on)
        return self._rows(np.broadcast_to(held.any(axis=others, keepdims=True), self.sizes))

    def _rows(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(math.prod(self.sizes[:-1]), self.sizes[-1])


def json_value(label: Any, number: float | None) -> Any:
    """Return the value that a label stands for.

    Parameters
    ----------
    label : int, float, bool or str
        A label of a hyperparameter or of the seed.
    number : float or None
        The label's entry in ``<name>_value``, where there is one.
    """
    if not isinstance(label, str):
        return label
    if label in _NAMED:
        return _NAMED[label]
    if number is not None and not math.isnan(number):
        try:
            return int(label)
        except ValueError:
            return float(label)
    if label[:1] in ('"', "[", "{"):
        try:
            return json.loads(label)
        except ValueError:
            pass
    return label


def which_tell_apart(columns: Sequence[NDArray[Any]]) -> list[int]:
    """Return the places of the columns that tell rows apart, each one more than those before it.

    Parameters
    ----------
    columns : sequence of ndarray, (columns,)
        Values of each row, (rows,).

    Examples
    --------
    >>> which_tell_apart([np.array([0.1, 0.1, 0.2]), np.array([1, 1, 1]), np.array([0, 1, 0])])
    [0, 2]
    """
    kept: list[int] = []
    known = np.zeros(len(columns[0]) if columns else 0, dtype=np.intp)
    for place, column in enumerate(columns):
        codes = np.unique(column, return_inverse=True)[1].reshape(-1)
        finer = np.unique(np.stack([known, codes]), axis=1, return_inverse=True)[1].reshape(-1)
        if finer.max(initial=0) > known.max(initial=0):
            known = finer
            kept.append(place)
    return kept
