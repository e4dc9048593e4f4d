"""The face of the kernel in C: its arrays as those of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import DEFAULT_LIMITS
from runcube.readers.kernel import _jsonlines
from runcube.readers.kernel.model import (
    Bad,
    Cells,
    Decoded,
    Items,
    Kind,
    bounds,
    by_appearance,
)
from runcube.readers.lines import decode_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits

_STRING, _LIST, _RAW = (1 << kind for kind in (Kind.STRING, Kind.LIST, Kind.RAW))


def decode(
    buffers: Sequence[bytes | memoryview],
    raw: Collection[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    always: Collection[str] = (),
) -> Decoded:
    """Return the columns of a batch of files; no other thread waits for the decoding.

    Parameters
    ----------
    buffers : sequence of bytes or memoryview, (files,)
    raw : collection of str
        Top-level keys whose values are kept whole.
    limits : Limits
    always : collection of str
        Top-level keys that are columns whatever the bound on columns.

    Raises
    ------
    OverflowError
        Beyond 2**31 lines.
    """
    found = _jsonlines.decode(buffers, raw, always, *bounds(limits))
    _, lines, offsets, ends, orders, columns, spans, bad, left_out, taken_back = found
    ends_of = np.frombuffer(ends, np.int64)
    where = np.frombuffer(spans, np.int64).reshape(-1, 2)
    cells = {}
    for path, seen, values, rows, kinds, words in columns:
        column = Cells(
            np.frombuffer(rows, np.int32),
            np.frombuffer(kinds, np.uint8),
            np.frombuffer(values, np.float64),
            [],
            [],
            seen,
        )
        if seen & _STRING:
            at = column.kinds == Kind.STRING if seen != _STRING else slice(None)
            codes = column.values.view(np.int64)[at]
            column.words = words  # type: ignore[assignment]
            if taken_back:
                codes, column.words = by_appearance(codes, words)
            column.values[at] = codes
        if seen & _LIST:
            _take_lists(column, buffers, where, ends_of, limits)
        if seen & _RAW:
            _take_raw(column, words, limits)
        cells[path] = column
    return Decoded(
        np.frombuffer(lines, np.int32),
        np.frombuffer(offsets, np.int64),
        ends_of,
        orders,
        cells,
        [Bad(*line) for line in bad],
        dict(left_out),
    )


def _take_raw(column: Cells, words: list[Any], limits: Limits) -> None:
    """Decode what is kept whole, each spelling once."""
    items = Items()
    at = column.kinds == Kind.RAW
    codes, texts = by_appearance(column.values.view(np.int64)[at], words)
    found = [items.add(text, decode_line(text, limits)) for text in texts]
    column.values[at] = np.array(found)[codes]
    column.items = items.values


def _take_lists(
    column: Cells,
    buffers: Sequence[bytes | memoryview],
    spans: NDArray[np.int64],
    ends: NDArray[np.int64],
    limits: Limits,
) -> None:
    """Decode lists, each spelling once."""
    items = Items()
    at = np.flatnonzero(column.kinds == Kind.LIST)
    places = spans[column.values.view(np.int64)[at]].tolist()
    files = np.searchsorted(ends, column.rows[at], side="right")
    found = []
    for (start, size), file in zip(places, files.tolist(), strict=True):
        text = bytes(buffers[file][start : start + size])
        known = items.known(text)
        found.append(items.add(text, decode_line(text, limits)) if known is None else known)
    column.values[at] = found
    column.items = items.values
