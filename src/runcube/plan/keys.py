"""All keys of a sweep as columns, after the user's renames and relabels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runcube.core import PlanError, UnknownNameError, close_names
from runcube.plan.exclude import is_fact
from runcube.plan.labels import value_text
from runcube.plan.names import invalid_reason, resolve, short_names
from runcube.plan.spellings import merge_column
from runcube.plan.values import (
    ABSENT,
    Column,
    make_column,
    plain_value,
    token,
    with_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.plan.headers import FlatConfigs
    from runcube.plan.model import PlanPolicy
    from runcube.plan.spellings import Apart, Merged


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
    relabelled : dict of str to frozenset
        Full key to the tokens of the values that the user gave it.
    merged : dict of str to Merged
        Full key to its values as the runs have them, of the columns in which several spellings of
        a number are one value.
    """

    columns: dict[str, Column]
    names: dict[str, str]
    aliases: dict[str, str]
    renamed: frozenset[str]
    n_runs: int
    relabelled: dict[str, frozenset[Any]] = field(default_factory=dict)
    merged: dict[str, Merged] = field(default_factory=dict)

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


def build_table(configs: FlatConfigs, policy: PlanPolicy) -> KeyTable:
    """Return every key of flat configurations as a column, after renames, defaults and relabels.

    Parameters
    ----------
    configs : FlatConfigs
    policy : PlanPolicy

    Raises
    ------
    UnknownNameError
        If ``rename``, ``defaults`` or ``relabel`` name a key or value that is not there.
    PlanError
        If a new name is not allowed, or two merged keys disagree in one run.
    """
    columns = dict(configs.columns)
    keys = [*columns]
    names = short_names(keys)
    aliases: dict[str, str] = {}
    targets: dict[str, list[str]] = {}
    for old, new in policy.rename.items():
        key = resolve(old, names, "rename")
        if key not in targets.setdefault(new, []):
            targets[new].append(key)
    _check_targets(targets, names)
    for new, merged in targets.items():
        merged.sort(key=keys.index)
        head, *others = merged
        values = configs.raw(head)
        for other in others:
            values = _merge(values, configs.raw(other), (head, other), new, configs.paths)
            aliases |= {other: head, names.pop(other): head}
            del columns[other]
        if others:
            columns[head] = make_column(head, values)
        if names[head] != new and names[head] not in columns:
            aliases[names[head]] = head
        names[head] = new
    renamed = frozenset(merged[0] for merged in targets.values())
    table = KeyTable(columns, names, aliases, renamed, len(configs.flats))
    for name, value in policy.defaults.items():
        key = table.resolve(name, "defaults")
        filled = [plain_value(value) if v is ABSENT else v for v in columns[key].values]
        columns[key] = with_values(columns[key], filled)
    for name, mapping in policy.relabel.items():
        key = table.resolve(name, "relabel")
        columns[key] = _relabel(columns[key], mapping, exact=policy.exact_labels)
        table.relabelled[key] = frozenset(token(plain_value(new)) for new in mapping.values())
    return table


def merge_spellings(table: KeyTable, apart: Apart, seed: str | None) -> KeyTable:
    """Return a table in which each number is one value, however runs spell it.

    Parameters
    ----------
    table : KeyTable
        The values as the runs have them.
    apart : set of (str, number or None)
        What is not to be merged.
    seed : str or None
        Name or key of the seed, if the user named one.
    """
    found: dict[str, Merged] = {}
    for key, column in table.columns.items():
        if is_fact(key):  # the moments at which the runs of a sweep began are near each other
            continue
        is_seed = seed in (key, table.names[key])
        merged = merge_column(column, apart, table.relabelled.get(key, ()), is_seed=is_seed)
        if merged is not None:
            found[key] = merged
    shown = {key: merged.shown for key, merged in found.items()}
    return replace(table, columns=table.columns | shown, merged=found)


def _check_targets(targets: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> None:
    moved = {key for keys in targets.values() for key in keys}
    owners = {short: key for key, short in names.items() if key not in moved}
    for new, keys in targets.items():
        reason = invalid_reason(new)
        if reason is not None and new != "seed":
            hint = f"; try {new + '_'!r}" if new.isidentifier() else ""
            raise PlanError(f"rename: {keys[0]!r} cannot be called {new!r}, which {reason}{hint}")
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


def _relabel(column: Column, mapping: Mapping[Any, Any], *, exact: bool) -> Column:
    """Return a column with other values; where not exact, for all spellings of a number."""
    merged = None if exact else merge_column(column, is_seed=False)
    shown = column.values if merged is None else merged.values
    values = list(column.values)
    places = {token(value): code for code, value in enumerate([*shown, *column.values])}
    for old, new in mapping.items():
        code = places.get(token(old))
        if code is None and isinstance(old, str):
            code = _by_text(column.values, old)
        if code is None:
            raise UnknownNameError(
                f"relabel: {column.key!r} is {old!r} in no run{_how_to_write(column.values, old)}"
            )
        label = token(shown[code % len(values)])
        for other, value in enumerate(shown):
            if token(value) == label:
                values[other] = plain_value(new)
    return with_values(column, values)


def _how_to_write(values: Sequence[Any], old: Any) -> str:
    """Return the tail of an error: how the value is written that was meant."""
    for value in values:
        if type(value) is not type(old) and value_text(value) == value_text(old):
            how = "in quotes" if type(value) is str else "without quotes"
            return f", but {value!r} in some: write it {how}"
    texts = {value_text(value): repr(value) for value in values if value is not ABSENT}
    close = close_names(value_text(old), texts)
    shown = [texts[text] for text in close or list(texts)[:8]]
    return f" ({'nearest' if close else 'known'}: {', '.join(shown)})"


def _by_text(values: Sequence[Any], text: str) -> int | None:
    """Return the code of a value that cannot be a key of a mapping (a list, absence), by label."""
    for code, value in enumerate(values):
        if (value is ABSENT or isinstance(value, list | dict)) and value_text(value) == text:
            return code
    return None
