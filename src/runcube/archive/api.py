"""Archives: a sweep in one netCDF file that plain xarray, ncdump, Julia and R can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.archive.build import ArchiveJob, archive_logs
from runcube.archive.existing import ExistingArchive
from runcube.archive.older import check_replaced
from runcube.core import ArchiveError, gc_paused
from runcube.cube import check_cube, x_dim
from runcube.files import absolute_root, archive_path, as_root, locked, replace_atomically
from runcube.netcdf import (
    BLOCK_BYTES,
    CubeShape,
    Storage,
    chunk_shape,
    encode,
    is_long,
    opened,
    read_file,
    regions,
    write_file,
)
from runcube.pipeline import check_parallel, load_policy, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from runcube.curves import Align, MissingX, OnDuplicate
    from runcube.files import Roots
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
        The archive to write; an older one is replaced.
    dtype : {"float64", "float32"}, optional
        How ``curve`` is stored, by default as it is. ``"float32"`` loses digits, and is recorded
        in the file.
    significant_digits : int, optional
        Round ``curve`` to at least so many decimal digits, 1 to 15, which compresses better;
        recorded too.

    Raises
    ------
    PlanError
        If the Dataset is no cube.
    ArchiveError
        If netCDF cannot hold something of it, ``path`` cannot be written, another process is
        writing it, or ``dtype`` or ``significant_digits`` has none of its values.

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

    def blocks(boxes: Iterator[Region]) -> Blocks:
        for region in boxes:
            yield region, ds["curve"][region].values, logged[region].values

    shape = CubeShape.of(ds, encoded, _reach(logged, chunk_shape(ds), x_dim(ds)))
    with locked(target), replace_atomically(target) as beside:
        write_file(beside, encoded, shape, blocks, storage)


def _reach(logged: xr.DataArray, chunk: Sequence[int], x: str | None) -> NDArray[np.int64] | None:
    """Return the number of labels of x up to the last value of each curve; None if x is short.

    They are read block by block, so that nothing stays in memory.
    """
    if x is None or not is_long(logged.sizes[x]):
        return None
    axis, found = logged.get_axis_num(x), [np.zeros(0, dtype=np.int64)]
    for region in regions(logged.shape, chunk, BLOCK_BYTES // 8):
        rows = np.moveaxis(logged[region].values, axis, -1)
        size = region[axis].stop - rows[..., ::-1].argmax(-1)
        found.append(np.where(rows.any(-1), size, 0).reshape(-1))
    return np.concatenate(found)


def open_archive(path: str | Path, *, chunks: Any = None, messages: bool = False) -> xr.Dataset:
    """Open an archive: coordinates are read, ``curve`` and ``logged`` only when they are needed.

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
        The cube as it was saved: ``curve`` (float64 or float32) and ``logged`` (bool) on
        (*cell dims*, split, metric, x). Close it, or use it in a ``with`` block.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArchiveError
        If it is no archive, is damaged, or was cut short.
    UnknownNameError
        If ``chunks`` has a dim that is not there.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "sweep.nc"
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs("examples/logs", path)
    >>> with rc.open_archive(path, chunks={}) as ds:
    ...     end = rc.final(ds.sel(metric="acc1", split="val", weights="DEFAULT", lr=0.2))
    ...     end.sel(weight_decay=0).mean("seed").compute().round(2).item()
    95.55
    """
    return read_file(archive_path(path), chunks, messages=messages)


def archive_runs(
    logs: Roots,
    path: str | Path,
    *,
    reader: str | Reader = "auto",
    files: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    path_keys: str | None = "auto",
    dims: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    relabel: Mapping[str, Mapping[Any, Any]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    exact_labels: bool = False,
    seed: str | None = "auto",
    layout: Literal["auto", "grid", "configs"] = "auto",
    x: str | None = None,
    align: Align = "auto",
    missing_x: MissingX = "carry",
    splits: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    overwrite: bool = False,
    dtype: str = "float64",
    significant_digits: int | None = None,
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> None:
    """Archive a directory of training logs without ever holding the cube in memory.

    The archive is what ``save_archive(load_runs(logs), path)`` would save, and more: the text
    messages of every run, and records of the logs with which :func:`update_archive` reads only
    what has changed. Each log is read once; its values are kept in a file beside ``path`` until
    all are known. If the call is interrupted, the next one goes on where it stopped.

    Arguments that :func:`runcube.load_runs` has as well mean the same here.

    Parameters
    ----------
    logs : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; or several. fsspec opens URLs.
    path : path-like
        The archive to write. One of the same logs is replaced.
    reader : str or Reader
        ``"auto"``, the name of a reader, or a reader. :func:`update_archive` needs one of your own
        again.
    files, ignore : str or sequence of str
        Globs of the files that may be logs, and of what is left out.
    path_keys : str or None
        Template of keys that only the path holds; ``"auto"`` reads what is plain, None nothing.
    dims, exclude : str or sequence of str, optional
        Hyperparameters that become dims, and those to leave out.
    rename, relabel, defaults : mapping, optional
        New names of hyperparameters, new values, and values for the runs that lack a key.
    exact_labels : bool
        Keep values apart that are one number.
    seed : str or None
        Key of the seed; ``"auto"`` finds it.
    layout : {"auto", "grid", "configs"}
        A dim for each hyperparameter, or one dim ``config``.
    x : str, optional
        Axis of the curves (``epoch``, ``step``, …); by default the one that keeps the points apart
        with the fewest labels.
    align : {"auto", "union", "order"}
        Whether x is the dim, or ``point`` with x as a coordinate of each run.
    missing_x : {"carry", "drop"}
        Whether a record without x stands at the x of the record before it, or is left out.
    splits, metrics : str or sequence of str, optional
        Archive only these, in this order.
    expected : float, optional
        Length that a complete run has, in units of x.
    on_duplicate : {"prefer_complete", "first", "last", "raise"}
        Which run stays where two share a cell.
    errors : {"warn", "raise"}
        ``"raise"`` makes the first problem an exception.
    overwrite : bool
        Whether to replace any other netCDF file as well: an archive of other logs, one with runs
        whose logs are gone, a cube that was saved.
    dtype : {"float64", "float32"}
        How ``curve`` is stored. ``"float32"`` loses digits, and is recorded in the file.
    significant_digits : int, optional
        Round ``curve`` to at least so many decimal digits, 1 to 15; recorded too.
    progress : bool or callable
        True shows bars; a callable is called with ``(bytes done, bytes in all, files)``. Both run
        twice: while the logs are read, and while the archive is written (then runs, not files).
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where the logs are read; the archive is the same.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    NoRunsError
        If there is no log under it, or none could be read.
    StoreError
        If it is a URL that no installed library can read.
    UnknownNameError
        If an argument names what is not there; the message has the nearest names.
    PlanError
        If arguments contradict each other or one has none of its values, or, with
        ``on_duplicate="raise"``, if two runs share a cell.
    LogError
        With ``errors="raise"``, at the first problem.
    ArchiveError
        If ``path`` is there and no archive of these logs, cannot be written, or another process is
        writing it; or ``dtype`` or ``significant_digits`` has none of its values.

    Warns
    -----
    SweepWarning
        Once, at the end: the problems by kind, and what no rule could decide.

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
    policy = load_policy(locals(), messages=True)
    storage = Storage(dtype, significant_digits)
    target, root = _resolved(path), as_root(logs)
    with locked(target):
        if not overwrite:
            check_replaced(target, absolute_root(root))
        job = ArchiveJob(root, target, policy, storage, progress, parallel=parallel)
        summary = archive_logs(job).summary
    summary.warn(stacklevel=2)


