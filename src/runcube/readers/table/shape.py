"""The keys of a log's records and the msgspec type made for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# No bounds on what is read: for records with more keys, or nested deeper, a type takes longer to
# make than it saves. They are decoded key by key.
_MAX_LEAVES = 4096
_MAX_DEPTH = 100
# Keys with their kinds, or with the signature of the object below.
Signature: TypeAlias = "tuple[tuple[str, str | Signature], ...]"

_TYPES: dict[str, Any] = {
    "number": float | None,
    "text": str | None,
    "bool": bool | None,
    "any": Any,
    "null": Any,
}


def flatten(record: Mapping[str, Any], raw: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the leaves of a record that are not null, as ``{"info/lr": 0.1}``.

    Blanks around a key are dropped. A leaf that would get the name of an earlier one is numbered
    (``"a/b (2)"`` of ``{"a": {"b": 1}, "a/b": 2}``), so that neither is lost.

    Parameters
    ----------
    record : mapping
    raw : frozenset of str
        Top-level keys whose objects stay whole.

    Returns
    -------
    dict of str to object
        Keys joined by ``/``, and the value.
    """
    found: dict[str, Any] = {}
    counts: dict[str, int] = {}
    # The objects that are open, outermost first: what stands before their keys, what is left.
    inside = [("", iter(record.items()))]
    while inside:
        prefix, items = inside[-1]
        for key, value in items:
            name = prefix + key.strip()
            if isinstance(value, dict) and (len(inside) > 1 or key not in raw):
                inside.append((name + "/", iter(value.items())))
                break
            if value is not None:
                own = name
                while own in found:
                    counts[name] = counts.get(name, 1) + 1
                    own = f"{name} ({counts[name]})"
                found[own] = value
        else:
            inside.pop()
    return found


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value: ``null``, ``bool``, ``number``, ``text`` or ``any``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "any"


class _Node:
    """Keys of one object.

    Attributes
    ----------
    fields : dict of str to str or _Node
        A kind for each key, or a node where the value is an object itself.
    """

    def __init__(self) -> None:
        self.fields: dict[str, str | _Node] = {}

    def learn(self, record: Mapping[str, Any], raw: frozenset[str], depth: int = 0) -> bool:
        """Widen the node by an object; return whether that changed anything."""
        changed = False
        for key, value in record.items():
            old = self.fields.get(key)
            new: str | _Node
            if key in raw:
                new = "raw"
            elif isinstance(value, dict) and depth < _MAX_DEPTH:
                new = "any" if isinstance(old, str) and old != "null" else old or _Node()
                new = _Node() if new == "null" else new
                if isinstance(new, _Node):
                    changed |= new.learn(value, frozenset(), depth + 1)
            else:
                new = _merge(old, kind_of(value))
            if new is not old and new != old:
                self.fields[key] = new
                changed = True
        return changed

    def signature(self) -> Signature:
        """Return all fields as a hashable value, which a cache can look up."""
        return tuple(
            (key, kind.signature() if isinstance(kind, _Node) else kind)
            for key, kind in self.fields.items()
        )


