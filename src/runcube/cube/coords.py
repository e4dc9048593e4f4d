"""Coordinates of the cells: seeds, hyperparameters, and what is known of each run."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import (
    LONG_TEXT_ENCODING,
    Status,
    clean_text,
    scatter_text,
    scatter_values,
    text_array,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Problem, RunHeader
    from runcube.curves import KeptRun
    from runcube.plan import Sweep

MAX_PROBLEM_LINES = 20


@dataclass(frozen=True)
class CellIndex:
    """The cell of each kept run, in the layout of the plan.

    Parameters
    ----------
    dims : tuple of str
        Cell dims: hyperparameters and ``seed``, or ``config`` and ``seed``.
    shape : tuple of int
        Size of each of ``dims``.
    positions : (kept runs,) intp
        Position of each run's cell among all cells in C order.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    positions: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape, dtype=np.int64))

    @classmethod
    def of(cls, sweep: Sweep, kept_runs: Sequence[KeptRun]) -> CellIndex:
        """Return the cells of the kept runs, in the layout of the plan."""
        runs = np.array([kept_run.run for kept_run in kept_runs], dtype=np.intp)
        whole = tuple(sweep.dims) if sweep.layout == "grid" else ("config", "seed")
        dims, shape, index = _cells_on(sweep, whole)
        return cls(dims, shape, np.ravel_multi_index(tuple(index[runs].T), shape))


def _cells_on(
    sweep: Sweep, dims: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[int, ...], NDArray[np.int64]]:
    """Return some cell dims in the layout of the plan: names, sizes, each run's index (n_runs, n).

    ``dims`` are those of the grid, or ``config`` and ``seed``.
    """
    sizes = {name: len(labels) for name, labels in sweep.dims.items()}
    if sweep.layout == "grid" or dims in ((), ("seed",)):
        columns = [[*sizes].index(dim) for dim in dims]
        return dims, tuple(sizes[dim] for dim in dims), sweep.cells[:, columns]
    if "seed" in dims:
        index = np.stack([sweep.rows, sweep.cells[:, -1]], axis=1)
        return ("config", "seed"), (sweep.n_configs, sizes["seed"]), index
    return ("config",), (sweep.n_configs,), sweep.rows[:, None]


def seed_coord(sweep: Sweep) -> dict[str, Any]:
    """Return the index coordinate ``seed``."""
    seed = sweep.seed_axis
    attrs = {"long_name": "seed" if seed.kind == "labels" else "replicate"}
    if seed.key is not None:
        attrs["hparam"] = seed.key
    return {"seed": ("seed", seed.labels, attrs)}


def cell_coords(
    sweep: Sweep, kept_runs: Sequence[KeptRun], cell_index: CellIndex, *, messages: bool
) -> dict[str, Any]:
    """Return every coordinate on cell dims: hyperparameters first, then those of each run.

    Parameters
    ----------
    sweep : Sweep
    kept_runs : sequence of KeptRun
        The run of each cell that holds one, (kept runs,).
    cell_index : CellIndex
        The cell of each kept run.
    messages : bool
        Add the coordinate ``messages``.

    Returns
    -------
    dict
        Name to a tuple that ``xr.Dataset`` takes: dims, values, attrs, encoding.
    """
    coords: dict[str, Any] = {}
    first = np.unique(sweep.rows, return_index=True)[1]
    for number, axis in enumerate(sweep.axes):
        is_dim = sweep.layout == "grid"
        at = slice(None) if is_dim else sweep.cells[first, number]
        value = None if axis.value is None else axis.value[at]
        on = axis.name if is_dim else "config"
        coords |= _hyperparameter(axis.name, axis.key, on, axis.labels[at], value)
    for coord in sweep.coords:
        dims, values = _place_coord(sweep, coord.dims, coord.values)
        value = coord.value
        value = None if value is None else _place_coord(sweep, coord.dims, value)[1]
        coords |= _hyperparameter(coord.name, coord.key, dims, values, value)
    if sweep.seed_axis.value is not None:
        runs = [kept_run.run for kept_run in kept_runs]
        drawn = scatter_values(cell_index.shape, cell_index.positions, sweep.seed_axis.value[runs])
        coords["seed_value"] = (cell_index.dims, drawn, {"hparam": sweep.seed_axis.key or ""})
    return coords | _run_coords(sweep, kept_runs, cell_index, messages=messages)


def _hyperparameter(
    name: str,
    key: str,
    dims: str | tuple[str, ...],
    labels: NDArray[Any],
    value: NDArray[Any] | None,
) -> dict[str, Any]:
    """Return a hyperparameter as a coordinate, and its numbers where it is text that has some."""
    coords = {name: (dims, labels, {"hparam": key, "long_name": _display_name(name, key)})}
    return coords if value is None else coords | {f"{name}_value": (dims, value, {"hparam": key})}


def _display_name(name: str, key: str) -> str:
    """Return a name without the underscore that sets it apart from one of ours."""
    last = key.rpartition(".")[2]
    return last if name == f"{last}_" else name


