"""What tells one reader from another: its classes, their code, and its options.

What is kept of logs holds good for the reader that read them. One of another kind, with other
options, or whose code was edited since, reads other values from the same bytes.
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
# A module that was edited since may be another one than that which was imported.
_BEGAN = time.time_ns()


def reader_fingerprint(reader: Reader) -> str:
    """Name a reader with all that its results hang on, alike in every process.

    Where that cannot be told the word is a new one each time: nothing that was kept of such a
    reader is taken for its results. Take it before the reader is used, and once for each load.
    """
    return known_fingerprint(reader) or f"{reader.name} {uuid4().hex}"


def known_fingerprint(reader: Reader) -> str | None:
    """Name a reader with all that its results hang on; None if that cannot be told."""
    if type(reader).__module__.startswith(f"{_OURS}."):
        return repr(reader)  # of a dataclass; its code goes by our version
    with suppress(Exception):  # of reading and pickling whatever a reader may be
        digest = blake2b(digest_size=16)
        kind = reader if isinstance(reader, type) else type(reader)
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] not in _NO_MATTER:
                digest.update(f"{base.__qualname__}\n".encode() + _code(base))
        digest.update(_options(reader))
        return f"{reader.name} {digest.hexdigest()}"
    return None


def _code(kind: type) -> bytes:
    """Content of the file that a class comes from.

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
        # Others are taken from other modules, by dataclasses among them, which write "<string>".
        if code is None or part.__module__ != kind.__module__:
            continue
        if code.co_filename not in ("<string>", str(file)):
            raise ValueError(f"{kind.__qualname__} is not of {file}")
    return file.read_bytes()


def _function(part: Any) -> Any:
    """Take a function out of what wraps it in a class."""
    for name in ("fget", "func", "__func__"):
        part = getattr(part, name, None) or part
    return part


def _options(reader: Reader) -> bytes:
    """Pickle a reader without what it has found out meanwhile."""
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
