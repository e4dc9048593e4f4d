"""Rule 3: keys whose names say that they are no hyperparameters, and the evidence against it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from runcube.plan.partitions import determine, group, n_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.plan.values import Column

BY_ARGUMENT, BY_NAME = "by exclude=", "by name"
_RUN = "(?:run|job|trial|task|exp|experiment|wandb|slurm|group|session)"
# Where, when and by whom a run was started: no evidence makes a hyperparameter of these.
_FACTS = re.compile(
    rf"""
    id|uuid|pid|port|host|hostname|user|devices?|time|date|timestamp|t_start|start_time|command
    |cwd|write_checkpoint
    |{_RUN}_(?:id|number)|git_.*|commit.*
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACES = re.compile(r".*_(?:dir|path|file|folder)", re.DOTALL)
_OTHERS = re.compile(rf"rank|tags?|notes?|comment|{_RUN}_(?:name|tag)")
_LOGGERS = "hydra optuna wandb swanlab mlflow sacred trackio logger slurm"
_SECTIONS_OF_FACTS = tuple(f"{name}." for name in _LOGGERS.split())
_SECTIONS = ("paths.", *_SECTIONS_OF_FACTS)
# Values of a swept key are tried about equally often: each at least this share of an even one.
_BALANCED = 0.25
# Runs that only this key tells apart, of all: with fewer they are reruns, which rule 10 decides.
_CROSSED = 0.05


def is_excluded_name(key: str) -> bool:
    """Return whether a key of this name tells runs apart without being a hyperparameter (rule 3).

    Examples
    --------
    >>> [is_excluded_name(k) for k in ("run_id", "data.root_dir", "hydra.job.num", "model.path")]
    [True, True, True, False]
    """
    last = _last(key)
    return (
        is_fact(key)
        or key.lower().startswith(_SECTIONS)
        or any(segment.startswith("py/") for segment in key.lower().split("."))
        or any(names.fullmatch(last) for names in (_PLACES, _OTHERS))
    )


def is_fact(key: str) -> bool:
    """Return whether a key of this name says where, when or by whom a run was started.

    Examples
    --------
    >>> [is_fact(k) for k in ("hostname", "slurm.partition", "commit_hash", "data_dir", "rank")]
    [True, True, True, False, False]
    """
    return key.lower().startswith(_SECTIONS_OF_FACTS) or _FACTS.fullmatch(_last(key)) is not None


def _last(key: str) -> str:
    return key.lower().rpartition(".")[2].replace("-", "_")


def swept_in_spite_of_names(
    excluded: Sequence[Column],
    others: Sequence[Column],
    seed: NDArray[np.int64] | None,
    n_runs: int,
) -> list[Column]:
    """Return the keys of excluded names that were swept, as far as their values show.

    Such a key has few values, each in several runs, which no other key decides; and it either
    tells runs apart that nothing else does, or each seed has one value of it.

    Parameters
    ----------
    excluded : sequence of Column
        The varying keys that are excluded by name.
    others : sequence of Column
        The varying keys that are still in, without the seed.
    seed : (n_runs,) int64, optional
        Codes of the seed.
    n_runs : int
    """
    facts = [c for c in excluded if is_fact(c.key) and c.n_labels <= n_runs / 2]
    codes = [c.codes for c in others]
    found: list[Column] = []
    for column in sorted(excluded, key=_preference):
        if is_fact(column.key) or not _has_few_values(column, n_runs):
            continue
        if determine(codes, column.codes) or _is_place_of_a_machine(column, facts):
            continue
        if _is_part_of_seed(column, seed) or _is_crossed(column, codes, seed, n_runs):
            found.append(column)
            codes.append(column.codes)
    return found


def _preference(column: Column) -> tuple[bool, int, int]:
    return not column.numeric, column.n_labels, sum(len(str(v)) for v in column.values)


def _has_few_values(column: Column, n_runs: int) -> bool:
    least = int(np.bincount(column.codes).min())
    return least > 1 and least >= _BALANCED * n_runs / column.n_labels


def _is_place_of_a_machine(column: Column, facts: Sequence[Column]) -> bool:
    """Return whether a path differs since machines do."""
    is_place = _PLACES.fullmatch(_last(column.key)) or column.key.lower().startswith(_SECTIONS)
    return bool(is_place) and any(determine([fact.codes], column.codes) for fact in facts)


def _is_part_of_seed(column: Column, seed: NDArray[np.int64] | None) -> bool:
    if seed is None or not determine([seed], column.codes):
        return False
    return n_groups(seed) > column.n_labels


def _is_crossed(
    column: Column,
    codes: Sequence[NDArray[np.int64]],
    seed: NDArray[np.int64] | None,
    n_runs: int,
) -> bool:
    known = [*codes] if seed is None else [*codes, seed]
    without = n_groups(group(known, n_runs))
    return n_groups(group([*known, column.codes], n_runs)) - without > _CROSSED * n_runs
