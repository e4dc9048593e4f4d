"""The archive: a sweep in one netCDF file that plain xarray, ncdump, Julia and R can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from runcube.archive.build import ArchiveJob, archive_logs
from runcube.archive.existing import ExistingArchive
from runcube.core import ArchiveError, gc_paused
from runcube.cube import check_cube
from runcube.curves import SelectionPolicy
from runcube.files import archive_path, as_root, locked, replace_atomically
from runcube.netcdf import CubeShape, Storage, encode, opened, read_file, write_file
from runcube.pipeline import Policy, check_parallel, names_tuple, policy_of
from runcube.plan import PlanPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import xarray as xr

    from runcube.curves import Align, OnDuplicate
    from runcube.netcdf import Blocks, Region
    from runcube.pipeline import Errors, Parallel, Progress
    from runcube.readers import Reader


def save_archive(
    ds: xr.Dataset,
    path: str | Path,
    *,
    dtype: str | None = None,
    significant_digits: int | None = None,
) -> None:
    """Save a cube as one netCDF file, without any loss.

    The file appears whole or not at all: it is written beside ``path``, synced and renamed, so
    that an older one stays as it was if anything goes wrong, and readers that hold it keep it.

    Parameters
    ----------
    ds : Dataset
        A cube in either layout, whole or selected, in memory or lazy (it is then written block by
        block).
    path : path-like
    dtype : {"float64", "float32"}, optional
        How ``curve`` is stored, by default as it is. ``"float32"`` loses digits, and is recorded
        in the file.
    significant_digits : int, optional
        Round ``curve`` to at least so many decimal digits, which compresses better; recorded too.

    Raises
    ------
    PlanError
        If the Dataset is no cube.
    ArchiveError
        If netCDF cannot hold something of it, ``path`` cannot be written, or somebody else is
        writing it.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs", metrics=["acc1"])
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sweep.nc"
    >>> rc.save_archive(ds, path)
    >>> with rc.open_archive(path) as back:
    ...     back.identical(ds)
    True
    """
    check_cube(ds)
    storage = Storage(str(ds["curve"].dtype) if dtype is None else dtype, significant_digits)
    target = _resolved(path)
    encoded = encode(ds)
    logged = ds["logged"].transpose(*ds["curve"].dims)

    def blocks(regions: Iterator[Region]) -> Blocks:
        for region in regions:
            yield region, ds["curve"][region].values, logged[region].values

    with locked(target), replace_atomically(target) as beside:
        write_file(beside, encoded, CubeShape.of(ds, encoded), blocks, storage)


def open_archive(path: str | Path, *, chunks: Any = None, messages: bool = False) -> xr.Dataset:
    """Open an archive: coordinates are read, ``curve`` and ``logged`` wait until they are needed.

    Parameters
    ----------
    path : path-like
        An archive, or a cube that plain ``ds.to_netcdf`` saved.
    chunks : int, dict or "auto", optional
        Make ``curve`` and ``logged`` dask arrays, as in :func:`xarray.open_dataset`; ``{}`` takes
        the chunks of the file.
    messages : bool
        Add the coordinate ``messages``, which ``archive_runs`` keeps of every run. A cube that was
        saved with it has it in any case.

    Returns
    -------
    Dataset
        The cube as it was saved. Close it, or use it in a ``with`` block.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArchiveError
        If it is no archive, is damaged, or was cut short.

    Examples
    --------
    See :func:`save_archive`.
    """
    return read_file(archive_path(path), chunks, messages=messages)


def archive_runs(
    logs: str | Path,
    path: str | Path,
    *,
    reader: str | Reader = "auto",
    path_keys: str | None = None,
    dims: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    relabel: Mapping[str, Mapping[Any, Any]] | None = None,
    seed: str | None = "auto",
    layout: Literal["auto", "grid", "configs"] = "auto",
    x: str | None = None,
    align: Align = "auto",
    splits: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    dtype: str = "float64",
    significant_digits: int | None = None,
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> None:
    """Archive a directory of training logs without ever holding the cube in memory.

    What comes out is what ``save_archive(load_runs(logs), path)`` would save, and more: the text
    messages of every run, and a ledger of the logs with which :func:`update_archive` reads only
    what has changed. Each log is read once; its values wait in a file beside ``path`` until all
    are known. If the call is interrupted, the next one goes on where it stopped.

    Parameters
    ----------
    logs : path-like or URL
        Directory of the logs, or one log, or the URL of either (see ``docs/remote.md``).
    path : path-like
        The archive; an older one is replaced.
    reader, path_keys, dims, exclude, rename, relabel, seed, layout
        As for :func:`runcube.scan`.
    x, align, splits, metrics, expected, on_duplicate, errors
        As for :func:`runcube.load_runs`.
    dtype, significant_digits
        As for :func:`save_archive`.
    progress : bool or callable
        Show bars, or be told ``(bytes done, bytes in all, files)``: while the logs are read, and
        again while the archive is written.
    parallel : {"auto", "processes", "dask"}, False or Executor
        As for :func:`runcube.load_runs`.

    Raises
    ------
    ArchiveError
        If ``path`` cannot be written, or somebody else is writing it.
    FileNotFoundError, NoRunsError, UnknownNameError, PlanError, LogError
        As :func:`runcube.load_runs`.

    Warns
    -----
    SweepWarning
        As :func:`runcube.load_runs`.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sweep.nc"
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs("examples/logs", path)
    >>> with rc.open_archive(path) as ds:
    ...     dict(ds.curve.sel(metric="acc1", split="val").sizes)
    {'weights': 2, 'lr': 4, 'weight_decay': 3, 'seed': 5, 'epoch': 20}
    """
    check_parallel(parallel)
    policy = Policy(
        reader,
        path_keys,
        PlanPolicy(
            names_tuple(dims), names_tuple(exclude) or (), rename or {}, relabel or {}, seed, layout
        ),
        SelectionPolicy(x, align, expected, on_duplicate),
        names_tuple(splits),
        names_tuple(metrics),
        messages=True,
        errors=errors,
    )
    storage = Storage(dtype, significant_digits)
    target = _resolved(path)
    with locked(target):
        order = ArchiveJob(as_root(logs), target, policy, storage, progress, parallel=parallel)
        made = archive_logs(order)
    made.warn(stacklevel=2)


def update_archive(
    path: str | Path,
    logs: str | Path | None = None,
    *,
    reader: str | Reader | None = None,
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> None:
    """Bring an archive up to date: read the logs that are new or have changed, and no others.

    The archive becomes what ``archive_runs`` would make of the logs as they are now, with the
    arguments it was made with. Logs that are gone keep their runs, named as ``deleted_log``.

    Parameters
    ----------
    path : path-like
        An archive that :func:`archive_runs` made.
    logs : path-like or URL, optional
        Directory of the logs; by default the one they came from, of a URL without its password.
    reader : Reader, optional
        The reader of your own with which the archive was made.
    progress : bool or callable
        As for :func:`archive_runs`.
    parallel : {"auto", "processes", "dask"}, False or Executor
        As for :func:`runcube.load_runs`.

    Raises
    ------
    FileNotFoundError
        If there is no such archive or directory.
    ArchiveError
        If the archive remembers no logs, or somebody else is writing it.
    NoRunsError
        If there is no log at all any more.

    Warns
    -----
    SweepWarning
        As :func:`runcube.load_runs`.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sweep.nc"
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs("examples/logs", path)
    ...     rc.update_archive(path)
    """
    check_parallel(parallel)
    target = _resolved(path)
    with locked(target), opened(target) as file, gc_paused():
        existing = ExistingArchive(target, file)
        if "merged" in existing.facts:
            parts = ", ".join(existing.facts["merged"])
            raise ArchiveError(
                f"{target}: was merged; update its parts ({parts}), merge them again"
            )
        policy = policy_of(existing.facts["policy"], reader)
        source = existing.attr("source") if logs is None else None
        root = as_root(existing.facts["logs"] if logs is None else logs)
        storage = Storage(**existing.facts["storage"])
        order = ArchiveJob(root, target, policy, storage, progress, source, parallel)
        made = archive_logs(order, existing)
    made.warn(stacklevel=2)


def _resolved(path: str | Path) -> Path:
    """Follow a link, so that the file it leads to is replaced, not the link."""
    target = archive_path(path)
    return target.resolve() if target.is_symlink() else target
