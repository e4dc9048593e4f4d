"""Several roots as one listing: each file once, its path beginning with the name of its root."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from runcube.files.listing import Listing
from runcube.files.local import PRUNED
from runcube.files.paths import is_url, join_roots, named_roots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Seen = set[tuple[int, int]]


def list_several(roots: Sequence[str], list_one: Callable[[str, Seen], Listing]) -> Listing:
    """Return the files of one root or several, each once.

    A directory within another is part of that, and a single log one of its directory. Where that
    leaves one root, the listing is as if it had been passed alone.

    Parameters
    ----------
    roots : sequence of str
    list_one : callable
        Returns the listing of one root, without what was seen before.
    """
    seen: Seen = set()
    if len(roots) == 1:
        return list_one(roots[0], seen)
    where = [*map(_whole, roots)]
    listed: dict[str, Listing] = {}
    # The outer ones first: what is within them is seen once they are listed.
    for i in sorted(range(len(roots)), key=lambda i: len(where[i])):
        own = list_one(roots[i], seen)
        outer = next((one for one in where if _is_within(where[i], one)), None)
        if outer is None:
            group = listed.setdefault("/".join(_whole(own.root)), Listing(own.root))
            _add(group, own)
    order = [own for one in where for own in ("/".join(one), "/".join(one[:-1])) if own in listed]
    groups = [listed[own] for own in dict.fromkeys(order)]
    return groups[0] if len(groups) == 1 else _together(groups)


def _whole(root: str) -> tuple[str, ...]:
    """Return the names that lead to a root, links followed."""
    return tuple((root if is_url(root) else os.path.realpath(root).replace(os.sep, "/")).split("/"))


def _is_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Return whether a listing of one root has the other in it."""
    below = inner[len(outer) :]
    return bool(below) and inner[: len(outer)] == outer and PRUNED.isdisjoint(below)


def _add(group: Listing, more: Listing) -> None:
    """Add the files of another listing of the same root that are not there yet."""
    known = {file.path for file in group.files}
    entries = more.entries or [(0, 0)] * len(more.files)
    for file, entry in zip(more.files, entries, strict=True):
        if file.path not in known:
            group.files.append(file)
            group.entries.append(entry)
    group.unreadable += more.unreadable


def _together(groups: Sequence[Listing]) -> Listing:
    """Return listings of several roots as one, with their names before the paths."""
    found = Listing(join_roots(group.root for group in groups))
    for name, group in zip(named_roots(found.root), groups, strict=True):
        found.files += [replace(file, path=f"{name}/{file.path}") for file in group.files]
        found.entries += group.entries
        found.unreadable += [(f"{name}/{path}".rstrip("/"), why) for path, why in group.unreadable]
    return found
