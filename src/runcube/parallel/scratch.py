"""A directory in which processes leave results for each other, and how it goes if they die."""

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

# Of no directory that anybody would make by hand: what is not in use is removed.
_PREFIX = "runcube-exchange-"
_LOCK = ".runcube-exchange"
# A directory that is younger may not have its lock yet.
_SECONDS = 60.0


@contextmanager
def scratch_directory(needed: int) -> Iterator[str | None]:
    """Make a directory for some bytes: in memory if there is room, else on disk; None if nowhere.

    Its lock is held as long as it is in use, so that whoever comes next can tell the directory of
    a process that was killed, and frees the memory that it holds.
    """
    with ExitStack() as stack:
        folder = None
        with suppress(OSError):  # nothing may be written here, or the disk is full
            parent = _parent(needed)
            _sweep(parent)
            folder = stack.enter_context(_directory(parent))
        yield folder


@contextmanager
def _directory(parent: str) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(
            prefix=f"{_PREFIX}{os.getpid()}-", dir=parent, ignore_cleanup_errors=True
        ) as folder,
        FileLock(Path(folder, _LOCK)),
    ):
        yield folder


def _parent(needed: int) -> str:
    memory = "/dev/shm"
    with suppress(OSError):
        # Values take less room than the text they were read from.
        if shutil.disk_usage(memory).free > needed and os.access(memory, os.W_OK):
            return memory
    return tempfile.gettempdir()


def _sweep(parent: str) -> None:
    """Remove the directories of our processes that are no more."""
    for folder in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):
            lock = folder / _LOCK
            if _is_ours(folder) and lock.lstat().st_mtime < time.time() - _SECONDS:
                with FileLock(lock, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether this user made a directory: a lock that others put there may be a link anywhere."""
    about = folder.lstat()
    return stat.S_ISDIR(about.st_mode) and (os.name == "nt" or about.st_uid == os.getuid())
