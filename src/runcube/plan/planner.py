"""Headers to ``Sweep``: what varies, what is constant, coupled or excluded, seed and layout.

Pure: no file is read here. Each rule has a module: ``headers`` (1, 2), ``exclude`` (3),
``run_names`` (4), ``seed`` (5), ``dims`` (6, 7), ``layout`` (8, 9); this one puts them in order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.plan.dims import Placement
from runcube.plan.headers import flatten_headers
from runcube.plan.keys import build_table, merge_spellings
from runcube.plan.labels import Labels, make_labels
from runcube.plan.layout import choose_layout
from runcube.plan.model import Axis, Coord, PlanPolicy, SeedAxis, SharedCell
from runcube.plan.notes import plan_notes
from runcube.plan.partitions import group
from runcube.plan.path_reading import names_to_read
from runcube.plan.roles import assign_roles
from runcube.plan.seed import seed_axis
from runcube.plan.spellings import colliding, spelling_problems
from runcube.plan.sweep import Sweep
from runcube.plan.values import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import RunHeader
    from runcube.plan.headers import FlatConfigs
    from runcube.plan.keys import KeyTable
    from runcube.plan.layout import LayoutChoice
    from runcube.plan.path_reading import NamesRead
    from runcube.plan.roles import KeyRoles
    from runcube.plan.spellings import Apart

_DEFAULT = PlanPolicy()


def plan(
    headers: Sequence[RunHeader],
    policy: PlanPolicy = _DEFAULT,
    *,
    path_keys: Sequence[Mapping[str, Any]] | None = None,
    names_read: NamesRead | None = None,
    skipped: Sequence[Problem] = (),
) -> Sweep:
    """Return the plan of the cube of these runs.

    Parameters
    ----------
    headers : sequence of RunHeader
        One per run, in any order.
    policy : PlanPolicy
        Arguments that override the rules.
    path_keys : sequence of mapping, optional
        Keys that the path gave for each header.
    names_read : NamesRead, optional
        How the names of the logs were read, if they were read unasked.
    skipped : sequence of Problem
        What was left out before; the plan's own are appended.

    Returns
    -------
    Sweep

    Raises
    ------
    NoRunsError
        If there is no header.
    UnknownNameError
        If the policy names a hyperparameter that is not there.
    PlanError
        If the policy contradicts itself or the logs.
    """
    return plan_configs(flatten_headers(headers, path_keys, skipped), policy, names_read)


def plan_configs(
    configs: FlatConfigs, policy: PlanPolicy, names_read: NamesRead | None = None
) -> Sweep:
    """Return the plan of the cube of runs that are flattened; see :func:`plan`."""
    table, roles, cells = _settle(configs, policy)
    coords, unplaced = _place_coords(table, roles, cells)
    excluded = roles.excluded | {k: v for k, v in roles.run_names.items() if k in unplaced}
    unplaced = [key for key in unplaced if key not in excluded]
    chosen = _choose_layout(configs, table, roles, cells, policy)
    shown = {*roles.axes, *(coord.key for coord in coords), roles.seed.key}
    columns = table.columns.values()
    constant = {c.key: c.values[0] for c in columns if c.n_labels == 1 and c.key not in shown}
    typed = {key: cells.typed[key] for key in shown if key is not None}
    sweep = Sweep(
        headers=configs.headers,
        axes=cells.axes,
        seed_axis=cells.seed,
        coords=coords,
        cells=cells.codes,
        rows=chosen.rows,
        separate=chosen.separate,
        layout=chosen.layout,
        layout_reason=chosen.reason,
        fill=chosen.fill,
        constant=constant,
        excluded=excluded,
        rest=_rest(table, typed, constant),
        roles=configs.roles,
        skipped=configs.skipped,
        problems=(
            *configs.problems,
            *_collisions(table, typed, configs),
            *spelling_problems(table.merged, {*typed, *constant}, configs.paths),
            *_unread_names(configs, names_read),
        ),
        shared_cells=_shared_cells(table, cells.codes, [*excluded, *unplaced]),
        policy=policy,
        names=roles.names,
    )
    notes = plan_notes(sweep, chosen, unplaced, list(columns), roles.swept, names_read)
    return replace(sweep, notes=notes)


def find_names(configs: FlatConfigs) -> NamesRead | None:
    """Return how the names of logs are read where configurations leave runs alike (rule 9).

    Whatever arguments a load has, the same names are read.
    """
    table, roles, cells = _settle(configs, _DEFAULT)
    if not _choose_layout(configs, table, roles, cells, _DEFAULT).alike:
        return None
    together = [cell.runs for cell in _shared_cells(table, cells.codes, ())]
    paths = [header.source.path for header in configs.headers]
    return names_to_read(paths, [*table.columns.values()], cells.codes, together)


def _settle(configs: FlatConfigs, policy: PlanPolicy) -> tuple[KeyTable, KeyRoles, _Cells]:
    """Return all keys, their roles and the cells of the runs.

    Spellings of one number are one value, unless that would put two runs into one cell.
    """
    table = build_table(configs, policy)
    apart: Apart = frozenset()
    while True:
        merged = table if policy.exact_labels else merge_spellings(table, apart, policy.seed)
        roles = assign_roles(merged, policy)
        cells = _place_runs(merged, roles)
        keys = merged.columns if policy.dims is None else [*roles.axes, roles.seed.key or ""]
        more = colliding(merged.merged, cells.codes, keys)
        if not more:
            return merged, roles, cells
        apart |= more


def _unread_names(configs: FlatConfigs, names_read: NamesRead | None) -> list[tuple[int, Problem]]:
    """Return a problem for each run whose name has another shape than those that are read."""
    if names_read is None:
        return []
    paths = [header.source.path for header in configs.headers]
    keys = ", ".join(names_read.keys)
    message = f"the name has another shape than {names_read.template}: {keys} absent"
    return [(run, Problem("unread_name", message, paths[run])) for run in names_read.unread(paths)]


def _choose_layout(
    configs: FlatConfigs, table: KeyTable, roles: KeyRoles, cells: _Cells, policy: PlanPolicy
) -> LayoutChoice:
    return choose_layout(
        cells.codes,
        math.prod(cells.sizes),
        np.array([header.has_metrics is not False for header in configs.headers]),
        may_be_whole(configs.headers),
        {key: table.columns[key] for key in roles.live if table.columns[key].numeric},
        roles.axes,
        seed_kind=cells.seed.kind,
        wanted=policy.layout,
    )


def may_be_whole(headers: Sequence[RunHeader]) -> NDArray[np.bool_]:
    """Return whether each run, (n_runs,), may be complete, as far as its header shows.

    Rule 10 prefers a complete run to one that is not. A log without an end marker is cut short
    only where other logs of the sweep have one.
    """
    marked = any(header.finished for header in headers)
    return np.array(
        [h.has_metrics is not False and (h.finished or not marked) for h in headers], dtype=bool
    )


@dataclass
class _Cells:
    """The cells of the runs.

    Parameters
    ----------
    axes : tuple of Axis
        The dim hyperparameters, (n_axes,).
    seed : SeedAxis
    codes : (n_runs, n_axes + 1) int64
        Label index per axis; the last column is the seed index.
    sizes : list of int
        Number of labels along each column of ``codes``, (n_axes + 1,).
    typed : dict
        Full key to labels, of the dims, the seed and, later, the coordinates.
    """

    axes: tuple[Axis, ...]
    seed: SeedAxis
    codes: NDArray[np.int64]
    sizes: list[int]
    typed: dict[str, Labels]


def _place_runs(table: KeyTable, roles: KeyRoles) -> _Cells:
    typed = {key: make_labels(table.columns[key]) for key in roles.axes}
    indices = [typed[key].index[table.columns[key].codes] for key in roles.axes]
    seed_column = None if roles.seed.key is None else table.columns[roles.seed.key]
    seed, seed_index = seed_axis(roles.seed, seed_column, group(indices, table.n_runs))
    if seed_column is not None:
        typed[seed_column.key] = make_labels(seed_column)
    axes = tuple(
        Axis(key, roles.names[key], typed[key].labels, typed[key].value) for key in roles.axes
    )
    codes = np.column_stack([*indices, seed_index]).astype(np.int64)
    sizes = [*(len(axis.labels) for axis in axes), len(seed.labels)]
    return _Cells(axes, seed, codes, sizes, typed)


def _place_coords(
    table: KeyTable, roles: KeyRoles, cells: _Cells
) -> tuple[tuple[Coord, ...], list[str]]:
    """Return the coordinates (rule 7), and the keys that no set of dims determines.

    A run's name that needs the seed is none of the coordinates either. The labels are added to
    ``cells.typed``.
    """
    dims_of_cells = {*roles.axes}
    keys = [key for key in roles.live if key not in dims_of_cells]
    columns = [table.columns[key] for key in keys]
    placement = Placement(cells.codes, cells.sizes, [column.codes for column in columns])
    dim_names = [*(axis.name for axis in cells.axes), "seed"]
    coords: list[Coord] = []
    unplaced: list[str] = []
    for i, column in enumerate(columns):
        dims = placement.place(i)
        if dims is None or (column.key in roles.run_names and dims[-1:] == (len(cells.axes),)):
            unplaced.append(column.key)
            continue
        labels = cells.typed[column.key] = make_labels(column)
        coords.append(
            Coord(
                column.key,
                roles.names[column.key],
                tuple(dim_names[d] for d in dims),
                labels.of(column.codes),
                labels.value_of(column.codes),
            )
        )
    return tuple(coords), unplaced


def _rest(
    table: KeyTable, typed: Mapping[str, Labels], constant: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Return per run the keys that the cube does not show, or shows otherwise."""
    rest: list[dict[str, Any]] = [{} for _ in range(table.n_runs)]
    for key, column in table.columns.items():
        merged = table.merged.get(key)
        own = column if merged is None else merged.column
        if key not in typed and key not in constant:
            codes = set(range(own.n_labels))
        elif merged is not None:
            codes = merged.respelled
        else:
            codes = set(typed[key].shortened) if key in typed else set()
        if not codes:
            continue
        for run, code in zip(rest, own.codes.tolist(), strict=True):
            if code in codes and own.values[code] is not ABSENT:
                run[key] = own.values[code]
    return tuple(rest)


