"""The file system of a URL, as fsspec has it: found, asked from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

from runcube.core import StoreError
from runcube.files.paths import display_root, without_secrets

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

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
