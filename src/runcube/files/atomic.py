"""Replacing a whole file: written beside it, synced, renamed; one writer at a time."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from runcube.core import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a file system without locks says.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
# Seconds of waiting for another process after which it is said.
PATIENCE = 5.0
# Bytes of a disk that are too few for what HDF5 writes at once.
_NO_ROOM = 1 << 20
# HDF5, and the classic forms of netCDF.
_NETCDF_HEADS = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")


@contextmanager
def locked(path: Path, *, own: bool = False) -> Iterator[None]:
    """Lock a file against other writers; readers are not kept out.

    Parameters
    ----------
    path : Path
    own : bool
        Whether nothing but archives of the caller can have this name: whatever stands there may be
        replaced, and a process that is writing it is waited for.

    Raises
    ------
    ArchiveError
        If another process is writing it, or its directory cannot be written.

    Warns
    -----
    UserWarning
        If it takes long to wait.
    """
    if not own:
        check_target(path)
    beside = path.with_name(f".{path.name}.lock")
    lock = FileLock(beside)
    try:
        _acquire(lock, path, is_patient=own)
    except Timeout:
        raise ArchiveError(
            f"{path}: another process is writing it (lock file {beside.name}); try again later"
        ) from None
    except OSError as error:
        if own and error.errno in _NO_LOCKS:
            # At worst two write the same.
            yield
            return
        raise ArchiveError(f"{path.parent}: cannot be written: {_reason(error)}") from error
    try:
        yield
    finally:
        # While the lock is held: no other process has this file, and the next makes a new one.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, path: Path, *, is_patient: bool) -> None:
    """Acquire a lock at once, or after whatever time, of which a long one is said.

    Raises
    ------
    Timeout
        If another process has it, and this one is not patient.
    """
    try:
        lock.acquire(timeout=PATIENCE if is_patient else 0)
    except Timeout:
        if not is_patient:
            raise
        warnings.warn(
            f"{path}: waiting for another process or thread that is writing this file (lock file "
            f"{Path(lock.lock_file).name})",
            # At the call of ``open_runs``, the only one that waits.
            stacklevel=7,
        )
        lock.acquire()


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a name to write to; the file written there replaces ``path`` if nothing raises.

    Call it while the file is ``locked``: temporary files of writers that were killed are removed.

    Raises
    ------
    ArchiveError
        If the file could not be written or replaced; the old one is unchanged.
    """
    for litter in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        litter.unlink(missing_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        _sync(beside)
        os.replace(beside, path)
        _sync(path.parent)
    except (OSError, RuntimeError) as error:  # netCDF4 raises RuntimeError where HDF5 fails
        cause = _cause(error, path.parent)
        raise ArchiveError(f"{path}: could not be written: {_reason(cause)}") from cause
    finally:
        beside.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise if no archive can be written to a path, or something else exists there.

    Raises
    ------
    ArchiveError
        If the path is a directory, its directory is missing or cannot be written, or a file
        exists there that is no netCDF file.
    """
    if path.is_dir():
        raise ArchiveError(f"{path}: is a directory; expected a file name such as sweep.nc")
    if not path.parent.is_dir():
        raise ArchiveError(f"{path.parent}: no such directory")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ArchiveError(f"{path.parent}: cannot be written: permission denied")
    if path.exists() and not path.is_file():
        raise ArchiveError(f"{path}: is no regular file")
    if path.exists() and path.stat().st_size and not is_netcdf(path):
        raise ArchiveError(f"{path}: exists and is no netCDF file; remove it or choose a name")


def is_netcdf(path: Path) -> bool:
    """Return whether a file begins like a netCDF file."""
    with path.open("rb") as stream:
        return stream.read(8).startswith(_NETCDF_HEADS)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _cause(error: Exception, directory: Path) -> Exception:
    """Return an error, or that the disk is full, which HDF5 does not tell."""
    is_full = shutil.disk_usage(directory).free < _NO_ROOM
    if is_full and getattr(error, "errno", None) is None:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


def _sync(path: Path) -> None:
    """Flush a file, or a directory where the system allows it, to disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