def update_archive(
    path: str | Path,
    logs: Roots | None = None,
    *,
    reader: str | Reader | None = None,
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> None:
    """Update an archive: read the logs that are new or have changed, and no others.

    The archive becomes what ``archive_runs`` would make of the logs as they are now, with the
    arguments it was made with. Logs that are gone or cannot be read keep their runs,
    with a problem ``deleted_log``.

    Parameters
    ----------
    path : path-like
        An archive that :func:`archive_runs` made.
    logs : path-like or URL, or a sequence of these, optional
        Directory of the logs, or several; by default where they came from, of a URL without its
        password.
    reader : str or Reader, optional
        The reader of your own with which the archive was made.
    progress : bool or callable
        True shows bars; a callable is called with ``(bytes done, bytes in all, files)``. Both run
        twice: while the logs are read, and while the archive is written (then runs, not files).
    parallel : {"auto", "threads", "processes", "dask"}, False or Executor
        Where the logs are read: ``"auto"`` starts threads for some 8 MB or more, ``"threads"``
        does always, False never. ``"processes"`` are for slow readers of your own, ``"dask"`` takes
        the current scheduler or ``distributed.Client``, an executor of ``concurrent.futures`` is
        used and left open. The archive is the same.

    Raises
    ------
    FileNotFoundError
        If there is no such archive or directory.
    ArchiveError
        If the archive has no records of logs (:func:`save_archive` writes none), was merged, is
        damaged, needs a ``reader``, cannot be written, or another process is writing it.
    NoRunsError
        If there is no log at all any more.
    StoreError
        If the logs are at a URL that no installed library can read.
    UnknownNameError, PlanError, LogError
        If the arguments that the archive was made with do not fit the logs any more.

    Warns
    -----
    SweepWarning
        Once, at the end: the problems by kind, and what no rule could decide.

    Examples
    --------
    >>> import tempfile, pathlib, warnings, runcube as rc
    >>> import shutil
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for run in ("000", "001"):
    ...     _ = shutil.copytree(f"examples/logs/sweep/{run}", root / "logs" / run)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     rc.archive_runs(root / "logs", root / "sweep.nc")
    ...     _ = shutil.copytree("examples/logs/sweep/002", root / "logs" / "002")
    ...     rc.update_archive(root / "sweep.nc")
    >>> with rc.open_archive(root / "sweep.nc") as ds:
    ...     ds.sizes["seed"]
    3
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
        job = ArchiveJob(root, target, policy, storage, progress, source, parallel)
        summary = archive_logs(job, existing).summary
    summary.warn(stacklevel=2)


def _resolved(path: str | Path) -> Path:
    """Return the file that a link leads to, so that it is replaced, not the link."""
    target = archive_path(path)
    return target.resolve() if target.is_symlink() else target
