"""All keys of a sweep as columns, after the user's renames and relabels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.plan.labels import value_text
from runcube.plan.names import invalid_reason, resolve, short_names
from runcube.plan.values import (
    ABSENT,
    Column,
    key_order,
    make_column,
    plain_value,
    token,
    with_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class KeyTable:
    """All keys of a sweep as columns, with their names.

    Parameters
    ----------
    columns : dict of str to Column
        Full key to its values, (n_runs,) codes each, in config order.
    names : dict of str to str
        Full key to short name, of every key.
    aliases : dict of str to str
        Further names that the user may write, to full keys: keys that were merged into another,
        and names that a rename replaced.
    renamed : frozenset of str
        Full keys whose names the user chose.
    n_runs : int
        Number of runs.
    """

    columns: dict[str, Column]
    names: dict[str, str]
    aliases: dict[str, str]
    renamed: frozenset[str]
    n_runs: int

    def resolve(self, name: str, argument: str) -> str:
        """Return the full key of a name in an argument; raises ``UnknownNameError``."""
        for key, short in self.names.items():
            if short == name and key in self.renamed:
                return key
        return self.aliases[name] if name in self.aliases else resolve(name, self._shown, argument)

    @property
    def _shown(self) -> dict[str, str]:
        """Names, those that vary first, so that an error lists them first."""
        varying = {column.key for column in self.varying}
        return dict(sorted(self.names.items(), key=lambda item: item[0] not in varying))

    @property
    def varying(self) -> list[Column]:
        """Columns with more than one value, in config order."""
        return [column for column in self.columns.values() if column.n_labels > 1]


def build_table(
    flats: Sequence[Mapping[str, Any]],
    paths: Sequence[str],
    rename: Mapping[str, str],
    relabel: Mapping[str, Mapping[Any, Any]],
) -> KeyTable:
    """Return every key of flat configurations as a column, after renames and relabels.

    Parameters
    ----------
    flats : sequence of mapping
        Flat configuration of each run, (n_runs,), in natural path order.
    paths : sequence of str
        Path of each run, (n_runs,), for errors.
    rename, relabel : mapping
        As in ``PlanPolicy``.

    Raises
    ------
    UnknownNameError
        If ``rename`` or ``relabel`` name a key or value that is not there.
    PlanError
        If a new name is not allowed, or two merged keys disagree in one run.
    """
    keys = key_order(flats)
    raw: dict[str, list[Any]] = {key: [flat.get(key, ABSENT) for flat in flats] for key in keys}
    names = short_names(keys)
    aliases: dict[str, str] = {}
    targets: dict[str, list[str]] = {}
    for old, new in rename.items():
        key = resolve(old, names, "rename")
        if key not in targets.setdefault(new, []):
            targets[new].append(key)
    _check_targets(targets, names)
    for new, merged in targets.items():
        merged.sort(key=keys.index)
        head = merged[0]
        for other in merged[1:]:
            raw[head] = _merge(raw[head], raw.pop(other), (head, other), new, paths)
            aliases |= {other: head, names.pop(other): head}
        if names[head] != new and names[head] not in raw:
            aliases[names[head]] = head
        names[head] = new
    columns = {key: make_column(key, values) for key, values in raw.items()}
    renamed = frozenset(merged[0] for merged in targets.values())
    table = KeyTable(columns, names, aliases, renamed, len(flats))
    for name, mapping in relabel.items():
        key = table.resolve(name, "relabel")
        columns[key] = _relabel(columns[key], mapping)
    return table


def _check_targets(targets: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> None:
    moved = {key for keys in targets.values() for key in keys}
    owners = {short: key for key, short in names.items() if key not in moved}
    for new, keys in targets.items():
        reason = invalid_reason(new)
        if reason is not None and new != "seed":
            raise PlanError(
                f"rename: {keys[0]!r} cannot be called {new!r}, which {reason}; try {new + '_'!r}"
                if new.isidentifier()
                else f"rename: {keys[0]!r} cannot be called {new!r}, which {reason}"
            )
        if new in owners:
            raise PlanError(
                f"rename: {keys[0]!r} cannot be called {new!r}, which is the name of"
                f" {owners[new]!r}; rename that one too, to another name or to this one"
            )


def _merge(
    first: Sequence[Any],
    second: Sequence[Any],
    keys: tuple[str, str],
    new: str,
    paths: Sequence[str],
) -> list[Any]:
    merged: list[Any] = []
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a is not ABSENT and b is not ABSENT and token(a) != token(b):
            raise PlanError(
                f"rename: {keys[0]!r} and {keys[1]!r} cannot both become {new!r}:"
                f" in {paths[i]} they are {a!r} and {b!r}"
            )
        merged.append(b if a is ABSENT else a)
    return merged


def _relabel(column: Column, mapping: Mapping[Any, Any]) -> Column:
    values = list(column.values)
    places = {token(value): code for code, value in enumerate(column.values)}
    for old, new in mapping.items():
        code = places.get(token(old))
        if code is None and isinstance(old, str):
            code = _by_text(column.values, old)
        if code is None:
            known = [repr(v) if type(v) is str else value_text(v) for v in column.values]
            raise UnknownNameError(
                f"relabel: {column.key!r} is {old!r} in no run{nearest(repr(old), known)}"
            )
        values[code] = plain_value(new)
    return with_values(column, values)


def _by_text(values: Sequence[Any], text: str) -> int | None:
    """Return the code of a value that cannot be a key of a mapping (a list, absence), by label."""
    for code, value in enumerate(values):
        if (value is ABSENT or isinstance(value, list | dict)) and value_text(value) == text:
            return code
    return None
