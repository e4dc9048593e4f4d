"""Fingerprints of readers: what distinguishes one is its classes, their code, and its options.

What is kept of logs is valid only for the reader that read them. One of another class, with other
options, or whose code was edited since, may read other values from the same bytes.
"""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import time
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from runcube.readers.base import Reader

_OURS = __name__.partition(".")[0]
_NO_MATTER = {*sys.stdlib_module_names, _OURS}
# A file that was edited after this may differ from the module that was imported.
_BEGAN = time.time_ns()


def reader_fingerprint(reader: Reader) -> str:
    """Return a text that identifies all that the results of a reader depend on.

    It is the same in every process. Where it cannot be determined, each call returns a new one, so
    that nothing kept earlier is taken for results of such a reader. Compute it before the reader is
    used, and once for each load.

    Parameters
    ----------
    reader : Reader

    Returns
    -------
    str
        Its name and a hash; for readers of runcube itself, their ``repr``.
    """
    return known_fingerprint(reader) or f"{reader.name} {uuid4().hex}"


def known_fingerprint(reader: Reader) -> str | None:
    """Return the fingerprint of a reader; None if what its results depend on cannot be known."""
    if type(reader).__module__.startswith(f"{_OURS}."):
        return repr(reader)  # of a dataclass; the version of runcube stands for its code
    with suppress(Exception):  # reading and pickling any reader may raise anything
        digest = blake2b(digest_size=16)
        kind = reader if isinstance(reader, type) else type(reader)
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] not in _NO_MATTER:
                digest.update(f"{base.__qualname__}\n".encode() + _code(base))
        digest.update(_options(reader))
        return f"{reader.name} {digest.hexdigest()}"
    return None


def _code(kind: type) -> bytes:
    """Return the content of the file that a class comes from.

    Raises
    ------
    ValueError
        If the class that runs may not be that of the file.
    """
    file = Path(sys.modules[kind.__module__].__file__ or "")
    if file.stat().st_mtime_ns > _BEGAN:
        raise ValueError(f"{file} was edited")
    for part in map(inspect.unwrap, map(_function, vars(kind).values())):
        code = getattr(part, "__code__", None)
        # Others come from other modules. Dataclasses write theirs from a file "<string>".
        if code is None or part.__module__ != kind.__module__:
            continue
        if code.co_filename not in ("<string>", str(file)):
            raise ValueError(f"{kind.__qualname__} is not of {file}")
    return file.read_bytes()


def _function(part: Any) -> Any:
    """Return the function inside a property, a cached property or a static or class method."""
    for name in ("fget", "func", "__func__"):
        part = getattr(part, name, None) or part
    return part


def _options(reader: Reader) -> bytes:
    """Return a pickle of a reader without the values that its cached properties have computed."""
    found = [
        name
        for name in getattr(reader, "__dict__", ())
        if isinstance(inspect.getattr_static(type(reader), name, None), cached_property)
    ]
    if found:
        reader = copy.copy(reader)
        for name in found:
            del reader.__dict__[name]
    return pickle.dumps(reader)
