"""Rule 5: which key is the seed, and whether its values are labels or were drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from runcube.core import as_whole
from runcube.plan.labels import make_labels
from runcube.plan.model import SeedAxis
from runcube.plan.partitions import group, largest_group, occurrence, recode
from runcube.plan.values import ABSENT, Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.plan.model import SeedKind

WantedSeed: TypeAlias = Literal["auto", "replicate"] | Column | None

_SEED = re.compile(r"seed|.+_seed|seed_.+|random_state")


def is_seed_name(key: str) -> bool:
    """Return whether a key of this name may be the seed.

    Examples
    --------
    >>> [is_seed_name(k) for k in ("seed", "data.split_seed", "random_state", "seeds", "seeded")]
    [True, True, True, False, False]
    """
    return _SEED.fullmatch(key.rpartition(".")[2].lower().replace("-", "_")) is not None


@dataclass(frozen=True)
class SeedChoice:
    """The seed key, and the candidates that must not become hyperparameters.

    Parameters
    ----------
    key : str or None
        Full key of the seed.
    kind : {"labels", "drawn", "replicate", "none"}
        As in ``SeedAxis``.
    sharing : int
        Number of runs in the largest group that agrees on all other keys.
    excluded : mapping
        Full key to reason, of the rejected candidates.
    """

    key: str | None
    kind: SeedKind
    sharing: int = 0
    excluded: Mapping[str, str] = field(default_factory=dict)


def choose_seed(
    candidates: Sequence[Column],
    others: Sequence[Column],
    n_runs: int,
    wanted: WantedSeed,
) -> SeedChoice:
    """Return the seed chosen among the varying candidates (rule 5).

    Parameters
    ----------
    candidates : sequence of Column
        Varying keys whose names are those of seeds.
    others : sequence of Column
        All other varying keys that are not excluded.
    n_runs : int
    wanted : {"auto", "replicate"}, Column or None
        What the user asked for; a column is the seed itself.
    """
    chosen: _Judged | None = None
    if isinstance(wanted, Column):
        chosen = _judge(wanted, candidates, others, n_runs)
    elif wanted == "auto":
        judged = [_judge(c, candidates, others, n_runs) for c in candidates if _holds_seeds(c)]
        chosen = min(judged, default=None, key=lambda j: j.rank)
    rejected = {
        c.key: f"a seed beside the seed, {c.n_labels} values in {n_runs} runs"
        for c in candidates
        if (chosen is None or c.key != chosen.column.key) and c.n_labels > n_runs / 2
    }
    if chosen is None:
        kind: SeedKind = "replicate" if wanted == "replicate" else "none"
        return SeedChoice(None, kind, 0, rejected)
    kind = "labels" if chosen.is_labels else "drawn"
    return SeedChoice(chosen.column.key, kind, chosen.sharing, rejected)


@dataclass(frozen=True)
class _Judged:
    """A candidate for the seed, judged by rule 5.

    Parameters
    ----------
    column : Column
    is_labels : bool
        Whether its values are labels; else they were drawn.
    sharing : int
        Number of runs in the largest group that agrees on all other keys.
    decides : bool
        Whether another key has a value of its own for each of its values: hyperparameters that
        were drawn with it.
    is_rare : bool
        Whether most runs lack it: one whose key is damaged takes no seed from the others.
    """

    column: Column
    is_labels: bool
    sharing: int
    decides: bool
    is_rare: bool

    @property
    def rank(self) -> tuple[bool, bool, int, bool, bool, int, int]:
        path, _, last = self.column.key.rpartition(".")
        depth = path.count(".") + bool(path)
        is_named = last == "seed"
        return (
            *(self.is_rare, not self.is_labels, -self.sharing, self.decides, not is_named),
            *(depth, self.column.n_labels),
        )


def _holds_seeds(column: Column) -> bool:
    """Return whether any run has a value of a key: ``data_seed`` is null unless it is set."""
    return any(value is not None and value is not ABSENT for value in column.values)


def _judge(
    column: Column, candidates: Sequence[Column], others: Sequence[Column], n_runs: int
) -> _Judged:
    size = column.n_labels
    keys = [c.codes for c in candidates if c.key != column.key and c.n_labels <= n_runs / 2]
    keys += [c.codes for c in others if c.key != column.key]
    if size <= n_runs / 2:
        # Codes go by first appearance: equal codes are one-to-one values.
        keys = [codes for codes in keys if not np.array_equal(codes, column.codes)]
    sharing = largest_group(group(keys, n_runs))
    decides = any(np.array_equal(c.codes, column.codes) for c in others)
    is_labels = size <= max(2 * sharing, n_runs / 10)
    is_rare = 2 * int(column.present.sum()) < n_runs
    return _Judged(column, is_labels, sharing, decides, is_rare)


def constant_seed(candidates: Sequence[Column]) -> Column | None:
    """Return the seed where no candidate varies: the exact name first, then the least nested."""
    return min(
        candidates,
        key=lambda c: (c.key.rpartition(".")[2] != "seed", c.key.count(".")),
        default=None,
    )


def seed_axis(
    choice: SeedChoice, column: Column | None, configs: NDArray[np.int64]
) -> tuple[SeedAxis, NDArray[np.int64]]:
    """Return the dim ``seed`` and each run's index along it.

    Parameters
    ----------
    choice : SeedChoice
    column : Column or None
        Values of the seed key.
    configs : (n_runs,) int64
        Number of each run's configuration; runs are in natural path order.

    Returns
    -------
    axis : SeedAxis
    index : (n_runs,) int64
    """
    value = None
    if column is not None and choice.kind == "labels":
        typed = make_labels(column)
        reason = f"the values of {column.key}; up to {choice.sharing} runs share a configuration"
        if column.n_labels == 1:
            reason = f"{column.key} is the same in all runs"
        axis = SeedAxis(column.key, "labels", _as_seeds(typed.labels), None, reason)
        return axis, typed.index[column.codes]
    if column is not None:
        index = _replicates(configs, column.codes)
        value = _as_seeds(make_labels(column).of(column.codes))
        reason = (
            f"{column.key} was drawn per run ({column.n_labels} values in {len(configs)} runs):"
            " replicates are numbered in path order, seed_value holds the drawn seed"
        )
    elif choice.kind == "replicate":
        index = occurrence(configs)
        reason = "runs of a configuration numbered in path order, as asked"
    else:
        index, reason = np.zeros_like(configs), "no seed key"
    labels = np.arange(index.max(initial=0) + 1)
    return SeedAxis(choice.key, choice.kind, labels, value, reason), index


def _replicates(configs: NDArray[np.int64], seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, per run, the order in which its seed first appears within its configuration."""
    pairs = group([configs, seeds], len(configs))
    first = np.unique(pairs, return_index=True)[1]
    return occurrence(recode(configs[first]))[pairs]


def _as_seeds(labels: NDArray[Any]) -> NDArray[Any]:
    """Return seeds as whole numbers or text."""
    if labels.dtype.kind == "f":
        whole = as_whole(labels)
        return whole if whole is not labels else np.array([repr(float(v)) for v in labels])
    return np.array([str(v) for v in labels]) if labels.dtype.kind == "b" else labels
