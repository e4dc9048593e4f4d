"""`balanced`: the part of a sweep in which every configuration has the same seeds."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import PlanError
from runcube.cube import CellRows, to_configs, to_grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

# Sets of seeds of which each is looked at; beyond, seeds go one by one.
_EVERY = 16


def balanced(ds: xr.Dataset) -> xr.Dataset:
    """Return the largest part of a cube where every configuration has the same complete seeds.

    Configurations and seeds are left out so that most runs stay; of equally large parts, that with
    more configurations. What is compared on it is compared on the same seeds.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, lazy or not.

    Returns
    -------
    Dataset
        In the layout of ``ds``. In a grid, the cells of a configuration that was left out are
        absent, and labels without any run are gone. Attrs ``balanced`` says how many runs stay.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or has no complete run.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> rc.balanced(ds).attrs["balanced"]
    '110 of 118 complete runs: 22 of 24 configurations, 5 of 5 seeds'
    """
    is_grid = "config" not in ds.dims
    rows = to_configs(ds) if is_grid else ds
    complete = CellRows.of(rows).status == "complete"
    if not complete.any():
        raise PlanError("balanced: no run is complete")
    configs, seeds = _largest(complete)
    kept = rows.isel(config=np.flatnonzero(configs))
    if "seed" in kept.dims:
        kept = kept.isel(seed=np.flatnonzero(seeds))
    kept.attrs["balanced"] = (
        f"{configs.sum() * seeds.sum()} of {complete.sum()} complete runs:"
        f" {configs.sum()} of {len(configs)} configurations, {seeds.sum()} of {len(seeds)} seeds"
    )
    return to_grid(kept) if is_grid else kept


def _largest(complete: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the configurations and the seeds of the largest full part of a table."""
    best: tuple[tuple[int, int], NDArray[np.bool_], NDArray[np.bool_]] | None = None
    for seeds in _sets_of_seeds(complete):
        configs = np.asarray(complete[:, seeds].all(axis=1))
        size = int(configs.sum()) * len(seeds), int(configs.sum())
        if best is None or size > best[0]:
            best = size, configs, np.isin(np.arange(complete.shape[1]), seeds)
    assert best is not None
    return best[1], best[2]


def _sets_of_seeds(complete: NDArray[np.bool_]) -> Iterable[list[int]]:
    """Yield sets of seeds: all of them where there are few, else those with most runs."""
    count = complete.shape[1]
    if count <= _EVERY:
        for size in range(count, 0, -1):
            yield from map(list, combinations(range(count), size))
        return
    left = [*range(count)]
    while left:
        yield left
        rest = [[s for s in left if s != seed] for seed in left]
        kept = [int(complete[:, others].all(axis=1).sum()) for others in rest]
        left = rest[int(np.argmax(kept))]
