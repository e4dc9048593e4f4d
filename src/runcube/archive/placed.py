"""Where the values of a log are in the cell of its run: written into its record, and read again."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from runcube.pipeline import TrackRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from runcube.cube import Scatter
    from runcube.curves import KeptRun
    from runcube.pipeline import ArrayTable, CurvesRecord, LogRecord


def placed_log(
    item: LogRecord, cell: int, digest: str, kept_run: KeptRun, scatter: Scatter, table: ArrayTable
) -> LogRecord:
    """Return the record of a log with the cell that it holds and where its values are in it.

    Parameters
    ----------
    item : LogRecord
        Without a cell.
    cell : int
    digest : str
        Hash of the values in the cell.
    kept_run : KeptRun
    scatter : Scatter
    table : ArrayTable
        The arrays of the record; positions are added to it.
    """
    tracks: dict[int, list[TrackRecord]] = defaultdict(list)
    for track, at in scatter.places(kept_run):
        is_whole = len(track.metrics) == len(track.curves.metrics)
        place = TrackRecord(
            None if is_whole else tuple(track.metrics.tolist()),
            None if isinstance(track.rows, slice) else table.add(track.rows),
            (at.start, at.stop) if isinstance(at, slice) else table.add(at),
        )
        tracks[track.curves.number].append(place)
    attempt = kept_run.attempt
    return replace(
        item,
        cell=cell,
        trial=attempt.number,
        values=digest,
        # Every value that was logged is in the cube: none was superseded.
        whole=attempt.points == sum(int(c.logged.sum()) for c in attempt.log.curves),
        curves=tuple(replace(p, tracks=tuple(tracks[i])) for i, p in enumerate(item.curves)),
    )


def tracks_in_cell(
    part: CurvesRecord, table: ArrayTable
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Yield metrics, rows and positions on the x axis of each track that is in the cube."""
    for metrics, rows, at in part.tracks:
        yield (
            np.arange(len(part.metrics)) if metrics is None else np.array(metrics, dtype=np.intp),
            np.arange(len(table.get(part.lines))) if rows is None else table.get(rows),
            table.get(at) if isinstance(at, int) else np.arange(*at),
        )


def kept_values(part: CurvesRecord, table: ArrayTable) -> NDArray[np.bool_]:
    """Return which of the values (metrics, rows) of curves are in the cube."""
    kept = np.zeros((len(part.metrics), len(table.get(part.lines))), dtype=bool)
    for metrics, rows, _ in tracks_in_cell(part, table):
        kept[np.ix_(metrics, rows)] = True
    return kept
