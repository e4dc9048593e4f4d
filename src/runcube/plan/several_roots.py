"""Runs of several roots: the name of its root is a key of each run, if nothing else tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.plan.layout import MAX_SHARED
from runcube.plan.planner import may_be_whole
from runcube.plan.values import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.core import RunHeader
    from runcube.plan.sweep import Sweep


def keys_of_roots(
    headers: Sequence[RunHeader], path_keys: Sequence[Mapping[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the keys of the paths of runs with the name of their root added, as ``root``.

    Parameters
    ----------
    headers : sequence of RunHeader
        Of runs whose paths begin with the name of their root, (n_runs,).
    path_keys : sequence of mapping
        Keys that the path gave for each header.

    Returns
    -------
    name : str
        ``root``, with underscores if a configuration has a key of this name.
    path_keys : list of dict, (n_runs,)
    """
    known = {key.rpartition(".")[2] for header in headers for key in flatten(header.config)}
    known |= {key for keys in path_keys for key in keys}
    name = "root"
    while name in known:
        name += "_"
    return name, [
        {name: header.source.path.partition("/")[0], **keys}
        for header, keys in zip(headers, path_keys, strict=True)
    ]


def mixes_roots(sweep: Sweep) -> bool:
    """Return whether runs of several roots share cells, beyond what rule 10 decides of reruns."""
    is_whole = may_be_whole(sweep.headers)
    rivals = 0
    for cell in sweep.shared_cells:
        runs = [run for run in cell.runs if is_whole[run] or sweep.seed_axis.kind == "none"]
        if len({sweep.headers[run].source.path.partition("/")[0] for run in runs}) > 1:
            rivals += len(runs) - 1
    return rivals > (0 if sweep.seed_axis.kind == "none" else MAX_SHARED * len(sweep))
