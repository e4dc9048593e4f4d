"""The runs of an SQLite database of MLflow."""

from __future__ import annotations

import math
import sys
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.readers.database import open_database
from runcube.readers.mlflow.runs import PARENT, MlflowRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.core import Limits, Source
    from runcube.readers.database import Database

TABLES = frozenset({"experiments", "runs", "metrics", "params", "tags"})
_DELETED = "deleted"
_FACTS = ("name", "user_id", "status", "start_time", "end_time", "experiment_id")
_POINT = ("run_uuid", "key", "value", "step", "timestamp", "is_nan")
# MLflow writes the largest number for an infinity.
_INFINITE = {sys.float_info.max: math.inf, -sys.float_info.max: -math.inf}


def read_runs(source: Source, limits: Limits) -> list[MlflowRun]:
    """Return the runs of a database in the order in which they were created.

    Runs that were deleted, and those without metrics that only hold others, are named by the first.

    Raises
    ------
    OSError
        If the file cannot be read, or holds no run.
    """
    with open_database(source.root, source.files, limits) as database:
        experiments = dict(database.rows("experiments", "experiment_id", "name"))
        known = {
            _text(run): dict(zip(("lifecycle_stage", *_FACTS), facts, strict=True))
            for run, *facts in database.rows("runs", "run_uuid", "lifecycle_stage", *_FACTS)
        }
        params, tags = _texts(database, "params"), _texts(database, "tags")
        points = _Points(database)
        problems = database.problems
    parents = {found[PARENT] for found in tags.values() if PARENT in found}
    runs, left_out = [], dict.fromkeys(("were deleted", "only hold others, without a metric"), 0)
    deleted, holders = left_out
    for run, facts in known.items():
        if facts.pop("lifecycle_stage") == _DELETED:
            left_out[deleted] += 1
        elif run in parents and run not in points.rows:
            left_out[holders] += 1
        else:
            experiment = experiments.get(facts["experiment_id"])
            name = None if experiment is None else _text(experiment)
            runs.append(
                MlflowRun(run, facts, name, params[run], tags[run], **points.of(run, source.path))
            )
    for why, count in left_out.items():
        if count:
            message = f"{count} run{'s' * (count > 1)} that {why}: left out"
            problems.append(Problem("left_out", message, source.path))
    problems += points.orphans(known, source.path)
    if not runs:
        raise OSError("; ".join(problem.message for problem in problems) or "it holds no run")
    runs[0].problems += problems
    return runs


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else repr(cell)


def _texts(database: Database, table: str) -> defaultdict[str, dict[str, str]]:
    """Return the texts of a table of parameters or tags, by run and key."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in database.rows(table, "run_uuid", "key", "value"):
        found[_text(run)][_text(key)] = _text(value)
    return found


class _Points:
    """All points of a database, in the order in which they were written.

    Attributes
    ----------
    rows : dict of str to ndarray of int64
        Which points are of a run.
    """

    def __init__(self, database: Database) -> None:
        self._codes, self._steps = array("q"), array("q")
        self._times, self._values = array("d"), array("d")
        names: dict[str, int] = {}
        owners: dict[str, int] = {}
        self._bad: dict[str, list[int]] = {}
        of = array("q")
        for row, run, key, value, step, time, is_nan in database.rows("metrics", "rowid", *_POINT):
            if not _is_point(run, key, value, step, time):
                self._bad.setdefault(_text(run), [row, 0])[1] += 1
                continue
            of.append(owners.setdefault(run, len(owners)))
            self._codes.append(names.setdefault(key, len(names)))
            self._steps.append(step or 0)
            self._times.append(math.nan if time is None else time)
            self._values.append(math.nan if is_nan else _INFINITE.get(value, value))
        self._names = [*names]
        order = np.argsort(np.array(of), kind="stable")
        ends = np.cumsum(np.bincount(np.array(of, np.int64), minlength=len(owners)))
        self.rows = dict(zip(owners, np.split(order, ends[:-1]), strict=False))

    def of(self, run: str, path: str) -> dict[str, Any]:
        """Return the points of a run, and what is wrong with them, by the fields of `MlflowRun`."""
        rows = self.rows.get(run, np.empty(0, np.int64))
        return {
            "names": self._names,
            "codes": np.asarray(self._codes)[rows],
            "steps": np.asarray(self._steps)[rows],
            "times": np.asarray(self._times)[rows],
            "values": np.asarray(self._values)[rows],
            "problems": [_bad_rows(self._bad[run], path)] if run in self._bad else [],
        }

    def orphans(self, runs: Mapping[str, Any], path: str) -> list[Problem]:
        """Return the problem of points whose runs are not there."""
        strange = [rows for run, rows in self.rows.items() if run not in runs]
        found = [_bad_rows(bad, path) for run, bad in self._bad.items() if run not in runs]
        if strange:
            count = sum(map(len, strange))
            message = f"{count} points of {len(strange)} runs that are not in it: left out"
            found.append(Problem("bad_line", message, path))
        return found


def _is_point(run: Any, key: Any, value: Any, step: Any, time: Any) -> bool:
    return (
        type(run) is str
        and type(key) is str
        and type(value) in (float, int)
        and (type(step) is int or step is None)
        and (type(time) in (int, float) or time is None)
    )


def _bad_rows(bad: Sequence[int], path: str) -> Problem:
    """Return the problem of rows: the number of the first, and how many there are."""
    row, count = bad
    message = f"'metrics': {count} row{'s' * (count > 1)} of no point, row {row} is the first"
    return Problem("bad_line", f"{message}: left out", path)
