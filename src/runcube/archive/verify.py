"""Checks of an archive: against itself, and against the logs."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from runcube.archive.existing import ExistingArchive
from runcube.archive.kept import kept_logs
from runcube.archive.writer import cell_digest, whole_digest
from runcube.core import Status
from runcube.files import archive_path, as_root, file_exists, has_hash
from runcube.netcdf import (
    BLOCK_BYTES,
    NETCDF_LOCK,
    chunk_shape,
    damaged,
    opened,
    read_blob,
    read_file,
    regions,
    unpack_text,
)
from runcube.pipeline import discover, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from runcube.files import Roots
    from runcube.readers import Reader

    Finding = tuple[str, str, str]


def verify_archive(
    path: str | Path, logs: Roots | None = None, *, reader: str | Reader | None = None
) -> pd.DataFrame:
    """Check an archive, and compare it with the logs.

    Every chunk is read (each has a checksum), every run is compared with the hash of its values,
    labels must be unique, and nothing may stand where no run is. With ``logs``, the SHA-256 of each
    log is compared with that of the bytes that were archived.

    Parameters
    ----------
    path : path-like
        An archive, or a cube that plain ``ds.to_netcdf`` saved.
    logs : path-like or URL, or a sequence of these, optional
        Directory of the logs, or its URL, or several.
    reader : str or Reader, optional
        The reader of your own with which the archive was made.

    Returns
    -------
    DataFrame
        Text columns ``path`` (of the log, or ``""``), ``kind``, ``message``; no row if all is well.
        Kinds: ``damaged`` (bytes that cannot be read), ``changed_values``, ``stray_values``,
        ``repeated_label``, and, against the logs, ``missing_log``, ``new_log``, ``changed_log``.

    Raises
    ------
    FileNotFoundError
        If there is no such archive, or no such directory.
    ArchiveError
        If the file is no archive, or is so damaged that it cannot be opened; with ``logs``, if it
        has no records of logs, or needs a ``reader``.
    NoRunsError
        With ``logs``, if there is no log at all any more.
    StoreError
        If ``logs`` is a URL that no installed library can read.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sweep.nc"
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs("examples/logs", path)
    >>> len(rc.verify_archive(path, "examples/logs"))
    0
    """
    import pandas as pd

    target = archive_path(path)
    digests = _digests(target)
    with read_file(target) as ds:
        findings = [*_labels(ds), *_values(ds, digests), *_messages(target)]
    if logs is not None:
        findings += _against(target, as_root(logs), reader)
    return pd.DataFrame(findings, columns=["path", "kind", "message"])


def _labels(ds: xr.Dataset) -> Iterator[Finding]:
    for name, index in ds.indexes.items():
        if not index.is_unique:
            again = index[index.duplicated()][0]
            yield "", "repeated_label", f"{name} has the label {again!r} more than once"


def _values(ds: xr.Dataset, digests: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    """Yield what is wrong with the values: every block is read, each run compared with its hash."""
    dims = [str(d) for d in ds["curve"].dims]
    cell_dims = [str(d) for d in ds["status"].dims]
    inner = [d for d in dims if d not in cell_dims]
    chunk = dict(zip(dims, chunk_shape(ds), strict=True)) | {d: ds.sizes[d] for d in inner}
    room = BLOCK_BYTES // 8
    for region in regions([ds.sizes[d] for d in dims], [max(1, chunk[d]) for d in dims], room):
        part = ds.isel(dict(zip(dims, region, strict=True))).transpose(*cell_dims, *inner, ...)
        try:
            curve, logged = part["curve"].values, part["logged"].values
        except (RuntimeError, OSError) as error:
            where = ", ".join(f"{d} {s.start}:{s.stop}" for d, s in zip(dims, region, strict=True))
            yield "", "damaged", f"values at {where} cannot be read: {error}"
            continue
        for index in np.ndindex(*part["status"].shape):
            path = str(part["path"].values[index])
            held = part["status"].values[index] != Status.ABSENT.value
            values, mask = curve[index], logged[index]
            if not np.isnan(values[~mask]).all() or (not held and mask.any()):
                yield path, "stray_values", "values stand where nothing was logged"
            key = (path, str(part["run_id"].values[index]))
            kept = digests.get(key, "") if held else ""
            if kept and kept not in (cell_digest(values, mask), whole_digest(values, mask)):
                yield path, "changed_values", "the values are not those that were archived"


def _messages(target: Path) -> Iterator[Finding]:
    """Read the messages, which no hash covers."""
    with NETCDF_LOCK, opened(target) as file:
        texts = file.groups.get("text")
        if texts is None or "messages" not in texts.variables:
            return
        try:
            for packed in read_blob(texts, "messages"):
                unpack_text(packed)
        except (RuntimeError, OSError, ValueError, zlib.error) as error:
            yield "", "damaged", f"the messages cannot be read: {error}"


def _digests(target: Path) -> dict[tuple[str, str], str]:
    """Return the hash of the values of each run by path and run_id; none without records."""
    with NETCDF_LOCK, opened(target) as file:
        if "logs" not in file.groups:
            return {}
        existing = ExistingArchive(target, file)
        try:
            names = [np.asarray(file.variables[n][:]).reshape(-1) for n in ("path", "run_id")]
        except (RuntimeError, OSError, ValueError) as error:
            raise damaged(target, error) from error
        return {
            (str(names[0][cell]), str(names[1][cell])): digest
            for cell, digest in existing.digests.items()
        }


def _missing(root: str, file: str, unread: str | None) -> str:
    """Return why a log of an archive is not among those that are found now."""
    if unread:
        return f"the log cannot be read ({unread})"
    is_there = file_exists(root, file)
    return "no reader takes the file for a log any more" if is_there else "the log is gone"


def _against(target: Path, root: str, reader: str | Reader | None) -> Iterator[Finding]:
    with NETCDF_LOCK, opened(target) as file:
        existing = ExistingArchive(target, file)
    policy = policy_of(existing.facts["policy"], reader)
    found = discover(root, **policy.finding, again=True)
    here = {job.source.path: job.source for job in found.jobs}
    unread = kept_logs(found, existing)
    for path, record in existing.records.items():
        if path not in here:
            yield path, "missing_log", _missing(found.root, record.files[0][0], unread.get(path))
        elif not has_hash(here[path], record.digest):
            sizes = f"{record.size:,} bytes were archived, now {here[path].size:,}"
            yield path, "changed_log", sizes
    for path in here.keys() - existing.records.keys() - set(existing.facts["others"]):
        yield path, "new_log", "the log is not in the archive"
