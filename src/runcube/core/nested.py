"""The leaves of nested objects, with the keys on the way to each as one name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

# Types of JSON that have nothing inside.
PLAIN = frozenset({str, int, float, bool, type(None)})
Items = Iterable[tuple[Any, Any]]


def value_at(nested: Any, keys: Iterable[Any], otherwise: Any = None) -> Any:
    """Return what stands under keys, the outermost first; something else if one is missing."""
    for key in keys:
        if not isinstance(nested, dict) or key not in nested:
            return otherwise
        nested = nested[key]
    return nested


def opened(nested: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the mapping under keys, a new one where there is none; those on the way are copies."""
    for key in keys:
        below = nested.get(key)
        nested[key] = dict(below) if isinstance(below, dict) else {}
        nested = nested[key]
    return nested


def _items(value: Any) -> Items | None:
    return value.items() if isinstance(value, dict) else None


def _as_it_is(value: Any, _inside: Collection[int]) -> Any:
    return value


def leaves(
    nested: Mapping[Any, Any],
    separator: str,
    *,
    name_of: Callable[[Any], str] = str,
    inner: Callable[[Any], Items | None] = _items,
    leaf: Callable[[Any, Collection[int]], Any] = _as_it_is,
) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each leaf, in order; two leaves may have the same name.

    Nothing is too deep, and what contains itself is a leaf there.

    Parameters
    ----------
    nested : mapping
    separator : str
        Between the keys of a name.
    name_of : callable
        Takes a key and returns it as part of a name.
    inner : callable
        Takes a value and returns what is inside, as (key, value); None of a leaf. By default only
        a dict has something inside. It is not asked of text, numbers, bools and None.
    leaf : callable
        Takes a leaf that is no text, number, bool or None, and the ids of what it is inside of;
        returns the value to yield.
    """
    # What is open, outermost first, each with the beginning of its names.
    inside: dict[int, tuple[str, Iterator[tuple[Any, Any]]]] = {
        id(nested): ("", iter(nested.items()))
    }
    while inside:
        prefix, left = inside[next(reversed(inside))]
        for key, value in left:
            name = prefix + name_of(key)
            if type(value) in PLAIN:
                yield name, value
                continue
            within = None if id(value) in inside else inner(value)
            if within is not None:
                inside[id(value)] = (name + separator, iter(within))
                break
            yield name, leaf(value, inside)
        else:
            inside.popitem()
