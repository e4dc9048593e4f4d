"""From headers to flat configurations: which runs are in the plan, and what configures them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runcube.core import NoRunsError, Problem, Roles, natural_key
from runcube.plan.exclude import is_excluded_name
from runcube.plan.path_keys import merge_path_keys
from runcube.plan.seed import is_seed_name
from runcube.plan.values import (
    ABSENT,
    fill_null_subtrees,
    flatten,
    key_order,
    make_column,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runcube.core import Names, RunHeader, RunLog
    from runcube.plan.values import Column


@dataclass(frozen=True)
class FlatConfigs:
    """The runs of the plan in natural path order, with their flat configurations.

    Parameters
    ----------
    headers : tuple of RunHeader
        (n_runs,), in natural path order.
    flats : list of dict
        Flat configuration of each run, (n_runs,): full dotted key to value.
    roles : Roles
        What columns of the logs turned out to be.
    skipped : tuple of Problem
        Files and runs that are in no cell.
    problems : tuple of (int, Problem)
        Problems of a configuration, each with the run's position in ``headers``.
    """

    headers: tuple[RunHeader, ...]
    flats: list[dict[str, Any]]
    roles: Roles
    skipped: tuple[Problem, ...]
    problems: tuple[tuple[int, Problem], ...]

    @property
    def paths(self) -> list[str]:
        """Path of each run, (n_runs,), with the run's key where a log holds several."""
        return [h.source.path + (f" [{h.key}]" if h.key else "") for h in self.headers]

    def raw(self, key: str) -> list[Any]:
        """Return the value of a key in each run, (n_runs,); ``ABSENT`` where there is none."""
        return [flat.get(key, ABSENT) for flat in self.flats]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Every key as a column, in config order."""
        return {key: make_column(key, self.raw(key)) for key in key_order(self.flats)}


def flatten_headers(
    headers: Sequence[RunHeader],
    path_keys: Sequence[Mapping[str, Any]] | None,
    skipped: Sequence[Problem],
) -> FlatConfigs:
    """Return the runs in order, flattened (rule 1), without those that lack a configuration.

    Parameters
    ----------
    headers : sequence of RunHeader
    path_keys : sequence of mapping or None
        Keys that the path gave for each header.
    skipped : sequence of Problem
        What was left out before; runs without a configuration are appended.

    Raises
    ------
    NoRunsError
        If there is no header.
    """
    if not headers:
        raise NoRunsError("no runs to plan: no log has a header")
    given = [{}] * len(headers) if path_keys is None else path_keys
    skips = list(skipped)
    any_config = any(header.has_config for header in headers)
    kept: list[int] = []
    for i in _path_order(headers):
        if headers[i].has_config or not any_config:
            kept.append(i)
        else:
            message = "the log lacks the configuration that the other runs have"
            skips.append(Problem("no_config", message, headers[i].source.path))
    runs = tuple(headers[i] for i in kept)
    config_columns = constant_columns(runs)
    every = [header.names for header in runs]
    roles = Roles(
        config_columns,
        axis_columns(runs),
        frozenset().union(*(names.whole for names in every)),
        split_names(every),
        frozenset().union(*(names.parts for names in every if len(names.parts) > 1)),
    )
    flats = [flatten(header.config) for header in runs]
    for flat, run in zip(flats, runs, strict=True):
        for name in (name for name in run.constants if name in config_columns):
            # A column joins the keys of objects with slashes, a hyperparameter with dots.
            flat.setdefault(name.replace("/", "."), run.constants[name])
    flats = fill_null_subtrees(flats)
    problems: list[tuple[int, Problem]] = []
    if any(given[i] for i in kept):
        paths = [header.source.path for header in runs]
        flats, problems = merge_path_keys(flats, paths, [given[i] for i in kept])
    problems += _moving_configuration(runs, config_columns)
    return FlatConfigs(runs, flats, roles, tuple(skips), tuple(problems))


def _moving_configuration(
    runs: Sequence[RunHeader], config_columns: frozenset[str]
) -> list[tuple[int, Problem]]:
    """Return a problem for each column of the configuration that changes within a run."""
    return [
        (i, Problem("config_conflict", f"{name!r} changes within the run: {what}", run.source.path))
        for i, run in enumerate(runs)
        for name in sorted(config_columns & run.varying)
        for what in ["the label is that of all rows but one" if name in run.constants else "absent"]
    ]


def _path_order(headers: Sequence[RunHeader]) -> list[int]:
    return sorted(range(len(headers)), key=lambda i: natural_key(headers[i].source.path))


def constant_columns(headers: Iterable[RunHeader]) -> frozenset[str]:
    """Return the columns that are configuration, and no metric, of the runs where they never move.

    Those that never move in most of the runs that have them: so one run takes no key from the
    others, and a name that moves in most runs is a metric in all. Of runs in which nothing moves
    (one row) a number is if it has few values, each in several runs.
    """
    still: Counter[str] = Counter()
    nearly: Counter[str] = Counter()
    moving: Counter[str] = Counter()
    lone: dict[str, list[Any]] = defaultdict(list)
    texts: set[str] = set()
    for header in headers:
        constants = header.constants.keys()
        for name, value in header.constants.items():
            if isinstance(value, str):
                texts.add(name)
            if not header.varying:
                lone[name].append(token(value))
        if header.varying:
            still.update(constants - header.varying)
        nearly.update(constants & header.varying)
        moving.update(header.varying - constants)
    found = {name for name, count in still.items() if name in texts and count > moving[name]}
    found |= {n for n, count in still.items() if count > moving[n] + nearly[n]}
    for name, values in lone.items():
        if name in texts or is_seed_name(name.replace("/", ".")):
            is_label = not moving[name]
        else:
            is_label = 1 < 2 * len(set(values)) <= len(values) and not moving[name] + nearly[name]
        if is_label and name not in still:
            found.add(name)
    return frozenset(found)


def axis_columns(headers: Iterable[RunHeader]) -> frozenset[str]:
    """Return the columns that run along the rows of most runs in which they move."""
    rising: Counter[str] = Counter()
    moving: Counter[str] = Counter()
    for header in headers:
        rising.update(header.rising & header.varying)
        moving.update(header.varying - header.rising)
    return frozenset(name for name, count in rising.items() if count > moving[name])


def split_names(runs: Iterable[Names]) -> frozenset[tuple[str, str]]:
    """Return the splits that most runs call by another name, with that name.

    Those that have a metric at the same x in any run are two splits in all.
    """
    counts: Counter[tuple[str, str]] = Counter()
    meeting: set[str] = set()
    for names in runs:
        counts.update(names.splits)
        meeting |= names.meeting
    words: dict[str, list[str]] = defaultdict(list)
    for split, means in sorted(counts, key=lambda pair: (-counts[pair], pair[0] != pair[1], pair)):
        words[means].append(split)
    return frozenset(
        (other, first)
        for means, (first, *others) in words.items()
        if means not in meeting
        for other in others
    )


def drop_copies(
    headers: Sequence[RunHeader],
    digests: Sequence[str | None],
    path_keys: Sequence[Mapping[str, Any]],
) -> tuple[list[int], list[Problem]]:
    """Return the runs without copies, which have the same bytes and no differing key (rule 2).

    Parameters
    ----------
    headers : sequence of RunHeader
    digests : sequence of str or None
        Hash of the bytes of each run's log; None where no other log has its size.
    path_keys : sequence of mapping
        Keys that the path gave for each header.

    Returns
    -------
    kept : list of int
        Positions of the runs that stay, in the order given. Of copies, the first in natural path
        order stays.
    problems : list of Problem
        A ``duplicate_run`` for each copy.
    """
    first: dict[tuple[str, str], list[tuple[int, dict[tuple[str, str], Any]]]] = {}
    dropped: set[int] = set()
    problems: list[Problem] = []
    for i in _path_order(headers):
        digest = digests[i]
        if digest is None:
            continue
        # Prefixed, so that a path key is not compared with a configuration key of its name.
        keys = {("config", k): v for k, v in flatten(headers[i].config).items()}
        keys |= {("path", k): v for k, v in path_keys[i].items()}
        alike = first.setdefault((digest, headers[i].key), [])
        original = next((j for j, other in alike if not _differ(keys, other)), None)
        if original is None or headers[original].source == headers[i].source:
            alike.append((i, keys))
            continue
        dropped.add(i)
        message = f"a copy of {headers[original].source.path}, byte for byte"
        problems.append(Problem("duplicate_run", message, headers[i].source.path))
    return [i for i in range(len(headers)) if i not in dropped], problems


def _differ(keys: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return any(token(keys[k]) != token(other[k]) for k in keys.keys() & other.keys())


def reconfigured(logs: Sequence[RunLog]) -> dict[int, RunHeader]:
    """Return the headers, as runs of their own, of attempts with another configuration.

    Their values belong to other cells.

    Returns
    -------
    dict of int to RunHeader
        By the position in ``logs``.
    """
    times = Counter(log.header.id for log in logs)
    settings: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    found: dict[int, RunHeader] = {}
    for i, log in enumerate(logs):
        if times[log.header.id] == 1:
            continue
        known = settings[log.header.id]
        same = (k for k, config in known.items() if _same_setting(config, log.header.config))
        suffix = next(same, f"@{log.attempt + 1}" if known else "")
        known.setdefault(suffix, log.header.config)
        if suffix:
            found[i] = replace(log.header, key=log.header.key + suffix)
    return found


def name_reconfigured(logs: Sequence[RunLog]) -> None:
    """Rename attempts with another configuration to runs of their own, and record that.

    Headers and problems of ``logs`` are changed in place.
    """
    for i, header in reconfigured(logs).items():
        logs[i].header = header
        message = "a later configuration line differs from the first: a run of its own"
        logs[i].problems.append(Problem("reconfigured", message, header.source.path))


def _same_setting(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one == other:
        return True
    left, right = flatten(one), flatten(other)
    differing = [k for k in left.keys() | right.keys() if left.get(k, k) != right.get(k, k)]
    return all(is_excluded_name(key) for key in differing)
