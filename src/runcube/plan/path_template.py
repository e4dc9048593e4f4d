"""A ``path_keys`` template for the paths of logs: what varies in them, and what it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from runcube.plan.exclude import is_excluded_name
from runcube.plan.path_keys import (
    compile_template,
    keys_from_paths,
    parse_value,
    says_the_same,
)
from runcube.plan.seed import is_seed_name
from runcube.plan.values import make_column, token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.plan.values import Column

# A date, a time, or both.
DATE = (
    r"(?<!\d)(?:(?:19|20)\d\d[-.]\d\d[-.]\d\d|(?:19|20)\d\d[01]\d[0-3]\d|\d\d-\d\d-\d\d)"
    r"(?:[T_-]\d\d[-:.]?\d\d(?:[-:.]?\d\d)?)?(?!\d)"
)
# A token, in which dates and numbers such as 0.1 and 1e-3 are whole, or what stands between two.
_PIECE = re.compile(rf"(?:{DATE}|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|[^\W_])+|[\W_]+")
_WORD = re.compile(r"[A-Za-z]+")
# What letters and numbers a token is made of; 1p5 is a number.
_RUN_ON = re.compile(r"[A-Za-z]+|\d+p\d+(?![\d.])|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
# What stands in the place of a number: ``kinf`` beside ``k2``.
_SEED_WORDS = frozenset("s seed".split())
_VALUE_WORDS = frozenset("inf infinity nan none null true false on off".split())


@dataclass(frozen=True)
class Field:
    """A field of a template.

    Parameters
    ----------
    name : str
    texts : tuple of str
        What it has in each path, (n_runs,).
    word : str
        The letters that it begins with, or the word before it; ``""`` without either.
    is_new : bool
        Whether it says what no key of the configuration says.
    """

    name: str
    texts: tuple[str, ...]
    word: str
    is_new: bool


@dataclass(frozen=True)
class Template:
    """A ``path_keys`` template that reads all of some paths.

    Parameters
    ----------
    text : str
        As ``"k{k}_s{seed}.jsonl"``.
    fields : tuple of Field
    """

    text: str
    fields: tuple[Field, ...]

    def divides(self, groups: Sequence[Sequence[int]]) -> bool:
        """Return whether it tells apart runs of one of these groups that no column does."""
        new = [field.texts for field in self.fields if field.is_new]
        return any(len({texts[run] for run in group}) > 1 for texts in new for group in groups)


def suggest_template(
    paths: Sequence[str],
    columns: Sequence[Column] = (),
    together: Sequence[Sequence[int]] | None = None,
) -> str | None:
    """Return a ``path_keys`` template for what differs in paths; None where it would not help.

    Parameters
    ----------
    paths : sequence of str
        Posix path of each run, (n_runs,).
    columns : sequence of Column
        The keys of the configurations, which fields may repeat.
    together : sequence of sequence of int, optional
        Groups of runs that the columns do not tell apart, of which the template is to divide one;
        by default one group of all runs.

    Examples
    --------
    >>> suggest_template(["a/mnist/trial_1/log.jsonl", "b/mnist/trial_2/log.jsonl"])
    '{level1}/mnist/trial_{trial}'
    >>> suggest_template(["day1/lr0.1_s0", "day1/lr1e-3_s1"])
    'day1/lr{lr}_s{s}'
    """
    template = find_template(paths, columns)
    groups = [range(len(paths))] if together is None else together
    return template.text if template is not None and template.divides(groups) else None


def find_template(paths: Sequence[str], columns: Sequence[Column] = ()) -> Template | None:
    """Return the template for what differs in paths; None where nothing does.

    Names are split into tokens, if all names of a level have as many. What varies becomes a field,
    called after the configuration key that has the same values, after the letters that it begins
    with, or after the word before it. It is tried: paths that differ have keys that differ.

    Parameters
    ----------
    paths : sequence of str
        Posix path of each run, (n_runs,).
    columns : sequence of Column
        The keys of the configurations.
    """
    if len(set(paths)) < 2:
        return None
    split = [path.split("/") for path in paths]
    namer = _Namer(columns)
    levels: list[str] = []
    last = 0
    for i in range(min(map(len, split))):
        names = [parts[i] for parts in split]
        levels.append(_level(names, i + 1, namer))
        last = i + 1 if len(set(names)) > 1 else last
    if not last:
        return None
    text = "/".join(levels[:last])
    keys = keys_from_paths(paths, text)
    read = {tuple(parts[:last]): repr(found) for parts, found in zip(split, keys, strict=True)}
    is_right = all(keys) and len(set(read.values())) == len(read)
    return Template(text, tuple(namer.fields)) if is_right else None


@dataclass(frozen=True)
class _Part:
    """What the names of a level have at one place.

    Parameters
    ----------
    texts : sequence of str
        The text of each run, (n_runs,).
    is_field : bool
        Whether the text is a value; else it is the same in all names.
    words : tuple of str
        What a value may be called, the best first.
    """

    texts: Sequence[str]
    is_field: bool
    words: tuple[str, ...] = ()


@dataclass
class _Namer:
    """Calls fields by free names, and remembers which of them say what no column says.

    Parameters
    ----------
    columns : sequence of Column
        The keys of the configurations.
    used : set of str
        The names so far.
    fields : list of Field
        Those that were named.
    """

    columns: Sequence[Column]
    used: set[str] = field(default_factory=set)
    fields: list[Field] = field(default_factory=list)

    def twin(self, texts: Sequence[str], words: Sequence[str] = ()) -> Column | None:
        """Return the column that has these values, (n_runs,); None without one."""
        own = make_column("", [parse_value(text) for text in texts])
        initials = {word[0].lower() for word in words}
        found = [
            column
            for column in self.columns
            if column.n_labels == own.n_labels
            and column.absent_code is None
            and np.array_equal(column.codes, own.codes)
            and all(map(says_the_same, column.values, own.values))
        ]
        return min(
            found,
            key=lambda c: (_last(c.key)[:1].lower() not in initials, not is_seed_name(c.key)),
            default=None,
        )

    def name(self, part: _Part, level: int) -> str:
        """Return the name of a field."""
        twin = self.twin(part.texts, part.words)
        name = self._free_name(part, level, twin)
        self.used.add(name)
        word = next(iter(part.words), "")
        self.fields.append(Field(name, tuple(part.texts), word, is_new=twin is None))
        return name

    def _free_name(self, part: _Part, level: int, twin: Column | None) -> str:
        if twin is not None and _last(twin.key).isidentifier() and _last(twin.key) not in self.used:
            return _last(twin.key)
        # Under the name of another key it would overrule that one.
        taken = self.used | {column.key for column in self.columns}
        words = [word.lower() for word in part.words if not is_excluded_name(word)]
        if self._is_seed(part):
            words = ["seed", *words]
        name = next((word for word in words if word not in taken), f"level{level}")
        number = 1
        while name in taken:
            number += 1
            name = f"level{level}_{number}"
        return name

    def _is_seed(self, part: _Part) -> bool:
        """Return whether a field has seeds that recur (``s0``, ``seed42``), and no key has one."""
        word = next(iter(part.words), "").lower()
        texts = set(part.texts)
        if word not in _SEED_WORDS or 2 * len(texts) > len(part.texts):
            return False
        if not all(text.isdecimal() for text in texts):
            return False
        seeds = sorted(map(int, texts))
        counted = seeds[0] <= 1 and seeds == [*range(seeds[0], seeds[0] + len(seeds))]
        return (counted or word != "s") and not any(is_seed_name(c.key) for c in self.columns)


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _level(names: Sequence[str], level: int, namer: _Namer) -> str:
    """Return the template of one level of the paths, from the name of each run there."""
    if len(set(names)) == 1 and not _has_brace(names[0]):
        return names[0]
    readings = (_parts(places, namer) for places in _places(names, namer))
    parts = next((p for p in readings if _is_read(p, names)), [_Part(names, is_field=True)])
    return "".join(
        f"{{{namer.name(part, level)}}}" if part.is_field else part.texts[0] for part in parts
    )


def _has_brace(text: str) -> bool:
    return "{" in text or "}" in text


def _places(names: Sequence[str], namer: _Namer) -> Iterator[list[Sequence[str]]]:
    """Yield the texts (n_runs,) at each place of names: by tokens, cut or not, else by the ends."""
    pieces = [_PIECE.findall(name) for name in names]
    shapes = {tuple("" if p[0].isalnum() else p for p in own) for own in pieces}
    if len(shapes) == 1:
        tokens = [*zip(*pieces, strict=True)]
        yield [place for texts in tokens for place in _cut(texts)]
        yield [*tokens]
        return
    shortest = min(map(len, pieces))

    def is_settled(place: int) -> bool:
        texts = [own[place] for own in pieces]
        constant = len(set(texts)) == 1
        return constant or _start(texts) is not None or namer.twin(texts) is not None

    right = 0
    while right < shortest - 1 and is_settled(-1 - right):
        right += 1
    left = 0
    while left + right < shortest - 1 and is_settled(left):
        left += 1
    ends = [len(own) - right for own in pieces]
    yield [
        *([own[i] for own in pieces] for i in range(left)),
        ["".join(own[left:end]) for own, end in zip(pieces, ends, strict=True)],
        *([own[end + i] for own, end in zip(pieces, ends, strict=True)] for i in range(right)),
    ]


def _cut(texts: Sequence[str]) -> list[Sequence[str]]:
    """Return the texts (n_runs,) between letters and digits (``bs32lr0.1``), if all agree."""
    pieces = [_RUN_ON.findall(text) for text in texts]
    letters = {tuple(p if p[0].isalpha() else "" for p in own) for own in pieces}
    is_whole = all("".join(own) == text for own, text in zip(pieces, texts, strict=True))
    if len(letters) > 1 or not is_whole or next(iter(letters)).count("") < 2:
        return [texts]
    return [*zip(*pieces, strict=True)]


def _parts(places: Sequence[Sequence[str]], namer: _Namer) -> list[_Part]:
    """Return the literals and fields of a level from the texts at its places."""
    parts: list[_Part] = []
    before = ""
    for texts in places:
        first = texts[0]
        if len(set(texts)) == 1:
            parts.append(_Part(texts, is_field=False))
            if first[:1].isalnum():
                before = first if _WORD.fullmatch(first) else ""
            continue
        start = (_start(texts) or "") if namer.twin(texts) is None else ""
        if start:
            parts.append(_Part([start], is_field=False))
        values = [text[len(start) :] for text in texts]
        words = tuple(word for word in (start, before) if word)
        parts.append(_Part(values, is_field=True, words=words))
        before = ""
    return parts


def _start(texts: Sequence[str]) -> str | None:
    """Return the letters before the numbers that texts end in; None where they do not.

    ``""`` for numbers alone. Some of the texts may have a word in the place of a number.
    """
    low, high = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    word = _WORD.match(low[:same])
    start = word[0] if word else ""
    rests = [text[len(start) :] for text in texts]
    numbers = [rest[:1].isdigit() for rest in rests]
    values = (n or rest.lower() in _VALUE_WORDS for n, rest in zip(numbers, rests, strict=True))
    return start if any(numbers) and all(values) else None


def _is_read(parts: Sequence[_Part], names: Sequence[str]) -> bool:
    """Return whether a template of these parts reads the fields as meant, each with its values."""
    fields = [part.texts for part in parts if part.is_field]
    if any(_has_brace(part.texts[0]) for part in parts if not part.is_field):
        return False
    if any(len(set(t)) > len({token(parse_value(text)) for text in set(t)}) for t in fields):
        return False  # 1 and 01 are one value
    template = "".join(f"{{f{i}}}" if p.is_field else p.texts[0] for i, p in enumerate(parts))
    pattern = compile_template(template)
    found = [pattern.match(name) for name in names]
    wanted = zip(*fields, strict=True)
    return all(m is not None and m.groups() == w for m, w in zip(found, wanted, strict=True))