def _collisions(
    table: KeyTable, typed: Mapping[str, Labels], configs: FlatConfigs
) -> list[tuple[int, Problem]]:
    """Return a problem for each string that had to be quoted, at the first run that has it."""
    found: list[tuple[int, Problem]] = []
    for key in (key for key in table.columns if key in typed):
        column, labels = table.columns[key], typed[key]
        for code in labels.quoted:
            run = int(np.argmax(column.codes == code))
            text = labels.labels[labels.index[code]]
            message = f"{key}: the string {column.values[code]!r} is labelled {text}, since another"
            message += " value of that key is written the same"
            path = configs.headers[run].source.path
            found.append((run, Problem("label_collision", message, path)))
    return found


def _shared_cells(
    table: KeyTable, cells: NDArray[np.int64], hidden: Sequence[str]
) -> tuple[SharedCell, ...]:
    """Return the groups of runs in one cell, with the keys outside the cube that differ in them."""
    groups = group(list(cells.T), len(cells))
    sizes = np.bincount(groups)
    members: dict[int, list[int]] = {}
    for run in np.flatnonzero(sizes[groups] > 1).tolist():
        members.setdefault(int(groups[run]), []).append(run)
    shared = []
    for runs in members.values():
        codes = {key: table.columns[key].codes[runs] for key in hidden}
        differ = tuple(key for key, c in codes.items() if (c != c[0]).any())
        shared.append(SharedCell(tuple(runs), differ))
    return tuple(shared)
