"""When a remote file last changed, or a substitute where the store does not report it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECOND = 10**9
# The keys of the stores: local and sftp, S3, GCS, HDFS and Azure, HTTP, memory.
_TIMES = ("mtime", "LastModified", "updated", "last_modified", "modified", "Last-Modified")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Digest", "generation", "sha")


def modified_ns(info: Mapping[str, Any]) -> int:
    """Return nanoseconds that change when a file does, as far as its store reports it.

    The seconds are the time of the last change, 0 if it is not reported. If there is a tag of the
    content, the fraction of a second is made from it: most stores report only whole seconds.

    Parameters
    ----------
    info : mapping
        What fsspec reports of a file.

    Examples
    --------
    >>> modified_ns({"mtime": 1.5}), modified_ns({"size": 3})
    (1500000000, 0)
    >>> modified_ns({"ETag": "a"}) == modified_ns({"ETag": "b"})
    False
    """
    reported = [info[name] for name in (*_TIMES, "created") if info.get(name) is not None]
    time = _nanoseconds(reported[0]) if reported else 0
    tags = [f"{name}={info[name]}" for name in _TAGS if info.get(name)]
    if reported and not time:  # a time in an unknown format still changes
        tags.append(str(reported[0]))
    if not tags:
        return time
    digest = blake2b("\n".join(tags).encode("utf-8", "replace"), digest_size=8).digest()
    return time - time % _SECOND + int.from_bytes(digest) % _SECOND


def _nanoseconds(time: Any) -> int:
    """Return a time in nanoseconds since 1970; 0 for an unknown format."""
    try:
        if isinstance(time, str):
            time = _parsed(time)
        if isinstance(time, datetime):
            time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
            time = time.timestamp()
        return int(time * _SECOND)
    except (TypeError, ValueError, OverflowError, OSError):
        return 0


def _parsed(time: str) -> datetime:
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return parsedate_to_datetime(time)
