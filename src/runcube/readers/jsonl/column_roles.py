"""Which column is what: run, split, x-axis, metric, text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.core import is_count_like, is_time_like, is_x_like
from runcube.readers.lines import is_number_text
from runcube.readers.table import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from runcube.readers.table import Column, Table

SPLIT_WORDS = frozenset(
    [
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "dev",
        "test",
        "testing",
        "eval",
        "evaluation",
    ]
)
SPLIT_KEYS = ("split", "mode", "phase", "stage", "subset", "data_name", "partition", "set")
RUN_KEYS = (
    *("run_id", "run", "run_name", "run_key", "run_uuid", "runid"),
    *("trial_id", "trial", "trial_name", "experiment_id", "experiment", "experiment_name"),
    *("exp_id", "exp_name", "exp", "job_id", "job_name", "task_id"),
)
_SEED = re.compile(r"(?:.*[_/.])?seed(?:_.*)?")
# Objects that only wrap the metrics of a record.
WRAPPERS = ("metrics", "agg_stats", "scalars", "values", "stats", "data", "logs", "log", "results")
# Plural counts that are budgets (hyperparameters) where they never move.
_BUDGET = re.compile(
    r"(?:.*_)?(?:epochs|steps|timesteps|iters|iterations|updates|frames|samples"
    r"|tokens|images|batches|rounds|examples|sequences|total)|batch|round"
)
_WORD = "|".join(sorted(SPLIT_WORDS, key=len, reverse=True))
_PREFIX = re.compile(rf"(?P<split>{_WORD})[_/.:\-](?P<metric>.+)", re.IGNORECASE)
_SUFFIX = re.compile(rf"(?P<metric>.+)[_/.:\-](?P<split>{_WORD})", re.IGNORECASE)
ALL = "all"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user, or a reader of a special layout, fixes about the columns; None is a guess.

    Parameters
    ----------
    config : str or tuple of str, optional
        Key of the object that is the configuration, or the columns that are.
    run : str or False, optional
        Column that tells the runs of a file apart. False: a file is one run.
    x : str, optional
        Column that is the x-axis.
    split : str or False, optional
        Column of splits, or a regular expression with the groups ``split`` and ``metric`` for the
        names of metrics. False: no splits.
    metrics : tuple of str, optional
        The only columns that are metrics, by their name with or without the split.
    null_is_nan : bool
        Whether the text ``"null"`` is a logged NaN.
    ignore : frozenset of str
        Columns that are neither metric nor configuration.
    facts : tuple of (str, tuple of str)
        Columns whose first value goes into the configuration, each with its keys there.
    in_log : bool
        False where the configuration is known from elsewhere: then no column of numbers is part
        of it.
    """

    config: str | tuple[str, ...] | None = None
    run: str | Literal[False] | None = None
    x: str | None = None
    split: str | Literal[False] | None = None
    metrics: tuple[str, ...] | None = None
    null_is_nan: bool = False
    ignore: frozenset[str] = frozenset()
    facts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    in_log: bool = True


@dataclass(slots=True)
class ColumnRoles:
    """What each column of one table is.

    Parameters
    ----------
    run : str or None
        Column that tells the runs apart.
    split : str or None
        Column whose values are the splits.
    x : dict of str to list of str
        The columns of each axis: ``{"epoch": ["train/epoch", "val/epoch"]}``.
    metrics : dict of str to (str or None, str)
        Split and metric of each column. A split of None is that which the split column holds.
    messages : list of str
        Columns of text.
    """

    run: str | None = None
    split: str | None = None
    x: dict[str, list[str]] = field(default_factory=dict)
    metrics: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def x_columns(self) -> set[str]:
        """All columns that belong to an axis."""
        return {column for columns in self.x.values() for column in columns}


def column_roles(table: Table, options: Options, run_rows: RunRows) -> ColumnRoles:
    """Return what each column of a table is.

    Parameters
    ----------
    table : Table
    options : Options
    run_rows : RunRows
        Which rows belong to which run.

    Returns
    -------
    ColumnRoles
    """
    roles = ColumnRoles(run=run_rows.column)
    if options.split is not False:
        roles.split = _split_column(table, options.split)
    left = {
        name: column
        for name, column in table.columns.items()
        if name not in (roles.run, roles.split, *_config_columns(options))
        and name not in options.ignore
    }
    roles.x = _axes(left, options, run_rows)
    of_x = roles.x_columns
    left = {name: column for name, column in left.items() if name not in of_x}
    numeric = [name for name, column in left.items() if is_numeric(column)]
    roles.messages = [name for name in left if name not in numeric and left[name].words]
    roles.metrics = _metric_names(numeric, options, table, has_column=roles.split is not None)
    return roles


