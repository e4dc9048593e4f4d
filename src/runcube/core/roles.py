"""What columns and names of the logs are, which only the sweep as a whole shows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Names:
    """What the splits and metrics of a run are called, as far as its log alone shows.

    Parameters
    ----------
    splits : frozenset of (str, str)
        Splits, and what they mean: ``("validation", "val")``.
    meeting : frozenset of str
        What two splits of the run mean that have a metric at the same x: they are not one.
    short : frozenset of str
        Columns whose metric is called by a part of their name.
    whole : frozenset of str
        Columns whose metric is called by all of it, though it has parts.
    parts : frozenset of str
        Splits in the names of the log's files.
    """

    splits: frozenset[tuple[str, str]] = frozenset()
    meeting: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()

    def to_lists(self) -> list[list[Any]]:
        """Return all of it as plain lists, as JSON has them."""
        return _lists(self)

    @classmethod
    def from_lists(cls, stored: Iterable[Iterable[Any]]) -> Names:
        """Return names from plain lists."""
        return cls(*_sets(stored))


@dataclass(frozen=True, slots=True)
class Roles:
    """What columns and names of the logs are, which only the sweep as a whole shows.

    Parameters
    ----------
    labels : frozenset of str
        Columns that are configuration: they leave the curves of a run in which they never move.
    x : frozenset of str
        Columns that run along the rows of most runs, whatever they are called.
    whole : frozenset of str
        Columns whose metrics are called by their full names in every run, as in one of them a
        part of the name would not do.
    splits : frozenset of (str, str)
        Splits with the name that most runs have for the same.
    parts : frozenset of str
        Splits that are files of their own.
    """

    labels: frozenset[str] = frozenset()
    x: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    splits: frozenset[tuple[str, str]] = frozenset()
    parts: frozenset[str] = frozenset()

    def within(self, scope: Roles) -> Roles:
        """Return the part that concerns what is open in one or several runs."""
        known = {split for split, _ in scope.splits}
        return Roles(
            self.labels & scope.labels,
            self.x & scope.x,
            self.whole & scope.whole,
            frozenset(pair for pair in self.splits if pair[0] in known),
            self.parts & scope.parts,
        )

    @classmethod
    def union(cls, several: Iterable[Roles]) -> Roles:
        """Return what any of several has."""
        ones = list(several)
        return cls(
            *(frozenset().union(*(getattr(one, f.name) for one in ones)) for f in fields(cls))
        )

    def to_lists(self) -> list[list[Any]]:
        """Return all of it as plain lists, as JSON has them."""
        return _lists(self)

    @classmethod
    def from_lists(cls, stored: Iterable[Iterable[Any]]) -> Roles:
        """Return roles from plain lists; those of an older form may be fewer."""
        return cls(*_sets(stored))


def _lists(groups: Names | Roles) -> list[list[Any]]:
    return [sorted(getattr(groups, field.name)) for field in fields(groups)]


def _sets(stored: Iterable[Iterable[Any]]) -> Iterator[frozenset[Any]]:
    for names in stored:
        yield frozenset(tuple(n) if isinstance(n, list) else n for n in names)
