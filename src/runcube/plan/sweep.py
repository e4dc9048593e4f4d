"""``Sweep``: what the planner decided about a set of runs, with its views for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.plan import explain
from runcube.plan.model import Plan

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Plan):
    """The plan of a cube, as :func:`runcube.scan` returns it: what varies, and where each run goes.

    ``print(sweep)`` shows :meth:`explain`, a notebook shows the same as a table.

    Attributes
    ----------
    dims : dict
        Name of each cell dim of the grid to its labels, (n_labels,) int64, float64, bool or <U;
        ``seed`` is the last.
    seed : (n_seeds,) int64 or <U
        Labels of the dim ``seed``.
    coupled : dict
        Name of each hyperparameter that varies without being a dim, to the dims that determine it.
    with_seed : tuple of str
        Those of ``coupled`` that need the seed: ``mean("seed")`` averages over them.
    constant : dict
        Full key to value, of the keys that are the same in all runs.
    excluded : dict
        Full key to reason, of the varying keys that were left out.
    layout : {"grid", "configs"}
        Layout of the cube.
    layout_reason : str
        Why the cube has this layout.
    fill : float
        Share of the grid's cells that hold a run with metrics, from 0 to 1.
    notes : tuple of str
        What no rule could decide, with the argument that decides it.
    skipped : tuple of Problem
        Files and runs that are in no cell.
    problems : tuple of (int, Problem)
        Problems of the configuration of a run, each with the run's position in ``headers``.
    n_configs : int
        Number of rows along ``config`` in the configs layout.
    n_cells : int
        Number of cells of the grid, seeds included.
    statuses : tuple of Status or None
        Status of every run, (n_runs,); logs are parsed at the first call.
    headers : tuple of RunHeader
        The runs, (n_runs,), in natural path order, which all arrays (n_runs,) share.
    axes : tuple of Axis
        The dim hyperparameters, (n_axes,), in config order.
    seed_axis : SeedAxis
        The dim ``seed``: its key, kind, labels and drawn seeds.
    coords : tuple of Coord
        The hyperparameters that vary without being dims.
    cells : (n_runs, n_axes + 1) int64
        Label index per axis; the last column is the seed index.
    rows : (n_runs,) int64
        Row of each run along ``config`` in the configs layout.
    separate : bool
        True where rows also tell apart runs that share a cell.
    shared_cells : tuple of SharedCell
        Runs that share a cell, a group for each such cell.
    rest : tuple of dict
        Per run, (n_runs,), the keys that are neither dims, coordinates nor constant.
    roles : Roles
        What columns of the logs turned out to be.
    names : dict
        Full key to short name, of all keys that vary, of the dims and of the seed.
    policy : PlanPolicy
        The arguments that override the planner.
    read_statuses : callable or None
        Returns the status of every run, (n_runs,); logs are parsed when it is called.

    Examples
    --------
    >>> import runcube as rc
    >>> rc.scan("examples/logs")
    <runcube.Sweep: 121 runs, grid (weights: 2, lr: 4, weight_decay: 3, seed: 5)>
    """

    def __str__(self) -> str:
        return str(self.explain())

    def _repr_html_(self) -> str:
        return explain.as_html(self)

    def explain(self) -> str:
        """Return in plain words how the logs were read, and what each rule of the planner decided.

        Returns
        -------
        str
            Several lines, which a notebook shows as they are; ``str(sweep)`` is the same.

        Examples
        --------
        >>> import runcube as rc
        >>> sweep = rc.scan("examples/logs")
        >>> print(sweep.explain().splitlines()[0])
        121 runs in 121 files: 2 weights × 4 lr × 3 weight_decay × 5 seed
        """
        return explain.as_text(self)

    def table(self) -> pd.DataFrame:
        """Return a table of the configurations: their hyperparameters and how many runs they have.

        Logs are parsed at the first call, since a status needs a whole log.

        Returns
        -------
        DataFrame
            A row per configuration, (n_configs,); the index ``config`` counts from 0. Columns: the
            dim hyperparameters, the coordinates that do not depend on the seed, ``seeds`` (distinct
            seeds), ``runs``, and, where logs can be parsed, how many of them are ``complete``,
            ``incomplete`` and ``failed`` (all int64).

        Raises
        ------
        NoRunsError
            If no log can be read any more.

        Examples
        --------
        >>> import runcube as rc
        >>> table = rc.scan("examples/logs").table()
        >>> table.loc[:1, ["weights", "lr", "weight_decay", "runs", "complete"]]
               weights     lr  weight_decay  runs  complete
        config
        0         None  0.004          0.00     5         5
        1         None  0.004          0.01     6         5
        """
        import pandas as pd

        first = np.unique(self.rows, return_index=True)[1]
        columns: dict[str, NDArray[Any]] = {
            axis.name: axis.labels[self.cells[first, i]] for i, axis in enumerate(self.axes)
        }
        columns |= {c.name: c.values[first] for c in self.coords if "seed" not in c.dims}
        n_seeds = len(self.seed)
        pairs = np.unique(self.rows * n_seeds + self.cells[:, -1])
        columns["seeds"] = np.bincount(pairs // n_seeds, minlength=len(first))
        columns["runs"] = np.bincount(self.rows, minlength=len(first))
        for status in ("complete", "incomplete", "failed") if self.statuses else ():
            has = np.array([str(s) == status for s in self.statuses or ()])
            columns[status] = np.bincount(self.rows[has], minlength=len(first))
        return pd.DataFrame(columns, index=pd.RangeIndex(len(first), name="config"))
