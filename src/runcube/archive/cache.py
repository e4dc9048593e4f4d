"""The cache of ``open_runs``: where its archives are, what they are named after, when they go.

An archive in the cache is a *generation*: it holds what logs were at one moment, read with one set
of arguments, and is never changed or replaced. Its name tells both apart:
``<directory>-<root>-<arguments>-<state of the logs>.nc``.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
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

from runcube.core import PlanError
from runcube.files import absolute_root, is_url, last_name, named_roots
from runcube.pipeline import library_versions, policy_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
# Hexadecimal digits: of the root and of the arguments, of the state of the logs.
_KEY, _STATE = 12, 20
_SHOWN = 40
_OWN = re.compile(rf"\.?[^/]*(-[0-9a-f]{{{_KEY}}}){{2}}-[0-9a-f]{{{_STATE}}}\.nc(\..*)?")


class Lease:
    """Keeps files until nobody in this process uses them any more, or for good.

    The arrays of a cube hold the lease of their file; copies of them hold the same one. What is
    sent to another process holds none: its owner is here.

    Parameters
    ----------
    path : Path, optional
        A file or a directory that goes with the lease; None: nothing goes.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            weakref.finalize(self, _remove, path)

    def __copy__(self) -> Self:
        """Return the same lease."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same lease."""
        return self

    def __reduce__(self) -> tuple[type[Lease], tuple[()]]:
        """Leave the file behind: another process does not own it."""
        return Lease, ()

    def __dask_tokenize__(self) -> str:
        """Return the same for all: a lease is no part of the values."""
        return "runcube lease"


def _remove(path: Path) -> None:
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
        return Path(home).expanduser() / "runcube"
    if not isinstance(cache, str | os.PathLike):
        raise PlanError(f"cache={cache!r}: expected True, False or a directory")
    text = os.fspath(cache)
    if is_url(text):
        raise PlanError(f"cache={text!r}: expected a directory on this machine")
    directory = Path(text).expanduser()
    if os.path.lexists(directory) and not directory.is_dir():
        raise PlanError(
            f"cache={text!r}: is a file; expected a directory, which is made if it is not there, "
            f"such as {str(directory.parent)!r}"
        )
    return directory.absolute()


def without_own(listing: Listing, directory: Path | None) -> Listing:
    """Return a listing without what an opening itself writes, which may be among the logs."""
    roots = named_roots(listing.root) or {"": listing.root}
    places = [
        f"{name}/{os.path.relpath(directory, root)}".lstrip("/").replace(os.sep, "/")
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
        changed=[c for c, stay in zip(listing.changed, stays, strict=False) if stay],
    )


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
        cls, directory: Path | None, listing: Listing, policy: Policy, readers: Sequence[Reader]
    ) -> Self:
        """Return the generation that an opening asks for."""
        where = absolute_root(listing.root)
        name = re.sub(r"[^\w.-]+", "_", last_name(where))[-_SHOWN:] or "logs"
        # An archive holds all messages, whether or not they are asked for.
        plain = policy_key(replace(policy, messages=True), readers)
        about = [_environment(), listing.root, uuid4().hex if plain is None else plain]
        key = f"{name}-{_digest(where)[:_KEY]}-{_digest(about)[:_KEY]}"
        is_known = plain is not None and directory is not None
        return cls(directory, key, listing.digest()[:_STATE], is_known)

    @property
    def path(self) -> Path:
        """The file."""
        return (self.directory or Path()) / f"{self.key}-{self.state}.nc"

    def writable(self) -> tuple[Self, Lease | None]:
        """Return the generation where it can be written, and the lease of a temporary directory."""
        if self.directory is not None:
            with suppress(OSError):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                if os.access(self.directory, os.W_OK | os.X_OK):
                    return self, None
        made = Path(tempfile.mkdtemp(prefix="runcube-"))
        return replace(self, directory=made, is_known=False), Lease(made)

    def once(self) -> Self:
        """Return another one that no opening asks for."""
        return replace(self, state=uuid4().hex[:_STATE], is_known=False)

    def before(self) -> Iterator[Path]:
        """Yield earlier generations with the same arguments, the latest first."""
        found = [path for path in self._all() if self._is_before(path)]
        yield from sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def _is_before(self, path: Path) -> bool:
        key, _, _ = path.name.rpartition("-")
        return key == self.key and path != self.path

    def _all(self) -> list[Path]:
        """Return all generations in the directory, of whatever logs; none in a temporary one."""
        if not self.is_known or self.directory is None:
            return []
        with os.scandir(self.directory) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
        return [self.directory / n for n in names if n.endswith(".nc") and _OWN.fullmatch(n)]

    def use(self) -> None:
        """Note that the file is used now; its time of change stays, by which it is recognised."""
        with suppress(OSError):
            os.utime(self.path, ns=(time.time_ns(), self.path.stat().st_mtime_ns))

    def unused(self) -> list[Path]:
        """Return what nobody uses: earlier ones of these logs, old ones, and what is too much.

        To be asked before any is read.
        """
        now, total = time.time(), 0
        earlier = {*self.before()}
        files = [(path, path.stat()) for path in self._all()]
        files.sort(key=lambda item: _last_used(item[1]), reverse=True)
        found = []
        for path, stat in files:
            total += stat.st_size
            age = now - _last_used(stat)
            if age > YOUNG and (path in earlier or age > OLD or total > MOST_BYTES):
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
