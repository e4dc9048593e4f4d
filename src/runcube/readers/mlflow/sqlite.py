"""The runs of an SQLite database of MLflow."""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.readers.database import open_database
from runcube.readers.mlflow.runs import PARENT, MlflowRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits, Source
    from runcube.readers.database import Database

TABLES = frozenset({"experiments", "runs", "metrics", "params", "tags"})
_DELETED = "deleted"
_FACTS = ("name", "user_id", "status", "start_time", "end_time", "experiment_id")
_POINT = ("run_uuid", "key", "value", "step", "timestamp", "is_nan")
_NUMBER, _NONE = frozenset({int, float}), type(None)
# Of the number of a row, and of its columns; old versions have neither steps nor is_nan.
_TYPES: tuple[set[Any] | frozenset[Any], ...] = (
    *({int, _NONE}, {str}, {str}, _NUMBER),
    *({int, _NONE}, _NUMBER | {_NONE}, _NUMBER | {bytes, str, _NONE}),
)
# MLflow writes the largest number for an infinity.
_LARGEST = sys.float_info.max
_AT_ONCE = 10_000


def experiments_in(source: Source, limits: Limits) -> dict[Any, str]:
    """Return the names of the experiments of a database by their ids; none if it is gone."""
    try:
        with open_database(source.root, source.files, limits) as database:
            return _experiments(database)
    except OSError:
        return {}


def _experiments(database: Database) -> dict[Any, str]:
    rows = database.rows("experiments", "experiment_id", "name")
    return {number: _text(name) for number, name in rows}


def read_runs(source: Source, limits: Limits, only: str | None = None) -> list[MlflowRun]:
    """Return the runs of a database in the order in which they were created.

    Runs that were deleted, and those without metrics that only hold others, are named by the first.

    Parameters
    ----------
    source : Source
    limits : Limits
    only : str, optional
        The experiment whose runs are wanted.

    Raises
    ------
    OSError
        If the file cannot be read, or holds no run.
    """
    with open_database(source.root, source.files, limits) as database:
        experiments = _experiments(database)
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
        experiment = experiments.get(facts["experiment_id"])
        if only not in (None, experiment):
            continue
        if facts.pop("lifecycle_stage") == _DELETED:
            left_out[deleted] += 1
        elif run in parents and run not in points.rows:
            left_out[holders] += 1
        else:
            held = points.of(run, source.path)
            runs.append(MlflowRun(run, facts, experiment, params[run], tags[run], **held))
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


class _Codes(dict[str, int]):
    """Numbers of texts, by first appearance."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class _Points:
    """All points of a database, in the order in which they were written.

    Attributes
    ----------
    rows : dict of str to ndarray of int64
        Which points are of a run.
    """

    def __init__(self, database: Database) -> None:
        self._names, owners = _Codes(), _Codes()
        self._bad: dict[str, list[int]] = {}
        rows = database.rows("metrics", "rowid", *_POINT)
        pieces: list[tuple[NDArray[Any], ...]]
        pieces = [(*[np.empty(0, np.int64)] * 3, *[np.empty(0)] * 2)]
        while batch := [*islice(rows, _AT_ONCE)]:
            pieces += self._read(batch, owners)
        of, self._codes, self._steps, self._times, self._values = map(
            np.concatenate, zip(*pieces, strict=True)
        )
        ends = np.cumsum(np.bincount(of, minlength=len(owners)))
        runs = np.split(np.argsort(of, kind="stable"), ends[:-1])
        self.rows = dict(zip(owners, runs, strict=False))

    def _read(
        self, batch: list[tuple[Any, ...]], owners: _Codes
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield the points of some rows, if there are any; rows of no point are counted."""
        columns = [*zip(*batch, strict=True)]
        if not all(set(map(type, c)) <= kinds for c, kinds in zip(columns, _TYPES, strict=True)):
            for number, run, *_ in (row for row in batch if not _is_point(row)):
                self._bad.setdefault(_text(run), [number, 0])[1] += 1
            columns = [*zip(*filter(_is_point, batch), strict=True)]
        if columns:
            _, runs, keys, values, steps, times, is_nan = columns
            found = np.array(values, np.float64)
            found[np.abs(found) == _LARGEST] *= np.inf
            found[np.array([*map(bool, is_nan)])] = np.nan
            yield (
                np.fromiter(map(owners.__getitem__, runs), np.int64, len(runs)),
                np.fromiter(map(self._names.__getitem__, keys), np.int64, len(keys)),
                np.array([step or 0 for step in steps], np.int64),
                np.array(times, np.float64),
                found,
            )

    def of(self, run: str, path: str) -> dict[str, Any]:
        """Return the points of a run, and what is wrong with them, by the fields of `MlflowRun`."""
        rows = self.rows.get(run, np.empty(0, np.int64))
        return {
            "names": [*self._names],
            "codes": self._codes[rows],
            "steps": self._steps[rows],
            "times": self._times[rows],
            "values": self._values[rows],
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


def _is_point(row: tuple[Any, ...]) -> bool:
    return all(type(cell) in kinds for cell, kinds in zip(row, _TYPES, strict=True))


def _bad_rows(bad: Sequence[int], path: str) -> Problem:
    """Return the problem of rows: the number of the first, and how many there are."""
    row, count = bad
    message = f"'metrics': {count} row{'s' * (count > 1)} of no point, row {row} is the first"
    return Problem("bad_line", f"{message}: left out", path)
