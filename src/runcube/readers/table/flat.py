"""The keys of nested objects as one name each."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from runcube.core import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
    for name, value in _leaves(record, raw):
        if value is not None:
            own = name
            while own in found:
                counts[name] = counts.get(name, 1) + 1
                own = f"{name} ({counts[name]})"
            found[own] = value
    return found


def _leaves(record: Mapping[str, Any], raw: frozenset[str]) -> Iterable[tuple[str, Any]]:
    if raw.isdisjoint(record):
        return leaves(record, "/", name_of=str.strip)
    return chain.from_iterable(
        [(key.strip(), value)] if key in raw else leaves({key: value}, "/", name_of=str.strip)
        for key, value in record.items()
    )
