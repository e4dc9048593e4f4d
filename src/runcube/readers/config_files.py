"""Configuration files beside a log: JSON and YAML, by safe loading only."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.files import read_bytes
from runcube.readers.lines import BOM, decode_line

if TYPE_CHECKING:
    from runcube.core import LogFile, Source
    from runcube.files import Tree

SIDECARS = (
    "config.json",
    "config.yaml",
    "config.yml",
    "params.json",
    "params.yaml",
    "hparams.yaml",
    "hparams.yml",
    "hparams.json",
    "args.json",
    "args.yaml",
    ".hydra/config.yaml",
)
# YAML 1.1 wants a dot in a float; people and YAML 1.2 write 1e-4.
_FLOAT = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+
    |[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


def find_sidecar(tree: Tree, folder: str, names: tuple[str, ...] = SIDECARS) -> LogFile | None:
    """Return the first of the known configuration files in a folder; None if it has none.

    Parameters
    ----------
    tree : Tree
    folder : str
        Relative to the root; ``""`` is the root itself.
    names : tuple of str
        Names to look for, in this order; they may include a folder below.

    Returns
    -------
    LogFile or None
    """
    for name in names:
        below, _, last = name.rpartition("/")
        inside = "/".join(part for part in (folder, below) if part)
        file = tree.folder(inside).get(last)
        if file is not None:
            return file
    return None


def is_sidecar_name(path: str) -> bool:
    """Return whether a file of this name holds a configuration, not a log."""
    return any(path == name or path.endswith("/" + name) for name in SIDECARS)


def load_sidecar(source: Source, path: str) -> tuple[dict[str, Any], list[Problem]]:
    """Read one configuration file of a source.

    Parameters
    ----------
    source : Source
    path : str
        Of the file, relative to the root of the source.

    Returns
    -------
    config : dict
        Empty where the file holds none.
    problems : list of Problem
        What is wrong with the file. A file that is gone is a problem too, not an exception: the
        curves beside it are good.
    """
    try:
        data, damage = read_bytes(source.root, path)
    except OSError as error:
        return {}, [Problem("unreadable", f"configuration: {error.strerror}", path)]
    problems = [Problem("unreadable", damage, path)] if damage else []
    try:
        value = parse_config(data, yaml=not path.removesuffix(".gz").endswith(".json"))
    except ValueError as error:
        reason = " ".join(str(error).split())
        return {}, [*problems, Problem("no_config", f"configuration: {reason}", path)]
    if not isinstance(value, dict):
        message = f"configuration: expected a mapping, got {type(value).__name__}"
        return {}, [*problems, Problem("no_config", message, path)]
    return _unwrapped(value), problems


def parse_config(data: bytes, *, yaml: bool) -> Any:
    """Return the value that a file of JSON or YAML holds.

    Parameters
    ----------
    data : bytes
    yaml : bool
        Parse as YAML; False: as JSON.

    Raises
    ------
    ValueError
        If it is neither.
    """
    data = data.removeprefix(BOM).strip(b" \t\r\n\0")
    return _load_yaml(data) if yaml else decode_line(data)


def _unwrapped(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config without the ``{"lr": {"desc": null, "value": 0.1}}`` of W&B."""
    boxes = [v for k, v in config.items() if k != "wandb_version"]
    if boxes and all(isinstance(b, dict) and b.keys() <= {"desc", "value"} for b in boxes):
        return {k: v.get("value") for k, v in config.items() if isinstance(v, dict)}
    return {str(key): value for key, value in config.items()}


def _load_yaml(data: bytes) -> Any:
    import yaml

    try:
        return yaml.load(data, Loader=_loader())
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("ConfigLoader", (base,), {})
    loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    # A tag of a Python object costs that tag, not the whole file; nothing is constructed from it.
    loader.add_multi_constructor("", _plain)
    # Dates stay the text that was written: labels and JSON know no dates.
    loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    return loader


def _plain(loader: Any, _: str, node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value
