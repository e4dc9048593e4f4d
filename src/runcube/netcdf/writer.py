"""Writing a cube to one new netCDF file: chunks, blocks of values, text blobs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from runcube.core import ArchiveError
from runcube.cube import x_dim
from runcube.netcdf.chunks import FILTERS, ChunkFile, Region
from runcube.netcdf.lock import NETCDF_LOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import netCDF4
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.netcdf.encoding import Encoded


# Regions with the values and the mask to write there (see ``write_file``).
Blocks: TypeAlias = "Iterable[tuple[Region, NDArray[Any] | None, NDArray[np.bool_] | None]]"

# Bytes of a chunk: one curve and its neighbours along the cell dims, read and compressed together.
CHUNK_BYTES = 1 << 17
# Labels of x from which on curves are cut into pieces, if that pays; the shortest has half of it.
_LONG_X = 1024
# Bytes in memory at a time while a cube is written.
BLOCK_BYTES = 1 << 25
_BLOB_CHUNK = 1 << 16
_BLOB_PART = 1 << 22


@dataclass(frozen=True)
class Storage:
    """How the values are stored: recorded in the schema, lossy only on request.

    Parameters
    ----------
    dtype : {"float64", "float32"}
        Type of ``curve`` in the file.
    significant_digits : int or None
        Decimal digits that are kept, 1 to 15; None: all.
    packed : bool
        Whether chunks that are full of values are compressed; those with gaps always are.
    """

    dtype: str = "float64"
    significant_digits: int | None = None
    packed: bool = True

    def __post_init__(self) -> None:
        """Raise if a field has no valid value.

        Raises
        ------
        ArchiveError
            If ``dtype`` or ``significant_digits`` is none of the values above.
        """
        if type(self.dtype) is not str or self.dtype not in ("float32", "float64"):
            raise ArchiveError(f"dtype={self.dtype!r}: expected 'float64' or 'float32'")
        digits: object = self.significant_digits
        whole = isinstance(digits, int) and not isinstance(digits, bool)
        if digits is not None and not (whole and 1 <= digits <= 15):  # type: ignore[operator]
            raise ArchiveError(f"significant_digits={digits!r}: expected 1 to 15")

    def facts(self) -> dict[str, Any]:
        """Return what changes the values, as an archive records it."""
        return {"dtype": self.dtype, "significant_digits": self.significant_digits}

    def apply(self, values: NDArray[Any], logged: NDArray[np.bool_]) -> NDArray[Any]:
        """Return values as they are stored; applying it again changes nothing.

        Parameters
        ----------
        values : ndarray of float64
            Values of any shape.
        logged : ndarray of bool
            True where a value was logged; of the shape of ``values``.

        Raises
        ------
        ArchiveError
            If a value is out of the range of float32.
        """
        made = values
        if self.dtype == "float32":
            with np.errstate(over="ignore", under="ignore"):
                made = values.astype(np.float32)
            lost = np.isfinite(values) & (np.isinf(made) | ((made == 0) & (values != 0))) & logged
            if lost.any():
                value = values[lost][0].item()
                raise ArchiveError(f"dtype='float32': {value!r} is out of its range; use float64")
        if self.significant_digits is not None:
            made = round_digits(made, self.significant_digits)
        return made


def round_digits(values: NDArray[Any], digits: int) -> NDArray[Any]:
    """Return values rounded to ``digits`` decimal digits of the mantissa; ties to even.

    NaN and infinities do not change. The trailing zero bits compress well
    (Kouznetsov 2021, doi:10.5194/gmd-14-377-2021).

    Examples
    --------
    >>> import numpy as np
    >>> round_digits(np.array([np.pi, np.inf]), 2).tolist()
    [3.140625, inf]
    """
    kind: Any = np.uint32 if values.dtype == np.float32 else np.uint64
    mantissa = 23 if values.dtype == np.float32 else 52
    drop = mantissa - int(np.ceil(digits * np.log2(10)))
    if drop <= 0:
        return values
    raw = values.view(kind)
    even = (raw >> kind(drop)) & kind(1)
    kept = (raw + even + kind((1 << (drop - 1)) - 1)) & ~kind((1 << drop) - 1)
    rounded = kept.view(values.dtype)
    # The very largest would become infinite; the very smallest have fewer digits already.
    normal = np.isfinite(values) & (np.abs(values) >= np.finfo(values.dtype).tiny)
    return np.where(normal & np.isfinite(rounded), rounded, values)


def chunk_shape(ds: xr.Dataset, reach: NDArray[np.int64] | None = None) -> tuple[int, ...]:
    """Return the chunk of ``curve``: all of x, one split, one metric, cell dims as they fit.

    Where most runs end long before the last x, curves are cut into pieces: those in which no run
    has values are not written.

    Parameters
    ----------
    ds : Dataset
        The cube.
    reach : (runs,) or (curves,) int64, optional
        Labels of x up to the last one at which each run, or curve, has a value.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> dims = ("lr", "seed", "split", "metric", "epoch")
    >>> curve = xr.DataArray(np.broadcast_to(0.0, (5, 40, 3, 5, 10_000)), dims=dims)
    >>> status = xr.DataArray(np.full((5, 40), "complete"), dims=dims[:2])
    >>> ds = xr.Dataset({"curve": curve, "logged": curve > 0}, {"status": status})
    >>> chunk_shape(ds.isel(epoch=slice(100)))
    (3, 40, 1, 1, 100)
    >>> chunk_shape(ds, np.array([10_000] + [20] * 199))
    (1, 20, 1, 1, 625)
    """
    dims = [str(d) for d in ds["curve"].dims]
    x = x_dim(ds)
    chunk = dict.fromkeys(dims, 1)
    room = CHUNK_BYTES // 8
    if x is not None:
        size = ds.sizes[x]
        chunk[x] = min(size if reach is None else _piece(size, reach), 1 << 21)
        room //= max(1, chunk[x])
        if chunk[x] < size:
            # Updates hold all that is in the cells of a chunk.
            inner = size * ds.sizes.get("split", 1) * ds.sizes.get("metric", 1)
            room = min(room, BLOCK_BYTES // 8 // max(1, inner))
    for dim in reversed(dims):
        if dim in (x, "split", "metric"):
            continue
        size = ds.sizes[dim]
        parts = -(-size // max(1, min(size, room)))
        chunk[dim] = -(-size // max(1, parts))
        room //= max(1, chunk[dim])
        if chunk[dim] < size:
            break
    return tuple(max(1, chunk[d]) for d in dims)


def is_long(size: int) -> bool:
    """Return whether curves over so many labels of x may be cut into pieces."""
    return size >= _LONG_X


def _piece(size: int, reach: NDArray[np.int64]) -> int:
    """Return the largest piece of x of which runs fill about half, as far as they reach."""
    piece = size
    while is_long(piece) and piece * (-(-reach // piece)).sum() > 2 * reach.sum():
        piece = -(-piece // 2)
    return piece


def regions(shape: Sequence[int], chunk: Sequence[int], limit: int) -> Iterator[Region]:
    """Yield boxes of whole chunks that cover an array, of at most ``limit`` values if chunks allow.

    Examples
    --------
    >>> [r[0] for r in regions((5, 4), (2, 4), 16)]
    [slice(0, 4, None), slice(4, 5, None)]
    """
    chunk = [max(1, step) for step in chunk]
    box = list(chunk)
    for axis in reversed(range(len(shape))):
        fits = limit // max(1, int(np.prod(box, dtype=np.int64)))
        whole = -(-shape[axis] // chunk[axis])
        box[axis] = chunk[axis] * max(1, min(fits, whole))
        if fits < whole:
            break
    counts = [-(-size // step) for size, step in zip(shape, box, strict=True)]
    for index in np.ndindex(*counts):
        yield tuple(
            slice(i * step, min(size, (i + 1) * step))
            for i, step, size in zip(index, box, shape, strict=True)
        )


def write_file(
    path: Path,
    encoded: Encoded,
    cube: CubeShape,
    blocks: Callable[[Iterator[Region]], Blocks],
    storage: Storage,
    *,
    extra: Callable[[netCDF4.Dataset], None] | None = None,
    source: Path | None = None,
) -> None:
    """Write a cube to a new file.

    Parameters
    ----------
    path : Path
        A file that does not exist yet, such as :func:`replace_atomically` yields.
    encoded : Encoded
        The cube without its values.
    cube : CubeShape
        Dims, shape and chunk of the values.
    blocks : callable
        Gets the regions and yields each with its values and its mask of what was logged. Values
        of None are all NaN; if both are None, the chunks are copied from ``source``. What is not
        yielded is NaN and False.
    storage : Storage
        Type and digits of the values in the file.
    extra : callable, optional
        Adds groups to the open file, after all blocks are written.
    source : Path, optional
        An archive with the same chunks and filters.

    Raises
    ------
    ArchiveError
        If a value is out of the range of ``storage.dtype``.
    """
    import netCDF4
    from xarray.backends import NetCDF4DataStore

    with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        # Not by to_netcdf, which imports dask.distributed to ask it for a lock.
        encoded.frame.dump_to_store(
            NetCDF4DataStore(file, lock=NETCDF_LOCK), encoding=encoded.encoding
        )
        file.set_auto_maskandscale(False)
        for dim, size in zip(cube.dims, cube.shape, strict=True):
            if dim not in file.dimensions:
                file.createDimension(dim, size)
        _create(file, encoded, cube, storage)
    with ExitStack() as stack:
        old = None if source is None else stack.enter_context(ChunkFile(source, "r"))
        new = stack.enter_context(ChunkFile(path))
        for region, values, mask in blocks(regions(cube.shape, cube.chunk, BLOCK_BYTES // 8)):
            if mask is not None:
                stored = None if values is None else storage.apply(values, mask)
                new.put(region, stored, mask, packed=storage.packed)
            elif old is not None:
                new.copy(old, region)
    with NETCDF_LOCK, netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        texts = _write_texts(file, encoded)
        schema = encoded.schema | {"dtype": storage.dtype, "texts": texts}
        if storage.significant_digits is not None:
            schema["significant_digits"] = storage.significant_digits
        file.setncattr("runcube_archive", json.dumps(schema))
        if extra is not None:
            extra(file)


@dataclass(frozen=True)
class CubeShape:
    """Dims, shape and chunk of ``curve`` and ``logged``.

    Parameters
    ----------
    dims : tuple of str, (dims,)
        Names of the dims in the file.
    shape : tuple of int, (dims,)
        Size of each dim.
    chunk : tuple of int, (dims,)
        Size of a chunk along each dim.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]

    @classmethod
    def of(
        cls, ds: xr.Dataset, encoded: Encoded, reach: NDArray[np.int64] | None = None
    ) -> CubeShape:
        """Return the shape of a cube; see ``chunk_shape``."""
        dims = tuple(encoded.names[str(d)] for d in ds["curve"].dims)
        return cls(dims, ds["curve"].shape, chunk_shape(ds, reach))


