"""Chunks of one netCDF file to another as they are, neither decompressed nor compressed again."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from runcube.ncencode import CUBE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runcube.ncfile import Region


def copy_chunks(source: Path, target: Path, boxes: Iterable[Region]) -> None:
    """Copy the chunks of ``curve`` and ``logged`` that lie in boxes, to the same place.

    Parameters
    ----------
    source, target : Path
        Archives whose chunks and filters are alike; neither may be open for writing.
    boxes : iterable of tuple of slice
        Of whole chunks, except where the array ends.
    """
    import h5py  # type: ignore[import-untyped]

    with h5py.File(source, "r") as old, h5py.File(target, "r+") as new:
        pairs = [(old[name].id, new[name].id, new[name].chunks) for name in CUBE]
        for box in boxes:
            for before, after, chunk in pairs:
                starts = (range(s.start, s.stop, c) for s, c in zip(box, chunk, strict=True))
                for at in product(*starts):
                    # A chunk that was never written holds nothing but the fill value.
                    if before.get_chunk_info_by_coord(at).byte_offset is not None:
                        mask, data = before.read_direct_chunk(at)
                        after.write_direct_chunk(at, data, mask)
