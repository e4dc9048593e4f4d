"""What figures show, computed first: labelled arrays on lines and x. Nothing here draws.

Each function takes a cube or an array, in either layout, in memory or lazy, and returns arrays in
memory. A *line* is what is left of the data without the seeds and x: a configuration in a split.
"""

from runcube.plot.curve_data import curves
from runcube.plot.pair_data import heatmap
from runcube.plot.run_data import coverage, distribution
from runcube.plot.scales import calls_for_log

__all__ = ["calls_for_log", "coverage", "curves", "distribution", "heatmap"]
