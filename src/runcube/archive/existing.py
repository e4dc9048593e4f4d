"""An existing archive as a log store: its records of the logs, and the values in its cells."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.archive.cells import Cells
from runcube.archive.placed import kept_values, tracks_in_cell
from runcube.archive.unplaced import without_unplaced
from runcube.core import ArchiveError, LogFile, RuncubeError, Source
from runcube.files import hash_ends
from runcube.netcdf import NETCDF_LOCK, Storage, damaged, read_blob
from runcube.pipeline import (
    RECORD_FORM,
    ArrayTable,
    RecordKey,
    decode_record,
    encode_record,
    git_commit,
    headers_of,
    resume_of,
    to_logs,
)
from runcube.plan import flatten, name_reconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import netCDF4
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.core import Request, RunHeader, RunLog
    from runcube.curves import Attempt, KeptRun
    from runcube.pipeline import CurvesRecord, Discovery, Job, Record, StoredCurves

# Parts of a log with a hash each; with more, the log is read again as a whole.
_MAX_PARTS = 16


class ExistingArchive:
    """An archive as a store of its logs: a record of each log, and the values that won a cell.

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
    cells : Cells
        What the cells of the archive hold.
    digests : dict of int to str
        Hash of the values of each cell that holds a run.

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
            with NETCDF_LOCK:
                self._read_records(file.groups["logs"])
                self.cells = Cells(file)
        except RuncubeError:
            raise
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise damaged(path, error) from error
        self._file = file
        splits, metrics = self.facts["labels"]
        self._splits = {name: i for i, name in enumerate(splits)}
        self._metrics = {name: i for i, name in enumerate(metrics)}
        self._headers: dict[str, list[RunHeader]] = {}
        self._forgotten: set[str] = set()
        self._cleared: set[str] = set()
        self.digests = {
            item.cell: item.values
            for record in self.records.values()
            for item in record.logs
            if item.cell is not None
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
            self.records[record.path], self.record_bytes[record.path] = record, row

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
        dim, here = facts["axis"][2], self.cells.chunk
        with NETCDF_LOCK:
            labels = self._file.variables[dim][:] if dim in self._file.variables else []
            filters = self.cells.curve.filters()
        return (
            all(self.facts[name] == facts[name] for name in ("axis", "storage"))
            # What decides which values of a run are in its cell.
            and self.facts["policy"]["contest"] == facts["policy"]["contest"]
            # Chunks of earlier versions have a checksum more.
            and not filters.get("fletcher32")
            and len(here) == len(chunk)
            and all(c <= size for c, size in zip(here, frame["curve"].shape, strict=True))
            and bool(0.25 <= np.prod(here) / np.prod(chunk) <= 4)
            and [list(self._splits), list(self._metrics)] == [*map(list, facts["labels"])]
            and np.array_equal(labels, frame[dim].values)
        )

    def holds_any(self, path: str) -> bool:
        """Return whether a run of a log holds a cell."""
        return any(item.cell is not None for item in self.records[path].logs)

    def stays(self, attempt: Attempt, cell: int) -> bool:
        """Return whether a cell holds this attempt at a run of the archive."""
        log = attempt.log
        item = self.records[log.header.source.path].logs[log.number]
        return (item.cell, item.trial) == (cell, attempt.number)

    def all_stay(self, path: str, held: Sequence[tuple[int, KeptRun]]) -> bool:
        """Return whether the runs of a source hold cells of the same numbers."""
        here = {run.attempt.log.number: (cell, run.attempt.number) for cell, run in held}
        items = enumerate(self.records[path].logs)
        before = {i: (item.cell, item.trial) for i, item in items if item.cell is not None}
        return here == before

    def headers(self, job: Job) -> Sequence[RunHeader]:
        """Return the header of each log that a source was read as, if it has not changed since."""
        path = job.source.path
        record = None if path in self._forgotten else self.records.get(path)
        return () if record is None or not _is_of(record, job) else self._headers_of(job.source)

    def _headers_of(self, source: Source) -> list[RunHeader]:
        known = self._headers.get(source.path, [])
        if not known or known[0].source != source:
            known = self._headers[source.path] = headers_of(self.records[source.path], source)
        return known

    def get(self, job: Job, request: Request) -> Sequence[RunLog] | None:
        """Return what the archive has of a log that is unchanged; None if it must be read."""
        path = job.source.path
        if path in self._forgotten or path not in self.records:
            return None
        known = RecordKey.from_record(self.records[path])
        return self.logs(job) if known.holds(job.fingerprint, job.source, request) else None

    def grown(self, job: Job, request: Request) -> RunLog | None:
        """Return what the archive has of a log that has only grown; None if that is not all."""
        path = job.source.path
        record = self.records.get(path)
        if record is None or path in self._forgotten or len(record.logs) != 1:
            return None
        known, [item] = RecordKey.from_record(record), record.logs
        before, resume = replace(job.source, files=known.files), item.resume
        if (
            resume is None
            or not item.whole
            or not before.size < job.source.size >= resume.offset
            or record.digest.count(":") >= _MAX_PARTS
            or not known.holds(job.fingerprint, before, request)
            or not resume.ends
            or resume.ends != hash_ends(job.source, resume.offset)
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
        gone = set(self.facts["deleted"])
        return all(path not in gone and _is_of(self.records[path], here[path]) for path in here)

    def logs(self, job: Job) -> list[RunLog]:
        """Return what the archive has of a log, even if the log has changed or is gone."""
        record = self.records[job.source.path]

        def fetch(number: int) -> Callable[[StoredCurves], NDArray[np.float64]]:
            item = record.logs[number]
            return lambda stored: self._values(stored, item.cell, item.curves[stored.number])

        return to_logs(record, self._headers_of(job.source), self.table, fetch)

    def kept(self, job: Job) -> tuple[list[RunHeader], list[RunLog]]:
        """Return the runs of a log that is gone, as far as their values are kept.

        Returns
        -------
        headers : list of RunHeader, (runs,)
            One for each run, as its reader would read it from the head of the log.
        logs : list of RunLog
            The logs that hold a cell.
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
        items = self.records[job.source.path].logs
        held = [log for log in logs if items[log.number].cell is not None]
        keys = {log.header.key for log in held}
        # The first of several attempts is the one at the head of the log.
        headers = {log.header.key: _labelled(log) for log in reversed(logs)}
        return [header for key, header in reversed(headers.items()) if key in keys], held

    def _clear_unplaced(self, path: str) -> None:
        """Name what an archive of before left out of a log for want of x: it never held that."""
        if path in self._cleared or "missing_x" in self.facts["policy"]["contest"]:
            return
        self._cleared.add(path)
        record = without_unplaced(self.records[path], self.facts["axis"][0], self.table)
        self.records[path], self.record_bytes[path] = record, encode_record(record)

    def attr(self, name: str) -> str:
        """Return an attr of the cube as text; empty if there is none of this name."""
        with NETCDF_LOCK:
            return str(self._file.getncattr(name)) if name in self._file.ncattrs() else ""

    def forget(self, path: str) -> None:
        """Forget that a log is known, so that it is read again."""
        self._forgotten.add(path)

    def forget_others(self, digest: Callable[[Source], str]) -> None:
        """Forget the logs that are in another state than when they were read."""
        for path, record in self.records.items():
            files = tuple(LogFile(*file) for file in record.files)
            if record.digest != digest(Source("", path, files)):
                self.forget(path)

    def has_values(self, path: str, kept_run: KeptRun) -> bool:
        """Return whether the archive has all values of a run; it keeps those that won a cell."""
        attempt = kept_run.attempt
        item = self.records[path].logs[attempt.log.number]
        if item.trial == attempt.number and item.whole:
            return True
        for track in attempt.tracks:
            kept = kept_values(item.curves[track.curves.number], self.table)
            if not kept[np.ix_(track.metrics, track.indices)].all():
                return False
        return item.cell is not None

    def text(self, path: str, number: int) -> bytes:
        """Return the packed messages of a log that holds a cell, by its number in its record."""
        return self.cells.text(self._cell(path, number))

    def text_size(self, path: str, number: int) -> int:
        """Return the size in bytes of the packed messages of a log that holds a cell."""
        return self.cells.text_size(self._cell(path, number))

    def _cell(self, path: str, number: int) -> int:
        cell = self.records[path].logs[number].cell
        if cell is None:
            raise LookupError(f"{path}: log {number} holds no cell")
        return cell

    def _values(
        self, stored: StoredCurves, cell: int | None, part: CurvesRecord
    ) -> NDArray[np.float64]:
        out = np.full(stored.logged.shape, np.nan)
        if cell is None or stored.split not in self._splits:
            return out
        plane = self.cells.values(cell)[self._splits[stored.split]]
        for metrics, rows, at in tracks_in_cell(part, self.table):
            known = np.array([m for m in metrics if stored.metrics[m] in self._metrics], np.intp)
            into = [self._metrics[stored.metrics[m]] for m in known]
            out[np.ix_(known, rows)] = plane[np.ix_(np.array(into, np.intp), at)]
        return out


def _is_of(record: Record, job: Job) -> bool:
    """Return whether a record is of the files of a log as they are now, and of its reader."""
    files = tuple((file.path, file.size, file.mtime_ns) for file in job.source.files)
    return (record.reader, record.files) == (job.fingerprint, files)


def _labelled(log: RunLog) -> RunHeader:
    """Return a header with the columns that were read as configuration: they stay that."""
    header, known = log.header, flatten(log.header.config)
    own = frozenset() if log.roles is None else log.roles.labels
    labels = {name: value for name, value in header.constants.items() if name in own}
    more = {key: v for name, v in labels.items() if (key := name.replace("/", ".")) not in known}
    return replace(header, config={**header.config, **more}) if more else header


def files_of(job: Job) -> list[list[Any]]:
    """Return path, size (bytes) and time (ns) of the files of a log, as JSON has them."""
    return [[file.path, file.size, file.mtime_ns] for file in job.source.files]
