"""Every decision of a load: its arguments as one object, and as plain data and back.

A new argument is a field here or of a part, with its default, and a line of ``arguments``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from runcube.core import ArchiveError, Limits, check_choice
from runcube.curves import SelectionPolicy
from runcube.plan import PlanPolicy
from runcube.readers import CsvReader, JsonlReader, known_fingerprint, registered_readers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcube.readers import Reader

Errors = Literal["warn", "raise"]


@dataclass(frozen=True)
class Policy:
    """Every decision of a load, as its arguments state it; recorded in ``ds.attrs["policies"]``.

    Parameters
    ----------
    reader : str or Reader
        ``"auto"``, the name of a reader, or a reader.
    files, ignore : tuple of str
        Globs of the files that may be logs (none: all), and of those that are left out.
    path_keys : str or None
        Template of keys that only the path holds; ``"auto"`` reads what is plain, None nothing.
    splits, metrics : tuple of str or None
        What is loaded, in this order; None: everything.
    messages : bool
        Whether the text lines of the logs are loaded.
    errors : {"warn", "raise"}
        Whether the first problem is raised.
    plan : PlanPolicy
        What overrules the planner: dims, names, labels, seed, layout.
    selection : SelectionPolicy
        What decides between values, attempts and runs: x, alignment, records without x, expected
        length, duplicates.

    Raises
    ------
    PlanError
        If an argument has none of its values.
    """

    reader: str | Reader = "auto"
    files: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    path_keys: str | None = "auto"
    splits: tuple[str, ...] | None = None
    metrics: tuple[str, ...] | None = None
    messages: bool = False
    errors: Errors = "warn"
    plan: PlanPolicy = field(default_factory=PlanPolicy)
    selection: SelectionPolicy = field(default_factory=SelectionPolicy)

    def __post_init__(self) -> None:
        """Raise if an argument has none of its values.

        Raises
        ------
        PlanError
        """
        check_choice("errors", self.errors, get_args(Errors))

    @property
    def finding(self) -> dict[str, Any]:
        """Arguments of ``discover``."""
        names = ("reader", "path_keys", "files", "ignore")
        return {name: getattr(self, name) for name in names}


# The parts of a policy: field, kind, and the name in archives.
_PARTS = (("plan", PlanPolicy, "plan"), ("selection", SelectionPolicy, "contest"))


def policy_of_arguments(arguments: Mapping[str, Any]) -> Policy:
    """Return the policy that has these arguments, by name, and the defaults of all others."""
    own = dict(arguments)
    parts: dict[str, Any] = {
        part: kind(**{f.name: own.pop(f.name) for f in fields(kind) if f.name in own})
        for part, kind, _ in _PARTS
    }
    return Policy(**own, **parts)


def policy_arguments(policy: Policy) -> dict[str, Any]:
    """Return every argument of a policy by its name: what ``policy_of_arguments`` takes."""
    own = {f.name: getattr(policy, f.name) for f in fields(policy)}
    parts = [own.pop(part) for part, _, _ in _PARTS]
    return own | {f.name: getattr(part, f.name) for part in parts for f in fields(part)}


def policy_attr(policy: Policy) -> str:
    """Return a policy as JSON, for the attrs of a cube."""
    arguments = policy_arguments(policy)
    arguments["reader"] = getattr(policy.reader, "name", policy.reader)
    return json.dumps(arguments, default=repr)


def policy_key(policy: Policy, readers: Sequence[Reader]) -> list[Any] | None:
    """Return a policy as plain data that two policies share if they shape the same cube.

    Parameters
    ----------
    policy : Policy
    readers : sequence of Reader
        Those that its reader stands for.

    Returns
    -------
    list or None
        Of lists, texts, numbers, bools and None, so that its ``repr`` can be hashed. None if
        anything of the policy can only be described: it may be another thing the next time.
    """
    known = [*map(known_fingerprint, readers)]
    arguments = policy_arguments(policy)
    arguments["reader"] = getattr(policy.reader, "name", policy.reader)
    try:
        return None if None in known else [known, _plain(arguments)]
    except TypeError:
        return None


def _plain(value: Any) -> Any:
    """Return a value as lists that tell what they stand for.

    Raises
    ------
    TypeError
        If it has no plain form.
    """
    if isinstance(value, np.generic):
        return [value.dtype.str, value.item()]
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if kind in (list, tuple):
        return [kind.__name__, *map(_plain, value)]
    if kind is dict:
        return ["dict", *([_plain(key), _plain(item)] for key, item in value.items())]
    raise TypeError(f"{kind.__name__} has no plain form")


def policy_facts(policy: Policy) -> dict[str, Any]:
    """Return a policy as values that JSON can hold, in the form of archives."""
    facts = asdict(replace(policy, reader="")) | {"reader": _reader_facts(policy.reader)}
    del facts["messages"]  # every archive has them
    for part, _, name in _PARTS:
        facts[name] = facts.pop(part)
    # JSON knows no keys but text.
    relabel = facts["plan"]["relabel"].items()
    facts["plan"]["relabel"] = [[key, [*map(list, new.items())]] for key, new in relabel]
    return facts


def policy_of(facts: Mapping[str, Any], reader: str | Reader | None) -> Policy:
    """Return the policy that ``policy_facts`` made these values of.

    Parameters
    ----------
    facts : mapping
        As an archive holds them.
    reader : str or Reader, optional
        Replaces the reader of the archive, which it needs where that cannot be stored.

    Returns
    -------
    Policy
        With ``messages=True``, as for every archive.

    Raises
    ------
    ArchiveError
        If the reader could not be stored, and none is given.
    """
    own = dict(facts)
    for _, _, name in _PARTS:
        own |= own.pop(name)
    # JSON knows no tuples.
    arguments = {n: tuple(value) if isinstance(value, list) else value for n, value in own.items()}
    arguments["relabel"] = {key: dict(map(tuple, pairs)) for key, pairs in own["relabel"]}
    if own["path_keys"] is None and "exact_labels" not in own:
        arguments["path_keys"] = "auto"  # an archive of before "auto" had a name
    arguments["reader"] = _reader_of(own["reader"]) if reader is None else reader
    return policy_of_arguments(arguments | {"messages": True})


def _reader_facts(reader: str | Reader) -> str | dict[str, Any]:
    if isinstance(reader, str):
        return reader
    if isinstance(reader, JsonlReader) and type(reader) in (CsvReader, JsonlReader):
        return {type(reader).__name__: asdict(reader)}
    return {"name": reader.name, "is_dataclass": is_dataclass(reader)}


def _reader_of(facts: str | dict[str, Any]) -> str | Reader:
    if isinstance(facts, str):
        return facts
    for kind in (CsvReader, JsonlReader):
        if kind.__name__ in facts:
            options = facts[kind.__name__]
            limits = Limits(**options.get("limits", {}))
            return kind(**options | {"limits": limits})
    if any(reader.name == facts["name"] for reader in registered_readers()):
        return str(facts["name"])
    raise ArchiveError(
        f"the archive was made with a reader of your own, {facts['name']!r}: pass it as reader="
    )