def _create(file: netCDF4.Dataset, encoded: Encoded, cube: CubeShape, storage: Storage) -> None:
    """Create ``curve`` and ``logged`` in a file, with attrs and without values."""
    options: dict[str, Any] = {**FILTERS, "chunksizes": cube.chunk} if cube.dims else {}
    kind = "f8" if storage.dtype == "float64" else "f4"
    curve = file.createVariable("curve", kind, cube.dims, fill_value=np.nan, **options)
    logged = file.createVariable("logged", "i1", cube.dims, fill_value=0, **options)
    # What is not written is False; as an attr, the fill value would mean that False is missing.
    file.sync()
    logged.delncattr("_FillValue")
    beside = [n for n, v in encoded.frame.coords.items() if set(v.dims) <= set(cube.dims)]
    for variable in (curve, logged):
        variable.set_auto_maskandscale(False)
        for name, value in encoded.cube_attrs[variable.name].items():
            variable.setncattr(name, value)
        # By the CF conventions: the variables that are coordinates of the values.
        aside = " ".join(str(n) for n in beside if n not in cube.dims)
        if aside:
            variable.setncattr("coordinates", aside)
    logged.setncattr("dtype", "bool")


def _write_texts(file: netCDF4.Dataset, encoded: Encoded) -> dict[str, str]:
    """Write the exact texts and return the name of the blob of each variable."""
    group = file.createGroup("text")
    names = {name: f"t{number}" for number, name in enumerate(encoded.texts)}
    for name, texts in encoded.texts.items():
        write_blob(group, names[name], texts, np.array([*map(len, texts)], dtype=np.int64))
    return names


