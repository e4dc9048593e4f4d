"""Every decision of a load: its arguments, checked, and as JSON and back for an archive."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from runcube.core import ArchiveError, Limits, check_choice
from runcube.curves import Align, MissingX, OnDuplicate, SelectionPolicy
from runcube.plan import PlanPolicy
from runcube.readers import CsvReader, JsonlReader, registered_readers

if TYPE_CHECKING:
    from runcube.readers import Reader

Errors = Literal["warn", "raise"]
Layout = Literal["auto", "grid", "configs"]


@dataclass(frozen=True)
class Policy:
    """Every decision of a load, as its arguments state it; recorded in ``ds.attrs["policies"]``.

    Parameters
    ----------
    reader : str or Reader
        ``"auto"``, the name of a reader, or a reader.
    path_keys : str or None
        Template of keys that only the path holds; ``"auto"`` reads what is plain, None nothing.
    plan : PlanPolicy
        What overrules the planner: dims, names, labels, seed, layout.
    selection : SelectionPolicy
        What decides between values, attempts and runs: x, alignment, records without x, expected
        length, duplicates.
    splits, metrics : tuple of str or None
        What is loaded, in this order; None: everything.
    messages : bool
        Whether the text lines of the logs are loaded.
    errors : {"warn", "raise"}
        Whether the first problem is raised.
    files, ignore : tuple of str
        Globs of the files that may be logs (none: all), and of those that are left out.

    Raises
    ------
    PlanError
        If an argument has none of its values.
    """

    reader: str | Reader = "auto"
    path_keys: str | None = "auto"
    plan: PlanPolicy = field(default_factory=PlanPolicy)
    selection: SelectionPolicy = field(default_factory=SelectionPolicy)
    splits: tuple[str, ...] | None = None
    metrics: tuple[str, ...] | None = None
    messages: bool = False
    errors: Errors = "warn"
    files: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise if an argument has none of its values.

        Raises
        ------
        PlanError
        """
        check_choice("errors", self.errors, get_args(Errors))
        check_choice("layout", self.plan.layout, ("auto", "grid", "configs"))
        check_choice("align", self.selection.align, get_args(Align))
        check_choice("missing_x", self.selection.missing_x, get_args(MissingX))
        check_choice("on_duplicate", self.selection.on_duplicate, get_args(OnDuplicate))

    @property
    def finding(self) -> dict[str, Any]:
        """Arguments of ``discover``."""
        names = ("reader", "path_keys", "files", "ignore")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> str:
        """Return the policy as JSON, for the attrs."""
        own = {
            "reader": getattr(self.reader, "name", self.reader),
            "files": self.files,
            "ignore": self.ignore,
            "path_keys": self.path_keys,
            "splits": self.splits,
            "metrics": self.metrics,
            "messages": self.messages,
            "errors": self.errors,
        }
        return json.dumps(own | asdict(self.plan) | asdict(self.selection), default=repr)


def policy_facts(policy: Policy) -> dict[str, Any]:
    """Return a policy as values that JSON can hold."""
    plan = asdict(policy.plan)
    # JSON knows no keys but text.
    plan["relabel"] = [[key, [*map(list, new.items())]] for key, new in plan["relabel"].items()]
    return {
        "reader": _reader_facts(policy.reader),
        "files": policy.files,
        "ignore": policy.ignore,
        "path_keys": policy.path_keys,
        "plan": plan,
        "contest": asdict(policy.selection),  # the name in archives
        "splits": policy.splits,
        "metrics": policy.metrics,
        "errors": policy.errors,
    }


def _reader_facts(reader: str | Reader) -> str | dict[str, Any]:
    if isinstance(reader, str):
        return reader
    if isinstance(reader, JsonlReader) and type(reader) in (CsvReader, JsonlReader):
        return {type(reader).__name__: asdict(reader)}
    return {"name": reader.name, "is_dataclass": is_dataclass(reader)}


def policy_of(facts: dict[str, Any], reader: str | Reader | None) -> Policy:
    """Return the policy that ``policy_facts`` made these values of.

    Parameters
    ----------
    facts : dict
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
    plan = dict(facts["plan"])
    plan["relabel"] = {key: dict(map(tuple, pairs)) for key, pairs in plan["relabel"]}
    plan["dims"] = _names(plan["dims"])
    plan["exclude"] = tuple(plan["exclude"])
    path_keys = facts["path_keys"]
    if path_keys is None and "exact_labels" not in plan:  # an archive of before "auto" had a name
        path_keys = "auto"
    return Policy(
        _reader_of(facts["reader"]) if reader is None else reader,
        path_keys,
        PlanPolicy(**plan),
        SelectionPolicy(**facts["contest"]),
        _names(facts["splits"]),
        _names(facts["metrics"]),
        messages=True,
        errors=facts["errors"],
        files=tuple(facts.get("files", ())),
        ignore=tuple(facts.get("ignore", ())),
    )


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


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
