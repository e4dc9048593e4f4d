"""Resources of the machine: memory, CPUs, and the garbage collector while a sweep is loaded."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runcube.core.errors import CubeTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNLIMITED = 1 << 62


def check_memory(cells: int, needed: int, remedy: str) -> None:
    """Raise if a cube cannot fit in memory.

    Parameters
    ----------
    cells : int
        Cells of the cube, for the message.
    needed : int
        Bytes that the cube needs.
    remedy : str
        What the user can do; the end of the message.

    Raises
    ------
    CubeTooLargeError
        If fewer bytes are free than needed.
    """
    available = available_bytes()
    if needed > available:
        raise CubeTooLargeError(
            f"the cube has {cells:,} cells and needs {needed / 1e9:,.1f} GB, but "
            f"{available / 1e9:,.1f} GB of memory are free: {remedy}"
        )


def available_bytes() -> int:
    """Return the bytes that can be allocated now, within limits of process and control group."""
    free = min(_meminfo(), _within_ulimit())
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, limit - used)


def _within_ulimit() -> int:
    """Return the bytes of address space left below ``ulimit -v``, as batch systems set it."""
    try:
        import resource
    except ImportError:  # Windows
        return _UNLIMITED
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return _UNLIMITED
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        pages = 0
    return max(0, limit - pages * resource.getpagesize())


def _meminfo() -> int:
    """Return the bytes of memory that the system has available."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return _UNLIMITED


# Windows can wait for at most this many processes at once.
_MOST_CPUS = 61


def usable_cpus() -> int:
    """Return the number of CPUs this process may use, by affinity and control-group quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    return int(min(count, _MOST_CPUS, _quota()))


def _quota() -> float:
    """Return the number of CPUs that the control groups of this process allow."""
    found = [float("inf")]
    with suppress(OSError, ValueError):
        root = Path("/sys/fs/cgroup")
        # Version 2: "0::/the/group"; a limit of any group above counts as well.
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "/")
        inner = root / own.strip("/")
        groups = [group for group in (inner, *inner.parents) if group.is_relative_to(root)]
        found += [_ratio(group / "cpu.max") for group in groups]
        # Version 1, as containers see it.
        found.append(_ratio(root / "cpu/cpu.cfs_quota_us", root / "cpu/cpu.cfs_period_us"))
    return max(1.0, min(found))


def _ratio(*paths: Path) -> float:
    """Return the number of CPUs that quota and period allow, from one file or two."""
    try:
        quota, period = " ".join(path.read_text() for path in paths).split()
        return float(quota) / float(period) if float(quota) > 0 else float("inf")
    except (OSError, ValueError):  # no such file; "max"
        return float("inf")


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable the cyclic garbage collector, which would walk the records of a sweep over and over.

    Parsed logs form no cycles, so no garbage accumulates meanwhile. Where another thread has
    disabled it, or the user, it is theirs to enable.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
