"""Roots of sweeps: a path on this machine, a URL that fsspec reads, or several of these together.

A root is text in each case, and is sent to other processes as text. That of several begins with a
NUL, which no path can hold; the paths below it begin with the name of one of them.
"""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from runcube.core import PlanError

# One letter before the colon is a drive of Windows. "::" chains file systems, as fsspec has it.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_LOCAL = ("file://", "local://")
_WEB = ("http://", "https://")
# Credentials: user, password and token before the host of a web page, a password elsewhere.
# A name without a password stays: "abfs://container@account" is a place, not a user.
_WEB_USER = re.compile(r"(https?://)[^/?#\s]*@")
_PASSWORD = re.compile(r"(://)[^/@:\s]*:[^/\s]*@")
_WEB_QUERY = re.compile(r"(https?://[^?#\s]*)[?#]\S*")
# What a user may pass: one root, or several.
Roots: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_SEVERAL = "\0"
_HALVED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


def folders_above(path: str) -> Iterator[str]:
    """Yield the folder of a path below a root, and those above it, ``""``, the root, last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def is_url(root: str) -> bool:
    """Return whether a root is a URL, or has one among several, not a path on this machine."""
    return ":" in root and any(_URL.match(one) is not None for one in roots_of(root))


def roots_of(root: str) -> list[str]:
    """Return the roots that a root is, one or several."""
    return root[1:].split(_SEVERAL) if root.startswith(_SEVERAL) else [root]


def join_roots(roots: Iterable[str]) -> str:
    """Return several roots as one, each once."""
    each = [*dict.fromkeys(roots)]
    return each[0] if len(each) == 1 else _SEVERAL + _SEVERAL.join(each)


@lru_cache(maxsize=64)
def named_roots(root: str) -> Mapping[str, str]:
    """Return several roots by the names that the paths below them begin with; one has none.

    It is the last part, with those before it as far as they are needed to tell the roots apart.

    Examples
    --------
    >>> dict(named_roots(as_root(["a/run", "b/run", "s3://bucket/day2"])))
    {'a_run': 'a/run', 'b_run': 'b/run', 'day2': 's3://bucket/day2'}
    """
    roots = roots_of(root)
    if len(roots) == 1:
        return {}
    parts = [[part for part in _place(one).split("/") if part] or ["root"] for one in roots]
    taken = [1] * len(roots)
    while True:
        names = ["_".join(own[-n:]) for own, n in zip(parts, taken, strict=True)]
        times = Counter(names)
        again = [i for i, n in enumerate(names) if times[n] > 1 and taken[i] < len(parts[i])]
        if not again:
            break
        for i in again:
            taken[i] += 1
    named: dict[str, str] = {}
    for name, one in zip(names, roots, strict=True):
        number = 2
        while (free := name if name not in named else f"{name}_{number}") in named:
            number += 1
        named[free] = one
    return named


def _place(root: str) -> str:
    """Return a root as the names of its directories, the outermost first."""
    if not is_url(root):
        return os.path.abspath(root).replace(os.sep, "/")
    return split_query(root)[0].partition("://")[2]


def own_place(root: str, path: str) -> tuple[str, str]:
    """Return the one root that a file is under, and its path there.

    Raises
    ------
    FileNotFoundError
        If the path is under none of several roots.
    """
    if not root.startswith(_SEVERAL):
        return root, path
    name, _, below = path.partition("/")
    own = named_roots(root).get(name)
    if own is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return own, below


def as_root(path: Any) -> str:
    """Return the root of the path or URL, or the several of them, that a user passed.

    ``~`` is the home directory, ``file://`` a path on this machine.

    Raises
    ------
    PlanError
        If it is no path.

    Examples
    --------
    >>> as_root("s3://bucket/logs/"), as_root("file:///data/logs"), as_root(Path("logs"))
    ('s3://bucket/logs', '/data/logs', 'logs')
    """
    if isinstance(path, str) and path.startswith(_SEVERAL):
        return path
    if isinstance(path, Iterable) and not isinstance(path, str | bytes | Mapping | os.PathLike):
        several = [*path]
        if several and all(map(_is_path, several)):
            return join_roots(map(as_root, several))
    if not _is_path(path):
        raise PlanError(
            f"{path!r} is no path: expected the directory of the logs, one log, or the URL of"
            " either, as text or pathlib.Path, or a list of several"
        )
    return _one_root(path)


def _is_path(path: object) -> bool:
    """Return whether an object is one path or URL; those of UPath are no ``os.PathLike``."""
    is_path = isinstance(path, str | os.PathLike) or hasattr(path, "protocol")
    return is_path and str(path) != "" and _SEVERAL not in str(path)


def _one_root(path: Any) -> str:
    text = str(path)
    if text.startswith(_LOCAL):
        text = text.partition("://")[2]
    if not is_url(text) or (isinstance(path, os.PathLike) and "://" not in text):
        local = str(Path(text).expanduser())
        # "exp::v2" is the name of a directory here, not a chain of file systems.
        return f"./{local}" if is_url(local) else local
    place, query = split_query(text)
    return re.sub(r"(?<![:/])/+$", "", place) + query


def split_query(url: str) -> tuple[str, str]:
    """Return the address of a web page and its query; other URLs have no query.

    In those a question mark is an ordinary character.
    """
    end = url.find("?") if url.startswith(_WEB) else -1
    return (url, "") if end < 0 else (url[:end], url[end:])


def parent(url: str) -> tuple[str, str]:
    """Return the parent of a URL, with its query, and the last name."""
    place, query = split_query(url)
    first, chain, rest = place.partition("::")
    if chain and "://" in first:  # "zip://logs/a.jsonl::https://host/logs.zip"
        place, query = first, chain + rest + query
    above, _, name = place.rpartition("/")
    return (above + "/" if above.endswith(":/") else above) + query, name


def display_root(root: str) -> str:
    """Return a root as it is shown and stored: without user, password and query.

    Examples
    --------
    >>> display_root("https://me:secret@host/logs?token=1"), display_root("logs")
    ('https://host/logs', 'logs')
    """
    each = [without_secrets(one) if is_url(one) else one for one in roots_of(root)]
    return ", ".join(each)


def without_secrets(text: str) -> str:
    """Return a text whose URLs have no user, password and query."""
    if "://" not in text:
        return text
    text = _WEB_QUERY.sub(r"\1", _WEB_USER.sub(r"\1", text))
    return _PASSWORD.sub(r"\1", text)


def absolute_root(root: str) -> str:
    """Return a root that means the same from any directory: archives and caches compare it."""
    return join_roots(
        display_root(one) if is_url(one) else os.path.abspath(one) for one in roots_of(root)
    )


def portable_root(root: str) -> str:
    """Return a root that another process can use, now or later in another directory."""
    # Not normalised: after a link, ".." leads elsewhere.
    return join_roots(
        one if is_url(one) or os.path.isabs(one) else os.path.join(os.getcwd(), one)
        for one in roots_of(root)
    )


def last_name(root: str) -> str:
    """Return the name of the directory of a root; ``""`` if it has none."""
    return parent(root)[1] if is_url(root) else Path(root).name


def missing_path_hint(root: str) -> str:
    """Return what may be wrong with a path that does not exist; ``""`` if nothing shows it."""
    if _HALVED.match(root):
        return "; pathlib makes one slash of two: give a URL as text"
    return ""


def is_of_this_process(root: str) -> bool:
    """Return whether a root is in the memory of this process: no other process can read it."""
    return any(one.startswith("memory:") or "::memory:" in one for one in roots_of(root))
