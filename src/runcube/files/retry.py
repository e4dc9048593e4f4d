"""What a failed request means: to be tried again, or to be told; in words without secrets."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, TypeVar

from runcube.files.paths import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Seconds between the tries: what a server needs that restarts a worker or sheds load, and short
# enough to fail on one file of many.
PAUSES = (0.2, 0.8, 3.0)
# Files in a row that could not be read in spite of the pauses: then the server is gone, and
# waiting for each of thousands of files helps nobody.
_ENOUGH = 8
# Timeouts, "too early" and "too many requests" pass, as does whatever is the server's own fault.
_PASSING = frozenset({408, 425, 429})
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_GONE = (404, 410)
_DENIED = (401, 403, 407)


class Retrier:
    """Tries requests again that failed in passing, unless it was all in vain of late.

    Parameters
    ----------
    has_passing : bool
        False for a store whose answers are never wrong in passing: memory.
    """

    def __init__(self, *, has_passing: bool = True) -> None:
        self._has_passing = has_passing
        self._lost = 0

    def ask(self, request: Callable[[], T], where: str) -> T:
        """Make a request, several times if need be.

        Raises
        ------
        OSError
            Whatever the library underneath raises, in words that name ``where``.
        """
        pauses = PAUSES if self._has_passing and self._lost < _ENOUGH else ()
        for pause in (*pauses, None):
            try:
                answer = request()
            except Exception as error:
                passing = _is_passing(error)
                if pause is None or not passing:
                    self._lost += passing
                    # Not chained: the messages below spell the URL with its token.
                    raise _plain(error, where) from None
                time.sleep(pause)
            else:
                self._lost = 0
                return answer
        raise AssertionError("the last try returns or raises")


def _root_cause(error: BaseException) -> BaseException:
    """fsspec says "not found" of a web page whatever went wrong; what did stands below."""
    below = error.__cause__
    if isinstance(error, FileNotFoundError) and below is not None:
        return below
    return error


def _status(error: BaseException) -> int | None:
    """Status of the answer, where a server answered: of aiohttp, gcsfs, botocore."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        # aiohttp warns of "code", which is what gcsfs has.
        status = error.status if hasattr(error, "status") else getattr(error, "code", None)
    return status if isinstance(status, int) else None


def _is_passing(error: BaseException) -> bool:
    error = _root_cause(error)
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, _FOR_GOOD):
        return False
    # aiohttp has errors of connections that are no OSError.
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] == "aiohttp"


def _plain(error: BaseException, where: str) -> OSError:
    """Say what went wrong as an ``OSError`` with number, reason and place."""
    error = _root_cause(error)
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in _GONE:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)
    reason = getattr(error, "message", "") if status is not None else _words(error)
    text = without_secrets(str(reason))
    if status is not None:
        text = f"HTTP {status} {text}".strip()
    if isinstance(error, PermissionError) or status in _DENIED:
        return PermissionError(errno.EACCES, text, where)
    return OSError(errno.EIO, text, where)


def _words(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    name = type(error).__name__
    return f"{name}: {text}" if text else name
