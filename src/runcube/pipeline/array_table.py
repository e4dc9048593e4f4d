"""Arrays that records share, each held once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.pipeline.records import CurvesRecord

# Unused rows that a table may have in any case.
_SPARE = 64


class ArrayTable:
    """Arrays as rows of bytes, each held once; a row is always read as the same array object.

    Parameters
    ----------
    rows : sequence of bytes, (arrays,)
        Rows that exist already: 4 bytes of dtype, then the array.
    """

    def __init__(self, rows: Sequence[bytes] = ()) -> None:
        self.rows = list(rows)
        # Records of curves by their arrays but the values: those of many logs are alike.
        self.curves: dict[Any, CurvesRecord] = {}
        self._index = {row: i for i, row in enumerate(self.rows)}
        self._arrays: dict[int, NDArray[Any]] = {}

    def add(self, array: NDArray[Any]) -> int:
        """Return the row of an array, which is appended if it is new."""
        row = array.dtype.str.encode().ljust(4) + np.ascontiguousarray(array).tobytes()
        if row not in self._index:
            self._index[row] = len(self.rows)
            self.rows.append(row)
        return self._index[row]

    def get(self, index: int) -> NDArray[Any]:
        """Return the read-only array of a row."""
        if index not in self._arrays:
            row = self.rows[index]
            self._arrays[index] = np.frombuffer(row, np.dtype(row[:4].decode().strip()), offset=4)
        return self._arrays[index]

    def is_worn(self, used: int) -> bool:
        """Return whether most rows may be unused, if ``used`` of them were in use at first."""
        return len(self.rows) > 2 * used + _SPARE
