"""``open_runs``: an archive of the logs in the cache, opened in blocks."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.archive.build import Archived, ArchiveJob, archive_logs
from runcube.archive.cache import Generation, Lease, cache_directory, without_own
from runcube.archive.existing import ExistingArchive
from runcube.core import ArchiveError, PlanError, UnknownNameError, clean_text
from runcube.files import as_root, is_url, list_files, locked
from runcube.netcdf import NETCDF_LOCK, Storage, open_same, opened, read_file
from runcube.pipeline import LoadSummary, attrs_of_now, check_parallel, load_policy, policy_attr
from runcube.readers import resolve_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    import netCDF4
    import xarray as xr

    from runcube.curves import Align, MissingX, OnDuplicate
    from runcube.files import Listing, Roots
    from runcube.pipeline import Errors, Parallel, Policy, Progress
    from runcube.readers import Reader

# Bytes of a block of one split and one metric, and bytes up to which it takes more of these.
BLOCK_BYTES, SMALL_BYTES = 1 << 26, 1 << 20


def open_runs(
    path: Roots,
    *,
    chunks: Any = "auto",
    cache: bool | str | Path = True,
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
    messages: bool = False,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> xr.Dataset:
    """Open a directory of training logs as one labelled cube whose values are read when needed.

    The cube is that of :func:`load_runs`, with every coordinate in memory. The first opening makes
    an archive of the logs in the cache, with every value; later ones read only the logs that have
    changed since, and none if none has. Computing reads the chunks of the archive that are
    selected. An open cube keeps the values that the logs had when it was opened.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; or several.
    chunks : "auto", int, dict or None
        Blocks of the dask arrays ``curve`` and ``logged``, in labels along each dim; ``"auto"``
        puts runs of one split and metric into a block, up to 64 MB. None: no dask, values are read
        whenever they are used.
    cache : bool or path-like
        Directory that keeps the archives; True takes ``runcube`` in ``$RUNCUBE_CACHE``, else in
        ``$XDG_CACHE_HOME``, else in ``~/.cache``. With False, and where nothing can be written, a
        temporary directory is used that goes with the cube. Workers on other machines need one
        that they can read. What is not opened for 30 days, or was superseded a day ago, goes.
    reader, files, ignore, path_keys, dims, exclude, rename, relabel, defaults, exact_labels, \
seed, layout
        As for :func:`scan`.
    x, align, missing_x, splits, metrics, messages, expected, on_duplicate, errors, progress, \
