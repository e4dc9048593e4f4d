"""A cube in one netCDF file, and back: nothing here depends on logs.

``encoding`` converts a cube to what netCDF can hold, ``writer`` lays out the file and fills it by
blocks, ``chunks`` compresses and places whole chunks, ``reader`` opens a file with lazy values,
all of them under one ``lock``.
Start in ``writer``. May import ``core``, ``files`` and ``cube``.
"""

from runcube.netcdf.chunks import Region
from runcube.netcdf.encoding import encode, pack_text, unpack_text
from runcube.netcdf.lock import NETCDF_LOCK
from runcube.netcdf.reader import damaged, open_same, opened, read_blob, read_file
from runcube.netcdf.writer import (
    BLOCK_BYTES,
    Blocks,
    CubeShape,
    Storage,
    chunk_shape,
    is_long,
    regions,
    write_blob,
    write_file,
    write_rows,
)

__all__ = [
    "BLOCK_BYTES",
    "NETCDF_LOCK",
    "Blocks",
    "CubeShape",
    "Region",
    "Storage",
    "chunk_shape",
    "damaged",
    "encode",
    "is_long",
    "open_same",
    "opened",
    "pack_text",
    "read_blob",
    "read_file",
    "regions",
    "unpack_text",
    "write_blob",
    "write_file",
    "write_rows",
]
