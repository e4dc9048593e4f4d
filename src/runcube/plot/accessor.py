"""``ds.sweep.plot``: the figures as methods of a cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core import method_of
from runcube.plot.best_of_k import best_of_k
from runcube.plot.compare import compare
from runcube.plot.coverage import coverage
from runcube.plot.curves import curves
from runcube.plot.distribution import distribution
from runcube.plot.heatmap import heatmap
from runcube.plot.importance import importance, marginals
from runcube.plot.parallel import parallel

if TYPE_CHECKING:
    import xarray as xr


class PlotMethods:
    """The figure functions of `runcube.plot`, of one cube: their arguments are the same.

    Parameters
    ----------
    ds : Dataset
        A cube, in either layout, whole or selected.
    """

    best_of_k = method_of(best_of_k)
    compare = method_of(compare)
    coverage = method_of(coverage)
    curves = method_of(curves)
    distribution = method_of(distribution)
    heatmap = method_of(heatmap)
    importance = method_of(importance)
    marginals = method_of(marginals)
    parallel = method_of(parallel)

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def __repr__(self) -> str:
        own = [name for name in vars(type(self)) if not name.startswith("_")]
        return f"<runcube plots: {', '.join(own)}>"
