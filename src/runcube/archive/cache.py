"""The cache of ``open_runs``: where its archives are, what they are named after, when they go.

An archive in the cache is a *generation*: it holds what logs were at one moment, read with one set
of arguments, and is never changed or replaced. Its name tells both apart:
``<directory>-<root>-<arguments>-<state of the logs>.nc``. Where there is none, a new one is made
from what an earlier one, or one of other arguments, has of the logs.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from runcube.archive.temporary import temporary_directory
from runcube.core import PlanError
from runcube.files import absolute_root, is_url, last_name, named_roots
from runcube.pipeline import library_versions, policy_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.files import Listing
    from runcube.pipeline import Policy
    from runcube.readers import Reader

FORM = 1
# Seconds in which no generation is removed that was made or opened.
YOUNG = 24 * 3600.0
# Seconds after which one goes that was not opened.
OLD = 30 * 24 * 3600.0
# Bytes of a cache beyond which those go that were opened longest ago.
MOST_BYTES = 20_000_000_000
# A file of the package that was edited after this may differ from the module that was imported.
_BEGAN = time.time_ns()
# Hexadecimal digits: of the root and of the arguments, of the state of the logs.
_KEY, _STATE = 12, 20
_SHOWN = 40
_OWN = re.compile(rf"\.?[^/]*(-[0-9a-f]{{{_KEY}}}){{2}}-[0-9a-f]{{{_STATE}}}\.nc(\..*)?")


class Lease:
    """Keeps a file as long as anybody in this process may read it.

    The arrays of a cube hold the lease of their file; copies of them hold the same one. What is
    sent to another process holds none: its owner is here, and keeps a temporary file from then on
    until it ends.

    Parameters
    ----------
    path : Path
        The file.
    temporary : Path, optional
        The file or directory that goes with the lease; None: nothing goes.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path, temporary: Path | None = None) -> None:
        self.path = path
        _LEASES.add(self)
        if temporary is not None:
            # A process that was forked from this one owns nothing.
            weakref.finalize(self, _remove, temporary, os.getpid())

    def __copy__(self) -> Self:
        """Return the same lease."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same lease."""
        return self

    def __reduce__(self) -> tuple[type[Lease], tuple[Path]]:
        """Leave the file behind: another process does not own it."""
        _SENT.add(self)
        return Lease, (self.path,)

    def __dask_tokenize__(self) -> str:
        """Return the same for all: a lease is no part of the values."""
        return "runcube lease"


# Those of cubes that are open in this process, and those that were sent to others.
_LEASES: weakref.WeakSet[Lease] = weakref.WeakSet()
_SENT: set[Lease] = set()


