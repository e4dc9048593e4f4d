"""Hydra's files of a job, ``.hydra/*.yaml``, and of its sweep, as one configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runcube.core import Problem, leaves, opened, value_at
from runcube.readers.config_files.carry import shown_keys
from runcube.readers.lines import is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONFIG, OVERRIDES, JOB = ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml"
MULTIRUN = "multirun.yaml"

# Of what Hydra says of a job: not how it logs, launches and prints help.
_FACTS = {"job": ("name", "num", "id"), "runtime": ("version", "cwd", "output_dir")}
# Groups whose content is no hyperparameter, so that the choice is none either.
_NO_HPARAMS = frozenset({"logger", "paths", "slurm", "wandb"})
_REFERENCE = re.compile(r"\$\{([^${}]*)\}")
_UNTOLD = "'${…}' that only the program resolves: kept as text"
_SHARED = "sweeps that are launched in one second share a folder"


def folder_of_job(path: str) -> str | None:
    """Return the folder of the job that a file of Hydra is of; None for any other file.

    Examples
    --------
    >>> folder_of_job("multirun/0/.hydra/config.yaml"), folder_of_job("a/config.yaml")
    ('multirun/0', None)
    """
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    return above if last == ".hydra" and f"{last}/{name}" in (CONFIG, OVERRIDES, JOB) else None


def is_of_sweep(path: str) -> bool:
    """Return whether a file is that of a sweep of Hydra, not of one job."""
    return path.rpartition("/")[2] == MULTIRUN


def is_unresolved(value: Any) -> bool:
    """Return whether a value is text that stands for another one."""
    return isinstance(value, str) and "${" in value


def job_configuration(
    config: Mapping[str, Any] | None, overrides: Sequence[Any], job: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the configuration of a job.

    Parameters
    ----------
    config : mapping, optional
        What ``config.yaml`` holds; None if it cannot be read. Then the overrides are all there is.
    overrides : sequence
        What ``overrides.yaml`` holds: texts as on the command line.
    job : mapping
        What ``hydra.yaml`` holds.

    Returns
    -------
    dict
        The values of ``config``; below ``overrides``, the options that were chosen of groups, which
        have no value of their own there; below ``hydra``, which tells no runs apart, facts.
    """
    found = dict(config or {})
    of_hydra = _section(job, "hydra")
    facts = _facts(of_hydra)
    groups = _section(_section(of_hydra, "runtime"), "choices")
    chosen: dict[str, Any] = {}
    for key, text in _assigned(overrides):
        name = key.replace("/", ".")
        is_value = not isinstance(value_at(found, name.split("."), {}), dict)
        if key in groups or (config is not None and not is_value):
            below = facts.setdefault("overrides", {}) if key in _NO_HPARAMS else chosen
            below[name] = _value(text)
        elif config is None:
            *above, last = name.split(".")
            opened(found, above)[last] = _value(text)
    if chosen:
        found.setdefault("overrides", chosen)
    if facts:
        found.setdefault("hydra", facts)
    return found


def contradictions(
    config: Mapping[str, Any], overrides: Sequence[Any], sweep: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    """Yield what shows that the files of a job were written by several sweeps.

    Parameters
    ----------
    config : mapping
        What ``config.yaml`` holds.
    overrides : sequence
        What ``overrides.yaml`` holds.
    sweep : mapping
        What ``multirun.yaml`` holds; it lists the values that were swept.
    path : str
        Of ``config.yaml``, for the problems.
    """
    own = dict(_assigned(overrides))
    held = {key: value_at(config, key.replace("/", ".").split(".")) for key in own}
    differing = [key for key, text in own.items() if _contradict(held[key], _value(text))]
    if differing:
        what = "another value than in overrides.yaml, config.yaml counts"
        yield Problem("config_conflict", f"{shown_keys(differing)}: {what}; {_SHARED}", path)
    task = _section(_section(sweep, "hydra"), "overrides").get("task")
    swept = dict(_assigned(task)) if isinstance(task, list) else {}
    others = [key for key, text in own.items() if not _is_among(text, swept.get(key))]
    if others:
        what = "no value of the sweep that multirun.yaml tells of"
        yield Problem("config_conflict", f"{shown_keys(others)}: {what}; {_SHARED}", path)


def unresolved(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem that names the values that the configuration alone does not tell.

    ``${data.width}`` loses nothing: it is the value of another key. What a resolver returns
    (``${oc.env:HOME}``, ``${now:%H}``), or a key that is elsewhere, is not known.
    """
    keys = [
        dotted
        for dotted, value in leaves(config, ".")
        for text in (value if isinstance(value, list) else [value])
        if is_unresolved(text)
        if any(not _is_told(config, name.strip()) for name in _REFERENCE.findall(text))
    ]
    if keys:
        yield Problem("config_value", f"configuration {path}: {shown_keys(keys)}: {_UNTOLD}", path)


def _is_told(config: Mapping[str, Any], reference: str) -> bool:
    if ":" in reference:
        return reference.startswith("hydra:")
    return reference.startswith(".") or re.split(r"[.\[]", reference)[0] in config


def _facts(of_hydra: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for section, names in _FACTS.items():
        held = _section(of_hydra, section)
        kept = {name: held[name] for name in names if held.get(name) is not None}
        facts |= {section: kept} if kept else {}
    return facts


def _assigned(overrides: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield key and text of each override but those of Hydra itself; ``~key`` sets nothing."""
    for item in overrides:
        key, assigns, text = str(item).partition("=")
        if assigns and not key.startswith(("~", "hydra.", "hydra/")):
            yield key.lstrip("+"), text


def _value(text: str) -> Any:
    """Return what Hydra makes of a text: a number, a truth value, null, a text without quotes."""
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1].replace("\\" + text[0], text[0])
    known = {"true": True, "false": False, "null": None}
    if text.lower() in known:
        return known[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _contradict(one: Any, other: Any) -> bool:
    """Return whether two values differ, whatever type a schema made of them."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() != other.casefold()
    return is_number(one) and is_number(other) and one != other


def _is_among(text: str, swept: str | None) -> bool:
    """Return whether a value is one of those of a sweep, as far as these are listed."""
    if swept is None or any(character in swept for character in "()[]{}'\"\\"):
        return True
    return _value(text) in map(_value, swept.split(","))


def _section(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = mapping.get(name)
    return section if isinstance(section, dict) else {}
