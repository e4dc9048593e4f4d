"""An existing archive as a log store: its records of the logs, and the values in its cells."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import ArchiveError, LogFile, RuncubeError, Source
from runcube.files import hash_ends
from runcube.netcdf import Storage, damaged, read_blob
from runcube.pipeline import (
    RECORD_FORM,
    ArrayTable,
    RecordKey,
    decode_record,
    encode_record,
    git_commit,
    header_of,
    resume_of,
    to_logs,
)
from runcube.plan import flatten, name_reconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import netCDF4
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.core import Request, RunHeader, RunLog
    from runcube.curves import KeptRun
    from runcube.pipeline import Discovery, Job, Record, StoredCurves

# Values of an existing archive that are kept in memory, as they lie together in its chunks.
_CACHE_BYTES = 1 << 26
_WINDOW_BYTES = 1 << 22
# Parts of a log with a hash each; with more, the log is read again as a whole.
_MAX_PARTS = 16


class ExistingArchive:
    """An archive as a store of its logs: a record of each log, and the values that won a cell.

    Cells are numbered as in the flattened cell dims of ``curve``, the last dim fastest.

    Parameters
    ----------
    path : Path
        The archive, for messages and for copying its chunks.
    file : netCDF4.Dataset
        The archive, open for as long as its values may be asked for.

    Attributes
    ----------
    path : Path
    facts : dict
        What the archive knows of itself: policy, storage, axis, labels, the logs' directory.
    records : dict of str to Record
        Record of each log, by its path.
    record_bytes : dict of str to bytes
        The same records as the JSON that is in the file.
    table : ArrayTable
        The arrays of the records.
    same_cells : bool
        Whether the cells have the same numbers in the archive to be written; ``is_like`` sets it.

    Raises
    ------
    ArchiveError
        If the archive has no records of logs, or they are damaged or of another form.
    """

    def __init__(self, path: Path, file: netCDF4.Dataset) -> None:
        if "logs" not in file.groups:
            raise ArchiveError(
                f"{path}: it was saved from a Dataset and remembers no logs; "
                "archive_runs(logs, path) makes an archive that can be updated"
            )
        self.path = path
        self.records: dict[str, Record] = {}
        self.record_bytes: dict[str, bytes] = {}
        try:
            self._read_records(file.groups["logs"])
        except RuncubeError:
            raise
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise damaged(path, error) from error
        self._keys = {path: RecordKey.from_record(r) for path, r in self.records.items()}
        self._file = file
        self._curve = file.variables["curve"]
        self._curve.set_auto_maskandscale(False)
        self._texts = file.groups["text"]
        sizes = np.ma.getdata(self._texts.variables["messages_sizes"][:])
        # Where the text of each cell begins, and where the last one ends.
        self._text_at: list[int] = [0, *np.cumsum(sizes).tolist()]
        splits, metrics = self.facts["labels"]
        self._splits = {name: i for i, name in enumerate(splits)}
        self._metrics = {name: i for i, name in enumerate(metrics)}
        self._shape = self._curve.shape[:-3]
        self._chunk: list[int] = self._curve.chunking()[:-3]  # type: ignore[assignment]
        self._boxes: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        self._window = (0, b"")
        self.same_cells = False
        self._cleared: set[str] = set()
        self._by_cell = {
            item["cell"]: item
            for record in self.records.values()
            for item in record["logs"]
            if "cell" in item
        }

    def _read_records(self, group: netCDF4.Group) -> None:
        self.facts: dict[str, Any] = json.loads(group.getncattr("facts"))
        if self.facts.get("form") != RECORD_FORM:
            raise ArchiveError(
                f"{self.path}: another version of runcube wrote its records; "
                "archive_runs(logs, path) makes it again, open_archive reads it as it is"
            )
        self.table = ArrayTable(read_blob(group, "arrays"))
        for row in read_blob(group, "records"):
            record = decode_record(row)
            self.records[record["path"]], self.record_bytes[record["path"]] = record, row

    @property
    def chunk(self) -> tuple[int, ...]:
        """Chunk of ``curve``: labels along each of its dims."""
        return (*self._chunk, *self._curve.chunking()[-3:])

    def is_like(self, frame: xr.Dataset, chunk: Sequence[int], facts: Mapping[str, Any]) -> bool:
        """Return whether a new archive can have the same chunks, with the same labels in a cell.

        Parameters
        ----------
        frame : Dataset
            The cube of the new archive, without values.
        chunk : sequence of int
            The chunk that it would have by itself. The one of this archive will do unless it is
            smaller or larger by a factor of more than 4.
        facts : mapping
            What the new archive is to know of itself.
        """
        dim = facts["axis"][2]
        self.same_cells = self._shape == frame["curve"].shape[:-3]
        return (
            all(self.facts[name] == facts[name] for name in ("axis", "storage"))
            # Chunks of earlier versions have a checksum more.
            and not self._curve.filters().get("fletcher32")
            and len(self.chunk) == len(chunk)
            and all(c <= size for c, size in zip(self.chunk, frame["curve"].shape, strict=True))
            and bool(0.25 <= np.prod(self.chunk) / np.prod(chunk) <= 4)
            and [list(self._splits), list(self._metrics)] == [*map(list, facts["labels"])]
            and np.array_equal(self._file.variables[dim][:], frame[dim].values)
        )

    def cells_at(self, index: Sequence[NDArray[np.intp]]) -> list[int]:
        """Return the cells that were at these indices, one per dim; -1 beyond the existing cube."""
        if not self._shape:
            return [0]
        reached = np.all([i < size for i, size in zip(index, self._shape, strict=True)], axis=0)
        inside = tuple(np.where(reached, i, 0) for i in index)
        flat = np.where(reached, np.ravel_multi_index(inside, self._shape), -1)
        cells: list[int] = flat.tolist()
        return cells

    @property
    def cells(self) -> list[int]:
        """Numbers of the cells that hold a run."""
        return list(self._by_cell)

    def holds_any(self, path: str) -> bool:
        """Return whether a run of a log holds a cell."""
        return any("cell" in item for item in self.records[path]["logs"])

    def holds(self, cell: int) -> bool:
        """Return whether a cell holds a run."""
        return cell in self._by_cell

    def digest(self, cell: int) -> str:
        """Return the hash of the values of a cell that holds a run."""
        return str(self._by_cell[cell]["values"])

    def values(self, cell: int) -> NDArray[Any]:
        """Return the values (splits, metrics, x) of a cell; its chunk is kept for neighbours."""
        index = np.unravel_index(cell, self._shape)
        box = tuple(int(i) // step for i, step in zip(index, self._chunk, strict=True))
        if box not in self._boxes:
            region = tuple(slice(i * s, (i + 1) * s) for i, s in zip(box, self._chunk, strict=True))
            self._boxes[box] = np.asarray(self._curve[region])
            while (
                len(self._boxes) > 1 and sum(b.nbytes for b in self._boxes.values()) > _CACHE_BYTES
            ):
                self._boxes.popitem(last=False)
        self._boxes.move_to_end(box)
        inside = tuple(int(i) % step for i, step in zip(index, self._chunk, strict=True))
        found: NDArray[Any] = self._boxes[box][inside]
        return found

    def headers(self, job: Job) -> Sequence[RunHeader]:
        """Return the header of each log that a source was read as, if it has not changed since."""
        source = job.source
        known = self._keys.get(source.path)
        if known is None or (known.reader, known.files) != (job.fingerprint, source.files):
            return ()
        return [header_of(item, source) for item in self.records[source.path]["logs"]]

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what the archive has of a log that is unchanged; None if it must be read."""
        known = self._keys.get(job.source.path)
        if known is None or not known.holds(job.fingerprint, job.source, request):
            return None
        return self.logs(job)

    def grown(self, job: Job, request: Request) -> RunLog | None:
        """Return what the archive has of a log that has only grown; None if that is not all."""
        path = job.source.path
        known, record = self._keys.get(path), self.records.get(path)
        if known is None or record is None or len(record["logs"]) != 1:
            return None
        before = replace(job.source, files=known.files)
        item = record["logs"][0]
        resume = item["resume"]
        if (
            resume is None
            or not item.get("whole")
            or not before.size < job.source.size >= resume["offset"]
            or record["digest"].count(":") >= _MAX_PARTS
            or not known.holds(job.fingerprint, before, request)
            or not resume["ends"]
            or resume["ends"] != hash_ends(job.source, resume["offset"])
        ):
            return None
        log = self.logs(job)[0]
        log.resume = resume_of(resume, self.table)
        return log

    @property
    def is_exact(self) -> bool:
        """Return whether the values are stored as they were logged."""
        return Storage(**self.facts["storage"]) == Storage()

    def is_current(self, found: Discovery, logs: str, source: str) -> bool:
        """Return whether the logs that were found are just those of the archive, unchanged.

        Parameters
        ----------
        found : Discovery
        logs : str
            Their absolute path, or URL.
        source : str
            What the attr ``source`` is to be.
        """
        problems = [[p.path, p.kind, p.message] for p in found.skipped]
        before = [self.facts[name] for name in ("version", "skipped", "logs")]
        before += [self.attr("source"), self.attr("git_commit")]
        commit = git_commit(found.root) or ""
        if before != [version("runcube"), problems, logs, source, commit]:
            return False
        here = {job.source.path: job for job in found.jobs}
        others = [here.pop(path) for path in self.facts["others"] if path in here]
        if {job.source.path: files_of(job) for job in others} != self.facts["others"]:
            return False
        if here.keys() | set(self.facts["deleted"]) != self.records.keys():
            return False
        for path, job in here.items():
            known = self._keys[path]
            same = (known.reader, known.files) == (job.fingerprint, job.source.files)
            if path in self.facts["deleted"] or not same:
                return False
        return True

    def logs(self, job: Job) -> list[RunLog]:
        """Return what the archive has of a log, even if the log has changed or is gone."""
        record = self.records[job.source.path]

        def fetch(log: int, curves: int) -> Callable[[StoredCurves], NDArray[np.float64]]:
            item = record["logs"][log]
            part = item["curves"][curves]
            return lambda stored: self._curve_values(stored, item.get("cell", -1), part)

        return to_logs(record, job.source, self.table, fetch)

    def kept(self, job: Job) -> tuple[list[RunHeader], dict[int, RunLog]]:
        """Return the runs of a log that is gone, as far as their values are kept.

        Returns
        -------
        headers : list of RunHeader, (runs,)
            One for each run, as its reader would read it from the head of the log.
        logs : dict of int to RunLog
            The logs that hold a cell, by their numbers in the record of the log.
        """
        self._clear_unplaced(job.source.path)
        logs = self.logs(job)
        found = dict.fromkeys((log.header.key for log in logs), False)
        for log in logs:
            found[log.header.key] |= log.header.has_metrics is not False
        for log in logs:
            header = log.header
            log.header = replace(header, has_metrics=header.has_metrics or found[header.key])
        name_reconfigured(logs)
        items = self.records[job.source.path]["logs"]
        held = {i: log for i, log in enumerate(logs) if "cell" in items[i]}
        keys = {log.header.key for log in held.values()}
        # The first of several attempts is the one at the head of the log.
        headers = {log.header.key: _labelled(log) for log in reversed(logs)}
        return [header for key, header in reversed(headers.items()) if key in keys], held

    def _clear_unplaced(self, path: str) -> None:
        """Name what an archive of before left out of a log for want of x: it never held that."""
        if path in self._cleared or "missing_x" in self.facts["policy"]["contest"]:
            return
        self._cleared.add(path)
        record, x = self.records[path], self.facts["axis"][0]
        job_logs = to_logs(record, Source("", path, ()), self.table, lambda *_: None)
        for item, log in zip(record["logs"], job_logs, strict=True):
            if "cell" not in item:
                continue
            lines: list[NDArray[np.int64]] = []
            names: dict[str, None] = {}
            for part, curves in zip(item["curves"], log.curves, strict=True):
                own = curves.x.get(x, np.full(len(curves.lines), np.nan))
                left = curves.logged & np.isnan(own) & ~self._kept(curves, part)
                if left.any():
                    part["logged"] = self.table.add(curves.logged & ~left)
                    lines.append(curves.lines[left.any(axis=0)])
                    at = np.flatnonzero(left.any(axis=1)).tolist()
                    names |= {f"'{curves.metrics[i]}' ({curves.split})": None for i in at}
            if lines:
                item["problems"].append(_left_out(path, x, np.concatenate(lines), names))
        self.record_bytes[path] = encode_record(record)

    def attr(self, name: str) -> str:
        """Return an attr of the cube as text; empty if there is none of this name."""
        return str(self._file.getncattr(name)) if name in self._file.ncattrs() else ""

    def forget(self, path: str) -> None:
        """Forget that a log is known, so that it is read again."""
        self._keys.pop(path, None)

    def forget_others(self, digest: Callable[[Source], str]) -> None:
        """Forget the logs that are in another state than when they were read."""
        for path, record in self.records.items():
            files = tuple(LogFile(*file) for file in record["files"])
            if record["digest"] != digest(Source("", path, files)):
                self.forget(path)

    def has_values(self, path: str, number: int, kept_run: KeptRun) -> bool:
        """Return whether the archive has all values of a run; it keeps those that won a cell."""
        log = kept_run.attempt.log
        item = self.records[path]["logs"][number]
        parts = dict(zip(map(id, log.curves), item["curves"], strict=True))
        if item.get("trial") == kept_run.attempt.number and item["whole"]:
            return True
        for track in kept_run.attempt.tracks:
            kept = self._kept(track.curves, parts[id(track.curves)])
            rows = np.arange(len(track.curves.lines))[track.rows]
            if not kept[np.ix_(track.metrics, rows)].all():
                return False
        return "cell" in item

    def text(self, path: str, number: int) -> bytes:
        """Return the packed messages of a log that holds a cell, by its number in its record."""
        cell = self.records[path]["logs"][number]["cell"]
        start, stop = self._text_at[cell : cell + 2]
        first, data = self._window
        if not first <= start <= stop <= first + len(data):
            # Texts are asked for one after the other: fetch some more at a time.
            rows = self._texts.variables["messages"]
            data = bytes(rows[start : max(stop, start + _WINDOW_BYTES)].tobytes())
            first, self._window = start, (start, data)
        return data[start - first : stop - first]

    def text_size(self, path: str, number: int) -> int:
        """Return the size in bytes of the packed messages of a log that holds a cell."""
        cell = self.records[path]["logs"][number]["cell"]
        start, stop = self._text_at[cell : cell + 2]
        return stop - start

    def _kept(self, stored: Any, part: Mapping[str, Any]) -> NDArray[np.bool_]:
        kept = np.zeros(stored.logged.shape, dtype=bool)
        for metrics, rows, _ in self._tracks(stored, part):
            kept[np.ix_(metrics, rows)] = True
        return kept

    def _tracks(
        self, stored: Any, part: Mapping[str, Any]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
        count, rows_in_all = stored.logged.shape
        for metrics, rows, at in part.get("tracks", ()):
            yield (
                np.arange(count) if metrics is None else np.array(metrics, dtype=np.intp),
                np.arange(rows_in_all) if rows is None else self.table.get(rows),
                np.arange(*at) if isinstance(at, list) else self.table.get(at),
            )

    def _curve_values(
        self, stored: StoredCurves, cell: int, part: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        out = np.full(stored.logged.shape, np.nan)
        if cell < 0 or stored.split not in self._splits:
            return out
        plane = self.values(cell)[self._splits[stored.split]]
        for metrics, rows, at in self._tracks(stored, part):
            known = np.array([m for m in metrics if stored.metrics[m] in self._metrics], np.intp)
            into = [self._metrics[stored.metrics[m]] for m in known]
            out[np.ix_(known, rows)] = plane[np.ix_(np.array(into, np.intp), at)]
        return out


def _labelled(log: RunLog) -> RunHeader:
    """Return a header with the columns that were read as configuration: they stay that."""
    header, known = log.header, flatten(log.header.config)
    own = frozenset() if log.roles is None else log.roles.labels
    labels = {name: value for name, value in header.constants.items() if name in own}
    more = {key: v for name, v in labels.items() if (key := name.replace("/", ".")) not in known}
    return replace(header, config={**header.config, **more}) if more else header


def _left_out(path: str, x: str, lines: NDArray[np.int64], names: Iterable[str]) -> list[Any]:
    """Return the problem of records without x that an archive left out, as a record has it."""
    count, first = len(np.unique(lines)), int(lines.min())
    what = f"{count} record{'s' * (count > 1)} without {x} left out when the archive was made"
    where = f"lines {first} to {lines.max()}" if count > 1 else f"line {first}"
    return ["missing_x", f"{what}, {where}: {', '.join(names)}", path, first]


def files_of(job: Job) -> list[list[Any]]:
    """Return path, size (bytes) and time (ns) of the files of a log, as JSON has them."""
    return [[file.path, file.size, file.mtime_ns] for file in job.source.files]
