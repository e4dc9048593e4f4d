"""Figures for papers, drawn with matplotlib, which is imported when the first one is drawn.

What is drawn is computed first, by functions that draw nothing: start in ``data``, their namespace:
``curve_data``, ``run_data`` of one value of each run, ``pair_data`` of two hyperparameters. They
stand on ``lines``, ``statistic``, ``scales``, ``limits`` and ``on_x``, curves on another x-axis;
``labels`` names things.
``style`` has sizes and colours, ``encode`` says which line has which, ``panels`` are the Axes,
``marks`` what is put on them; then there is a module for each kind of figure. May import ``core``,
``cube``, ``stats`` and ``tables``.
"""

from runcube.plot import data
from runcube.plot.accessor import PlotMethods
from runcube.plot.best_of_k import best_of_k
from runcube.plot.compare import compare
from runcube.plot.coverage import coverage
from runcube.plot.curves import curves
from runcube.plot.distribution import distribution
from runcube.plot.heatmap import heatmap
from runcube.plot.importance import importance, marginals
from runcube.plot.parallel import parallel
from runcube.plot.style import save, theme

__all__ = [
    "PlotMethods",
    "best_of_k",
    "compare",
    "coverage",
    "curves",
    "data",
    "distribution",
    "heatmap",
    "importance",
    "marginals",
    "parallel",
    "save",
    "theme",
]
