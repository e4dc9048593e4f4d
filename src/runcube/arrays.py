"""Text and fill values that xarray keeps and netCDF can hold; how much memory there is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.model import CubeTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# What an absent cell holds, by dtype kind.
_FILL: dict[str, Any] = {"f": np.nan, "U": "", "b": False, "i": 0, "O": ""}
# Long text: compressed in plain to_netcdf, and lazy when it is opened again.
LONG_TEXT_ENCODING = {"dtype": "S1", "zlib": True}


def clean_text(text: str) -> str:
    r"""Escape what netCDF text cannot hold: NUL and undecodable bytes.

    Examples
    --------
    >>> print(clean_text("a\0b"), clean_text("caf\udce9"))
    a\x00b caf\udce9
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def text_array(texts: Sequence[str]) -> NDArray[np.str_]:
    """One-dimensional ``<U`` array, as wide as its longest text."""
    return np.array([clean_text(t) for t in texts], dtype=np.str_)


def filled(shape: tuple[int, ...], like: NDArray[Any]) -> NDArray[Any]:
    """Array of absent cells with the dtype of ``like``: NaN, ``""``, False or 0."""
    dtype = like.dtype if like.dtype.itemsize else np.dtype("<U1")
    return np.full(shape, _FILL[dtype.kind], dtype=dtype)


def spread(shape: tuple[int, ...], positions: NDArray[np.intp], values: NDArray[Any]) -> Any:
    """Scatter one value per run to an array of cells; the other cells are absent.

    Parameters
    ----------
    shape : tuple of int
    positions : ndarray of int, (runs,)
        Flat positions in C order.
    values : ndarray, (runs,)
    """
    cells = filled((int(np.prod(shape, dtype=np.int64)),), values)
    cells[positions] = values
    return cells.reshape(shape)


def spread_text(
    shape: tuple[int, ...], positions: NDArray[np.intp], texts: Iterable[str]
) -> NDArray[np.object_]:
    """Scatter long text, one a run, to an object array of cells."""
    cells = np.full(int(np.prod(shape, dtype=np.int64)), "", dtype=object)
    cells[positions] = np.array([*map(clean_text, texts), ""], dtype=object)[:-1]
    return cells.reshape(shape)


_UNLIMITED = 1 << 62


def check_memory(cells: int, needed: int, remedy: str) -> None:
    """Refuse what cannot fit.

    Raises
    ------
    CubeTooLargeError
        With cells, bytes and the remedy.
    """
    available = available_bytes()
    if needed > available:
        raise CubeTooLargeError(
            f"the cube has {cells:,} cells and needs {needed / 1e9:,.1f} GB, but "
            f"{available / 1e9:,.1f} GB of memory are free: {remedy}"
        )


def available_bytes() -> int:
    """Memory that can be had now, within the limits of the process and of its control group."""
    free = min(_meminfo(), _within_ulimit())
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, limit - used)


def _within_ulimit() -> int:
    """Address space that is left below ``ulimit -v``, as batch systems set it."""
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
