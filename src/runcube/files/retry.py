"""Failed requests: which of them are tried again, and their errors, without secrets."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, TypeVar

from runcube.files.paths import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Seconds between the tries: long enough for a server that restarts a worker or sheds load, short
# enough to fail on one file of many.
PAUSES = (0.2, 0.8, 3.0)
# After so many files in a row that could not be read in spite of the pauses, the server is gone,
# and waiting for each of thousands of files is useless.
_ENOUGH = 8
# Timeouts, "too early" and "too many requests" are temporary, as are all errors of the server.
_TEMPORARY = frozenset({408, 425, 429})
_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_GONE = (404, 410)
_DENIED = (401, 403, 407)


class Retrier:
    """Tries requests again whose failure is temporary, unless this recently never helped.

    Parameters
    ----------
    has_passing : bool
        Whether failures of the store can be temporary; False for memory.
    """

    def __init__(self, *, has_passing: bool = True) -> None:
        self._has_passing = has_passing
        self._lost = 0

    def ask(self, request: Callable[[], T], where: str) -> T:
        """Return the result of a request, which is made several times if necessary.

        Parameters
        ----------
        request : callable
            Makes the request.
        where : str
            Path or URL for the error, without secrets.

        Raises
        ------
        OSError
            Any error of the library underneath, with a text that names ``where``.
        """
        pauses = PAUSES if self._has_passing and self._lost < _ENOUGH else ()
        for pause in (*pauses, None):
            try:
                answer = request()
            except Exception as error:  # each store has errors of its own
                temporary = _is_temporary(error)
                if pause is None or not temporary:
                    self._lost += temporary
                    # Not chained: the messages of its causes contain the URL with its token.
                    raise _plain(error, where) from None
                time.sleep(pause)
            else:
                self._lost = 0
                return answer
        raise AssertionError("the last try returns or raises")


def _root_cause(error: BaseException) -> BaseException:
    """Return the cause where fsspec reports it as "not found", as it does for web pages."""
    below = error.__cause__
    if isinstance(error, FileNotFoundError) and below is not None:
        return below
    return error


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error of aiohttp, gcsfs or botocore; None without one."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        # aiohttp warns of "code", which is what gcsfs has.
        status = error.status if hasattr(error, "status") else getattr(error, "code", None)
    return status if isinstance(status, int) else None


def _is_temporary(error: BaseException) -> bool:
    """Return whether the same request may succeed later."""
    error = _root_cause(error)
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _TEMPORARY
    if isinstance(error, _PERMANENT):
        return False
    # Some connection errors of aiohttp are no OSError.
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] == "aiohttp"


def _plain(error: BaseException, where: str) -> OSError:
    """Return an error as an ``OSError`` with number, reason and place."""
    error = _root_cause(error)
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in _GONE:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)
    reason = getattr(error, "message", "") if status is not None else _reason(error)
    text = without_secrets(str(reason))
    if status is not None:
        text = f"HTTP {status} {text}".strip()
    if isinstance(error, PermissionError) or status in _DENIED:
        return PermissionError(errno.EACCES, text, where)
    return OSError(errno.EIO, text, where)


def _reason(error: BaseException) -> str:
    """Return the type and text of an error."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    name = type(error).__name__
    return f"{name}: {text}" if text else name
