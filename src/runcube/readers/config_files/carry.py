"""What a configuration may hold: JSON of bounded depth and size. The rest is named."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from runcube.core import Problem, clean_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from runcube.core import Limits

# In place of what is nested deeper than the parser goes.
DEEPER = "\0deeper\0"
_NOT_ZERO = re.compile("[1-9]")
_SHOWN_KEYS = 20
_SHOWN_TEXT = 120


class Note(NamedTuple):
    """Something about a value that is not carried as it is.

    Parameters
    ----------
    kind : str
        Kind of the problem.
    what : str
        What happened, to be said behind the keys.
    """

    kind: str
    what: str


REPEATED = Note("config_conflict", "more than once in one mapping: the last counts")
NO_FLOAT = Note("config_value", "a number that no float64 holds: kept as text")
_NO_TEXT = Note("config_value", "no valid Unicode text: escaped")
_CYCLE = Note("config_value", "contains itself: left out")


def too_long(limits: Limits) -> Note:
    """Return the note of a number that is longer than ``Limits.digits``."""
    return Note("limit", f"a number longer than Limits(digits={limits.digits}): kept as text")


def too_deep(limits: Limits) -> Note:
    """Return the note of what is nested deeper than ``Limits.depth``."""
    return Note("limit", f"nested deeper than Limits(depth={limits.depth}): left out")


def too_many(limits: Limits) -> Note:
    """Return the note of values beyond ``Limits.keys``."""
    return Note("limit", f"beyond Limits(keys={limits.keys}) values: left out")


class OddText(str):
    """The text of a scalar that cannot be carried as what it is, with a note that says why."""

    __slots__ = ("note",)
    note: Note

    def __new__(cls, text: str, note: Note) -> OddText:
        """Return the text with its note."""
        made = super().__new__(cls, text)
        made.note = note
        return made


@dataclass
class Parsed:
    """The value of a file as its parser made it; it may contain itself.

    Parameters
    ----------
    value : object
        Mappings, lists, scalars, and ``OddText``.
    notes : dict
        What there is to say about keys of mappings, or about a whole container (key None), by the
        id of the container.
    held : list
        Containers with notes, so that their ids stay theirs.
    """

    value: Any = None
    notes: dict[int, list[tuple[str | None, Note]]] = field(default_factory=dict)
    held: list[Any] = field(default_factory=list)

    def note(self, container: Any, key: str | None, note: Note) -> None:
        """Record a note on a key of a container."""
        self.held.append(container)
        self.notes.setdefault(id(container), []).append((key, note))


class _LeftOut(Exception):
    """A value that cannot be carried."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.what)
        self.note = note