def _place_coord(
    sweep: Sweep, dims: tuple[str, ...], values: NDArray[Any]
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return dims and values of a coordinate from one value per run, in the layout of the plan."""
    dims, shape, index = _cells_on(sweep, dims)
    flat = np.ravel_multi_index(tuple(index.T), shape) if shape else np.zeros(len(values), int)
    return dims, scatter_values(shape, flat, values)


def _run_coords(
    sweep: Sweep, kept_runs: Sequence[KeptRun], cell_index: CellIndex, *, messages: bool
) -> dict[str, Any]:
    logs = [kept_run.attempt.log for kept_run in kept_runs]
    shape, at, dims = cell_index.shape, cell_index.positions, cell_index.dims
    noted = dict.fromkeys(range(len(sweep.headers)), ()) | _by_run(sweep)
    problems = [[*kept_run.attempt.problems, *noted[kept_run.run]] for kept_run in kept_runs]
    counts = np.array([len(p) for p in problems], dtype=np.int64)
    ends = [kept_run.status.value for kept_run in kept_runs]
    found = {*ends, Status.ABSENT.value} if len(ends) < cell_index.count else {*ends}
    status = np.full(cell_index.count, Status.ABSENT.value, f"<U{max(map(len, found), default=1)}")
    status[at] = ends
    time = np.array([log.train_time for log in logs], dtype=np.float64)
    names = run_ids(sweep.headers)
    ids = text_array([names[kept_run.run] for kept_run in kept_runs])
    paths = text_array([log.header.source.path for log in logs])
    encode = json.JSONEncoder(default=str).encode
    rest = [encode(sweep.rest[kept_run.run]) for kept_run in kept_runs]

    def placed(values: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[Any]]:
        return dims, scatter_values(shape, at, values)

    coords: dict[str, Any] = {
        "run_id": placed(ids),
        "path": placed(paths),
        "status": (dims, status.reshape(shape)),
        "train_time": (*placed(time), {"units": "s", "long_name": "train time"}),
        "n_problems": placed(counts),
        "problems": _long(
            dims, scatter_text(shape, at, map(problem_text, problems, paths.tolist()))
        ),
        "run_config": _long(dims, scatter_text(shape, at, rest)),
    }
    loggers = [log.header.logger for log in logs]
    if len({*loggers}) > 1:
        coords["logger"] = placed(text_array(loggers))
    if messages:
        texts = ("\n".join(log.messages) for log in logs)
        coords["messages"] = _long(dims, scatter_text(shape, at, texts))
    return coords


# What follows the name of a log: ".log.json", ".jsonl.gz", ".jsonl.2", but not ".1" in "lr0.1".
_ENDINGS = re.compile(r"(?:\.[A-Za-z]+)+(?:\.\d+)?$")


def _folder(header: RunHeader) -> str:
    """Return the directory of a run: that of its log, or the log itself where it is one."""
    path = header.source.path
    is_folder = any(file.path.startswith(f"{path}/") for file in header.source.files)
    return path if is_folder else path.rpartition("/")[0]


def run_ids(headers: Sequence[RunHeader]) -> list[str]:
    """Return a name for each run: the shortest part of its path that identifies it, or its key.

    The key is used where a log holds several runs.
    """
    own = [*map(_folder, headers)]
    folders = Counter(own)
    keys = Counter(header.key for header in headers)
    names = []
    for header, folder in zip(headers, own, strict=True):
        name = header.source.path.rpartition("/")[2]
        stem = _ENDINGS.sub("", name) or name
        if header.key.startswith("@"):
            names.append((folder or stem) + header.key)
        elif header.key and keys[header.key] == 1:
            names.append(header.key)
        elif header.key:
            names.append(f"{header.source.path}:{header.key}")
        else:
            names.append(
                folder if folder and folders[folder] == 1 else f"{folder}/{stem}".lstrip("/")
            )
    times = Counter(names)
    return [
        name if times[name] == 1 else header.source.path + header.key
        for name, header in zip(names, headers, strict=True)
    ]


def _by_run(sweep: Sweep) -> dict[int, tuple[Problem, ...]]:
    found: dict[int, tuple[Problem, ...]] = {}
    for run, problem in sweep.problems:
        found[run] = (*found.get(run, ()), problem)
    return found


def _long(dims: tuple[str, ...], texts: NDArray[np.object_]) -> Any:
    return (dims, texts, {}, dict(LONG_TEXT_ENCODING))


def problem_text(problems: Sequence[Problem], path: str) -> str:
    """Return the problems of one run, a line each, the first 20 and the number of the others.

    Those of other files than ``path``, the run's own, name theirs.
    """
    lines = [_one_line(p, path) for p in problems[:MAX_PROBLEM_LINES]]
    if len(problems) > MAX_PROBLEM_LINES:
        lines.append(f"… and {len(problems) - MAX_PROBLEM_LINES} more")
    return "\n".join(lines)


def _one_line(problem: Problem, path: str) -> str:
    text = problem.text
    if problem.path not in ("", path):
        where = f"line {problem.line} of" if problem.line is not None else "in"
        text = f"{where} {problem.path}: {problem.kind}: {problem.message}"
    return clean_text(text).replace("\n", " ")
