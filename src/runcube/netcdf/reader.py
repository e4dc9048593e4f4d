"""Reading a cube from a netCDF file: coordinates in memory, values lazily."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from xarray.backends import CachingFileManager, NetCDF4DataStore

from runcube.core import (
    LONG_TEXT_ENCODING,
    ArchiveError,
    RuncubeError,
    UnknownNameError,
)
from runcube.files import is_netcdf
from runcube.netcdf.encoding import CUBE, FORMAT, decode
from runcube.netcdf.lock import NETCDF_LOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import netCDF4

# A file may be replaced between two reads of it, though hardly this often.
_TRIES = 20


class _ReplacedError(ArchiveError):
    """The file was replaced since it was opened."""


def read_blob(group: netCDF4.Group, name: str) -> list[bytes]:
    """Return the rows that ``write_blob`` stored."""
    blob = group.variables[name]
    blob.set_auto_maskandscale(False)
    count = int(blob.getncattr("rows"))
    ends = np.cumsum(group.variables[f"{name}_sizes"][:][:count]).tolist()
    data = blob[:].tobytes()
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def open_same(path: str, identity: tuple[int, ...], mode: Literal["r"]) -> Any:
    """Open a file, also again after xarray closed it, unless it was replaced.

    Raises
    ------
    ArchiveError
        If inode, size or time of the file differ from ``identity``. The device may: it has another
        number on each machine that shares a disk.
    """
    import netCDF4

    stat = os.stat(path)
    if identity != (stat.st_ino, stat.st_size, stat.st_mtime_ns):
        raise _ReplacedError(f"{path}: was replaced since it was opened; open it again")
    return netCDF4.Dataset(path, mode)


def read_file(
    path: Path,
    chunks: Any = None,
    *,
    messages: bool = False,
    open_file: Callable[..., Any] = open_same,
) -> xr.Dataset:
    """Open a cube: coordinates in memory, ``curve`` and ``logged`` lazy.

    Parameters
    ----------
    path : Path
        The netCDF file.
    chunks : int, dict, "auto" or None
        Dask chunks of ``curve`` and ``logged``, as for ``xarray.open_dataset``; None: no dask.
    messages : bool
        Whether to read the text lines of the runs as well, if the archive has them.
    open_file : callable
        What opens the file, now and again: as ``open_same``, which processes can send each other.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    UnknownNameError
        If ``chunks`` names a dim that does not exist.
    ArchiveError
        If the file is no archive, or is damaged.
    """
    for _ in range(_TRIES):
        try:
            with NETCDF_LOCK:
                return _read_once(path, chunks, messages=messages, open_file=open_file)
        except _ReplacedError:
            continue
    raise _ReplacedError(f"{path}: is replaced again and again; try later")


def _read_once(
    path: Path, chunks: Any, *, messages: bool, open_file: Callable[..., Any]
) -> xr.Dataset:
    """Open a cube as ``read_file``, or raise if the file is replaced meanwhile."""
    check_file(path)
    stat = path.stat()
    identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    file = str(path.absolute())
    manager: Any = CachingFileManager(open_file, file, identity, mode="r", lock=NETCDF_LOCK)
    make_store: Any = partial(NetCDF4DataStore, lock=NETCDF_LOCK)
    try:
        schema, texts = _schema_of(manager.acquire(), messages=messages)
        # The cube makes the indexes, from the original labels.
        ds = xr.open_dataset(make_store(manager), create_default_indexes=False)
        if chunks is not None:
            _check_chunks(chunks, ds)
            # The coordinates are read into memory: only the values are in chunks.
            beside = [str(name) for name in ds.variables if name not in CUBE]
            parts = xr.open_dataset(
                make_store(manager),
                chunks=chunks,
                drop_variables=beside,
                create_default_indexes=False,
            )
            ds = ds.assign({name: parts[name].variable for name in CUBE if name in parts})
        made = _cube_of(path, ds, schema, texts)
    except RuncubeError:
        manager.close()
        raise
    except Exception as error:  # whatever decoding raises, it is damaged
        manager.close()
        raise damaged(path, error) from error
    made.set_close(manager.close)
    return made


def _check_chunks(chunks: Any, ds: xr.Dataset) -> None:
    """Raise if ``chunks`` names a dim that does not exist."""
    odd = [dim for dim in chunks if dim not in ds.dims] if isinstance(chunks, dict) else []
    if odd:
        raise UnknownNameError(f"chunks: no dim {odd[0]!r}; there are {list(ds.dims)}")


def _schema_of(
    file: netCDF4.Dataset, *, messages: bool
) -> tuple[dict[str, Any] | None, dict[str, list[bytes]]]:
    """Return the schema of an archive, None if it has none, and its text blobs by name."""
    if "runcube_archive" not in file.ncattrs():
        return None, {}
    schema = json.loads(file.getncattr("runcube_archive"))
    names = dict(schema.get("texts", {}))
    if messages and schema.get("messages"):
        names["messages"] = "messages"
    group: Any = file.groups.get("text")
    return schema, {name: read_blob(group, blob) for name, blob in names.items()}


def _cube_of(
    path: Path, ds: xr.Dataset, schema: dict[str, Any] | None, texts: dict[str, list[bytes]]
) -> xr.Dataset:
    """Return the cube of an opened file, with the names, attrs and texts that were encoded."""
    missing = next((name for name in CUBE if name not in ds.variables), None)
    if missing is not None:
        found = ", ".join(map(repr, list(ds.variables)[:8])) or "none"
        raise ArchiveError(
            f"{path}: not a runcube archive: no variable {missing!r} (found: {found})"
        )
    if schema is None:  # a cube that plain to_netcdf saved
        schema = {"format": 1, "variables": {}, "attrs": {}, "data_vars": [*map(str, ds.data_vars)]}
    if schema["format"] != FORMAT:
        raise ArchiveError(
            f"{path}: archive format {schema['format']}, this runcube reads {FORMAT}: upgrade it"
        )
    made = decode(ds, schema, texts)
    for variable in made.variables.values():
        # Not by drop_encoding, which reads lazy values in older versions of xarray.
        variable.encoding = dict(LONG_TEXT_ENCODING) if variable.dtype.kind == "O" else {}
    return made


@contextmanager
def opened(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open a netCDF file for reading.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    ArchiveError
        If it is a directory, no netCDF file, or damaged.
    """
    import netCDF4

    check_file(path)
    try:
        with NETCDF_LOCK:
            file = netCDF4.Dataset(path, "r")
    except Exception as error:  # the libraries raise errors of any kind
        raise damaged(path, error) from error
    try:
        yield file
    except RuntimeError as error:  # what netCDF4 raises where bytes are damaged
        raise damaged(path, error) from error
    finally:
        with NETCDF_LOCK:
            file.close()


def check_file(path: Path) -> None:
    """Raise if a path cannot be a netCDF file.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    ArchiveError
        If it is a directory, or does not begin like a netCDF file.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise ArchiveError(f"{path}: is a directory; expected a netCDF file")
    if not is_netcdf(path):
        with path.open("rb") as stream:
            raise ArchiveError(f"{path}: not a netCDF file (it begins with {stream.read(8)!r})")


def damaged(path: Path, error: Exception) -> ArchiveError:
    """Return the error for a file that cannot be read to its end."""
    return ArchiveError(f"{path}: the file is damaged or was cut short ({error})")
