"""runcube: a directory of training logs as one labelled xarray Dataset."""

from __future__ import annotations

from importlib.metadata import version as _version

from runcube import accessor as _accessor  # noqa: F401, registers ds.sweep
from runcube.archive import archive_runs, open_archive, save_archive, update_archive
from runcube.layouts import to_configs, to_grid
from runcube.load import load_runs, load_tree, scan
from runcube.logger import RunLogger
from runcube.merging import merge_archives
from runcube.model import (
    ArchiveError,
    CubeTooLargeError,
    LogError,
    NoRunsError,
    PlanError,
    Problem,
    RuncubeError,
    StoreError,
    SweepWarning,
    UnknownNameError,
)
from runcube.opening import open_runs
from runcube.problems import problems
from runcube.readers import JsonlReader, Reader, register_reader
from runcube.sweep import Sweep
from runcube.verify import verify_archive

__version__ = _version("runcube")
__all__ = [
    "ArchiveError",
    "CubeTooLargeError",
    "JsonlReader",
    "LogError",
    "NoRunsError",
    "PlanError",
    "Problem",
    "Reader",
    "RunLogger",
    "RuncubeError",
    "StoreError",
    "Sweep",
    "SweepWarning",
    "UnknownNameError",
    "archive_runs",
    "load_runs",
    "load_tree",
    "merge_archives",
    "open_archive",
    "open_runs",
    "problems",
    "register_reader",
    "save_archive",
    "scan",
    "to_configs",
    "to_grid",
    "update_archive",
    "verify_archive",
]
