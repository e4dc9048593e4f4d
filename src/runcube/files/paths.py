"""Roots of sweeps: a path on this machine, or a URL that fsspec reads.

A root is text in either case, and is sent to other processes as text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

# One letter before the colon is a drive of Windows. "::" chains file systems, as fsspec has it.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_LOCAL = ("file://", "local://")
_WEB = ("http://", "https://")
# Credentials: user, password and token before the host of a web page, a password elsewhere.
# A name without a password stays: "abfs://container@account" is a place, not a user.
_WEB_USER = re.compile(r"(https?://)[^/?#\s]*@")
_PASSWORD = re.compile(r"(://)[^/@:\s]*:[^/\s]*@")
_WEB_QUERY = re.compile(r"(https?://[^?#\s]*)[?#]\S*")
_HALVED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


def is_url(root: str) -> bool:
    """Return whether a root is a URL, not a path on this machine."""
    return ":" in root and _URL.match(root) is not None


def as_root(path: Any) -> str:
    """Return the root of a path or URL that a user passed.

    ``~`` is the home directory, ``file://`` a path on this machine.

    Examples
    --------
    >>> as_root("s3://bucket/logs/"), as_root("file:///data/logs"), as_root(Path("logs"))
    ('s3://bucket/logs', '/data/logs', 'logs')
    """
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
    return without_secrets(root) if is_url(root) else root


def without_secrets(text: str) -> str:
    """Return a text whose URLs have no user, password and query."""
    if "://" not in text:
        return text
    text = _WEB_QUERY.sub(r"\1", _WEB_USER.sub(r"\1", text))
    return _PASSWORD.sub(r"\1", text)


def absolute_root(root: str) -> str:
    """Return a root that means the same from any directory: archives and caches compare it."""
    return display_root(root) if is_url(root) else os.path.abspath(root)


def portable_root(root: str) -> str:
    """Return a root that another process can use, now or later in another directory."""
    if is_url(root) or os.path.isabs(root):
        return root
    # Not normalised: after a link, ".." leads elsewhere.
    return os.path.join(os.getcwd(), root)


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
    return root.startswith("memory:") or "::memory:" in root
