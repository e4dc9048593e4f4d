"""Rule 4: texts that name a run, and are no hyperparameter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runcube.plan.partitions import determine, group, n_groups
from runcube.plan.values import ABSENT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runcube.plan.values import Column

OWN_TEXT = "text that differs in almost every run"
_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+")
_WORD_BEFORE = re.compile(r"([A-Za-z]+)[\W_]*\Z")
# Of more values than these, more than half as many as runs are enough.
FEW = 10


def run_names(
    columns: Sequence[Column], seeds: Collection[str], kept: Collection[str], n_runs: int
) -> dict[str, str]:
    """Return the texts that name a run, where other keys tell runs apart (rule 4).

    A name is composed of the values of other keys (``lr0.1_s0``), or differs in almost every run.
    What says no more than one other key does is none: ``cifar10`` beside ``num_classes=10``.

    Parameters
    ----------
    columns : sequence of Column
        The varying keys that are still in, seed candidates included.
    seeds : collection of str
        The seed candidates.
    kept : collection of str
        Full keys that are no names, whatever they hold.
    n_runs : int

    Returns
    -------
    dict
        Full key to reason.
    """
    texts = [c for c in columns if c.key not in kept and c.key not in seeds and _is_text(c)]
    found = {c.key: reason for c in texts if (reason := _composed(c, columns))}
    own = [c for c in texts if c.key not in found and _differs_in_most_runs(c)]
    names = {*found, *(c.key for c in own)}
    others = [c for c in columns if c.key not in names]
    told_apart = n_groups(group([c.codes for c in others], n_runs)) / n_runs
    twins = {c.codes.tobytes() for c in others if c.key not in seeds}
    for column in own:
        values, _ = n_values(column)
        many = values > FEW
        is_twin = column.key != "name" and column.codes.tobytes() in twins
        if (told_apart > 0.5) if many else (told_apart >= 0.9 and not is_twin):
            found[column.key] = f"{OWN_TEXT} ({values} values in {n_runs} runs)"
    return {c.key: found[c.key] for c in columns if c.key in found}


def measured_in_runs(
    columns: Sequence[Column], candidates: Sequence[Column], n_runs: int
) -> set[str]:
    """Return the keys of numbers that were measured in each run, as a peak of memory.

    They have a value of their own in nearly every run, where the rest and a seed that recurs tell
    the runs apart: so they say nothing of whether seeds recur.

    Parameters
    ----------
    columns : sequence of Column
        The varying keys that are still in, without seed candidates.
    candidates : sequence of Column
        The seed candidates.
    n_runs : int
    """
    measured = {c.key for c in columns if c.numeric and is_of_each_run(c)}
    seeds = [c.codes for c in candidates if 2 * c.n_labels <= n_runs]
    if not measured or not seeds:
        return set()
    rest = [c.codes for c in columns if c.key not in measured]
    return measured if n_groups(group([*rest, *seeds], n_runs)) >= 0.9 * n_runs else set()


def n_values(column: Column) -> tuple[int, int]:
    """Return the number of values of a key, and of the runs that have it."""
    return column.n_labels - (column.absent_code is not None), int(column.present.sum())


def is_of_each_run(column: Column) -> bool:
    """Return whether a key has a value of its own in nearly every run that has it."""
    values, runs = n_values(column)
    return values >= 0.9 * runs


def _is_text(column: Column) -> bool:
    return sum(type(value) is str for value in column.values) > n_values(column)[0] / 2


def _differs_in_most_runs(column: Column) -> bool:
    values, runs = n_values(column)
    return values > runs / 2 if values > FEW else values == runs > 1


def _composed(column: Column, columns: Sequence[Column]) -> str | None:
    """Return why a text is composed of the values of other keys; None where it is not."""
    parts = [c for c in columns if c is not column and _is_written_in(c, column)]
    codes = [part.codes for part in parts]
    if not parts or not determine(codes, column.codes):
        return None
    alone = [part for part in parts if determine([part.codes], column.codes)]
    if alone and not any(_calls(column, part) for part in alone):
        return None
    return f"composed of {', '.join(part.key for part in alone or parts)}"


def _calls(column: Column, part: Column) -> bool:
    """Return whether the text of the first run calls the value of another key by its key."""
    value, text = part.values[part.codes[0]], column.values[column.codes[0]]
    if type(text) is not str:
        return False
    return any(_is_called(part.key, text[:at]) for at in _places(value, text, part.key))


def _is_written_in(part: Column, column: Column) -> bool:
    """Return whether the text of each run that has both has the value of another key in it."""
    seen: set[tuple[int, int]] = set()
    found = 0
    for start, stop in ((0, 8), (8, len(column.codes))):  # most texts have not even the first ones
        own, text = part.codes[start:stop].tolist(), column.codes[start:stop].tolist()
        for pair in {*zip(own, text, strict=True)} - seen:
            value, name = part.values[pair[0]], column.values[pair[1]]
            if value is ABSENT or value is None or type(name) is not str:
                continue
            if not _places(value, name, part.key):
                return False
            found += 1
            seen.add(pair)
    return found > 1


def _places(value: Any, text: str, key: str) -> list[int]:
    """Return where a text has a value of a key: a number however it is spelled, or a whole word."""
    if type(value) in (int, float):
        return [m.start() for m in _NUMBER.finditer(text) if float(m[0]) == value]
    if type(value) is not str or not value:
        return []
    found = [m.start() for m in re.finditer(rf"{re.escape(value)}(?![A-Za-z0-9])", text)]
    return [at for at in found if not text[:at][-1:].isalnum() or _is_called(key, text[:at])]


def _is_called(key: str, before: str) -> bool:
    """Return whether what stands before a value is its key or letters of it, as in ``lr0.1``."""
    word = _WORD_BEFORE.search(before)
    return word is not None and _is_short_for(word[1], key)


def _is_short_for(word: str, key: str) -> bool:
    word, name = word.lower(), key.rpartition(".")[2].lower()
    letters = iter(name)
    return word[0] == name[:1] and all(letter in letters for letter in word)
