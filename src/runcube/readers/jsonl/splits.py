"""The splits of a run: in a column, in names of columns or of files; and what that decides."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runcube.core import Names
from runcube.readers.jsonl.axes import Axes
from runcube.readers.jsonl.names import ALL, SPLIT_WORDS, meaning
from runcube.readers.jsonl.numbers import Numbers, by_name, in_splits, meet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from runcube.readers.jsonl.log import Log

# How alike a damaged word and the one that was meant are at least.
_ALIKE = 0.6


class SplitRows(NamedTuple):
    """Rows of one split.

    Parameters
    ----------
    split : str
    rows : ndarray of bool, (rows,)
        Which rows of the run are of it.
    meant : str or None
        The split that a damaged word on one row was: the row is of none.
    """

    split: str
    rows: NDArray[np.bool_]
    meant: str | None = None


def split_rows(log: Log, run: int, file_splits: frozenset[str]) -> list[SplitRows]:
    """Return each split that does not stand in the names of metrics, with its rows.

    Parameters
    ----------
    log : Log
    run : int
    file_splits : frozenset of str
        Splits that are files of their own in the sweep: the only file of a log may be one.

    Returns
    -------
    list of SplitRows
        Empty if only the names of metrics tell.
    """
    if log.split is None:
        return _rows_of_files(log, run, file_splits)
    column = log.table.columns[log.split]
    cells = log.cells(log.split, run)
    codes = np.full(len(log.runs.rows[run]), -1)
    if cells is not None:
        codes[cells.at] = cells.values
    counts = np.bincount(codes[codes >= 0], minlength=len(column.words))
    found = [
        SplitRows(word, codes == code, _meant(word, column.words, counts))
        for code, word in enumerate(column.words)
        if counts[code]
    ]
    unnamed = codes < 0
    return [*found, SplitRows(ALL, unnamed)] if unnamed.any() else found


def _rows_of_files(log: Log, run: int, file_splits: frozenset[str]) -> list[SplitRows]:
    table, rows = log.table, log.runs.rows[run]
    splits = log.file_splits
    if len(set(splits)) == 1 and splits[0] not in file_splits:
        return []
    parts = np.searchsorted(table.ends, rows, side="right")
    found: dict[str, NDArray[np.bool_]] = {}
    for number, split in enumerate(splits):
        found[split] = found.get(split, False) | (parts == number)
    return [SplitRows(split, mask) for split, mask in found.items() if mask.any()]


def _meant(word: str, words: list[str], counts: NDArray[np.int64]) -> str | None:
    """Return the split word that a word on one row was, if it is like one; None if it is not."""
    if word.lower() in SPLIT_WORDS or counts[words.index(word)] > 1:
        return None
    for other, count in zip(words, counts, strict=True):
        if abs(len(word) - len(other)) > 1:
            continue
        alike = SequenceMatcher(None, word, other).ratio()
        if count > 1 and other.lower() in SPLIT_WORDS and alike >= _ALIKE:
            return other
    return None


def names_of_run(log: Log, run: int) -> Names:
    """Return what the splits and metrics of a run are called, as far as its log alone shows."""
    present = [name for name in log.names if log.cells(name, run) is not None]
    whole = {name for name in present if "/" in name and log.names[name][1] == name}
    short = {name for name in present if log.names[name][1] != name}
    by_row = [(p.split, p.rows) for p in split_rows(log, run, frozenset()) if p.meant is None]
    found = [*in_splits(_named_numbers(log, run, present), by_row)]
    groups = by_name(found)
    alike = _alike(groups)
    meeting: set[str] = set()
    if alike or len(groups) < len(found):
        axes = Axes(log, run, log.x)
        for ones in groups.values():
            if len(ones) > 1 and meet(ones, axes):
                whole |= {numbers.column for numbers in ones}
        pairs = ((what, pair) for what, ones in alike for pair in combinations(ones, 2))
        meeting = {what for what, pair in pairs if meet([*pair], axes)}
    if isinstance(log.options.split, str) and "(?P<split>" in log.options.split:
        return Names(short=frozenset(short), whole=frozenset(whole))
    splits = {split for split, _ in groups if split not in (None, ALL)}
    return Names(
        frozenset((str(split), meaning(str(split))) for split in splits),
        frozenset(meeting),
        frozenset(short),
        frozenset(whole),
        frozenset(log.file_splits),
    )


def _named_numbers(log: Log, run: int, names: list[str]) -> Iterator[Numbers]:
    """Yield the numbers of some columns of a run; lists aside."""
    for name in names:
        cells = log.cells(name, run)
        if cells is not None:
            yield Numbers(*log.names[name], name, cells.at, cells.values)


def _alike(
    groups: dict[tuple[str | None, str], list[Numbers]],
) -> list[tuple[str, list[Numbers]]]:
    """Return what several splits of one metric mean, with the numbers of each split."""
    alike: dict[tuple[str, str], list[list[Numbers]]] = {}
    for (split, metric), ones in groups.items():
        if split not in (None, ALL):
            alike.setdefault((meaning(str(split)), metric), []).append(ones)
    return [
        (what, [n[0]._replace(at=np.concatenate([one.at for one in n])) for n in splits])
        for (what, _), splits in alike.items()
        if len(splits) > 1
    ]
