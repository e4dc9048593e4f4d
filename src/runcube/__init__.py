"""runcube: a directory of training logs as one labelled xarray Dataset."""

from __future__ import annotations

from importlib.metadata import version as _version

from runcube import accessor as _accessor  # noqa: F401, registers ds.sweep
from runcube.layouts import to_configs, to_grid
from runcube.load import load_runs, load_tree, scan
from runcube.logger import RunLogger
from runcube.model import (
    CubeTooLargeError,
    LogError,
    NoRunsError,
    PlanError,
    Problem,
    RuncubeError,
    SweepWarning,
    UnknownNameError,
)
from runcube.problems import problems
from runcube.readers import JsonlReader, Reader, register_reader
from runcube.sweep import Sweep

__version__ = _version("runcube")
__all__ = [
    "CubeTooLargeError",
    "JsonlReader",
    "LogError",
    "NoRunsError",
    "PlanError",
    "Problem",
    "Reader",
    "RunLogger",
    "RuncubeError",
    "Sweep",
    "SweepWarning",
    "UnknownNameError",
    "load_runs",
    "load_tree",
    "problems",
    "register_reader",
    "scan",
    "to_configs",
    "to_grid",
]
