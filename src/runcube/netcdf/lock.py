"""One lock for all that touches a netCDF file: neither its library nor HDF5 bears two threads."""

from __future__ import annotations

from inspect import signature
from threading import RLock
from typing import Any

from xarray.backends import NetCDF4DataStore


class _Lock:
    """The lock under which xarray reads and writes netCDF files; who holds it may take it again."""

    def __init__(self) -> None:
        self._own = RLock()
        self._held = 0
        self._of_xarray: Any = signature(NetCDF4DataStore).parameters["lock"].default

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock, and return whether that succeeded."""
        if not self._own.acquire(blocking):
            return False
        if not self._held and not self._of_xarray.acquire(blocking):
            self._own.release()
            return False
        self._held += 1
        return True

    def release(self) -> None:
        """Give the lock back, once for each time that it was taken."""
        self._held -= 1
        if not self._held:
            self._of_xarray.release()
        self._own.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __reduce__(self) -> str:
        """Be the lock of the process that this is sent to."""
        return "NETCDF_LOCK"


NETCDF_LOCK = _Lock()
