"""runcube: a directory of training logs as one labelled xarray Dataset."""

from __future__ import annotations

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from runcube import accessor as _accessor  # noqa: F401, registers ds.sweep
from runcube import tables
from runcube.archive import (
    archive_runs,
    merge_archives,
    open_archive,
    open_runs,
    save_archive,
    update_archive,
    verify_archive,
)
from runcube.core import (
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
from runcube.cube import at_best, diverged, final, problems, to_configs, to_grid
from runcube.logger import RunLogger
from runcube.pipeline import load_runs, load_tree, scan
from runcube.plan import Sweep
from runcube.readers import CsvReader, JsonlReader, Reader, register_reader
from runcube.report import report
from runcube.stats import (
    auc,
    balanced,
    best_of_k,
    best_so_far,
    bootstrap,
    compare,
    compare_all,
    divergence,
    importance,
    marginals,
    rank,
    resample,
    select,
    smooth,
    summarize,
    time_to,
)
from runcube.versions import show_versions

if _TYPE_CHECKING:
    from runcube import plot

__version__ = _version("runcube")
__all__ = [
    "ArchiveError",
    "CsvReader",
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
    "at_best",
    "auc",
    "balanced",
    "best_of_k",
    "best_so_far",
    "bootstrap",
    "compare",
    "compare_all",
    "divergence",
    "diverged",
    "final",
    "importance",
    "load_runs",
    "load_tree",
    "marginals",
    "merge_archives",
    "open_archive",
    "open_runs",
    "plot",
    "problems",
    "rank",
    "register_reader",
    "report",
    "resample",
    "save_archive",
    "scan",
    "select",
    "show_versions",
    "smooth",
    "summarize",
    "tables",
    "time_to",
    "to_configs",
    "to_grid",
    "update_archive",
    "verify_archive",
]


def __getattr__(name: str) -> _Any:
    # Figures are loaded when they are asked for.
    if name == "plot":
        return _import_module("runcube.plot")
    raise AttributeError(f"module 'runcube' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "readers"])
