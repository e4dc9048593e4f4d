"""The keys of nested objects as one name each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