@dataclass
class Carrier:
    """Copies parsed values into what may be passed on.

    Parameters
    ----------
    parsed : Parsed
    limits : Limits

    Attributes
    ----------
    named : dict of Note to list of str
        The dotted keys of each note.
    """

    parsed: Parsed
    limits: Limits
    named: dict[Note, list[str]] = field(default_factory=dict)
    _count: int = 0
    _sizes: dict[int, int] = field(default_factory=dict)

    def mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        """Return a mapping without what cannot be carried.

        A list is one value: it is carried whole, or not at all.
        """
        self._sizes = _sizes(value)
        whole: dict[str, Any] = {}
        # The mappings that are open, outermost first: id, dotted key, what is left, copy.
        inside: dict[int, tuple[str, Iterator[tuple[Any, Any]], dict[str, Any]]] = {}
        inside[id(value)] = ("", iter(value.items()), whole)
        self._say_notes(value, "")
        while inside:
            prefix, items, copy = inside[next(reversed(inside))]
            for name, item in items:
                key = self._text(str(name), prefix + str(name))
                dotted = prefix + key
                try:
                    if isinstance(item, dict):
                        self._check(item, inside, len(inside))
                        copy[key] = {}
                        self._say_notes(item, dotted)
                        inside[id(item)] = (dotted + ".", iter(item.items()), copy[key])
                        break
                    copy[key] = self._value(item, dotted, inside, len(inside))
                except _LeftOut as left:
                    self.name(left.note, dotted)
                except RecursionError:  # Limits.depth is beyond what Python can go
                    self.name(too_deep(self.limits), dotted)
            else:
                inside.popitem()
        return whole

    def _check(self, item: Any, inside: Collection[int], depth: int) -> None:
        if id(item) in inside:
            raise _LeftOut(_CYCLE)
        if depth >= self.limits.depth:
            raise _LeftOut(too_deep(self.limits))
        if self._count + self._sizes.get(id(item), 1) > self.limits.keys:
            raise _LeftOut(too_many(self.limits))

    def _value(self, item: Any, dotted: str, inside: Collection[int], depth: int) -> Any:
        """Return a scalar, or a list with all that it holds."""
        if isinstance(item, list | dict):
            self._check(item, inside, depth)
            self._say_notes(item, dotted)
            below = {*inside, id(item)}
            if isinstance(item, list):
                return [self._value(value, dotted, below, depth + 1) for value in item]
            return {
                self._text(str(k), dotted): self._value(v, dotted, below, depth + 1)
                for k, v in item.items()
            }
        if self._count >= self.limits.keys:
            raise _LeftOut(too_many(self.limits))
        self._count += 1
        return self._scalar(item, dotted)

    def _scalar(self, item: Any, dotted: str) -> Any:
        if isinstance(item, str):
            if item == DEEPER:
                raise _LeftOut(too_deep(self.limits))
            if isinstance(item, OddText):
                self.name(item.note, dotted)
            return self._text(item, dotted)
        if isinstance(item, int) and is_long(item, self.limits):
            self.name(too_long(self.limits), dotted)
            return hex(item)
        return item

    def _text(self, text: str, dotted: str) -> str:
        clean = clean_text(text)
        if clean != text:
            self.name(_NO_TEXT, clean_text(dotted))
        return str(clean)

    def _say_notes(self, container: Any, dotted: str) -> None:
        for key, note in self.parsed.notes.get(id(container), ()):
            whole = ".".join(part for part in (dotted, key) if part)
            self.name(note, clean_text(whole))

    def name(self, note: Note, dotted: str) -> None:
        """Record that a note is to be said about a dotted key."""
        keys = self.named.setdefault(note, [])
        if not keys or keys[-1] != dotted:
            keys.append(dotted)

    def problems(self, path: str) -> list[Problem]:
        """Return one problem for each note, with its keys."""
        return [
            Problem(note.kind, f"configuration {path}: {shown_keys(keys)}: {note.what}", path)
            for note, keys in self.named.items()
        ]


def _sizes(value: Any) -> dict[int, int]:
    """Return by id how many values each list and mapping holds, aliases written out."""
    sizes: dict[int, int] = {}
    waiting = [value]
    while waiting:
        item = waiting[-1]
        if sizes.get(id(item)):
            waiting.pop()
            continue
        items = item.values() if isinstance(item, dict) else item
        inner = [child for child in items if isinstance(child, list | dict)]
        if id(item) not in sizes:
            sizes[id(item)] = 0  # while it is open, what is inside itself counts as nothing
            waiting += [child for child in inner if id(child) not in sizes]
        else:
            inside = sum(sizes[id(child)] for child in inner)
            sizes[id(item)] = max(1, len(items) - len(inner) + inside)
            waiting.pop()
    return sizes


def holds(value: float, text: str) -> bool:
    """Return whether a float is the number of a text: not if that is too large or too small."""
    if value == 0:
        return not _NOT_ZERO.search(text.lower().partition("e")[0])
    return math.isfinite(value) or not text[-1:].isdigit()


def is_long(number: int, limits: Limits) -> bool:
    """Return whether a whole number has more digits than may be written."""
    most = min(limits.digits, sys.get_int_max_str_digits() or limits.digits)
    return number.bit_length() > most * 3.3219


def shown_keys(keys: list[str]) -> str:
    """Return dotted keys in quotes, as many as a message may hold; ``""`` is the whole file."""
    shown = ", ".join(
        repr(key if len(key) <= _SHOWN_TEXT else key[:_SHOWN_TEXT] + "…") if key else "the file"
        for key in islice(keys, _SHOWN_KEYS)
    )
    rest = len(keys) - _SHOWN_KEYS
    return f"{shown} and {rest} more" if rest > 0 else shown
