"""Rules 3 and 4: the varying keys that are neither dims nor coordinates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runcube.plan.partitions import group, n_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runcube.plan.values import Column

_NAMES = re.compile(
    r"""
    id|uuid|pid|rank|port|host|hostname|user|devices?|time|date|timestamp|tags?|notes?|comment
    |command|cwd|write_checkpoint
    |(?:run|job|trial|task|exp|experiment|wandb|slurm|group|session)_(?:id|name|tag|number|dir)
    |git_.*|commit.*|.*_dir|.*_path|.*_file|.*_folder
    """,
    re.VERBOSE | re.DOTALL,
)
BY_ARGUMENT = "by exclude="
_SECTIONS = ("paths.", "hydra.", "wandb.", "logger.", "slurm.")


def is_excluded_name(key: str) -> bool:
    """Return whether a key of this name tells runs apart without being a hyperparameter (rule 3).

    Examples
    --------
    >>> [is_excluded_name(k) for k in ("run_id", "data.root_dir", "hydra.job.num", "model.path")]
    [True, True, True, False]
    """
    key = key.lower()
    segments = key.split(".")
    return (
        key.startswith(_SECTIONS)
        or any(segment.startswith("py/") for segment in segments)
        or _NAMES.fullmatch(segments[-1].replace("-", "_")) is not None
    )


def texts_of_a_run(
    columns: Sequence[Column], seeds: Collection[str], n_runs: int
) -> dict[str, str]:
    """Return texts that differ in almost every run, where other keys tell runs apart (rule 4).

    Parameters
    ----------
    columns : sequence of Column
        The varying keys that are still in, seed candidates included.
    seeds : collection of str
        The seed candidates, which are never excluded.
    n_runs : int

    Returns
    -------
    dict
        Full key to reason.
    """
    suspects = [c for c in columns if c.key not in seeds and _differs_in_most_runs(c)]
    if not suspects:
        return {}
    names = {c.key for c in suspects}
    others = [c.codes for c in columns if c.key not in names]
    if n_groups(group(others, n_runs)) <= n_runs / 2:
        return {}
    return {
        c.key: f"text that differs in almost every run ({c.n_labels} values in {n_runs} runs)"
        for c in suspects
    }


def _differs_in_most_runs(column: Column) -> bool:
    texts = sum(type(value) is str for value in column.values)
    absent = column.absent_code
    n_with = len(column.codes) - int((column.codes == absent).sum() if absent is not None else 0)
    n_values = column.n_labels - (absent is not None)
    return n_values > 10 and n_values > n_with / 2 and texts > n_values / 2
