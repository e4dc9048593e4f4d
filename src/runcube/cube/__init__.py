"""Selected runs to one Dataset, and reports on a Dataset that is a cube.

``build`` allocates and fills it, ``coords`` makes the coordinates of the cells, ``placement``
finds where values go, ``layouts`` converts grid and configs. ``cells`` reads a cube back as rows,
for ``report``, ``problems`` and ``final`` (with ``kernels``); ``of_status`` keeps the runs that
ended as asked, ``expected`` says which are missing, ``names`` which coordinate a user means. Start
in ``build``. May import ``core``, ``plan`` and ``curves``.
"""

from runcube.cube.build import build_cube, cube_dims, cube_frame, cube_shape, with_values
from runcube.cube.cells import (
    ABSENT,
    CellRows,
    check_cube,
    display_name,
    full_key,
    hyperparameters,
    json_value,
    laid_out,
    which_tell_apart,
    x_dim,
)
from runcube.cube.coords import CellIndex
from runcube.cube.expected import ExpectedRuns, expected_runs
from runcube.cube.final import at_best, diverged, final, nonfinite_of
from runcube.cube.layouts import to_configs, to_grid
from runcube.cube.names import coordinate_name, find_name
from runcube.cube.of_status import of_status
from runcube.cube.placement import InnerLabels, Scatter
from runcube.cube.problems import problems
from runcube.cube.report import table

__all__ = [
    "ABSENT",
    "CellIndex",
    "CellRows",
    "ExpectedRuns",
    "InnerLabels",
    "Scatter",
    "at_best",
    "build_cube",
    "check_cube",
    "coordinate_name",
    "cube_dims",
    "cube_frame",
    "cube_shape",
    "display_name",
    "diverged",
    "expected_runs",
    "final",
    "find_name",
    "full_key",
    "hyperparameters",
    "json_value",
    "laid_out",
    "nonfinite_of",
    "of_status",
    "problems",
    "table",
    "to_configs",
    "to_grid",
    "which_tell_apart",
    "with_values",
    "x_dim",
]
