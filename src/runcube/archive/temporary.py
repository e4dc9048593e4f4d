"""Temporary directories of ``open_runs``, which do not outlive who made them for long."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path


def temporary_directory() -> Path:
    """Return a new temporary directory; those whose owner was killed are removed.

    That is told by its name where Linux tells one machine, since it was started, and one namespace
    of processes from others that share the directory for temporary files. Elsewhere they stay.
    """
    here = _here()
    if here is None:
        return Path(tempfile.mkdtemp(prefix="runcube-"))
    for left in Path(tempfile.gettempdir()).glob(f"runcube-{here}-*-*"):
        owner = left.name.split("-")[2]
        if owner.isdigit() and _is_gone(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"runcube-{here}-{os.getpid()}-"))


def _here() -> str | None:
    """Return where the number of a process means this one, and whose it is; None if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    return blake2b(repr([boot, space, os.geteuid()]).encode(), digest_size=6).hexdigest()


def _is_gone(process: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return True
    return False
