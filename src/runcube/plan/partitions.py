"""Which columns of codes tell which runs apart: the arithmetic under the planner's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
# Runs of which a dict of Python is faster than pandas.
_FEW = 64
# Bits of the masks whose counts are remembered.
_REMEMBERED = 1 << 30


def zobrist(codes: NDArray[np.int64], which: int) -> NDArray[np.uint64]:
    """Return pseudo-random 64 bits for each (column, code); sums of them identify combinations.

    The mixing is that of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014). Two combinations among 10,000 runs collide with odds of 1 in 10^11.
    """
    start = np.uint64((which + 1) * _GOLDEN & 0xFFFFFFFFFFFFFFFF)
    z = start ^ ((codes.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def recode(values: NDArray[np.uint64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return codes from 0 of the distinct values, numbered by first appearance."""
    if len(values) < _FEW:
        seen: dict[int, int] = {}
        codes = [seen.setdefault(value, len(seen)) for value in values.tolist()]
        return np.array(codes, dtype=np.int64)
    return pd.factorize(values)[0].astype(np.int64)


def group(columns: Sequence[NDArray[np.int64]], n_runs: int) -> NDArray[np.int64]:
    """Return codes (n_runs,) of the combinations of several columns, by first appearance."""
    total = np.zeros(n_runs, dtype=np.uint64)  # equal where all columns agree
    for which, codes in enumerate(columns):
        total += zobrist(codes, which)
    return recode(total)


def n_groups(groups: NDArray[np.int64]) -> int:
    """Return the number of groups of a coding by first appearance."""
    return int(groups.max()) + 1 if len(groups) else 0


def determine(columns: Sequence[NDArray[np.int64]], target: NDArray[np.int64]) -> bool:
    """Return whether runs that agree on all of some columns agree on another."""
    together = n_groups(group([*columns, target], len(target)))
    return together == n_groups(group(columns, len(target)))


def largest_group(groups: NDArray[np.int64]) -> int:
    """Return the number of runs in the largest group."""
    return int(np.bincount(groups).max()) if len(groups) else 0


def occurrence(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, per run, the number of earlier runs in its group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    counted = np.arange(len(ordered)) - np.repeat(starts, sizes)
    result = np.empty(len(groups), dtype=np.int64)
    result[order] = counted
    return result


class Partitions:
    """Decides whether some columns determine another, for many questions about the same columns.

    Columns that group the runs alike share one bit of a mask, and the number of distinct
    combinations is kept per mask: a column is determined if adding its bit adds no combination.

    Parameters
    ----------
    columns : sequence of (n_runs,) int64
        Codes by first appearance.
    n_runs : int

    Attributes
    ----------
    bits : list of int
        Mask of each column, (columns,): one bit, which columns that group the runs alike share.
    """

    def __init__(self, columns: Sequence[NDArray[np.int64]], n_runs: int) -> None:
        known: dict[bytes, int] = {}
        distinct: list[NDArray[np.uint64]] = []
        self.bits: list[int] = []
        for codes in columns:
            content = codes.tobytes()
            if content not in known:
                known[content] = len(distinct)
                distinct.append(zobrist(codes, len(distinct)))
            self.bits.append(1 << known[content])
        hashes = np.array(distinct, dtype=np.uint64).reshape(len(distinct), n_runs)
        rows = np.unique(hashes.sum(axis=0, dtype=np.uint64), return_index=True)[1]
        self._hashes = np.ascontiguousarray(hashes[:, rows])
        self._counts: dict[int, int] = {0: min(len(rows), 1)}
        self._most = _REMEMBERED // max(len(distinct), 64)
        self._last = (0, np.zeros(len(rows), dtype=np.uint64))

    def mask(self, columns: Sequence[int]) -> int:
        """Return the mask of several columns, given by their positions."""
        mask = 0
        for column in columns:
            mask |= self.bits[column]
        return mask

    def determines(self, by: int, target: int) -> bool:
        """Return whether runs that agree on the columns of ``by`` agree on those of ``target``."""
        both = by | target
        return both == by or self.count(by) == self.count(both)

    def count(self, mask: int) -> int:
        """Return the number of distinct combinations of the columns of a mask."""
        known = self._counts.get(mask)
        if known is None:
            if len(self._counts) > self._most:
                self._counts = {0: self._counts[0]}
            known = self._counts[mask] = len(pd.unique(self._hash(mask)))
        return known

    def _hash(self, mask: int) -> NDArray[np.uint64]:
        last, total = self._last
        added, removed = mask & ~last, last & ~mask
        if added.bit_count() + removed.bit_count() >= mask.bit_count():
            added, removed, total = mask, 0, np.zeros_like(total)
        if added:
            total = total + self._hashes[_positions(added)].sum(axis=0, dtype=np.uint64)
        if removed:
            total = total - self._hashes[_positions(removed)].sum(axis=0, dtype=np.uint64)
        self._last = (mask, total)
        return total


def _positions(mask: int) -> NDArray[np.int64]:
    raw = np.frombuffer(mask.to_bytes((mask.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(raw, bitorder="little"))
