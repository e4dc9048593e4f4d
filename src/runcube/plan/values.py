"""Hyperparameters as values: flat configurations and columns of codes.

A configuration becomes a flat dict (``optim.lr``), and a key becomes a ``Column`` (one code per
run). ``labels`` decides what the cube shows for a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


class Absent(Enum):
    """The value of a key that a run does not have."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
_PLAIN = frozenset({str, int, float, bool, type(None)})
# Types whose equality is what we mean by "the same value" (bool is not among them: True == 1).
_OWN_TOKEN = frozenset({str, int, float, type(None), Absent})
_NUMERIC = frozenset({int, float, type(None), Absent})
_NAN = ("nan",)


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings flattened to dotted keys; lists and empty mappings are values.

    Parameters
    ----------
    config : mapping
        A configuration as logged.

    Returns
    -------
    dict
        In the order of the configuration. Values are plain Python (NumPy scalars are unwrapped).

    Examples
    --------
    >>> flatten({"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": 0, "extra": {}})
    {'optim.lr': 0.1, 'optim.betas': [0.9, 0.99], 'seed': 0, 'extra': {}}
    """
    flat: dict[str, Any] = {}
    _flatten_into(flat, "", config)
    return flat


def _flatten_into(flat: dict[str, Any], prefix: str, config: Mapping[str, Any]) -> None:
    for name, value in config.items():
        key = f"{prefix}{name}"
        kind = type(value)
        plain = kind in _PLAIN or kind is list
        if not plain and value and (kind is dict or isinstance(value, Mapping)):
            _flatten_into(flat, key + ".", value)
            continue
        while key in flat:  # {"a.b": 1, "a": {"b": 2}}: neither may be lost
            key += "'"
        flat[key] = value if plain else plain_value(value)


def plain_value(value: Any) -> Any:
    """Return a value (a subclass, NumPy scalar, tuple, empty mapping) as a plain type of JSON."""
    if isinstance(value, np.generic):
        return plain_value(value.item()) if type(value.item()) not in _PLAIN else value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value) if isinstance(value, tuple) else sorted(value, key=repr)
    if isinstance(value, bool | int | float) and not isinstance(value, Enum):
        return next(base(value) for base in (bool, int, float) if isinstance(value, base))
    if isinstance(value, str):
        return str.__str__(value)
    return value


def fill_null_subtrees(flats: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return configurations in which ``a.*`` of other runs is null where ``a`` is null or ``{}``.

    Parameters
    ----------
    flats : sequence of dict
        Flat configurations, (n_runs,); they are not changed.

    Examples
    --------
    >>> fill_null_subtrees([{"sched": None, "lr": 1}, {"sched.gamma": 0.5, "lr": 1}])
    [{'sched.gamma': None, 'lr': 1}, {'sched.gamma': 0.5, 'lr': 1}]
    """
    result = list(flats)
    keys = key_order(result)
    below: dict[str, list[str]] = {}
    known = set(keys)
    for key in keys:
        parts = key.split(".")
        for end in range(1, len(parts)):
            parent = ".".join(parts[:end])
            if parent in known:
                below.setdefault(parent, []).append(key)
    for parent in sorted(below, key=len):  # outer first: filling `a` may set `a.b` to null
        for i, flat in enumerate(result):
            if parent in flat and (flat[parent] is None or flat[parent] == {}):
                result[i] = _replace(flat, parent, below[parent])
    return result


def _replace(flat: dict[str, Any], parent: str, children: list[str]) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for key, value in flat.items():
        if key != parent:
            filled[key] = value
            continue
        for child in children:
            if child not in flat:
                filled[child] = None
    return filled


def key_order(flats: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all keys, each after the key that precedes it in the first run that has it."""
    order: list[str] = []
    known: set[str] = set()
    for flat in flats:
        if known.issuperset(flat):
            continue
        at = 0
        for key in flat:
            if key in known:
                at = order.index(key) + 1
            else:
                order.insert(at, key)
                known.add(key)
                at += 1
    return order


def token(value: Any) -> Any:
    """Return a hashable key of a value: equal tokens are the same value.

    1 and 1.0 are the same, True and 1 are not, NaN is itself.

    Examples
    --------
    >>> token(1) == token(1.0), token(True) == token(1), token([1]) == token([1.0])
    (True, False, True)
    """
    kind = type(value)
    if kind in _OWN_TOKEN:
        return _NAN if kind is float and value != value else value
    if kind is bool:
        return (bool, value)
    if isinstance(value, list | tuple):
        return (list, tuple(token(item) for item in value))
    if isinstance(value, Mapping):
        return (dict, frozenset((str(k), token(v)) for k, v in value.items()))
    plain = plain_value(value)
    return token(plain) if type(plain) in _PLAIN else (kind.__name__, str(value))


@dataclass(frozen=True, eq=False)
class Column:
    """The values of one key over all runs.

    Parameters
    ----------
    key : str
        Full dotted key.
    codes : (n_runs,) int64
        Number of each run's value, by first appearance.
    values : tuple
        The value of each code, (n_labels,); of equal ones (1 and 1.0 share a code) the first.
    kinds : frozenset of type
        Types that occurred.
    """

    key: str
    codes: NDArray[np.int64]
    values: tuple[Any, ...]
    kinds: frozenset[type]

    @property
    def n_labels(self) -> int:
        """Number of distinct values; absence counts as one."""
        return len(self.values)

    @property
    def absent_code(self) -> int | None:
        """Code of the runs that lack the key; None where every run has it."""
        if Absent not in self.kinds:
            return None
        return next(i for i, value in enumerate(self.values) if value is ABSENT)

    @property
    def numeric(self) -> bool:
        """Whether every run that has the key, and has it not null, has a number there."""
        return self.kinds <= _NUMERIC and not self.kinds.isdisjoint({int, float})

    def raw(self, run: int) -> Any:
        """Return the value of one run (of the runs that share it, the first one's)."""
        return self.values[self.codes[run]]


def make_column(key: str, raw: Sequence[Any]) -> Column:
    """Return the values of one key as codes.

    Parameters
    ----------
    key : str
        Full dotted key.
    raw : sequence
        One value per run, (n_runs,); ``ABSENT`` where there is none.
    """
    kinds = frozenset(map(type, raw))
    own = kinds <= _OWN_TOKEN and not (float in kinds and any(v != v for v in raw))
    seen: dict[Any, int] = {}
    codes = [seen.setdefault(t, len(seen)) for t in (raw if own else map(token, raw))]
    array = np.array(codes, dtype=np.int64)
    if own:
        return Column(key, array, tuple(seen), kinds)
    first = np.unique(array, return_index=True)[1]
    return Column(key, array, tuple(raw[i] for i in first), kinds)


def with_values(column: Column, values: Sequence[Any]) -> Column:
    """Return a column with other values for its codes; codes whose values are equal are merged."""
    merged = make_column(column.key, list(values))
    kinds = merged.kinds
    if float in column.kinds and float not in map(type, column.values):
        kinds |= {float}  # a float that hides behind an equal int
    codes = merged.codes[column.codes]
    return Column(column.key, codes, merged.values, kinds)
