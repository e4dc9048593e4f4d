"""Which epoch a record of the native layout belongs to: it writes none, so it is counted.

The marker ``>> Start Epoch: N`` holds it where present; a damaged line must shift nothing.
Everything is decided from the log itself: from the lines around one, and from how they recur.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import as_whole, is_time_like

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

# The epoch of a marker whose number cannot be read.
UNREADABLE = -1
# A longer name of a split is not compared with others, which takes the square of its length.
_NAME = 64


def epochs_by_marker(
    ordinals: Sequence[int] | NDArray[np.int64], markers: Sequence[int] | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the epochs of one split's records from the markers before them.

    A record has the epoch of the last marker. Where a marker was lost, its records follow those
    of the marker before; what distinguishes them from several records an epoch is what the split
    usually writes for each marker, and the room up to the next marker.

    Parameters
    ----------
    ordinals : sequence of int, (rows,)
        How many markers precede each record.
    markers : sequence of int, (markers,)
        The epochs of the markers, in file order.

    Returns
    -------
    ndarray of int64, (rows,)
    """
    which = np.asarray(ordinals, dtype=np.int64) - 1
    starts = np.asarray(markers, dtype=np.int64)
    if len(which) == len(starts) and np.array_equal(which, np.arange(len(starts))):
        return starts  # one record after each marker
    if which.size and which[0] >= 0 and (which[1:] > which[:-1]).all():
        return starts[which]
    _, first, inverse, counts = np.unique(
        which, return_index=True, return_inverse=True, return_counts=True
    )
    position = np.arange(which.size) - first[inverse]
    typical = Counter(counts[np.unique(which) >= 0].tolist()).most_common(1)
    usual = typical[0][0] if typical else 1
    gaps = np.append(np.diff(starts), np.iinfo(np.int64).max)
    gaps[gaps < 1] = 1
    inside = which >= 0
    epochs = np.empty(which.size, dtype=np.int64)
    epochs[inside] = starts[which[inside]] + np.minimum(
        position[inside] // usual, gaps[which[inside]] - 1
    )
    # Records before the first marker (an evaluation before training) count back from it.
    before = int((~inside).sum())
    epochs[~inside] = starts[0] - before + position[~inside]
    return epochs


