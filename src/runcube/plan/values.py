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

from runcube.core import DEFAULT_LIMITS, PLAIN, leaves

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray


class Absent(Enum):
    """The value of a key that a run does not have."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
# Types whose equality is what we mean by "the same value" (bool is not among them: True == 1).
_OWN_TOKEN = frozenset({str, int, float, type(None), Absent})
_NUMERIC = frozenset({int, float, type(None), Absent})
_NAN = ("nan",)
_DEEPER = "…"


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings flattened to dotted keys; lists and empty mappings are values.

    Parameters
    ----------
    config : mapping
        A configuration as logged. Readers name what is nested too deeply or contains itself; here
        nothing may raise, and such a value, or what is as deep inside a list, becomes ``"…"``.

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
    for key, value in leaves(config, ".", inner=_inner, leaf=_leaf):
        own = key
        while own in flat:  # {"a.b": 1, "a": {"b": 2}}: neither may be lost
            own += "'"
        flat[own] = value
    return flat


def _inner(value: Any) -> Iterable[tuple[Any, Any]] | None:
    return value.items() if isinstance(value, Mapping) and value else None


def _leaf(value: Any, inside: Collection[int]) -> Any:
    if _inner(value) is not None:  # it contains itself
        return _DEEPER
    return _cut(value if type(value) is list else plain_value(value), inside)


def _cut(value: Any, inside: Collection[int], depth: int = 0) -> Any:
    """Return a value as it is, or a copy of a list or mapping without what is nested too deeply.

    ``inside`` has the ids of what it is inside of.
    """
    is_mapping = type(value) is not list and isinstance(value, Mapping)
    if not (is_mapping or isinstance(value, list | tuple)):
        return value
    if depth >= DEFAULT_LIMITS.depth or id(value) in inside:
        return _DEEPER
    if PLAIN.issuperset(map(type, value.values() if is_mapping else value)):
        return value
    below = {*inside, id(value)}
    if is_mapping:
        return {k: _cut(v, below, depth + 1) for k, v in value.items()}
    return [_cut(v, below, depth + 1) for v in value]


def plain_value(value: Any) -> Any:
    """Return a value (a subclass, NumPy scalar, tuple, empty mapping) as a plain type of JSON."""
    if isinstance(value, np.generic):
        return plain_value(value.item()) if type(value.item()) not in PLAIN else value.item()
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
    keys = key_order(flats)
    known = set(keys)
    lengths = {*map(len, keys)}
    below: dict[str, list[str]] = {}
    for key in keys:
        at = key.find(".")
        while at >= 0:
            if at in lengths and key[:at] in known:
                below.setdefault(key[:at], []).append(key)
            at = key.find(".", at + 1)
    parents = sorted(below, key=len)  # outer first: filling `a` may set `a.b` to null
    return [_fill(flat, parents, below) for flat in flats]


def _fill(
    flat: dict[str, Any], parents: Sequence[str], below: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return a configuration with the keys below null parents in the places of these parents."""
    values = dict(flat)
    places: dict[str, list[str]] = {}
    for parent in parents:
        if parent in values and (values[parent] is None or values[parent] == {}):
            del values[parent]
            places[parent] = [child for child in below[parent] if child not in values]
            values.update(dict.fromkeys(places[parent]))
    if not places:
        return flat
    order: list[str] = []
    waiting = [*reversed(flat)]
    while waiting:
        key = waiting.pop()
        if key in places:
            waiting += reversed(places[key])
        else:
            order.append(key)
    return {key: values[key] for key in order}


def key_order(flats: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all keys, each after the key that precedes it in the first run that has it."""
    after: dict[str | None, str | None] = {None: None}  # the first comes after None, and the end
    for flat in flats:
        if after.keys() >= flat.keys():
            continue
        before: str | None = None
        for key in flat:
            if key not in after:
                after[key], after[before] = after[before], key
            before = key
    order: list[str] = []
    at = after[None]
    while at is not None:
        order.append(at)
        at = after[at]
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
    return token(plain) if type(plain) in PLAIN else (kind.__name__, str(value))


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
    def present(self) -> NDArray[np.bool_]:
        """Whether each run has the key, (n_runs,)."""
        absent = self.absent_code
        return np.not_equal(self.codes, -1 if absent is None else absent)

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
