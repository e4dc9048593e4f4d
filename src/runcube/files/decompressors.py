"""What unpacks gzip, xz and Zstandard: their libraries, with one interface."""

from __future__ import annotations

import errno
import lzma
import zlib
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol


class Decompressor(Protocol):
    """What the libraries of all formats have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end marker was reached."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was passed behind the end marker."""
        ...

    def decompress(self, data: Any, /) -> bytes:
        """Return what a piece of packed data adds."""
        ...


def decompressor(name: str, memory: int) -> Decompressor:
    """Return what unpacks a part of a format; only xz heeds how much memory it may take.

    Raises
    ------
    OSError
        If the library of the format is not installed.
    """
    if name == "gzip":
        return zlib.decompressobj(wbits=31)
    if name == "xz":
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=memory)
    library = _zstd_library()
    if library is None:
        message = "packed by zstd, which this Python cannot unpack: pip install runcube[zstd]"
        raise OSError(errno.ENOSYS, message)
    opened = library.ZstdDecompressor()
    own: Decompressor = opened.decompressobj() if hasattr(opened, "decompressobj") else opened
    return own


def has_zstd() -> bool:
    """Return whether Zstandard can be unpacked."""
    return _zstd_library() is not None


@lru_cache(maxsize=1)
def _zstd_library() -> Any | None:
    """Return the module that unpacks zstd: of Python from 3.14 on, else that of the extra."""
    for name in ("compression.zstd", "zstandard"):
        with suppress(ImportError):
            return import_module(name)
    return None


def errors() -> tuple[type[Exception], ...]:
    """Return what the libraries raise of damaged data."""
    library = _zstd_library()
    more = () if library is None else (library.ZstdError,)
    return (zlib.error, lzma.LZMAError, MemoryError, *more)


def reason(error: Exception, memory: int) -> str:
    """Return what is wrong with data, as its library says it."""
    if isinstance(error, MemoryError) or str(error) == "Memory usage limit exceeded":
        return f"it takes more memory than Limits(file_bytes={memory}), or than there is"
    return str(error).removeprefix("Error -3 while decompressing data: ")
