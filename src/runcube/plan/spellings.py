"""Numbers that are spelled in several ways, as text or with a rounding error: one label each."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.plan.partitions import group
from runcube.plan.seed import is_seed_name
from runcube.plan.values import ABSENT, Column, token, with_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_NEAR = 1e-6
# Numbers near 1 also differ by their distance from it: 0.999999 and 0.9999999.
_NEAR_FROM_ONE = 1e-2
_MAX_LENGTH = 300
_MANY = 10
_NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?([eE][+-]?\d+)?")

# A key, and the number at which its spellings are to stay apart, or None for all its texts.
Apart = frozenset[tuple[str, float | None]]


@dataclass(frozen=True)
class Merged:
    """A column before its spellings became one value each.

    Parameters
    ----------
    column : Column
        The values as the runs have them.
    numbers : dict of int to number
        Code of each text of ``column`` that was read as a number.
    labels : dict of float to float
        Numbers that got the label of another.
    """

    column: Column
    numbers: dict[int, float]
    labels: dict[float, float]

    @property
    def values(self) -> list[Any]:
        """The value of each code of ``column``, (n_codes,), that its label shows."""
        values = [self.numbers.get(code, v) for code, v in enumerate(self.column.values)]
        return [self.labels.get(v, v) if type(v) is float else v for v in values]

    @cached_property
    def shown(self) -> Column:
        """The column with the values that its labels show."""
        return with_values(self.column, self.values)

    @property
    def respelled(self) -> set[int]:
        """Codes of ``column`` whose values are not those that their labels show."""
        pairs = zip(self.column.values, self.values, strict=True)
        return {code for code, (own, shown) in enumerate(pairs) if token(own) != token(shown)}


def merge_column(
    column: Column, apart: Apart = frozenset(), relabelled: Collection[Any] = (), *, is_seed: bool
) -> Merged | None:
    """Return a column in which each number is one value, however runs spell it; None where it is.

    Texts that all spell finite numbers as JSON does become numbers, also beside numbers, null and
    absence. Floats that are equal to a relative 1e-6 become the one with the shortest repr; never
    whole numbers or seeds. What is the same in all runs stays as it is written, but for a seed,
    which is a label. Values whose tokens are in ``relabelled`` are what the user wants them to be.
    """
    is_seed = is_seed or is_seed_name(column.key)
    if column.n_labels == 1 and not is_seed:
        return None
    own = {
        c: v for c, v in enumerate(column.values) if not relabelled or token(v) not in relabelled
    }
    numbers: dict[int, float] = {}
    if (column.key, None) not in apart and str in column.kinds:
        numbers = _numbers_of_texts(own, len(column.codes), is_seed=is_seed)
    values = (own | numbers).values()
    floats = {v for v in values if type(v) is float and math.isfinite(v) and not v.is_integer()}
    stay = {number for key, number in apart if key == column.key}
    labels = {} if is_seed else _shared_labels(floats, stay)
    return Merged(column, numbers, labels) if numbers or labels else None


def _numbers_of_texts(values: Mapping[int, Any], n_runs: int, *, is_seed: bool) -> dict[int, float]:
    """Return the number that each text spells, by its code; none unless all spell one."""
    texts = {code: value for code, value in values.items() if type(value) is str}
    matches = [_NUMBER.fullmatch(text) for text in texts.values() if len(text) <= _MAX_LENGTH]
    found = [match for match in matches if match is not None]
    is_all = len(found) == len(texts) and {*map(type, values.values())} <= _BESIDE_TEXT
    if not is_all or _are_versions(found):
        return {}
    numbers = {code: _number(text) for code, text in texts.items()}
    is_whole = all(type(number) is int for number in numbers.values())
    # Ids, of jobs and the like, stay text (rule 4).
    if is_whole and not is_seed and len(texts) > _MANY and 2 * len(texts) > n_runs:
        return {}
    return numbers if all(map(math.isfinite, numbers.values())) else {}


_BESIDE_TEXT = frozenset({str, int, float, type(None), type(ABSENT)})


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _are_versions(matches: Sequence[re.Match[str]]) -> bool:
    """Return whether zeros at the end count, as in 1.9 and 1.10: numbers have as many decimals.

    Python writes whole floats with one, as in 1.0 beside 0.25.
    """
    seen: dict[tuple[str | Any, ...], str] = {}
    for match in matches:
        sign, whole, decimals, exponent = match.groups()
        value = (sign, whole, (decimals or "").rstrip("0"), exponent)
        if seen.setdefault(value, match[0]) != match[0]:
            return True
    written = {match[3] for match in matches if match[3]}
    padded = any(decimals.endswith("0") and decimals != "0" for decimals in written)
    return padded and len({len(decimals) for decimals in written}) > 1


def _shared_labels(
    floats: Collection[float], apart: Collection[float | None]
) -> dict[float, float]:
    """Return the label of each number that gets that of another, which is near it.

    Numbers are compared with the least of those that they are near to, so that a chain of them has
    an end.
    """
    labels: dict[float, float] = {}
    near: list[float] = []
    for number in [*sorted(floats), math.inf]:
        if near and _is_near(near[0], number):
            near.append(number)
            continue
        label = min(near, key=lambda n: (len(repr(n)), n), default=number)
        if label not in apart:
            labels |= {other: label for other in near if other != label}
        near = [number]
    return labels


def _is_near(first: float, number: float) -> bool:
    distance = number - first
    is_near = distance <= _NEAR * min(abs(first), abs(number))
    return is_near and distance <= _NEAR_FROM_ONE * min(abs(1 - first), abs(1 - number))


def colliding(
    merged: Mapping[str, Merged], cells: NDArray[np.int64], keys: Collection[str]
) -> Apart:
    """Return what has to stay apart, since two runs would share a cell otherwise.

    Parameters
    ----------
    merged : mapping of str to Merged
        The columns that were merged, by their full keys.
    cells : (n_runs, n) int64
        The cell of each run.
    keys : collection of str
        The full keys that may tell cells apart.
    """
    found: set[tuple[str, float | None]] = set()
    cell = group(list(cells.T), len(cells))
    for key, one in merged.items():
        if key not in keys:
            continue
        shown = one.shown
        spellings: dict[tuple[int, int], set[int]] = {}
        for place, code, own_code in zip(
            cell.tolist(), shown.codes.tolist(), one.column.codes.tolist(), strict=True
        ):
            spellings.setdefault((place, code), set()).add(own_code)
        for (_, code), own in spellings.items():
            if len(own) > 1:
                numbers = {one.numbers.get(c, one.column.values[c]) for c in own}
                found.add((key, shown.values[code] if len(numbers) > 1 else None))
    return frozenset(found)


def spelling_problems(
    merged: Mapping[str, Merged], shown: Collection[str], paths: Sequence[str]
) -> Iterator[tuple[int, Problem]]:
    """Yield a problem for each key whose texts are numbers, and for each number that was merged.

    Parameters
    ----------
    merged : mapping of str to Merged
        The columns that were merged, by their full keys.
    shown : collection of str
        The full keys that the cube shows.
    paths : sequence of str
        Path of each run, (n_runs,).
    """
    for key in (key for key in merged if key in shown):
        column, read, labels = merged[key].column, merged[key].numbers, merged[key].labels
        if read:
            code = min(read)
            run = int(np.argmax(column.codes == code))
            what = f"{key}: texts that spell numbers, such as {column.values[code]!r}, are numbers"
            message = f"{what}; exact_labels=True keeps them text"
            yield run, Problem("text_numbers", message, paths[run])
        for number, label in sorted(labels.items()):
            numbers = [read.get(c, v) for c, v in enumerate(column.values)]
            run = int(np.argmax(column.codes == numbers.index(number)))
            what = f"{key}: {number!r} is labelled {label!r}, to which it is equal to one in a"
            message = f"{what} million; exact_labels=True keeps them apart"
            yield run, Problem("near_numbers", message, paths[run])
