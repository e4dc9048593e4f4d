"""Which runs a sweep is expected to have, and how each of them ended: what is missing, for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import PlanError, Status
from runcube.cube.cells import CellRows

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# The run that counts where several are of one configuration and seed, best first.
_BETTER = (Status.COMPLETE, Status.INCOMPLETE, Status.FAILED)


@dataclass(frozen=True, eq=False)
class ExpectedRuns:
    """The runs that are expected: each configuration that has a run, with each seed of the cube.

    Parameters
    ----------
    cells : CellRows
        The cells of the cube.
    rows : (configurations,) intp
        Row of ``cells`` that has the labels of each configuration.
    at_row : (configurations, seeds) intp
        Row of ``cells`` with the run that counts: the best of a crashed run and its rerun.
    status : (configurations, seeds) <U
        ``complete``, ``incomplete``, ``failed`` or ``absent``.
    """

    cells: CellRows
    rows: NDArray[np.intp]
    at_row: NDArray[np.intp]
    status: NDArray[np.str_]

    @property
    def is_expected(self) -> NDArray[np.bool_]:
        """Whether a run is expected, (configurations, seeds).

        The seed ``absent``, of runs that log none, is one that nobody can run with: of it only
        those count that are there.
        """
        is_seed: NDArray[np.bool_] = self.cells.seeds.astype(str) != Status.ABSENT.value
        if not is_seed.any():
            return np.ones(self.status.shape, dtype=bool)
        expected: NDArray[np.bool_] = is_seed | (self.status != Status.ABSENT.value)
        return expected

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Whether an expected run is not there as a complete one, (configurations, seeds)."""
        lost: NDArray[np.bool_] = self.is_expected & (self.status != Status.COMPLETE.value)
        return lost

    @property
    def missing(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row of ``cells`` and index of the seed of each missing run."""
        at = np.nonzero(self.is_missing)
        return self.at_row[at], at[1]


def expected_runs(ds: xr.Dataset, *, all_combinations: bool = False) -> ExpectedRuns:
    """Return the runs that are expected of a sweep, and how they ended.

    A run is *missing* if its configuration has a run with any seed, but no complete one with this
    seed. Combinations of labels that have no run at all were not tried; they are not missing,
    unless it is asked for.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    all_combinations : bool
        Also those combinations of labels that have no run with any seed (grid layout only).

    Returns
    -------
    ExpectedRuns
        Rows that no hyperparameter tells apart are one configuration: a crashed run and its rerun.

    Raises
    ------
    PlanError
        If the Dataset is no cube, or with ``all_combinations`` in the configs layout.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> from runcube.cube import expected_runs
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> expected = expected_runs(ds)
    >>> expected.status.shape, int(expected.is_missing.sum())
    ((24, 5), 2)
    """
    cells = CellRows.of(ds)
    if all_combinations and "config" in cells.dims:
        raise PlanError("all_combinations: the configs layout has no others; to_grid(ds) first")
    group = _configurations(ds, cells)
    count, n_seeds = cells.status.shape
    rank = np.select([cells.status == status.value for status in _BETTER], [3, 2, 1], 0)
    best = np.zeros((count, n_seeds), dtype=np.int64)
    np.maximum.at(best, group, rank)
    # Configurations stand in the order of their first row that has a run.
    is_listed: NDArray[np.bool_] = np.any(cells.held, axis=1) | all_combinations
    listed = np.flatnonzero(is_listed)
    own, first = np.unique(group[listed], return_index=True)
    order = np.argsort(first)
    own, rows = own[order], listed[first[order]]
    at_row = np.full((count, n_seeds), count)
    is_best = (rank == best[group]) & is_listed[:, None]
    np.minimum.at(at_row, group, np.where(is_best, np.arange(count)[:, None], count))
    at_row = np.where(at_row[own] < count, at_row[own], rows[:, None])
    return ExpectedRuns(cells, rows, at_row, cells.status[at_row, np.arange(n_seeds)])


def _configurations(ds: xr.Dataset, cells: CellRows) -> NDArray[np.intp]:
    """Return the number of the configuration of each row."""
    count = len(cells.status)
    if "config" not in cells.dims or "hparam" not in ds["seed"].attrs:
        # Without a seed, rows that nothing tells apart are replicates of their own.
        return np.arange(count)
    group = np.zeros(count, dtype=np.intp)
    for name in cells.names:
        if "seed" not in ds[name].dims:
            codes = np.unique(cells.column(ds, name)[:, 0], return_inverse=True)[1]
            group = np.unique(group * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return group