def _merge(old: str | _Node | None, new: str) -> str | _Node:
    if old is None or old in ("null", new):
        return new
    if new == "null":
        return old
    return "any"


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A field of a compiled type.

    Parameters
    ----------
    name : str
        Its flattened name.
    kind : str
        As of `kind_of`, or ``raw``.
    path : tuple of str, (depth,)
        Attributes that lead to it.
    empty : tuple, (depth - 1,)
        Objects without any value, one for each object on the way that may be missing.
    """

    name: str
    kind: str
    path: tuple[str, ...]
    empty: tuple[Any, ...]


# The logs of a sweep mostly have one shape.
@lru_cache(maxsize=256)
def _compile(signature: Signature) -> tuple[msgspec.json.Decoder[Any], tuple[_Leaf, ...]] | None:
    """Return a decoder and its fields; None where msgspec can make no type for these keys."""
    try:
        if _count(signature) > _MAX_LEAVES:
            return None
        struct, leaves = _struct(signature, "Record")
    except (ValueError, TypeError, RecursionError):
        return None
    if len({leaf.name for leaf in leaves}) != len(leaves):
        return None  # {"a": {"b": 1}, "a/b": 2}: only the exact road decides which one counts
    return msgspec.json.Decoder(struct), leaves


def _count(signature: Signature) -> int:
    return sum(1 if isinstance(kind, str) else _count(kind) for _, kind in signature)


def _struct(signature: Signature, name: str) -> tuple[Any, tuple[_Leaf, ...]]:
    fields: list[tuple[str, Any, Any]] = []
    inner: list[tuple[str, str, Any, tuple[_Leaf, ...]]] = []
    for index, (key, kind) in enumerate(signature):
        at = f"f{index}"
        if isinstance(kind, str):
            raw = kind == "raw"
            fields.append((at, msgspec.Raw, msgspec.Raw()) if raw else (at, _TYPES[kind], None))
            inner.append((key, at, None, (_Leaf("", kind, (), ()),)))
        else:
            below, leaves = _struct(kind, name + at)
            fields.append((at, below | None, None))
            inner.append((key, at, below(), leaves))
    rename = {at: key for key, at, *_ in inner}
    made = msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False, rename=rename)
    return made, tuple(
        _Leaf(
            f"{key.strip()}/{leaf.name}" if leaf.path else key.strip(),
            leaf.kind,
            (at, *leaf.path),
            leaf.empty if empty is None else (empty, *leaf.empty),
        )
        for key, at, empty, leaves in inner
        for leaf in leaves
    )


class Shape:
    """What is known of the records of a log.

    Parameters
    ----------
    raw : frozenset of str
        Top-level keys whose values stay undecoded bytes.

    Attributes
    ----------
    raw : frozenset of str
        As above.
    """

    def __init__(self, raw: frozenset[str]) -> None:
        self.raw = raw
        self._node = _Node()
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._leaves: tuple[_Leaf, ...] = ()
        self._open: tuple[_Leaf, ...] = ()
        self._stale = True

    @property
    def decoder(self) -> msgspec.json.Decoder[Any] | None:
        """Decoder for records of this shape; None where no type can be made for it."""
        if self._stale:
            self.rebuild()
        return self._decoder

    def learn(self, record: Mapping[str, Any]) -> bool:
        """Widen the shape by a record; return whether that changed anything."""
        return self._node.learn(record, self.raw)

    def rebuild(self) -> None:
        """Make the decoder again, from what was learned so far."""
        self._stale = False
        self._decoder, self._leaves = _compile(self._node.signature()) or (None, ())
        self._open = tuple(x for x in self._leaves if x.kind in ("raw", "any", "null"))

    def check(self, structs: Sequence[Any], code: Callable[[Any], int]) -> None:
        """Check what the type left open: raw objects, and objects where there were none.

        Parameters
        ----------
        structs : sequence of decoded records
        code : callable
            Called with the bytes of each raw object.

        Raises
        ------
        BadLine
            From ``code``, if a raw object is no JSON.
        msgspec.DecodeError
            If there is an object in a field without a type.
        """
        for leaf in self._open:
            for value in _values(structs, leaf):
                if leaf.kind == "raw":
                    code(value)
                elif isinstance(value, dict):
                    raise msgspec.ValidationError("an object in a field without a type")

    def columns(self, structs: Sequence[Any]) -> Iterator[tuple[str, str, Sequence[Any]]]:
        """Yield the flattened name, the kind and the values (records,) of each field."""
        for leaf in self._leaves:
            kind = "number" if leaf.kind == "bool" else leaf.kind
            yield leaf.name, kind, _values(structs, leaf)


def _values(structs: Sequence[Any], leaf: _Leaf) -> list[Any]:
    found = structs
    for attribute, empty in zip(leaf.path, leaf.empty, strict=False):
        found = list(map(attrgetter(attribute), found))
        if None in found:
            found = [empty if value is None else value for value in found]
    return list(map(attrgetter(leaf.path[-1]), found))
