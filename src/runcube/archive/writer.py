"""From the runs that won their cells to a netCDF file, block by block, with records of the logs."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.archive.placed import placed_log
from runcube.cube import CellIndex, Scatter, cube_dims, cube_frame, cube_shape, with_values
from runcube.netcdf import CubeShape, encode, is_long, regions, write_blob, write_file, write_rows
from runcube.pipeline import RECORD_FORM, ArrayTable, encode_record, rebased_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import netCDF4
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.archive.existing import ExistingArchive
    from runcube.archive.homes import Home
    from runcube.cube import InnerLabels
    from runcube.curves import KeptRun, Selection
    from runcube.netcdf import Blocks, Region, Storage
    from runcube.pipeline import Job, Record
    from runcube.plan import Sweep


class Writer:
    """Writes the runs that won their cells to a file, block by block.

    Parameters
    ----------
    sweep : Sweep
        The plan: cell dims, and the cell of each run.
    selection : Selection
        The runs that won their cells, and the x axis.
    labels : InnerLabels
        Labels of the dims ``split`` and ``metric``.
    homes : mapping of str to Home
        Where the records and messages of the logs are, by the paths of their sources.
    existing : ExistingArchive, optional
        The archive that is updated: its chunks may be copied.

    Attributes
    ----------
    frame : Dataset
        The cube with all coordinates and attrs, and no values: ``curve`` is NaN, ``logged`` False,
        both broadcast from one element.
    """

    def __init__(
        self,
        sweep: Sweep,
        selection: Selection,
        labels: InnerLabels,
        homes: Mapping[str, Home],
        existing: ExistingArchive | None = None,
    ) -> None:
        self._selection = selection
        self._labels = labels
        self._homes = homes
        self._existing = existing
        self._cell_index = CellIndex.of(sweep, selection.kept_runs)
        self._shape = cube_shape(self._cell_index, selection, labels)
        self._scatter = Scatter(selection.axis, labels)
        cells = self._cell_index.positions.tolist()
        self._by_cell = dict(zip(cells, selection.kept_runs, strict=True))
        self._digests: dict[int, str] = {}
        may_be_cut = is_long(self._shape[-1])
        self._reach = np.full(self._cell_index.count, 0 if may_be_cut else self._shape[-1])
        if may_be_cut:
            self._reach[cells] = [self._scatter.reach(run) for run in selection.kept_runs]
        frame = cube_frame(sweep, selection, labels, self._cell_index)
        empty = np.broadcast_to(np.float64(np.nan), self._shape)
        nothing = np.broadcast_to(np.False_, self._shape)
        self.frame: xr.Dataset = with_values(
            frame, cube_dims(self._cell_index, selection), empty, nothing
        )

    def write(
        self,
        path: Path,
        storage: Storage,
        facts: Mapping[str, Any],
        jobs: Sequence[Job],
        step: Callable[[int, int, int], None] | None = None,
    ) -> None:
        """Write the file: the cube, and the groups ``text`` and ``logs``.

        Parameters
        ----------
        path : Path
        storage : Storage
            How the values are stored.
        facts : mapping
            What the archive is to know of itself, as values that JSON can hold.
        jobs : sequence of Job, (sources,)
            The logs, in the order of their records.
        step : callable, optional
            Called after each block with bytes done, bytes in all, and runs.
        """
        encoded = encode(self.frame)
        encoded.schema["messages"] = True
        shape = CubeShape.of(self.frame, encoded, self._reach)
        axis = self._selection.axis
        about = {
            **facts,
            "form": RECORD_FORM,
            "axis": [axis.name, axis.align, axis.dim, *(axis.counters or ())],
            # As they are in the logs: the cube has them without what no text can hold.
            "labels": [self._labels.splits, self._labels.metrics],
        }
        existing = self._existing
        if existing is not None and not existing.is_like(self.frame, shape.chunk, about):
            existing = None
        if existing is not None:
            shape = replace(shape, chunk=existing.cells.chunk)

        def blocks(boxes: Iterator[Region]) -> Blocks:
            total = 8 * int(np.prod(self._shape, dtype=np.int64))
            done = 0
            for region in boxes if existing is None else self._chunk_boxes(shape.chunk):
                cells = self._cells(region[: len(self._cell_index.shape)])
                kept = {} if existing is None else self._staying(existing, cells)
                if existing is not None and len(kept) == len(cells):
                    yield region, None, None
                else:
                    inner = self._filled(cells, shape.chunk[-1])
                    cut = *region[:-1], slice(region[-1].start, min(region[-1].stop, inner[-1]))
                    if cut[-1].start < cut[-1].stop:
                        values_of = _values_of(existing, kept)
                        yield cut, *self._block(cut, inner, storage, cells, values_of)
                done += 8 * int(np.prod([s.stop - s.start for s in region], dtype=np.int64))
                if step is not None:
                    step(done, total, len(self._by_cell))

        def groups(file: netCDF4.Dataset) -> None:
            self._write_messages(file)
            self._write_records(file, about, jobs, existing)

        source = None if existing is None else existing.path
        write_file(path, encoded, shape, blocks, storage, extra=groups, source=source)

    def _filled(self, cells: Sequence[int], piece: int) -> tuple[int, ...]:
        """Return the shape of a cell (split, metric, x) as far as any of some runs reaches."""
        *outer, size = self._shape[len(self._cell_index.shape) :]
        return *outer, min(size, -(-int(self._reach[cells].max()) // piece) * piece)

    def _chunk_boxes(self, chunk: Sequence[int]) -> Iterator[Region]:
        """Yield the box of the cells of each chunk, with everything that is in them."""
        outer = len(self._cell_index.shape)
        return regions(self._shape, (*chunk[:outer], *self._shape[outer:]), 0)

    def _staying(self, existing: ExistingArchive, cells: Sequence[int]) -> dict[int, int]:
        """Return the cells of a box that can be copied, and which existing cell each is."""
        before = existing.cells.at(np.unravel_index(cells, self._cell_index.shape))
        kept = {}
        for cell, was in zip(cells, before, strict=True):
            # Beyond the existing cube its chunks hold no fill values.
            if was >= 0 and self._stays(existing, self._by_cell.get(cell), was):
                kept[cell] = was
                if cell in self._by_cell:
                    self._digests[cell] = existing.digests[was]
        return kept

    def _stays(self, existing: ExistingArchive, kept_run: KeptRun | None, was: int) -> bool:
        """Return whether a cell of the existing archive holds this run (None: no run)."""
        if kept_run is None:
            return was not in existing.digests
        home = self._homes[kept_run.attempt.log.header.source.path]
        return home.store is existing and existing.stays(kept_run.attempt, was)

    def _block(
        self,
        region: Region,
        inner: tuple[int, ...],
        storage: Storage,
        cells: Sequence[int],
        kept: Callable[[int], NDArray[Any] | None],
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
        at = region[len(self._cell_index.shape) :]
        shape = tuple(s.stop - s.start for s in region)
        logged = np.zeros((len(cells), *shape[-len(inner) :]), dtype=bool)
        held = [(i, cell) for i, cell in enumerate(cells) if cell in self._by_cell]
        if not held:
            return None, logged.reshape(shape)
        curve = np.full(logged.shape, np.nan)
        whole = shape[-len(inner) :] == inner
        for i, cell in held:
            # A block may be narrower than a cell; a run is put into a whole cell.
            values = curve[i] if whole else np.full(inner, np.nan)
            mask = logged[i] if whole else np.zeros(inner, dtype=bool)
            stored = kept(cell)
            if stored is None:
                self._scatter.put(self._by_cell[cell], values, mask)
                stored = storage.apply(values, mask)
                self._digests[cell] = cell_digest(stored, mask)
            else:
                self._scatter.mark(self._by_cell[cell], mask)
            curve[i], logged[i] = stored[at], mask[at]
        return curve.reshape(shape), logged.reshape(shape)

    def _cells(self, region: Region) -> list[int]:
        if not self._cell_index.shape:
            return [0]
        grids = np.ix_(*(np.arange(s.start, s.stop) for s in region))
        flat: list[int] = np.ravel_multi_index(grids, self._cell_index.shape).reshape(-1).tolist()
        return flat

    def _write_messages(self, file: netCDF4.Dataset) -> None:
        sizes = np.zeros(self._cell_index.count, dtype=np.int64)
        held = sorted(self._by_cell)
        logs = [self._by_cell[cell].attempt.log for cell in held]
        homes = [(self._homes[log.header.source.path], log.number) for log in logs]
        sizes[held] = [home.store.text_size(home.path, number) for home, number in homes]
        texts = (home.store.text(home.path, number) for home, number in homes)
        write_blob(file.groups["text"], "messages", texts, sizes)

    def _write_records(
        self,
        file: netCDF4.Dataset,
        facts: Mapping[str, Any],
        jobs: Sequence[Job],
        existing: ExistingArchive | None,
    ) -> None:
        # Arrays that no record uses any more pile up until all are copied to a new table.
        kept = (
            existing
            if existing is not None and not existing.table.is_worn(existing.facts["arrays"])
            else None
        )
        table = ArrayTable(() if kept is None else kept.table.rows)
        # Else the same number is another cell.
        same = kept if kept is not None and kept.cells.shape == self._cell_index.shape else None
        by_path: dict[str, list[tuple[int, KeptRun]]] = defaultdict(list)
        for cell, kept_run in self._by_cell.items():
            by_path[kept_run.attempt.log.header.source.path].append((cell, kept_run))
        records, rows = [], []
        for job in jobs:
            path = job.source.path
            home = self._homes.get(path)
            if home is None:
                continue
            held, record = by_path[path], home.store.records[home.path]
            if same is not None and home.store is same and same.all_stay(path, held):
                # The same bytes: nothing about these runs has changed.
                records.append(record)
                rows.append(same.record_bytes[path])
                continue
            record = self._placed(rebased_record(record, home.store.table, table), held, table)
            records.append(msgspec.structs.replace(record, path=path))
            rows.append(encode_record(records[-1]))
        group = file.createGroup("logs")
        arrays = len(table.rows) if kept is None else kept.facts["arrays"]
        group.setncattr("facts", json.dumps({**facts, "arrays": arrays}))
        write_rows(group, "records", rows)
        write_rows(group, "arrays", table.rows)
        _write_files(group, records)

    def _placed(
        self, record: Record, held: Sequence[tuple[int, KeptRun]], table: ArrayTable
    ) -> Record:
        """Return a record with where the values of its logs are in the cube."""
        logs = [*record.logs]
        for cell, kept_run in held:
            # A cube without any x has no blocks.
            digest = self._digests.get(cell) or cell_digest(np.zeros(0), np.zeros(0, bool))
            number = kept_run.attempt.log.number
            logs[number] = placed_log(logs[number], cell, digest, kept_run, self._scatter, table)
        return msgspec.structs.replace(record, logs=tuple(logs))


def _values_of(
    existing: ExistingArchive | None, kept: Mapping[int, int]
) -> Callable[[int], NDArray[Any] | None]:
    """Return a function from a cell to its values, if the existing archive has them as stored."""
    return lambda cell: (
        existing.cells.values(kept[cell]) if existing is not None and cell in kept else None
    )


def cell_digest(values: NDArray[Any], logged: NDArray[np.bool_]) -> str:
    """Return the hash of the stored values and the mask of a cell, up to the last value of x.

    Parameters
    ----------
    values, logged : ndarray, (split, metric, x)
    """
    held = np.flatnonzero(logged.any(axis=tuple(range(logged.ndim - 1))))
    reach = held[-1] + 1 if len(held) else 0
    return whole_digest(values[..., :reach], logged[..., :reach])


def whole_digest(values: NDArray[Any], logged: NDArray[np.bool_]) -> str:
    """Return the hash of all of a cell, which archives of before have."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(np.ascontiguousarray(values, dtype=np.float64).data)
    digest.update(np.ascontiguousarray(logged, dtype=bool).data)
    return digest.hexdigest()


def _write_files(group: netCDF4.Group, records: Sequence[Record]) -> None:
    """Write path, size (bytes), time (ns) and hash of each log as plain variables."""
    group.createDimension("log", max(1, len(records)))
    numbers = {
        "size": [record.size for record in records],
        "mtime_ns": [max((time for _, _, time in r.files), default=0) for r in records],
    }
    for name, values in numbers.items():
        group.createVariable(name, "i8", ("log",))[:] = np.array(values or [0], dtype=np.int64)
    for name, key in (("path", "path"), ("sha256", "digest")):
        texts = [getattr(r, key).encode("utf-8", "backslashreplace") for r in records] or [b""]
        cells = np.array(texts, dtype=f"S{max(1, *map(len, texts), 1)}")
        group.createDimension(f"{name}_length", cells.itemsize)
        dims = ("log", f"{name}_length")
        variable = group.createVariable(name, "S1", dims, compression="zlib", complevel=1)
        variable[:] = cells.view("S1").reshape(len(cells), -1)