def _config_columns(options: Options) -> tuple[str, ...]:
    return options.config if isinstance(options.config, tuple) else ()


@dataclass(slots=True)
class RunRows:
    """The rows of each run of a table.

    Parameters
    ----------
    column : str or None
        Column that tells the runs apart; None where all rows are one run.
    keys : list of str, (runs,)
        What that column holds for each run, in order of first appearance; ``""`` for a lone run.
    order : ndarray of int64, (rows,)
        Row numbers, run after run, each run in file order.
    starts : ndarray of int64, (runs,)
        Position in ``order`` where each run begins.
    """

    column: str | None
    keys: list[str]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def rows(self, run: int) -> NDArray[np.int64]:
        """Return the row numbers of one run, in file order."""
        end = self.starts[run + 1] if run + 1 < len(self.starts) else len(self.order)
        return self.order[self.starts[run] : end]

    def differs(
        self, values: NDArray[np.float64] | NDArray[np.int64], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return whether the values of each run differ, and where the first one is.

        Parameters
        ----------
        values : ndarray of float64 or int64, (rows,)
        present : ndarray of bool, (rows,)
            Which values count.

        Returns
        -------
        differs : ndarray of bool, (runs,)
        first : ndarray of int64, (runs,)
            First row with a value; -1 where there is none.
        """
        if not len(self.order):
            return np.zeros(len(self.keys), dtype=bool), np.full(len(self.keys), -1, dtype=np.int64)
        values, present = values[self.order], present[self.order]
        n = len(values)
        first = np.minimum.reduceat(np.where(present, np.arange(n), n), self.starts)
        reference = np.repeat(values[np.minimum(first, n - 1)], np.diff(np.append(self.starts, n)))
        both_nan = np.isnan(values) & np.isnan(reference)
        other = present & (values != reference) & ~both_nan
        rows = np.where(first < n, self.order[np.minimum(first, n - 1)], -1)
        return np.logical_or.reduceat(other, self.starts), rows


def group_runs(table: Table, options: Options) -> RunRows:
    """Return the rows of each run; one run with the key ``""`` where nothing tells runs apart."""
    n = len(table)
    name = options.run if isinstance(options.run, str) else None
    if options.run is None:
        name = next((key for key in RUN_KEYS if _tells_runs(table.columns.get(key))), None)
    column = table.columns.get(name) if name is not None else None
    if name is None or column is None:
        return RunRows(None, [""], np.arange(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
    rows = np.flatnonzero(column.present)
    keys: dict[str, int] = {}
    codes = np.full(n, -1, dtype=np.int64)
    codes[rows] = _run_codes(table, name, column, rows, keys)
    # A row that names no run belongs to the run before it, at the top to the first one.
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(n), -1))
    codes = codes[np.where(last >= 0, last, rows[0])]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(keys)))
    return RunRows(name, list(keys), order, starts)


def _tells_runs(column: Column | None) -> bool:
    if column is None or column.others.any():
        return False
    distinct = len(column.words) + len(np.unique(column.values[column.logged]))
    return distinct > 1


def _run_codes(
    table: Table, name: str, column: Column, rows: NDArray[np.int64], keys: dict[str, int]
) -> NDArray[np.int64] | list[int]:
    if not column.logged.any() and not column.others.any():
        keys.update({word: code for code, word in enumerate(column.words)})
        return column.codes[rows]
    numeric = column.logged[rows]
    codes = []
    exact = bool((np.abs(column.values[rows][numeric]) < 2**53).all())
    for row, number in zip(rows.tolist(), numeric.tolist(), strict=True):
        if column.codes[row] >= 0:
            key = column.words[column.codes[row]]
        elif number and exact:
            value = float(column.values[row])
            key = str(int(value)) if value.is_integer() else repr(value)
        else:
            key = str(_leaf(table.record(row), name))
        codes.append(keys.setdefault(key, len(keys)))
    return codes


def _leaf(record: object, name: str) -> object:
    return dict(flatten(record, frozenset()))[name] if isinstance(record, dict) else None


def is_numeric(column: Column) -> bool:
    """Return whether a column holds numbers: as such, or as text that mostly reads as numbers."""
    if column.logged.any():
        return True
    return bool(column.words) and sum(map(is_number_text, column.words)) * 2 > len(column.words)


def _split_column(table: Table, name: str | None) -> str | None:
    if name is not None:
        return name if name in table.columns else None
    for key in SPLIT_KEYS:
        column = table.columns.get(key)
        if column is None or not column.words or column.logged.any():
            continue
        if all(word.lower() in SPLIT_WORDS for word in column.words):
            return key
    return None


def _axes(columns: dict[str, Column], options: Options, runs: RunRows) -> dict[str, list[str]]:
    axes: dict[str, list[str]] = {}
    for name, column in columns.items():
        if not column.logged.any() or (options.metrics and name in options.metrics):
            continue
        if name == options.x:
            axes.setdefault(name, []).append(name)
        elif is_x_like(name) and _runs_along(name, column, runs):
            axes.setdefault(axis_name(name), []).append(name)
    if options.x in columns and axes.get(axis_name(options.x or "")) and options.x not in axes:
        axes[str(options.x)] = axes.pop(axis_name(str(options.x)))
    # What was asked for goes first: of axes that are equally good the first one is taken.
    return dict(sorted(axes.items(), key=lambda item: item[0] != options.x))


def axis_name(column: str) -> str:
    """Return the axis that a column belongs to: ``global_step`` of ``train/global_step``."""
    return re.split(r"[/.]", column)[-1]


def _runs_along(name: str, column: Column, runs: RunRows) -> bool:
    """Return whether the values behave like an axis: clocks mostly rise, and budgets never move."""
    last = axis_name(name).lower()
    if is_count_like(name):
        if _BUDGET.fullmatch(last) is None:
            return True
        moves, _ = runs.differs(column.values, column.logged)
        return bool(moves.any())
    falls = steps = 0
    for run in range(len(runs.keys)):
        rows = runs.rows(run)
        values = column.values[rows][column.logged[rows]]
        falls += int((np.diff(values) < 0).sum())
        steps += max(len(values) - 1, 0)
    # A resumed run starts its clock again; the duration of a step goes up and down all the time.
    return falls * 10 <= steps if is_time_like(name) else False


def _metric_names(
    numeric: Iterable[str], options: Options, table: Table, *, has_column: bool
) -> dict[str, tuple[str | None, str]]:
    plain = {name: _unwrap(name, table) for name in numeric}
    split = _splitter(plain.values(), options, has_column=has_column)
    names = {}
    for name, short in plain.items():
        match = split.fullmatch(short) if split is not None else None
        found = match.groupdict() if match else {}
        part, metric = found.get("split"), found.get("metric") or short
        names[name] = (None, short) if has_column else (part or ALL, metric)
    if options.metrics is not None:
        wanted = set(options.metrics)
        names = {k: v for k, v in names.items() if v[1] in wanted or k in wanted}
    return names


def _unwrap(name: str, table: Table) -> str:
    wrapper, slash, rest = name.partition("/")
    return rest if slash and wrapper in WRAPPERS and rest not in table.columns else name


def _splitter(
    names: Iterable[str], options: Options, *, has_column: bool
) -> re.Pattern[str] | None:
    if options.split is False or has_column:
        return None
    if isinstance(options.split, str):
        return re.compile(options.split) if "(?P<split>" in options.split else None
    names = list(names)
    if any(_PREFIX.fullmatch(name) for name in names):
        return _PREFIX
    return _SUFFIX if any(_SUFFIX.fullmatch(name) for name in names) else None


def is_seed_column(name: str) -> bool:
    """Return whether a column of this name may hold the seed."""
    return _SEED.fullmatch(name) is not None


def only_names_runs(name: str | None) -> bool:
    """Return whether a run column is a mere name: any but the seed, which is a hyperparameter."""
    return name is not None and not is_seed_column(name)