def epochs_of(
    places: NDArray[np.int64], marker_places: NDArray[np.int64], markers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the epochs of one split's records: by the markers before them, else counted."""
    if len(markers):
        return epochs_by_marker(np.searchsorted(marker_places, places), markers)
    return np.arange(len(places), dtype=np.int64)


def repaired(markers: Sequence[int | None]) -> list[int | None]:
    """Return the epochs of the markers, those corrected that their neighbours contradict.

    Epochs are counted by one: a marker between two others that are two epochs apart is the one
    between. The numbers of the first and the last one are believed, since a run may be resumed
    anywhere; where they are unreadable, they follow from two neighbours.

    Parameters
    ----------
    markers : sequence of int or None, (markers,)
        As logged, in file order; ``UNREADABLE`` for a marker without a number, None for an
        unreadable line that may be a marker.

    Returns
    -------
    list of int or None, (markers,)
        None where nothing determines the epoch.
    """
    known = [None if epoch == UNREADABLE else epoch for epoch in markers]
    padded = [None, None, *known, None, None]
    found = list(known)
    for at, own in enumerate(markers):
        earlier, before, _, after, later = padded[at : at + 5]
        if before is not None and after is not None:
            if after - before == 2:
                found[at] = before + 1
        elif own == UNREADABLE and at == 0 and after and later == after + 1:
            found[at] = after - 1
        elif own == UNREADABLE and at == len(markers) - 1 and before and earlier == before - 1:
            found[at] = before + 1
    return found


def one_byte_apart(one: str, other: str) -> bool:
    """Return whether two texts differ in just one character."""
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def looks_misplaced(counts: Mapping[str, int]) -> bool:
    """Return whether `misplaced` may find anything, by the number of records of each split."""
    return 1 in counts.values() or bool(_twins({name for name in counts if len(name) <= _NAME}))


def misplaced(splits: Sequence[str | None]) -> dict[int, str]:
    """Return records whose split is probably another one, of which some bytes were damaged.

    Such a name differs in one character from that of a split which stands beside the same
    neighbours elsewhere, while its own does not. Or it is there once, and the order of the splits
    leaves room for one other alone.

    Parameters
    ----------
    splits : sequence of str or None, (lines,)
        The split of each line in file order; ``""`` for a text, None for a line that is neither.

    Returns
    -------
    dict of int to str
        The split that belongs there, by position.
    """
    twins = _twins({split for split in splits if split and len(split) <= _NAME})
    counts = Counter(splits)
    lone = {split for split, count in counts.items() if split and count == 1}
    if not twins and not lone:
        return {}
    padded = [None, *splits, None]
    triples = list(zip(padded, splits, padded[2:], strict=False))
    seen = Counter(triples)
    pairs = set(pairwise(padded))
    order = _Order(pair for pair in pairs if not lone.intersection(pair))
    found = {}
    for at, (before, split, after) in enumerate(triples):
        for twin in twins.get(split or "", ()):
            if counts[split] == 1:
                left = before is None or (before, twin) in pairs
                right = after is None or (twin, after) in pairs
                if left and right and counts[twin] > 1:
                    found[at] = twin
            elif seen[before, twin, after] > 2 and seen[before, split, after] == 1:
                found[at] = twin
        if split in lone and at not in found:
            fitting = order.between(before, after) - {""}
            if len(fitting) == 1 and (before, after) not in pairs:
                found[at] = fitting.pop()
    return found


class _Order:
    """What stands behind what in a log.

    Parameters
    ----------
    pairs : iterable of (str or None, str or None)
        Neighbours; None is nothing that could be named.
    """

    def __init__(self, pairs: Iterable[tuple[str | None, str | None]]) -> None:
        self._behind: dict[str, set[str]] = {}
        self._before: dict[str, set[str]] = {}
        for one, other in pairs:
            if one is not None and other is not None:
                self._behind.setdefault(one, set()).add(other)
                self._before.setdefault(other, set()).add(one)

    def between(self, before: str | None, after: str | None) -> set[str]:
        """Return what stands behind one neighbour, and before the other one, elsewhere."""
        return self._behind.get(before or "", set()) & self._before.get(after or "", set())


def _twins(names: set[str]) -> dict[str, list[str]]:
    """Return for each name those that differ from it in one character."""
    alike: dict[tuple[int, str, str], list[str]] = {}
    for name in names:
        for at in range(len(name)):
            alike.setdefault((at, name[:at], name[at + 1 :]), []).append(name)
    twins: dict[str, list[str]] = {}
    for group in alike.values():
        for name in group if len(group) > 1 else ():
            twins.setdefault(name, []).extend(other for other in group if other != name)
    return {name: sorted(others) for name, others in twins.items()}


def add_epochs(
    own: Mapping[str, dict[str, NDArray[Any]]],
    epochs: Mapping[str, NDArray[np.int64]],
    *,
    marked: bool,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the x quantities of each split: those of its records, and the epoch.

    Where the records of all splits say where they are (a step, an epoch), they are believed, and
    no epoch is counted.

    Parameters
    ----------
    own : dict of str to dict of str to ndarray, (rows of the split,)
        What runs along the records of each split; NaN where a record lacks it.
    epochs : dict of str to ndarray of int64, (rows of the split,)
        From the markers, or counted.
    marked : bool
        Whether there are markers.
    """
    common = set.intersection(*({*mine} for mine in own.values())) if own else set()
    believed = any(
        not is_time_like(name)
        and all(2 * np.isnan(mine[name]).sum() <= len(mine[name]) for mine in own.values())
        for name in common
    )
    found = {}
    for split, mine in own.items():
        counted, logged = epochs[split], mine.get("epoch")
        if logged is None:
            found[split] = mine if believed else {"epoch": counted, **mine}
            continue
        missing = np.isnan(logged)
        if missing.any() and (marked or (logged == counted)[~missing].all()):
            logged = as_whole(np.where(missing, counted, logged))
        found[split] = {**mine, "epoch": logged}
    return found


def lost_records(shapes: Sequence[str | None]) -> tuple[dict[int, str], set[int]]:
    """Return a guess of what each unreadable line was, from lines with the same neighbours.

    Parameters
    ----------
    shapes : sequence of str or None, (lines,)
        The kind of each line, in file order; None for an unreadable line.

    Returns
    -------
    guesses : dict of int to str
        Kind by position, for each unreadable line whose kind the rest of the log determines.
    doubtful : set of int
        Positions of unreadable lines that may have been of another kind, or of any.
    """
    between: dict[tuple[str, str], Counter[str]] = {}
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    padded = [None, *shapes, None]
    triples = Counter(zip(padded, shapes, padded[2:], strict=False))
    for (before, shape, after), count in triples.items():
        if shape is not None and before is not None:
            pairs[before, shape] += count
            if after is not None:
                between.setdefault((before, after), Counter())[shape] += count
    order = _Order(pairs)
    guesses: dict[int, str] = {}
    doubtful: set[int] = set()
    for index, shape in enumerate(shapes):
        if shape is not None:
            continue
        around = padded[index], padded[index + 2]
        found = between.get(around)  # type: ignore[arg-type]
        fitting = order.between(*around)
        # Neighbours that also follow each other elsewhere: the bad line was an extra one.
        if found and pairs[around] <= found.most_common(1)[0][1]:
            guesses[index] = found.most_common(1)[0][0]
        elif len(fitting) == 1 and not pairs[around]:
            guesses[index] = str(next(iter(fitting)))
        sure = [s for s in fitting if min(pairs[around[0], s], pairs[s, around[1]]) > 1]
        if len(fitting) != 1 or not sure or pairs[around]:
            doubtful.add(index)
    return guesses, doubtful
