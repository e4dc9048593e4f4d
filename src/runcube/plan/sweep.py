"""``Sweep``: what the planner decided about a set of runs, and how it tells the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.plan import explain
from runcube.plan.model import Axis, Coord, Plan, PlanPolicy, SeedAxis, SeedKind, SharedCell

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Axis", "Coord", "PlanPolicy", "SeedAxis", "SeedKind", "SharedCell", "Sweep"]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Plan):
    """The plan of a cube: what varies, what does not, and where every run goes.

    The attributes are those of the plan it extends: ``dims`` (labels of each cell dim), ``seed``,
    ``coupled`` (the dims that determine each further hyperparameter), ``with_seed`` (those that
    need the seed), ``constant``, ``excluded`` (with the reason), ``layout``, ``fill``, ``notes``
    (what no rule could decide and the argument that decides it) and ``skipped``.
    """

    def __str__(self) -> str:
        return self.explain()

    def _repr_html_(self) -> str:
        return explain.as_html(self)

    def explain(self) -> str:
        """Say in plain words what each rule of the planner decided.

        Returns
        -------
        str
            Several lines, for reading.
        """
        return explain.as_text(self)

    def table(self) -> pd.DataFrame:
        """One row per configuration: its hyperparameters and how many runs it has.

        Returns
        -------
        DataFrame
            Columns: the dim hyperparameters, the coordinates that do not depend on the seed,
            ``seeds`` (distinct seeds), ``runs``, and, where logs can be parsed, how many of them
            are ``complete``, ``incomplete`` and ``failed``.
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