def write_rows(group: netCDF4.Group, name: str, rows: Sequence[bytes]) -> None:
    """Write rows of bytes that are in memory, compressed together, and their sizes."""
    sizes = np.array([*map(len, rows)], dtype=np.int64)
    write_blob(group, name, rows, sizes, compression="zlib", complevel=1)


def write_blob(
    group: netCDF4.Group,
    name: str,
    rows: Iterable[bytes],
    sizes: NDArray[np.int64],
    **options: Any,
) -> None:
    """Write rows of packed bytes of any length as one variable, and their sizes.

    Parameters
    ----------
    group : Group
        The netCDF group to write to.
    name : str
        Name of the new variable.
    rows : iterable of bytes
        The rows in order; empty ones may be left out.
    sizes : ndarray of int64, (rows,)
        Size of every row in bytes, empty ones included.
    **options
        Filters of the variable, as for ``createVariable``.
    """
    total, count = int(sizes.sum()), len(sizes)
    group.createDimension(f"{name}_bytes", max(1, total))
    group.createDimension(f"{name}_rows", max(1, count))
    options |= {"fletcher32": True, "chunksizes": (min(_BLOB_CHUNK, max(1, total)),)}
    blob = group.createVariable(name, "u1", (f"{name}_bytes",), **options)
    stored = group.createVariable(f"{name}_sizes", "i8", (f"{name}_rows",))
    blob.set_auto_maskandscale(False)
    blob.setncattr("rows", count)
    stored[:] = sizes if count else np.zeros(1, dtype=np.int64)
    at, parts, held = 0, [], 0
    for row in rows:
        parts.append(row)
        held += len(row)
        if held >= _BLOB_PART:
            at, parts, held = _put_bytes(blob, at, parts), [], 0
    _put_bytes(blob, at, parts)


def _put_bytes(blob: netCDF4.Variable[Any], at: int, parts: Sequence[bytes]) -> int:
    """Write bytes to a variable from an index on and return the index after them."""
    data = np.frombuffer(b"".join(parts), np.uint8)
    if len(data):
        blob[at : at + len(data)] = data
    return at + len(data)
