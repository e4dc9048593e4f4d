"""Which varying key is a dim, the seed or left out: rules 3 to 6, or arguments in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcube.core import PlanError
from runcube.plan.dims import choose_dims
from runcube.plan.exclude import (
    BY_ARGUMENT,
    BY_NAME,
    is_excluded_name,
    swept_in_spite_of_names,
)
from runcube.plan.run_names import measured_in_runs, run_names
from runcube.plan.seed import choose_seed, constant_seed, is_seed_name
from runcube.plan.values import Column

if TYPE_CHECKING:
    from collections.abc import Collection

    from runcube.plan.keys import KeyTable
    from runcube.plan.model import PlanPolicy
    from runcube.plan.seed import SeedChoice, WantedSeed


@dataclass(frozen=True)
class KeyRoles:
    """The role of each key.

    Parameters
    ----------
    axes : list of str
        Full keys of the dims, (n_axes,).
    live : list of str
        Full keys that vary and are neither seed nor excluded, dims among them, in config order.
    seed : SeedChoice
    excluded : dict
        Full key to reason.
    run_names : dict
        Full key to reason, of those of ``live`` that name a run: coordinates where dims decide
        them without the seed, else excluded.
    swept : list of str
        Full keys of dims that would be excluded by name, but for the evidence of their values.
    names : dict
        Full key to short name, of the keys that vary, of the dims and of the seed.
    """

    axes: list[str]
    live: list[str]
    seed: SeedChoice
    excluded: dict[str, str]
    names: dict[str, str]
    run_names: dict[str, str]
    swept: list[str]


def assign_roles(table: KeyTable, policy: PlanPolicy) -> KeyRoles:
    """Return the role of each key by rules 3 to 6, or by the policy in their place.

    Parameters
    ----------
    table : KeyTable
    policy : PlanPolicy

    Raises
    ------
    UnknownNameError
        If ``dims``, ``exclude`` or ``seed`` name no hyperparameter.
    PlanError
        If they contradict each other.
    """
    asked = _asked_dims(table, policy)
    wanted = _wanted_seed(table, policy)
    out = {table.resolve(name, "exclude") for name in policy.exclude}
    kept = set(asked or ())
    if isinstance(wanted, Column):
        kept.add(wanted.key)
    both = sorted(out & kept)
    if both:
        raise PlanError(f"exclude: {', '.join(both)} is asked for by dims or seed as well")
    seed, excluded, called, swept = _left_out(table, wanted, out, kept, asked)
    live = [c for c in table.varying if c.key not in excluded and c.key != seed.key]
    if asked is None:
        labels = table.columns[seed.key] if seed.key and seed.kind == "labels" else None
        eligible = [c for c in live if c.key not in called]
        axes = [eligible[i].key for i in choose_dims(eligible, labels)]
    else:
        axes = [key for key in asked if key != seed.key]
    names = {c.key: table.names[c.key] for c in table.varying}
    names |= {key: table.names[key] for key in axes}
    if seed.key is not None:
        names[seed.key] = "seed"
    keys = [c.key for c in live]
    return KeyRoles(axes, keys, seed, excluded, names, called, swept)


def _asked_dims(table: KeyTable, policy: PlanPolicy) -> list[str] | None:
    if policy.dims is None:
        return None
    is_key = policy.seed in (None, "replicate") and "seed" in table.columns
    names = [name for name in policy.dims if name != "seed" or is_key]  # else: the seed dim
    return list(dict.fromkeys(table.resolve(name, "dims") for name in names))


def _wanted_seed(table: KeyTable, policy: PlanPolicy) -> WantedSeed:
    called = [key for key in table.renamed if table.names[key] == "seed"]
    if policy.seed == "auto" and called:
        return table.columns[called[0]]
    if policy.seed in ("auto", "replicate", None):
        wanted: WantedSeed = policy.seed  # type: ignore[assignment]
    else:
        wanted = table.columns[table.resolve(policy.seed, "seed")]
    if called and (not isinstance(wanted, Column) or wanted.key != called[0]):
        raise PlanError(f"rename: {called[0]!r} is called 'seed', but seed={policy.seed!r}")
    return wanted


def _left_out(
    table: KeyTable,
    wanted: WantedSeed,
    out: Collection[str],
    kept: Collection[str],
    asked: Collection[str] | None,
) -> tuple[SeedChoice, dict[str, str], dict[str, str], list[str]]:
    """Return the seed, and what is excluded, names a run, or was swept, as ``KeyRoles`` has them.

    Of the keys that the user names, ``out`` are to be excluded, ``kept`` are to stay, and
    ``asked`` are to be dims.
    """
    excluded = {c.key: BY_ARGUMENT for c in table.varying if c.key in out}
    varying = [c for c in table.varying if c.key not in excluded]
    candidates = [c for c in varying if is_seed_name(c.key) and c.key not in kept]
    seeds = {c.key for c in candidates}
    by_name = [c for c in varying if c.key not in {*kept, *seeds} and _is_excluded(c, table)]
    excluded |= {c.key: BY_NAME for c in by_name}
    varying = [c for c in varying if c.key not in excluded]
    called = run_names(varying, seeds, kept, table.n_runs)
    others = [c for c in varying if c.key not in called and c not in candidates]
    measured = measured_in_runs(others, candidates, table.n_runs)
    others = [c for c in others if c.key not in measured]
    if asked is not None:
        others = [c for c in others if c.key in asked]
    if wanted == "auto" and not candidates:
        constants = [c for c in table.columns.values() if c.n_labels == 1 and c.key not in out]
        found = constant_seed([c for c in constants if is_seed_name(c.key) and c.key not in kept])
        wanted = "auto" if found is None else found
    choice = choose_seed(candidates, others, table.n_runs, wanted)
    swept: list[Column] = []
    if asked is None:
        standing = [c for c in varying if c.key not in called and c.key != choice.key]
        codes = None if choice.key is None else table.columns[choice.key].codes
        swept = swept_in_spite_of_names(by_name, standing, codes, table.n_runs)
    if swept:
        choice = choose_seed(candidates, [*others, *swept], table.n_runs, wanted)
    keys = [c.key for c in swept]
    excluded = {key: why for key, why in excluded.items() if key not in keys}
    return choice, excluded | dict(choice.excluded), called, keys


def _is_excluded(column: Column, table: KeyTable) -> bool:
    name = table.names[column.key] if column.key in table.renamed else column.key
    return is_excluded_name(name)
