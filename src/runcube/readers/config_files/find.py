"""Which files are configurations, and for which folders they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.readers.config_files import hydra

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    for place in _upwards(folder):
        for name in names:
            below, _, last = name.rpartition("/")
            file = tree.folder("/".join(part for part in (place, below) if part)).get(last)
            if file is not None:
                found.append(file)
    return tuple(found)


def _upwards(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def is_sidecar_name(path: str) -> bool:
    """Return whether a file of this name holds a configuration, not a log."""
    return any(path == name or path.endswith("/" + name) for name in SIDECARS)