parallel
        As for :func:`load_runs`. ``parallel`` is for reading logs; computing is parallel as dask
        is configured. A bar or callable of ``progress`` runs twice, as for :func:`archive_runs`.

    Returns
    -------
    Dataset
        ``curve`` (float64) and ``logged`` (bool) on (*cell dims*, split, metric, x), lazy; the
        coordinates are those of :func:`load_runs`.

    Raises
    ------
    FileNotFoundError, NoRunsError, StoreError, UnknownNameError
        As :func:`load_runs`; also if ``chunks`` names a dim that the cube does not have.
    PlanError
        As :func:`load_runs`; also if ``chunks`` or ``cache`` is not valid.
    LogError
        With ``errors="raise"``.
    ArchiveError
        If the archive cannot be written, as on a full disk; when values are computed, if it is not
        there any more, or not on the machine of the worker.

    Warns
    -----
    SweepWarning
        As :func:`load_runs`.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.open_runs("examples/logs", cache=False)
    >>> runs = ds.sel(weights="DEFAULT", lr=0.2, weight_decay=0)
    >>> end = rc.final(runs.sel(metric="acc1", split="val"))
    >>> end.mean("seed").compute().round(2).item()
    95.55
    """
    ds, summary = open_cube(locals())
    summary.warn(stacklevel=2)
    return ds


def open_cube(
    arguments: Mapping[str, Any], argument: str = "cache"
) -> tuple[xr.Dataset, LoadSummary]:
    """Return the cube of ``open_runs``, and what is told of it.

    Parameters
    ----------
    arguments : mapping
        Those of ``open_runs``, all of them.
    argument : str
        What ``cache`` is called where it was given, for messages.
    """
    policy = load_policy(arguments)
    progress, parallel, chunks = (arguments[n] for n in ("progress", "parallel", "chunks"))
    check_parallel(parallel)
    _check_chunks(chunks)
    try:
        directory = cache_directory(arguments["cache"])
    except PlanError as error:
        raise PlanError(f"{argument}{str(error).removeprefix('cache')}") from None
    root = as_root(arguments["path"])
    listing = without_own(list_files(root), directory)
    asked = Generation.of(directory, root, listing, policy, resolve_reader(policy.reader))
    found = _find(asked, policy, argument)
    ds, summary = found or _make(
        asked, root, listing, policy, progress, parallel, argument=argument
    )
    # What depends on the moment is that of now.
    ds.attrs.pop("git_commit", None)
    ds.attrs |= attrs_of_now(listing.root) | {"policies": clean_text(policy_attr(policy))}
    return ds if chunks is None else _in_blocks(ds, chunks), summary


def _find(
    asked: Generation, policy: Policy, argument: str
) -> tuple[xr.Dataset, LoadSummary] | None:
    """Return what was kept, and what is told of it; None if there is nothing, or it is damaged."""
    if not (asked.is_known and asked.path.exists()):
        return None
    try:
        with NETCDF_LOCK, opened(asked.path) as file:
            facts = json.loads(file.groups["logs"].getncattr("facts"))
        ds = _opened(asked.path, Lease(asked.path), policy, argument)
    except (ArchiveError, FileNotFoundError, LookupError, ValueError):
        return None
    asked.use()
    return ds, LoadSummary(**facts["told"])


def _make(
    asked: Generation,
    root: str,
    listing: Listing,
    policy: Policy,
    progress: bool | Progress,
    parallel: Parallel,
    *,
    argument: str,
) -> tuple[xr.Dataset, LoadSummary]:
    """Write a generation and open it; who waited for another process opens what that has made."""
    directory = asked.directory
    asked, temporary = asked.writable()
    lease = Lease(asked.path, temporary)
    job = ArchiveJob(
        root,
        asked.path,
        replace(policy, messages=True),
        Storage(packed=False),
        progress,
        parallel=parallel,
        mirrored=listing,
    )
    with locked(asked.path, own=True):
        found = _find(asked, policy, argument)
        if found is not None:
            return found
        unused = asked.unused()
        asked.path.unlink(missing_ok=True)  # it is damaged, if it is there
        archived = _archived(job, asked, argument)
        path = asked.path
        if archived.may_differ or _have_changed(root, listing, directory):
            path = asked.once().path
            asked.path.rename(path)
        if temporary is None and (path != asked.path or not asked.is_known):
            lease = Lease(path, path)
        ds = _opened(path, lease, policy, argument)
    asked.remove(unused)
    return ds, archived.summary


def _have_changed(root: str, listing: Listing, directory: Path | None) -> bool:
    """Return whether logs changed while they were read: the archive is of neither state then.

    Not asked of a server, to which it would cost as much as the listing.
    """
    if is_url(root):
        return False
    try:
        return without_own(list_files(root), directory).digest() != listing.digest()
    except FileNotFoundError:
        return True


def _archived(job: ArchiveJob, asked: Generation, argument: str) -> Archived:
    """Write an archive, from what another generation has of logs that have not changed."""
    like = asked.like()
    try:
        if like is not None:
            with opened(like) as file:
                return archive_logs(job, ExistingArchive(like, file))
    except (ArchiveError, FileNotFoundError) as error:
        if _is_full(error):
            raise _no_room(job, error, argument) from error
        # Damaged, or removed just now: it is of no use.
    try:
        return archive_logs(job)
    except (ArchiveError, OSError) as error:
        if _is_full(error):
            raise _no_room(job, error, argument) from error
        raise


def _is_full(error: BaseException) -> bool:
    """Return whether an error says, or is caused by one that says, that a disk is full."""
    causes = (error, error.__cause__)
    return any(getattr(e, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for e in causes)


def _no_room(job: ArchiveJob, error: Exception, argument: str) -> ArchiveError:
    where = job.target.parent
    return ArchiveError(
        f"{where}: no room for the cube of these logs ({error}); {argument}= takes another "
        "directory, load_runs needs none"
    )


def _opened(path: Path, lease: Lease, policy: Policy, argument: str) -> xr.Dataset:
    """Return the cube of a generation with lazy values, which prefer the blocks of ``auto``."""
    open_file = partial(_open_generation, lease=lease, argument=argument)
    ds = read_file(path, messages=policy.messages, open_file=open_file)
    with NETCDF_LOCK, opened(path) as file:
        chunk: Any = file.variables["curve"].chunking()
    blocks = block_shape(ds["curve"].shape, chunk, len(ds["status"].dims))
    for name in ("curve", "logged"):
        preferred = dict(zip(ds["curve"].dims, blocks, strict=True))
        ds[name].encoding |= {"preferred_chunks": preferred, "source": str(path)}
    return ds


def _open_generation(
    path: str, identity: tuple[int, ...], mode: Literal["r"], *, lease: Lease, argument: str
) -> netCDF4.Dataset:
    """Open a file that holds the values of a cube, and must be there as long as that.

    Raises
    ------
    ArchiveError
        If it is not there.
    """
    del lease  # who can open the file again holds it
    try:
        file: netCDF4.Dataset = open_same(path, identity, mode)
        return file
    except FileNotFoundError:
        raise ArchiveError(
            f"{path}: this process cannot open the archive in which open_runs keeps the values: on "
            f"workers of other machines pass {argument}= a directory that all of them can read; if "
            "it was removed since, open the logs again"
        ) from None


def block_shape(shape: Sequence[int], chunk: Sequence[int], cells: int) -> tuple[int, ...]:
    """Return the sizes of the blocks along each dim: whole chunks of as many cells as fit.

    Parameters
    ----------
    shape, chunk : sequence of int
        Of ``curve``: cell dims, split, metric, x.
    cells : int
        Number of cell dims.

    Examples
    --------
    >>> block_shape((4, 10, 40, 3, 5, 1500), (1, 1, 10, 1, 1, 1500), 3)
    (4, 10, 40, 1, 1, 1500)
    >>> block_shape((2, 5, 3, 5, 20), (2, 5, 1, 1, 20), 2)
    (2, 5, 3, 5, 20)
    """
    block = [max(1, size) for size in chunk]
    along = [(len(shape) - 1, BLOCK_BYTES)]
    along += [(axis, BLOCK_BYTES) for axis in reversed(range(cells))]
    along += [(axis, SMALL_BYTES) for axis in (cells + 1, cells)]
    for axis, room in along:
        fits = room // (8 * math.prod(block))
        whole = -(-shape[axis] // block[axis])
        block[axis] = max(1, min(shape[axis], block[axis] * max(1, min(fits, whole))))
        if fits < whole:
            break
    return tuple(block)


def _check_chunks(chunks: Any) -> None:
    """Raise what can be told of ``chunks`` before any log is read: its kind, and its sizes."""
    is_auto = isinstance(chunks, str) and chunks == "auto"
    if not (chunks is None or is_auto or _is_whole(chunks) or isinstance(chunks, Mapping)):
        raise PlanError(f"chunks={chunks!r}: expected 'auto', a number, a mapping or None")
    for size in chunks.values() if isinstance(chunks, Mapping) else [chunks]:
        if not _is_size(size):
            raise PlanError(f"chunks={chunks!r}: {size!r} is no size; -1 is the whole dim")


def _is_size(size: Any) -> bool:
    """Return whether dask takes it as the size of blocks, or as the sizes of each."""
    if isinstance(size, str):
        from dask.utils import parse_bytes

        try:
            return size == "auto" or parse_bytes(size) > 0
        except ValueError:
            return False
    if isinstance(size, list | tuple):
        return all(_is_whole(part) and part >= 0 for part in size)
    return size is None or (_is_whole(size) and (size >= 1 or size == -1))


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _in_blocks(ds: xr.Dataset, chunks: Any) -> xr.Dataset:
    """Return ``curve`` and ``logged`` as dask arrays, whose names change as soon as a log does."""
    blocks = dict(ds["curve"].encoding["preferred_chunks"])
    if isinstance(chunks, Mapping):
        odd = [dim for dim in chunks if dim not in blocks]
        if odd:
            raise UnknownNameError(f"chunks: no dim {odd[0]!r}; there are {[*blocks]}")
        blocks |= chunks
    elif chunks != "auto":
        blocks = dict.fromkeys(blocks, int(chunks))
    token = _digest(Path(ds["curve"].encoding["source"]).name, blocks)
    parts = {
        name: ds[name].variable.chunk(blocks, name=f"runcube-{name}-{token}")
        for name in ("curve", "logged")
    }
    made = ds.assign(parts)
    made.set_close(ds.close)
    return made


def _digest(state: str, blocks: Mapping[Any, Any]) -> str:
    return blake2b(repr([state, *blocks.items()]).encode(), digest_size=16).hexdigest()
