"""Which of several tables in one folder is the log, where they hold different quantities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from runcube.readers.jsonl import split_in_path

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from runcube.core import LogFile

# Names of a column that do not say what is in it.
_VAGUE = frozenset({"value", "values", "metric", "metrics", "data"})
_LOG_WORDS = re.compile(r"log|train|metric|progress|history|learning", re.IGNORECASE)


class Table(NamedTuple):
    """A table that looks like a log.

    Parameters
    ----------
    file : LogFile
    metrics : frozenset of str
        Names of its columns of numbers but x.
    """

    file: LogFile
    metrics: frozenset[str]


def logs_among(tables: Sequence[Table]) -> list[LogFile]:
    """Return the tables that are logs; of one folder those that share metrics with each other.

    Tables of a folder that have no metric in common hold different quantities of one run: of the
    training, say, and of what was computed behind it. Those whose names differ by a split alone are
    one log, whatever their metrics; so are those of one metric each. The log is the one that is
    called so in most folders, then the one that holds most in all of them.

    Parameters
    ----------
    tables : sequence of Table
        In natural path order.

    Returns
    -------
    list of LogFile
        In the same order.
    """
    kinds = _kinds([table.metrics | _shared(table) for table in tables])
    weights: dict[int, tuple[int, int]] = {}
    folders: dict[str, set[int]] = {}
    for kind, table in zip(kinds, tables, strict=True):
        folder, _, name = table.file.path.rpartition("/")
        called, size = weights.get(kind, (0, 0))
        is_called = bool(_LOG_WORDS.search(name))
        weights[kind] = called + is_called, size + table.file.size
        folders.setdefault(folder, set()).add(kind)
    best = {folder: max(own, key=weights.__getitem__) for folder, own in folders.items()}
    return [
        table.file
        for kind, table in zip(kinds, tables, strict=True)
        if best[table.file.path.rpartition("/")[0]] == kind
    ]


def _shared(table: Table) -> set[str]:
    """Return what tables that are one log share beside metrics: their name but for the split.

    Or that each holds the one metric that it is called like.
    """
    found = split_in_path(table.file.path)
    name = found[1].rpartition("/")[2] if found is not None else ""
    return {name} if "*" in name else {"*"} if is_of_one_metric(table) else set()


def is_of_one_metric(table: Table) -> bool:
    """Return whether a table is called like the only metric in it, as ``loss.csv``."""
    stem = table.file.path.rpartition("/")[2].partition(".")[0]
    return table.metrics == {stem} and stem not in _VAGUE


def joined(groups: Sequence[list[LogFile]], tables: Sequence[Table]) -> list[list[LogFile]]:
    """Return the files of each log; the tables of one metric each in a folder are one.

    Parameters
    ----------
    groups : sequence of list of LogFile
        As their names tell.
    tables : sequence of Table
    """
    alone = {table.file.path for table in tables if is_of_one_metric(table)}
    found: list[list[LogFile]] = []
    places: dict[str, list[LogFile]] = {}
    for group in groups:
        folder = group[0].path.rpartition("/")[0]
        if len(group) > 1 or group[0].path not in alone:
            found.append([*group])
        elif folder in places:
            places[folder] += group
        else:
            places[folder] = [*group]
            found.append(places[folder])
    return found


def _kinds(metrics: Sequence[Set[str]]) -> list[int]:
    """Return a number for each table: the same for tables that have metrics in common."""
    kind_of: dict[str, int] = {}
    same: dict[int, int] = {}

    def first(kind: int) -> int:
        while same[kind] != kind:
            kind = same[kind]
        return kind

    found = []
    for number, names in enumerate(metrics):
        same[number] = number
        known = {first(kind_of[name]) for name in names if name in kind_of}
        least = min(known, default=number)
        for kind in (*known, number):
            same[kind] = least
        kind_of.update(dict.fromkeys(names, least))
        found.append(number)
    return [first(number) for number in found]
