"""A directory in which processes leave results for each other, removed even if they die."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

# No user would name a directory so: those that are not in use are removed.
_PREFIX = "runcube-exchange-"
_LOCK = ".runcube-exchange"
# A directory that is younger may not have its lock yet.
_SECONDS = 60.0


@contextmanager
def scratch_directory(needed: int) -> Iterator[str | None]:
    """Yield a new directory: in memory if there is room, else on disk; None if neither works.

    Its lock is held as long as it is in use, so that a later process can recognise the directory
    of a process that was killed, and frees the memory that it holds.

    Parameters
    ----------
    needed : int
        Bytes that must be free in memory.
    """
    with ExitStack() as stack:
        folder = None
        with suppress(OSError):  # no permission to write, or the disk is full
            parent = _parent(needed)
            _sweep(parent)
            folder = stack.enter_context(_directory(parent))
        yield folder


@contextmanager
def _directory(parent: str) -> Iterator[str]:
    """Yield a new, locked directory, which is removed at the end."""
    with (
        tempfile.TemporaryDirectory(
            prefix=f"{_PREFIX}{os.getpid()}-", dir=parent, ignore_cleanup_errors=True
        ) as folder,
        FileLock(Path(folder, _LOCK)),
    ):
        yield folder


def _parent(needed: int) -> str:
    """Return where the directory is made: in memory, or in the directory for temporary files."""
    memory = "/dev/shm"
    with suppress(OSError):
        # Values take less space than the text they were read from.
        if shutil.disk_usage(memory).free > needed and os.access(memory, os.W_OK):
            return memory
    return tempfile.gettempdir()


def _sweep(parent: str) -> None:
    """Remove the directories of our processes that no longer run."""
    for folder in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):
            lock = folder / _LOCK
            if _is_ours(folder) and lock.lstat().st_mtime < time.time() - _SECONDS:
                with FileLock(lock, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Return whether this user made a directory: the lock of another may link to any file."""
    about = folder.lstat()
    return stat.S_ISDIR(about.st_mode) and (os.name == "nt" or about.st_uid == os.getuid())
