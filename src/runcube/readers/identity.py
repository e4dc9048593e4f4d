"""What tells one reader from another: its class, the code of it, and its options.

What is kept of logs holds good for the reader that read them. One of another kind, with other
options, or whose code was edited since, reads other values from the same bytes.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runcube.readers.base import Reader

_OURS = __name__.partition(".")[0]
_SIMPLE = (str, int, float, complex, bytes, type(None), type(...), np.generic)
_CONTAINERS = (list, tuple, dict, set, frozenset)
# What code uses by a name and is spelled: code and plain values, nothing that works.
_NAMED = (FunctionType, type, *_SIMPLE, *_CONTAINERS)


class ReaderKey:
    """A reader as a key within this process: equal if class and options are.

    Parameters
    ----------
    reader : Reader
        Held, so that nothing else comes to have its id or that of its class.
    """

    __slots__ = ("_about", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._about = type(reader), _content(reader)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReaderKey) and self._about == other._about

    def __hash__(self) -> int:
        return hash(self._about)


def _content(reader: Reader) -> bytes | int:
    with suppress(Exception):  # whatever its own pickling raises
        return pickle.dumps(reader)
    from cloudpickle import dumps  # for what was made in a notebook, where that is not at hand

    with suppress(Exception):
        return bytes(dumps(reader))
    return id(reader)


def reader_word(reader: Reader) -> str:
    """Name a reader with all that its results hang on, alike in every process.

    Where that cannot be told the word is a new one each time: nothing that was kept of such a
    reader is taken for its results.
    """
    return known_word(reader) or f"{reader.name} {uuid4().hex}"


def known_word(reader: Reader) -> str | None:
    """Name a reader with all that its results hang on; None if that cannot be told."""
    return _word(ReaderKey(reader))


@lru_cache(maxsize=64)
def _word(key: ReaderKey) -> str | None:
    reader = key.reader
    if type(reader).__module__.startswith(f"{_OURS}."):
        return repr(reader)  # of a dataclass; its code goes by our version
    with suppress(Exception):  # of spelling whatever people put into a reader
        spelled = _Speller(type(reader)).value(reader)
        digest = blake2b(repr(spelled).encode("utf-8", "surrogatepass"), digest_size=16)
        return f"{reader.name} {digest.hexdigest()}"
    return None


class _Speller:
    """Spells values and code, as far as they are of the package that a class is of.

    Code is that which runs, not that of a file, which may have been edited since.
    """

    def __init__(self, kind: type) -> None:
        self._home = {_package(base) for base in kind.__mro__}
        self._home -= {*sys.stdlib_module_names, _OURS}
        self._seen: set[int] = set()

    def value(self, value: Any) -> Any:
        """Spell a value.

        Raises
        ------
        Exception
            Whatever its pickling raises: it may be another one the next time.
        """
        kind = type(value)
        if isinstance(value, _SIMPLE):
            return kind.__name__, repr(value)
        if kind in _CONTAINERS:
            return kind.__name__, self._items(value)
        if kind is CodeType:
            return self._code(value)
        if id(value) in self._seen:
            return "again", kind.__name__
        self._seen.add(id(value))
        if kind is FunctionType:
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        return self._class(kind), self._options(value)

    def _items(self, container: Any) -> Any:
        if type(container) is dict:
            return [(self.value(key), self.value(item)) for key, item in container.items()]
        items = [self.value(item) for item in container]
        return items if type(container) in (list, tuple) else sorted(map(repr, items))

    def _options(self, value: Any) -> Any:
        if is_dataclass(value):
            return [(f.name, self.value(getattr(value, f.name))) for f in fields(value)]
        if _package(type(value)) in self._home and hasattr(value, "__dict__"):
            return [(name, self.value(item)) for name, item in vars(value).items()]
        return pickle.dumps(value)

    def _class(self, kind: type) -> Any:
        code = []
        for base in kind.__mro__:
            if _package(base) in self._home:
                code += [
                    (base.__qualname__, name, self.value(part))
                    for name, part in _parts(base)
                    if isinstance(part, _NAMED)
                ]
        return f"{kind.__module__}.{kind.__qualname__}", code

    def _function(self, function: FunctionType) -> Any:
        if function.__module__.partition(".")[0] not in self._home:
            return f"{function.__module__}.{function.__qualname__}"
        enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
        around = [self.value(part) for part in (function.__defaults__, function.__kwdefaults__)]
        around += [self._named(part) for part in enclosed]
        known = function.__globals__
        used = sorted(name for name in _names(function.__code__) if name in known)
        around += [(name, self._named(known[name])) for name in used]
        return self._code(function.__code__), around

    def _named(self, thing: Any) -> Any:
        if isinstance(thing, _NAMED):
            with suppress(Exception):
                return self.value(thing)
        return type(thing).__qualname__

    def _code(self, code: CodeType) -> Any:
        names = code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars
        constants = [self.value(constant) for constant in code.co_consts]
        return code.co_code, code.co_exceptiontable, code.co_flags, names, constants


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _parts(kind: type) -> Iterator[tuple[str, Any]]:
    """Functions and plain values of a class, out of whatever wraps them."""
    for name, part in vars(kind).items():
        if isinstance(part, property):
            yield from ((name, one) for one in (part.fget, part.fset) if one is not None)
        elif isinstance(part, cached_property):
            yield name, part.func
        elif not name.startswith("__") or isinstance(part, FunctionType):
            yield name, getattr(part, "__func__", part)


def _names(code: CodeType) -> Iterable[str]:
    """Names that code uses, and the code within it."""
    inner = (part for part in code.co_consts if isinstance(part, CodeType))
    return {*code.co_names}.union(*map(_names, inner))
