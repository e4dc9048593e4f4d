"""Which files are one log: rotated parts, a file for each split, a continuation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runcube.core import is_count_like, natural_key
from runcube.files import read_ends
from runcube.readers.jsonl.names import SPLIT_WORDS
from runcube.readers.lines import is_number, object_on, split_lines
from runcube.readers.table import flatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.core import LogFile
    from runcube.files import Tree

_ROTATED = re.compile(r"(?P<base>.+\.[A-Za-z]+)\.(?P<number>\d{1,4})(?P<packed>\.(?:gz|xz|zst))?")
_TOKENS = re.compile(r"([^A-Za-z]+)")


def rotated_base(path: str) -> tuple[str, int] | None:
    """Return the name of the live file of a rotated part, and the part's number; None for others.

    Examples
    --------
    >>> rotated_base("a/log.jsonl.2"), rotated_base("a/log.jsonl")
    (('a/log.jsonl', 2), None)
    """
    match = _ROTATED.fullmatch(path)
    return (match["base"], int(match["number"])) if match else None


def split_in_path(path: str) -> tuple[str, str] | None:
    """Return the split in the name of a file or its folder, and the path without it; else None.

    Examples
    --------
    >>> split_in_path("run1/train.jsonl"), split_in_path("run1/val/stats.json")
    (('train', 'run1/*.jsonl'), ('val', 'run1/*/stats.json'))
    """
    folder, _, name = path.rpartition("/")
    stem, dot, ending = name.partition(".")
    tokens = _TOKENS.split(stem)
    found = [i for i, token in enumerate(tokens) if token.lower() in SPLIT_WORDS]
    if len(found) == 1:
        rest = [*tokens[: found[0]], "*", *tokens[found[0] + 1 :]]
        plain = f"{''.join(rest)}{dot}{ending}"
        return tokens[found[0]], f"{folder}/{plain}" if folder else plain
    above, _, last = folder.rpartition("/")
    if not found and last.lower() in SPLIT_WORDS:
        return last, "/".join(part for part in (above, "*", name) if part)
    return None


def group_parts(tree: Tree, files: Iterable[LogFile]) -> list[list[LogFile]]:
    """Return the files of each log, in the order in which they were written.

    Parameters
    ----------
    tree : Tree
    files : iterable of LogFile
        Files that hold records.

    Returns
    -------
    list of list of LogFile
        In natural path order of the first files.
    """
    rotated: dict[str, list[tuple[int, LogFile]]] = {}
    for file in files:
        base, number = rotated_base(file.path) or (file.path, 0)
        rotated.setdefault(base, []).append((number, file))
    whole = {
        base: [file for _, file in sorted(parts, key=lambda part: -part[0])]
        for base, parts in rotated.items()
    }
    by_split: dict[str, list[str]] = {}
    for base in whole:
        named = split_in_path(base)
        by_split.setdefault(named[1] if named else base, []).append(base)
    groups: list[list[LogFile]] = []
    rest: list[list[LogFile]] = []
    for bases in by_split.values():
        splits = {found[0].lower() for base in bases if (found := split_in_path(base))}
        if len(bases) > 1 and len(splits) == len(bases):
            groups.append([f for base in sorted(bases, key=natural_key) for f in whole[base]])
        else:
            rest += [whole[base] for base in bases]
    groups += _continued(tree, rest)
    return sorted(groups, key=lambda parts: natural_key(parts[0].path))


def splits_of_files(paths: Sequence[str]) -> list[str]:
    """Return the split of each file of a log, if the names of all tell one; else none."""
    named = [split_in_path((rotated_base(path) or (path, 0))[0]) for path in paths]
    found = [pair for pair in named if pair is not None]
    if len(found) < len(paths) or len({pair[1] for pair in found}) > 1:
        return []
    return [pair[0] for pair in found]


def _continued(tree: Tree, logs: Iterable[list[LogFile]]) -> list[list[LogFile]]:
    """Join logs of one folder that begin with the same header, where x goes on in the next."""
    alike: dict[tuple[str, bytes], list[list[LogFile]]] = {}
    for parts in logs:
        folder = parts[0].path.rpartition("/")[0]
        first = tree.head(parts[0].path).partition(b"\n")[0].strip()
        alike.setdefault((folder, first), []).append(parts)
    joined: list[list[LogFile]] = []
    for (_, first), same in alike.items():
        if len(same) == 1 or not _is_header(first):
            joined += same
            continue
        same.sort(key=lambda parts: natural_key(parts[0].path))
        for parts in same:
            before = joined[-1] if joined and joined[-1] in same else None
            if before is not None and _goes_on(tree, before[-1], parts[0]):
                before += parts
            else:
                joined.append(parts)
    return joined


def _is_header(line: bytes) -> bool:
    record = object_on(line)
    return bool(record) and not _counts(record)


def _goes_on(tree: Tree, before: LogFile, after: LogFile) -> bool:
    """Return whether an x of a log goes on where that of another ends."""
    try:
        last = _counts(_last_record(read_ends(tree.root, before)[1]))
    except OSError:
        return False
    lines = list(split_lines(tree.head(after.path)))[1:]
    first = next((c for line in lines if (c := _counts(object_on(line.data)))), {})
    common = last.keys() & first.keys()
    rises = [name for name in common if first[name] > last[name]]
    falls = [name for name in common if first[name] < last[name]]
    lines = list(split_lines(tree.head(before.path)))
    begins = next((c for line in lines if (c := _counts(object_on(line.data)))), {})
    return bool(rises) and all(first[n] <= begins.get(n, first[n]) for n in falls)


def _last_record(tail: bytes) -> dict[str, Any]:
    """Return the last record that has an x."""
    for line in reversed(tail.splitlines()[-8:]):
        record = object_on(line.strip())
        if _counts(record):
            return record
    return {}


def _counts(record: dict[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in flatten(record).items()
        if is_count_like(name) and is_number(value)
    }
