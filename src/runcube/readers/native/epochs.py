"""Which epoch a record of the native layout belongs to: it writes none, so it is counted.

The marker ``>> Start Epoch: N`` holds it where present; a damaged line must shift nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


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


def lost_records(shapes: Sequence[str | None]) -> dict[int, str]:
    """Return a guess of what each unreadable line was, from lines with the same neighbours.

    Parameters
    ----------
    shapes : sequence of str or None, (lines,)
        The kind of each line, in file order; None for an unreadable line.

    Returns
    -------
    dict of int to str
        Kind by position, for each unreadable line whose kind the rest of the log determines.
    """
    triples: Counter[tuple[str | None, str | None, str]] = Counter()
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    padded = [None, *shapes, None]
    for before, shape, after in zip(padded, shapes, padded[2:], strict=False):
        if shape is not None and before is not None and after is not None:
            triples[before, after, shape] += 1
            pairs[before, shape] += 1
    guesses: dict[int, str] = {}
    for index, shape in enumerate(shapes):
        if shape is None:
            guess = _between(triples, pairs, padded[index], padded[index + 2])
            if guess is not None:
                guesses[index] = guess
    return guesses


def _between(
    triples: Mapping[tuple[str | None, str | None, str], int],
    pairs: Mapping[tuple[str | None, str | None], int],
    before: str | None,
    after: str | None,
) -> str | None:
    found = {s: n for (b, a, s), n in triples.items() if (b, a) == (before, after)}
    # Neighbours that also follow each other directly elsewhere: the bad line was an extra one.
    if not found or pairs.get((before, after), 0) > max(found.values()):
        return None
    return max(found, key=lambda shape: found[shape])
