"""The file system of a URL, as fsspec has it: found, asked from several threads, its files open."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

from runcube.core import StoreError
from runcube.files.paths import display_root, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

# Requests at a time: enough to hide their latency, few enough for a small server.
_REQUESTS = 16


def file_system(root: str) -> tuple[Any, str]:
    """Return the file system of a URL, configured as fsspec is, and the path in it.

    Raises
    ------
    StoreError
        If no installed library reads such URLs.
    """
    from fsspec.core import url_to_fs

    where = display_root(root)
    try:
        fs, base = url_to_fs(root)
    except ImportError as error:
        raise StoreError(
            f"{where}: {_sentence(error)}; pip install runcube[remote] is enough for http://"
        ) from error
    except ValueError as error:
        known = "it starts like a URL; fsspec knows http://, s3://, gs://, memory://, sftp://, …"
        raise StoreError(f"{where}: {_sentence(error)}: {known}") from error
    return fs, str(base).rstrip("/")


def _sentence(error: Exception) -> str:
    return without_secrets(" ".join(str(error).split())).rstrip(".")


@lru_cache(maxsize=8)
def pool_of(fs: Any, process: int) -> tuple[ThreadPoolExecutor | None, AbstractContextManager[Any]]:
    """Return threads and a lock for requests; no threads for memory, ftp and caches.

    They remember nothing of files, and so the loads of a process share them, as they do ``fs``.
    """
    del process  # a forked one has no threads of its parent
    if type(fs).async_impl:
        return ThreadPoolExecutor(_REQUESTS, "runcube-remote"), nullcontext()
    return None, RLock()


class RemoteFile:
    """A file of a store as the part of a raw stream that ``access`` needs.

    Parameters
    ----------
    size, whole, span : callable
        Return its size, all of it, and its bytes from one place to another.
    """

    def __init__(
        self,
        size: Callable[[], int],
        whole: Callable[[], bytes],
        span: Callable[[int, int], bytes],
    ) -> None:
        self._size = size
        self._whole = whole
        self._span = span
        self._at = 0

    def __enter__(self) -> RemoteFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: connections belong to the store."""

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, or all that is left."""
        if size < 0 and not self._at:
            data = self._whole()
        else:
            end = self._size()
            stop = end if size < 0 else self._at + size
            data = self._span(self._at, stop)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the beginning or the end and return the new position."""
        self._at = offset + (self._size() if whence == os.SEEK_END else 0)
        return self._at
