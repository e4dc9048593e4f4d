"""Which line of a native log is what: logs of one sweep mostly share it, and its epochs."""

from __future__ import annotations

from bisect import bisect
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.readers.native.epochs import epochs_by_marker, misplaced, repaired
from runcube.readers.native.texts import MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

# Records follow the configuration, which is on line 1.
FIRST_LINE = 2
# Patterns that are kept, by the splits of their records: the logs of a sweep have few, unless each
# was cut elsewhere.
_MAX_PATTERNS = 256
_patterns: dict[int, Pattern] = {}


class NotPlainError(ValueError):
    """Bytes that this road refuses; the exact road reads them."""


class Pattern:
    """Which record of a log is what: the rows of each split with their epochs, and the texts.

    Parameters
    ----------
    splits : list of str, (records,)
        The split of each record; ``""`` is no split but a text.
    titles : list of str, (records,)
        The title of each record; ``""`` where there is none.
    texts : list of str or None, (records,)
        The text of each record that is one.

    Attributes
    ----------
    splits : dict of str to slice
        As in `TypedLog`; so are ``lines``, ``epochs``, ``marker_lines`` and ``markers``.
    text_count : int
        Number of records that are text.
    members, text_of, other_of : callable
        Pick from a list (records,): those with a split, split after split; the texts; the texts
        that are no markers.
    before : int
        Number of the texts that are no markers and stand before the last record with a split.
    """

    def __init__(self, splits: list[str], titles: list[str], texts: list[str | None]) -> None:
        if misplaced(splits):
            raise NotPlainError("a split that is probably another one")
        for split, title in set(zip(splits, titles, strict=True)):
            if title and (not split or title not in (split, f"agg_{split}")):
                raise NotPlainError("a title of another split")
        self._names = splits
        self._titles = titles
        where: dict[str, list[int]] = {"": []}
        for row, name in enumerate(splits):
            where.setdefault(name, []).append(row)
        text_rows = where.pop("")
        self.text_count = len(text_rows)
        self.splits: dict[str, slice] = {}
        order: list[int] = []
        for name, rows in where.items():
            self.splits[name] = slice(len(order), len(order) + len(rows))
            order += rows
        self.members = _picker(order)
        self.lines = _read_only(np.array(order, dtype=np.int64) + FIRST_LINE)
        self.text_of = _picker(text_rows)
        marked = [row for row in text_rows if _is_marker(texts[row])]
        self._marker_of = _picker(marked)
        self._markers = self._marker_of(texts)
        is_marked = set(marked)
        others = [row for row in text_rows if row not in is_marked]
        self.other_of = _picker(others)
        self.before = bisect(others, max(order, default=-1))
        self.marker_lines = _read_only(np.array(marked, dtype=np.int64) + FIRST_LINE)
        self.markers = _read_only(self._numbers())
        self.epochs = {split: _read_only(self._epochs(at)) for split, at in self.splits.items()}

    def fits(self, splits: list[str], titles: list[str], texts: list[str | None]) -> bool:
        """Return whether another log has its records and markers on the same lines."""
        return (
            splits == self._names
            and titles == self._titles
            and self._marker_of(texts) == self._markers
            and not any(t.startswith(MARKER) for t in {*self.other_of(texts)} if t)
        )

    def _numbers(self) -> NDArray[np.int64]:
        numbers = [text[len(MARKER) :].strip() for text in self._markers]
        if not all(number.isdecimal() and len(number) < 16 for number in numbers):
            raise NotPlainError("a marker with more than its number")
        found = [*map(int, numbers)]
        if repaired(found) != found:
            raise NotPlainError("a marker that its neighbours contradict")
        return np.array(found, dtype=np.int64)

    def _epochs(self, at: slice) -> NDArray[np.int64]:
        return epochs_of(self.lines[at], self.marker_lines, self.markers)


def pattern_of(splits: list[str], titles: list[str], texts: list[str | None]) -> Pattern:
    """Return the pattern of a log, and the same for logs that share it; see `Pattern`."""
    key = hash(tuple(splits))
    known = _patterns.get(key)
    if known is not None and known.fits(splits, titles, texts):
        return known
    if len(_patterns) >= _MAX_PATTERNS:
        _patterns.clear()
    _patterns[key] = found = Pattern(splits, titles, texts)
    return found


def epochs_of(
    lines: NDArray[np.int64], marker_lines: NDArray[np.int64], markers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the epochs (rows,) of the records of one split, by the markers or by their number.

    Parameters
    ----------
    lines : ndarray of int64, (rows,)
        Line numbers of the records.
    marker_lines, markers : ndarray of int64, (markers,)
        Line numbers and epochs of the markers; without any, the records are counted from 0.
    """
    if len(markers):
        return epochs_by_marker(np.searchsorted(marker_lines, lines), markers)
    return np.arange(len(lines), dtype=np.int64)


def _picker(rows: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return a function that picks these rows of a list, as a tuple whatever their number."""
    if len(rows) > 1:
        return itemgetter(*rows)
    return lambda values: tuple([values[row] for row in rows])


def _is_marker(text: str | None) -> bool:
    return text is not None and text.startswith(MARKER)


def _read_only(array: NDArray[np.int64]) -> NDArray[np.int64]:
    array.flags.writeable = False
    return array
