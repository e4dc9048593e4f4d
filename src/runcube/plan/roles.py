"""Which varying key is a dim, the seed or left out: rules 3 to 6, or arguments in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcube.core import PlanError
from runcube.plan.dims import choose_dims
from runcube.plan.exclude import BY_ARGUMENT, is_excluded_name, texts_of_a_run
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
    names : dict
        Full key to short name, of the keys that vary, of the dims and of the seed.
    """

    axes: list[str]
    live: list[str]
    seed: SeedChoice
    excluded: dict[str, str]
    names: dict[str, str]


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
    seed, excluded = _seed_and_exclusions(table, wanted, out, kept, asked)
    live = [c for c in table.varying if c.key not in excluded and c.key != seed.key]
    if asked is None:
        codes = table.columns[seed.key].codes if seed.key and seed.kind == "labels" else None
        axes = [live[i].key for i in choose_dims(live, codes)]
    else:
        axes = [key for key in asked if key != seed.key]
    names = {c.key: table.names[c.key] for c in table.varying}
    names |= {key: table.names[key] for key in axes}
    if seed.key is not None:
        names[seed.key] = "seed"
    return KeyRoles(axes, [c.key for c in live], seed, excluded, names)


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


def _seed_and_exclusions(
    table: KeyTable,
    wanted: WantedSeed,
    out: Collection[str],
    kept: Collection[str],
    asked: Collection[str] | None,
) -> tuple[SeedChoice, dict[str, str]]:
    """Return the seed and the excluded keys (rules 3 to 5).

    Of the keys that the user names, ``out`` are to be excluded, ``kept`` are to stay, and
    ``asked`` are to be dims.
    """
    excluded = {c.key: BY_ARGUMENT for c in table.varying if c.key in out}
    varying = [c for c in table.varying if c.key not in excluded]
    candidates = [c for c in varying if is_seed_name(c.key) and c.key not in kept]
    safe = {*kept, *(c.key for c in candidates)}
    for column in varying:
        name = table.names[column.key] if column.key in table.renamed else column.key
        if column.key not in safe and is_excluded_name(name):
            excluded[column.key] = "by name"
    varying = [c for c in varying if c.key not in excluded]
    excluded |= texts_of_a_run(varying, safe, table.n_runs)
    others = [c for c in varying if c.key not in excluded and c not in candidates]
    if asked is not None:
        others = [c for c in others if c.key in asked]
    if wanted == "auto" and not candidates:
        constants = [c for c in table.columns.values() if c.n_labels == 1 and c.key not in out]
        found = constant_seed([c for c in constants if is_seed_name(c.key) and c.key not in kept])
        wanted = "auto" if found is None else found
    choice = choose_seed(candidates, others, table.n_runs, wanted)
    return choice, excluded | dict(choice.excluded)
