"""Rules 8 and 9: grid or configs, and the rows of the configs layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from runcube.core import counted
from runcube.plan.partitions import group, n_groups, occurrence, recode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.plan.model import SeedKind
    from runcube.plan.values import Column

MAX_SHARED = 0.05
_MIN_FILL = 0.25


@dataclass(frozen=True)
class LayoutChoice:
    """The layout that was chosen, and the row of every run.

    Parameters
    ----------
    layout : {"grid", "configs"}
    reason : str
        Why, for ``explain()``.
    noteworthy : bool
        Whether the choice is worth a note to the user.
    fill : float
        Share of the grid's cells that hold a run with metrics, from 0 to 1.
    separate : bool
        True where rows also tell apart runs that share a cell.
    alike : bool
        Whether so many runs share a cell that they are no reruns.
    rows : (n_runs,) int64
        Row of each run along ``config``, in C order of the grid.
    """

    layout: Literal["grid", "configs"]
    reason: str
    noteworthy: bool
    fill: float
    separate: bool
    alike: bool
    rows: NDArray[np.int64]


def choose_layout(
    cells: NDArray[np.int64],
    n_cells: int,
    has_metrics: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    numeric: Mapping[str, Column],
    axes: Collection[str],
    *,
    seed_kind: SeedKind,
    wanted: Literal["auto", "grid", "configs"],
) -> LayoutChoice:
    """Return the layout by rules 8 and 9.

    Parameters
    ----------
    cells : (n_runs, n_axes + 1) int64
        Label index per axis; the last column is the seed index.
    n_cells : int
        Cells of the grid.
    has_metrics : (n_runs,) bool
        False where a run is known to have logged no metric.
    whole : (n_runs,) bool
        False where a run is known to be cut short. Rule 10 decides about such a run, so that
        reruns of crashed ones do not make rule 8b leave the grid.
    numeric : mapping
        The varying numeric keys, dims or not, without the seed.
    axes : collection of str
        Full keys of the dims.
    seed_kind : {"labels", "drawn", "replicate", "none"}
    wanted : {"auto", "grid", "configs"}
        What the user asked for.
    """
    n_runs = len(cells)
    groups = group(list(cells.T), n_runs)
    shared = int((occurrence(groups) > 0).sum())
    rivals = int((occurrence(groups[whole]) > 0).sum())
    fill = len(np.unique(groups[has_metrics])) / n_cells
    continuous = _continuous(numeric, axes, cells)
    layout, reason, noteworthy = _choose(cells, shared, rivals, fill, continuous, seed_kind)
    if wanted != "auto":
        noteworthy, reason = False, f'asked for with layout="{wanted}"'
        layout = wanted
    many = rivals > MAX_SHARED * n_runs
    alike = shared > 0 and (seed_kind == "none" or many)
    separate = alike and layout == "configs" and (seed_kind == "none" or wanted == "auto")
    rows = _rows(cells, _repeats(cells, groups) if separate else None)
    return LayoutChoice(layout, reason, noteworthy, fill, separate, alike, rows)


def _choose(
    cells: NDArray[np.int64],
    shared: int,
    rivals: int,
    fill: float,
    continuous: Sequence[str],
    seed_kind: SeedKind,
) -> tuple[Literal["grid", "configs"], str, bool]:
    n_runs = len(cells)
    if shared and seed_kind == "none":
        return "configs", f"{counted(shared, 'run')} that nothing tells from an earlier one", False
    if rivals > MAX_SHARED * n_runs:
        return "configs", f"{rivals} of {n_runs} runs share a cell with an earlier one", False
    if cells.shape[1] == 1:
        return "configs", "no hyperparameter varies", False
    if len(continuous) > 1:
        names = " and ".join(continuous[:2]) + (" …" if len(continuous) > 2 else "")
        return (
            "configs",
            f"{names} have another value almost every time, as in a random search",
            True,
        )
    if fill < _MIN_FILL:
        return "configs", f"a grid would be {_percent(fill)} full", True
    return "grid", f"the grid is {_percent(fill)} full", fill < 0.5


def _continuous(
    numeric: Mapping[str, Column], axes: Collection[str], cells: NDArray[np.int64]
) -> list[str]:
    """Return the numeric keys with more than 10 values and more than half as many as runs.

    Where one of them is a dim, half as many as there are configurations are enough, so that seeds
    do not hide a random search; sizes that a text dim determines (``params(arch)``) do not count.
    """
    n_configs = n_groups(group(list(cells[:, :-1].T), len(cells)))
    many = {key: c.n_labels for key, c in numeric.items() if c.n_labels > 10}
    per_run = [key for key, n_labels in many.items() if n_labels > len(cells) / 2]
    per_config = [key for key, n_labels in many.items() if n_labels > n_configs / 2]
    return per_config if any(key in axes for key in per_config) else per_run


def _percent(share: float) -> str:
    if 0 < share < 0.01:
        return f"{100 * share:.2f} %" if share >= 1e-4 else "less than 0.01 %"
    return f"{100 * share:.0f} %"


def _repeats(cells: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each run (runs,) its number among those of a configuration that shares cells.

    Each of these is a row of its own, also with seeds that differ: which of them belong together,
    nothing tells, and a mean over seeds must not make it up.
    """
    configs = group(list(cells[:, :-1].T), len(cells))
    shares = np.isin(configs, configs[occurrence(groups) > 0])
    repeats: NDArray[np.int64] = np.where(shares, occurrence(configs), 0)
    return repeats


def _rows(cells: NDArray[np.int64], repeat: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the row of each run: configurations in C order of the grid, repeats of a cell next."""
    columns = list(cells[:, :-1].T) + ([repeat] if repeat is not None else [])
    groups = group(columns, len(cells))
    first = np.unique(groups, return_index=True)[1]
    # lexsort takes the last key as the first one.
    keys = [column[first] for column in reversed(columns)] or [first]
    order = np.lexsort(keys)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[recode(groups)].astype(np.int64)
