"""Which files are configurations, and for which folders they count."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from runcube.files import folders_above
from runcube.readers.config_files import hydra

if TYPE_CHECKING:
    from runcube.core import LogFile
    from runcube.files import Tree

HYDRA = (hydra.CONFIG, hydra.OVERRIDES, hydra.JOB, hydra.MULTIRUN)
SIDECARS = (
    "config.json",
    "config.yaml",
    "config.yml",
    "params.json",
    "params.yaml",
    "parameters.json",
    "parameters.yaml",
    "hparams.yaml",
    "hparams.yml",
    "hparams.json",
    "args.json",
    "args.yaml",
    *HYDRA,
)


def find_sidecars(
    tree: Tree, folder: str, names: tuple[str, ...] = SIDECARS
) -> tuple[LogFile, ...]:
    """Return the configuration files that count in a folder: its own, and those of all above it.

    Parameters
    ----------
    tree : Tree
    folder : str
        Relative to the root; ``""`` is the root itself.
    names : tuple of str
        Names to look for; they may include a folder below.

    Returns
    -------
    tuple of LogFile
        Nearest first; those of one folder in the order of ``names``.
    """
    found = []
    for place in (folder, *folders_above(folder)):
        for below, lasts in _by_folder(names):
            inside = tree.folder(f"{place}/{below}" if place and below else place or below)
            found += [inside[last] for last in lasts if last in inside]
    return tuple(found)


@lru_cache(maxsize=16)
def _by_folder(names: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """Return names by the folder that they include, as far as they follow each other."""
    split = [(below, last) for below, _, last in (name.rpartition("/") for name in names)]
    return [(below, [last for _, last in own]) for below, own in groupby(split, itemgetter(0))]


def is_sidecar_name(path: str) -> bool:
    """Return whether a file of this name holds a configuration, not a log."""
    return any(path == name or path.endswith("/" + name) for name in SIDECARS)
