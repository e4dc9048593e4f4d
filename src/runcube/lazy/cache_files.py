"""Files that ``open_runs`` keeps for the next opening: where they are, and what is in them.

One holds what the logs are like (see ``schema_cache``), and beside it is one for each finished cube
(see ``cube_cache``). They begin with bytes of their own, so that no other file is taken for one, or
replaced by one.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runcube.core import PlanError
from runcube.files import absolute_root, as_root, is_url, named_roots, write_atomically
from runcube.lazy.serialize import from_bytes, to_bytes

if TYPE_CHECKING:
    from runcube.files import Listing, Roots

_MAGIC = b"runcube cache\n"
# Bytes of the checksum behind it; characters of the key in the name of a cube.
_CHECK, KEY = 16, 24
# What a file raises that cannot be read, is damaged, or holds what it should not.
UNREADABLE = (OSError, zlib.error, msgspec.DecodeError, ValueError, LookupError, TypeError)


def place_of(path: Roots, cache: bool | str | Path) -> Path | None:
    """Return the file that keeps what an opening of ``path`` finds; None for no file.

    Raises
    ------
    PlanError
        If something else is there.
    """
    if isinstance(cache, bool):
        return _default_place(path) if cache else None
    if not isinstance(cache, str | os.PathLike):
        raise PlanError(f"cache={cache!r}: expected True, False or a file")
    if is_url(str(cache)):
        raise PlanError(f"cache={str(cache)!r}: expected a file on this machine")
    file = Path(cache).expanduser()
    if file.is_dir():
        raise PlanError(f"cache={str(cache)!r}: is a directory; expected a file, which is made")
    if os.path.lexists(file) and not _is_cache(file):
        raise PlanError(f"cache={str(cache)!r}: exists and is no cache; give another name")
    return file


def _default_place(path: Roots) -> Path:
    home = os.environ.get("RUNCUBE_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    where = absolute_root(as_root(path))
    name = hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()
    return Path(home).expanduser() / "runcube" / f"{name[:32]}.schema"


def _is_cache(file: Path) -> bool:
    """Return whether a file may be replaced: a cache, perhaps damaged after its head, or empty."""
    if not file.is_file():
        return False
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_MAGIC))
    except OSError:
        return False
    return head in (_MAGIC, b"")


def cube_file(beside: Path, key: str) -> Path:
    """Return the file of a finished cube; ``key`` has ``KEY`` hexadecimal digits."""
    return beside.with_name(f"{beside.name}.{key}.cube")


def is_cube_file(beside: str, name: str) -> bool:
    """Return whether a name is that of a cube beside a file."""
    return re.fullmatch(rf"{re.escape(beside)}\.[0-9a-f]{{{KEY}}}\.cube", name) is not None


def read_cache(file: Path) -> Any:
    """Return the data of a file.

    Raises
    ------
    OSError, ValueError, zlib.error, msgspec.DecodeError
        All of them are ``UNREADABLE``.
    """
    data = file.read_bytes()
    start = len(_MAGIC) + _CHECK
    body = memoryview(data)[start:]
    if data[:start] != _MAGIC + _checksum(body):
        raise ValueError(f"{file}: damaged, or no cache")
    return from_bytes(zlib.decompress(body))


def write_cache(file: Path, value: Any) -> None:
    """Write plain data (see ``serialize``), whole or not at all.

    Raises
    ------
    OSError
    TypeError
        If it is no plain data.
    """
    body = zlib.compress(to_bytes(value), 1)
    write_atomically(file, _MAGIC + _checksum(body) + body)


def _checksum(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK).digest()


def but_own(listing: Listing, file: Path | None) -> Listing:
    """Return a listing without what an opening itself writes, which may be among the logs."""
    roots = named_roots(listing.root) or {"": listing.root}
    own = [
        f"{name}/{os.path.relpath(file, root).replace(os.sep, '/')}".lstrip("/")
        for name, root in roots.items()
        if file is not None and not is_url(root)
    ]
    stays = [not any(f.path == o or is_cube_file(o, f.path) for o in own) for f in listing.files]
    if all(stays):
        return listing
    return replace(
        listing,
        files=[f for f, stay in zip(listing.files, stays, strict=True) if stay],
        changed=[c for c, stay in zip(listing.changed, stays, strict=True) if stay],
    )
