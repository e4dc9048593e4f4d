"""Provenance of a cube: versions, moment, command, and the commit of the logs' directory."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from runcube.core import clean_text
from runcube.files import is_url, roots_of, without_secrets

_LIBRARIES = ("numpy", "xarray", "netCDF4", "msgspec")
_MAX_COMMAND = 1000


def attrs_of_now(root: str | Path) -> dict[str, str]:
    """Return the attrs that depend on the moment, the process and the commit, not on the logs.

    Examples
    --------
    >>> from pathlib import Path
    >>> sorted(attrs_of_now(Path("/")))
    ['command', 'created', 'runcube_version', 'versions']
    """
    attrs = {
        "runcube_version": version("runcube"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "command": _command(),
        "git_commit": git_commit(root),
    }
    return {name: clean_text(text) for name, text in attrs.items() if text is not None}


def library_versions() -> str:
    """Return the versions of Python and of the libraries that make a cube, as JSON."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
    return json.dumps(found)


def _command() -> str:
    command = shlex.join(map(without_secrets, sys.orig_argv))
    return command if len(command) <= _MAX_COMMAND else command[: _MAX_COMMAND - 1] + "…"


def git_commit(path: str | Path) -> str | None:
    """Return the hash of the commit that is checked out at ``path``; None without git.

    Of several roots, those of all, each once.
    """
    found = [_commit_at(root) for root in roots_of(str(path)) if not is_url(root)]
    return ", ".join(dict.fromkeys(commit for commit in found if commit)) or None


def _commit_at(path: str) -> str | None:
    here = Path(path).absolute()
    for folder in (here, *here.parents):
        git = folder / ".git"
        try:
            # A work tree or a submodule: a file with the path of its git directory.
            if git.is_file():
                git = folder / git.read_text().removeprefix("gitdir:").strip()
            if git.is_dir():
                return _commit_of(git)
        except (OSError, UnicodeDecodeError):
            return None
    return None


def _commit_of(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    homes = [git, git / common.read_text().strip()] if common.exists() else [git]
    for home in homes:
        if (home / name).exists():
            return (home / name).read_text().strip()
        packed = home / "packed-refs"
        for line in packed.read_text().splitlines() if packed.exists() else ():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return None
