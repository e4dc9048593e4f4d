"""The hyperparameters that vary between the configurations of a cube, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.cube import CellRows
from runcube.stats.top_share import LEVELS

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

_ABSENT = "absent"


@dataclass(frozen=True, eq=False)
class Key:
    """A hyperparameter of each configuration.

    Parameters
    ----------
    name : str
    labels : (configurations,)
    numbers : (configurations,) float64
        The labels as numbers, NaN where they are none.
    is_there : (configurations,) bool
        Where a run has the key, and a value.
    """

    name: str
    labels: NDArray[Any]
    numbers: NDArray[np.float64]
    is_there: NDArray[np.bool_]

    @property
    def codes(self) -> NDArray[np.intp]:
        """Number of the label of each configuration."""
        return np.unique(self.labels, return_inverse=True)[1].reshape(-1)

    @property
    def is_continuous(self) -> bool:
        """Whether it is a number that has another value in most configurations."""
        numbers = self.numbers[self.is_there]
        count = len(np.unique(numbers[np.isfinite(numbers)]))
        return count > LEVELS and 2 * count > self.is_there.sum()

    def varies(self, rows: NDArray[np.bool_]) -> bool:
        """Return whether all of some configurations have it, and not all the same label."""
        return bool((self.is_there | ~rows).all()) and len(np.unique(self.labels[rows])) > 1


def varied_keys(ds: xr.Dataset, held: NDArray[np.bool_]) -> tuple[list[Key], list[str]]:
    """Return the keys that vary, and which were left out with the reason.

    Parameters
    ----------
    ds : Dataset
        A cube.
    held : (configurations,) bool
        Which configurations have a value.
    """
    cells = CellRows.of(ds)
    found: list[Key] = []
    left_out = []
    for name in cells.names:
        if "seed" in ds[name].dims:
            left_out.append(f"{name} (differs between the seeds of a configuration)")
            continue
        labels = cells.column(ds, name)[:, 0]
        numbers = np.full(len(labels), np.nan)
        if labels.dtype.kind in "if":
            numbers = labels.astype(np.float64)
        elif f"{name}_value" in ds.coords:
            numbers = cells.column(ds, f"{name}_value")[:, 0].astype(np.float64)
        key = Key(name, labels, numbers, held & (labels != _ABSENT))
        if len(np.unique(labels[key.is_there])) > 1:
            found.append(key)
    kept: list[Key] = []
    # The finest first: a key that another one decides says nothing more.
    for key in sorted(found, key=lambda k: -len(np.unique(k.labels[held]))):
        owner = next((k for k in kept if _decides(k, key)), None)
        if owner is None or any(k.is_continuous for k in (key, owner)):
            kept.append(key)
        else:
            left_out.append(f"{key.name} ({owner.name} decides it)")
    return [key for key in found if key in kept], left_out


def subsets_of(keys: list[Key], held: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the sets of configurations that some key or pair of keys is in, all of them first."""
    found = [held, *(key.is_there for key in keys)]
    found += [a.is_there & b.is_there for a, b in combinations(keys, 2)]
    known = {rows.tobytes(): rows for rows in found if rows.any()}
    return list(known.values())


def _decides(one: Key, other: Key) -> bool:
    """Return whether the label of one key leaves that of another no choice, where that is."""
    rows = other.is_there
    both = np.stack([one.codes[rows], other.codes[rows]])
    if not one.is_there[rows].all():
        return False
    return len(np.unique(both, axis=1).T) == len(np.unique(both[0]))
