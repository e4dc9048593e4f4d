"""The configuration of a log from the files beside it and above it."""

from __future__ import annotations

from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Problem, value_at
from runcube.files import damage_problem, kept_for_load, read_bytes
from runcube.readers.config_files import hydra
from runcube.readers.config_files.carry import Carrier, Note, Parsed, shown_keys
from runcube.readers.config_files.find import is_sidecar_name
from runcube.readers.config_files.json_text import parse_json
from runcube.readers.config_files.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runcube.core import Limits, LogFile, Source

# Problems of a file of which nothing is known.
_UNSOUND = ("no_config", "unreadable")
_DESCRIBED = Note("config_value", "the description is left out")


def load_sidecars(
    source: Source,
    files: Sequence[LogFile],
    limits: Limits = DEFAULT_LIMITS,
    *,
    own: tuple[str, dict[str, Any]] | None = None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Read the configuration files of a source and merge them, key by key.

    Parameters
    ----------
    source : Source
    files : sequence of LogFile
        As of `find_sidecars`, the nearest first: it counts. Each key of which another one says
        something else is a problem.
    limits : Limits
    own : (str, dict), optional
        A configuration that counts more than all files, with the path of where it is from.
    limits : Limits

    Returns
    -------
    config : dict
        Empty where the files hold none. What it holds is not to be changed in place.
    problems : list of Problem
        What is wrong with the files, and what of them cannot be carried.
    """
    read = [] if own is None else [own]
    problems: list[Problem] = []
    jobs = []
    sweep = next((file for file in files if hydra.is_of_sweep(file.path)), None)
    plain = [file for file in files if not hydra.is_of_sweep(file.path)]
    for job, mine in groupby(plain, lambda file: hydra.folder_of_job(file.path)):
        if job is None:
            for file in mine:
                config, named = _load(source.root, file, limits)
                read.append((file.path, config))
                problems += named
        else:
            path, config, named = _load_job(source.root, [*mine], sweep, limits)
            read.append((path, config))
            problems += named
            jobs.append(path)
    # What counts least first: what a null above replaces does not come back below it.
    merged: dict[str, Any] = reduce(merge, (config for _, config in reversed(read)), {})
    untold = hydra.unresolved(merged, jobs[0]) if jobs else ()
    return merged, [*problems, *untold, *_conflicts(read, merged)]


def load_named(
    source: Source, limits: Limits, *, own: tuple[str, dict[str, Any]] | None = None
) -> tuple[dict[str, Any], list[Problem], list[str]]:
    """Return what `load_sidecars` does of all that are named so in a source, and their names."""
    files = [file for file in source.files if is_sidecar_name(file.path)]
    config, problems = load_sidecars(source, files, limits, own=own)
    return config, problems, [file.path.rpartition("/")[2] for file in files]


def _conflicts(
    read: Sequence[tuple[str, dict[str, Any]]], merged: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield a problem for each key of a file that gives way to one of a file that counts more."""
    for number, (path, config) in enumerate(read):
        for keys in _lost(config, merged):
            if hydra.is_unresolved(value_at(config, keys)):
                continue  # the other one is what it was resolved to
            counts = next(other for other, nearer in read[:number] if _decides(nearer, keys))
            what = f"{counts} and {path} differ, {counts} counts"
            message = f"configuration: {shown_keys(['.'.join(keys)])}: {what}"
            yield Problem("config_conflict", message, path)


def _load(
    root: str, file: LogFile, limits: Limits, kind: type = dict
) -> tuple[Any, Sequence[Problem]]:
    """Read one file. A file that is gone is a problem, not an exception: the curves are good."""
    try:
        return _parse(root, file, limits, kind)
    except OSError as error:
        message = f"configuration {file.path}: {error.strerror or error}"
        return kind(), [Problem("unreadable", message, file.path)]


def _load_job(
    root: str, files: Sequence[LogFile], sweep: LogFile | None, limits: Limits
) -> tuple[str, dict[str, Any], list[Problem]]:
    """Read the files of a job of Hydra; return the path of the one that counts as well."""
    by_name = {"/".join(file.path.split("/")[-2:]): file for file in files}
    problems: list[Problem] = []

    def load(file: LogFile | None, kind: type = dict) -> Any:
        value, named = (kind(), ()) if file is None else _load(root, file, limits, kind)
        problems.extend(named)
        return value

    config = load(by_name.get(hydra.CONFIG))
    is_known = hydra.CONFIG in by_name and not any(p.kind in _UNSOUND for p in problems)
    overrides = load(by_name.get(hydra.OVERRIDES), list)
    whole = hydra.job_configuration(
        config if is_known else None, overrides, load(by_name.get(hydra.JOB))
    )
    path = by_name.get(hydra.CONFIG, files[0]).path
    problems += hydra.contradictions(config, overrides, load(sweep), path)
    return path, whole, problems


# A file above many runs is a file of each of them.
@kept_for_load(32)
def _parse(
    root: str, file: LogFile, limits: Limits, expected: type
) -> tuple[Any, Sequence[Problem]]:
    """Return what one file holds, and what of it is wrong or cannot be carried."""
    path = file.path
    data, damage = read_bytes(root, path, limits=limits)
    problems = [damage_problem(damage, path)] if damage else []
    parse = parse_json if path.removesuffix(".gz").endswith(".json") else parse_yaml
    try:
        parsed = parse(data, limits)
    except ValueError as error:
        reason = " ".join(str(error).split())
        return expected(), [
            *problems,
            Problem("no_config", f"configuration {path}: {reason}", path),
        ]
    if not isinstance(parsed.value, expected):
        kind = type(parsed.value).__name__
        wanted = "a mapping" if expected is dict else "a list"
        message = f"configuration {path}: expected {wanted}, got {kind}"
        return expected(), [*problems, Problem("no_config", message, path)]
    carrier = Carrier(parsed, limits)
    if expected is list:
        items = carrier.mapping({"": parsed.value}).get("", [])
        return items, [*problems, *carrier.problems(path)]
    config = carrier.mapping(_unwrapped(parsed))
    return config, [*problems, *carrier.problems(path)]


def _unwrapped(parsed: Parsed) -> dict[str, Any]:
    """Return the config without the ``{"lr": {"desc": null, "value": 0.1}}`` of W&B.

    SwanLab adds ``sort``, which is the place of the key.
    """
    config: dict[str, Any] = parsed.value
    boxes = {key: value for key, value in config.items() if key != "wandb_version"}
    if not boxes or not all(
        isinstance(box, dict) and box and box.keys() <= {"desc", "sort", "value"}
        for box in boxes.values()
    ):
        return config
    found = {key: boxes[key].get("value") if key in boxes else v for key, v in config.items()}
    for key, note in parsed.notes.get(id(config), ()):
        parsed.note(found, key, note)
    for key, box in boxes.items():
        if box.get("desc") not in (None, ""):
            parsed.note(found, key, _DESCRIBED)
    return found


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings merged, key by key; where both have a value, that of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(dict(old or {}), value) if both else value
    return merged


def with_section(config: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with facts in a section of their own, below what it has there itself.

    Where a value has the name of the section, their keys are dotted.
    """
    own = config.get(name, {})
    if isinstance(own, dict):
        return {**config, name: merge(facts, own)}
    return {**config, **{f"{name}.{key}": fact for key, fact in facts.items()}}


def _lost(
    config: Mapping[str, Any], merged: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the keys, outermost first, of what one configuration holds and the merged one lacks."""
    for key, value in config.items():
        other = merged.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            yield from _lost(value, other, (*above, key))
        elif key not in merged or not _same(value, other):
            yield (*above, key)


def _decides(config: Any, keys: Sequence[str]) -> bool:
    """Return whether a configuration has a value of nested keys, or one in place of an object."""
    for key in keys:
        if not isinstance(config, dict):
            return True
        if key not in config:
            return False
        config = config[key]
    return True


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are one: 1 and 1.0 are, True and 1 are not, NaN is itself."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other or (one != one and other != other))