def _remove(path: Path, owner: int) -> None:
    if os.getpid() != owner:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def cache_directory(cache: bool | str | os.PathLike[str]) -> Path | None:
    """Return the directory that the argument ``cache`` means; None for none.

    Raises
    ------
    PlanError
        If it is none.
    """
    if isinstance(cache, bool):
        if not cache:
            return None
        home = os.environ.get("RUNCUBE_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        try:
            return Path(home).expanduser().absolute() / "runcube"
        except RuntimeError:  # nobody's home is known
            return None
    if not isinstance(cache, str | os.PathLike):
        raise PlanError(f"cache={cache!r}: expected True, False or a directory")
    text = os.fspath(cache)
    if is_url(text) or not text:
        raise PlanError(f"cache={text!r}: expected a directory on this machine")
    directory = Path(text).expanduser()
    if os.path.exists(directory) and not directory.is_dir():
        raise PlanError(
            f"cache={text!r}: is a file; expected a directory, which is made if it is not there, "
            f"such as {str(directory.parent)!r}"
        )
    return directory.absolute()


def without_own(listing: Listing, directory: Path | None) -> Listing:
    """Return a listing without what an opening itself writes, which may be among the logs."""
    roots = named_roots(listing.root) or {"": listing.root}
    places = [
        f"{name}/{_relative(directory, root)}".lstrip("/")
        for name, root in roots.items()
        if directory is not None and not is_url(root)
    ]
    own = {"" if place.endswith("/.") or place == "." else place for place in places}
    stays = [not _is_own(file.path, own) for file in listing.files]
    if all(stays):
        return listing
    return replace(
        listing,
        files=[f for f, stay in zip(listing.files, stays, strict=True) if stay],
        entries=[e for e, stay in zip(listing.entries, stays, strict=False) if stay],
    )


def _relative(directory: Path, root: str) -> str:
    # What links lead to: the same directory may be reached in two ways.
    relative = os.path.relpath(os.path.realpath(directory), os.path.realpath(root))
    return relative.replace(os.sep, "/")


def _is_own(path: str, places: set[str]) -> bool:
    above, _, name = path.rpartition("/")
    return above in places and _OWN.fullmatch(name) is not None


@dataclass(frozen=True)
class Generation:
    """The archive of one state of some logs, read with one set of arguments.

    Parameters
    ----------
    directory : Path or None
        None: a temporary one.
    key : str
        Beginning of its name: the logs and the arguments.
    state : str
        The state of the logs.
    is_known : bool
        Whether another opening may find it.
    """

    directory: Path | None
    key: str
    state: str
    is_known: bool

    @classmethod
    def of(
        cls,
        directory: Path | None,
        root: str,
        listing: Listing,
        policy: Policy,
        readers: Sequence[Reader],
    ) -> Self:
        """Return the generation that an opening of a root asks for."""
        where = absolute_root(root)
        name = re.sub(r"[^\w.-]+", "_", last_name(where))[-_SHOWN:].lstrip(".") or "logs"
        # An archive holds all messages, whether or not they are asked for.
        plain = policy_key(replace(policy, messages=True), readers)
        if max((time_ns for *_, time_ns in _own_code()), default=0) > _BEGAN:
            plain = None  # the code was edited since it was imported
        once = "" if plain is not None else uuid4().hex
        logs = _digest([_environment(), where, once])[:_KEY]
        key = f"{name}-{logs}-{_digest([root, plain])[:_KEY]}"
        is_known = plain is not None and directory is not None
        return cls(directory, key, listing.digest()[:_STATE], is_known)

    @property
    def path(self) -> Path:
        """The file."""
        return (self.directory or Path()) / f"{self.key}-{self.state}.nc"

    def writable(self) -> tuple[Self, Path | None]:
        """Return the generation where it can be written, and the directory if it is temporary."""
        if self.directory is not None:
            with suppress(OSError):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                if os.access(self.directory, os.W_OK | os.X_OK):
                    return self, None
        made = temporary_directory()
        return replace(self, directory=made, is_known=False), made

    def once(self) -> Self:
        """Return another one that no opening asks for, or takes for one that is like it."""
        name, once = self.key[: -2 * _KEY - 1], uuid4().hex
        key = f"{name}{once[:_KEY]}-{once[-_KEY:]}"
        return replace(self, key=key, is_known=False)

    def like(self) -> Path | None:
        """Return the finished generation of these logs that is most like this one; None if none is.

        The latest of the same arguments, else of the same state, else of any.
        """
        about = self.key[:-_KEY]
        found = [
            (self._is_before(path), path.stem.endswith(self.state), stat.st_mtime_ns, path)
            for path, stat in self._all()
            if path.name.startswith(about) and path.suffix == ".nc" and path != self.path
        ]
        return max(found)[-1] if found else None

    def _is_before(self, path: Path) -> bool:
        key, _, _ = path.name.rpartition("-")
        return key == self.key and path != self.path

    def _all(self) -> list[tuple[Path, os.stat_result]]:
        """Return all that openings have written to the directory, of whatever logs.

        None of a temporary directory.
        """
        found = []
        if self.is_known and self.directory is not None:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if _OWN.fullmatch(entry.name):
                        with suppress(OSError):  # removed just now
                            found.append((Path(entry.path), entry.stat()))
        return found

    def use(self) -> None:
        """Note that the file is used now; its time of change stays, by which it is recognised."""
        with suppress(OSError):
            os.utime(self.path, ns=(time.time_ns(), self.path.stat().st_mtime_ns))

    def unused(self) -> list[Path]:
        """Return what nobody uses: earlier ones of these logs, old ones, and what is too much.

        Also what openings left that were killed. To be asked before any is read.
        """
        now, total, found = time.time(), 0, []
        open_here = {lease.path for lease in [*_LEASES]}
        files = sorted(self._all(), key=lambda item: _last_used(item[1]), reverse=True)
        for path, stat in files:
            total += stat.st_size
            age = now - _last_used(stat)
            is_left = path.name.startswith(".") or self._is_before(path)
            is_over = is_left or age > OLD or total > MOST_BYTES
            if age > YOUNG and is_over and path not in open_here:
                found.append(path)
                total -= stat.st_size
        return found

    @staticmethod
    def remove(paths: Iterable[Path]) -> None:
        """Remove files, as far as the system lets go of them."""
        for path in paths:
            with suppress(OSError):
                path.unlink()


def _last_used(stat: os.stat_result) -> float:
    return max(stat.st_atime, stat.st_mtime)


def _digest(about: Any) -> str:
    text = repr(about).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=_STATE // 2).hexdigest()


def _environment() -> list[Any]:
    """Return what else a cube depends on: versions, the code, and who may read which file."""
    who = os.geteuid() if hasattr(os, "geteuid") else None
    return [FORM, version("runcube"), library_versions(), _own_code(), who]


@lru_cache(maxsize=1)
def _own_code() -> list[Any]:
    """Return the files of the package: developers have other code under the same version."""
    package = Path(__file__).parents[1]
    return [_stamp(path) for path in sorted(package.rglob("*.py"))]


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = os.stat(path)
    return str(path), stat.st_size, stat.st_mtime_ns
