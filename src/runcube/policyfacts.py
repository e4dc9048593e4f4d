"""The arguments of a load as JSON and back, so that an archive can be brought up to date."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from runcube.contest import ContestPolicy
from runcube.model import ArchiveError
from runcube.pipeline import Policy
from runcube.planner import PlanPolicy
from runcube.readers import JsonlReader
from runcube.readers.base import registered_readers

if TYPE_CHECKING:
    from runcube.readers.base import Reader


def policy_facts(policy: Policy) -> dict[str, Any]:
    """Spell a policy as JSON can hold it."""
    plan = asdict(policy.plan)
    # JSON knows no keys but text.
    plan["relabel"] = [[key, [*map(list, new.items())]] for key, new in plan["relabel"].items()]
    return {
        "reader": _reader_facts(policy.reader),
        "path_keys": policy.path_keys,
        "plan": plan,
        "contest": asdict(policy.contest),
        "splits": policy.splits,
        "metrics": policy.metrics,
        "errors": policy.errors,
    }


def _reader_facts(reader: str | Reader) -> str | dict[str, Any]:
    if isinstance(reader, str):
        return reader
    if isinstance(reader, JsonlReader):
        return {"JsonlReader": {f.name: getattr(reader, f.name) for f in fields(reader)}}
    return {"name": reader.name, "is_dataclass": is_dataclass(reader)}


def policy_of(facts: dict[str, Any], reader: str | Reader | None) -> Policy:
    """Bring a policy back.

    Parameters
    ----------
    facts : dict
    reader : str or Reader, optional
        The reader, where the archive cannot spell it.

    Raises
    ------
    ArchiveError
        If a reader was used that the archive cannot spell, and none is given.
    """
    plan = dict(facts["plan"])
    plan["relabel"] = {key: dict(map(tuple, pairs)) for key, pairs in plan["relabel"]}
    plan["dims"] = _names(plan["dims"])
    plan["exclude"] = tuple(plan["exclude"])
    return Policy(
        _reader_of(facts["reader"]) if reader is None else reader,
        facts["path_keys"],
        PlanPolicy(**plan),
        ContestPolicy(**facts["contest"]),
        _names(facts["splits"]),
        _names(facts["metrics"]),
        messages=True,
        errors=facts["errors"],
    )


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _reader_of(facts: str | dict[str, Any]) -> str | Reader:
    if isinstance(facts, str):
        return facts
    if "JsonlReader" in facts:
        return JsonlReader(**facts["JsonlReader"])
    if any(reader.name == facts["name"] for reader in registered_readers()):
        return str(facts["name"])
    raise ArchiveError(
        f"the archive was made with a reader of your own, {facts['name']!r}: pass it as reader="
    )
