"""Arrays of cells: fill values, and one value per run spread over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# What an absent cell holds, by dtype kind.
_FILL: dict[str, Any] = {"f": np.nan, "U": "", "b": False, "i": 0, "O": ""}
# Long text: compressed in plain to_netcdf, and lazy when it is opened again.
LONG_TEXT_ENCODING = {"dtype": "S1", "zlib": True}


def text_array(texts: Sequence[str]) -> NDArray[np.str_]:
    """Return a one-dimensional ``<U`` array, as wide as its longest text."""
    return np.array([clean_text(t) for t in texts], dtype=np.str_)


def absent_cells(shape: tuple[int, ...], like: NDArray[Any]) -> NDArray[Any]:
    """Return an array of absent cells with the dtype of ``like``: NaN, ``""``, False or 0."""
    dtype = like.dtype if like.dtype.itemsize else np.dtype("<U1")
    return np.full(shape, _FILL[dtype.kind], dtype=dtype)


def scatter_values(
    shape: tuple[int, ...], positions: NDArray[np.intp], values: NDArray[Any]
) -> Any:
    """Return an array of cells with one value per run; the other cells are absent.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array of cells.
    positions : ndarray of int, (runs,)
        Flat positions in C order.
    values : ndarray, (runs,)
        One value per run, of dtype kind f, i, b, U or O.

    Returns
    -------
    ndarray, ``shape``
        With the dtype of ``values``.
    """
    cells = absent_cells((int(np.prod(shape, dtype=np.int64)),), values)
    cells[positions] = values
    return cells.reshape(shape)


def scatter_text(
    shape: tuple[int, ...], positions: NDArray[np.intp], texts: Iterable[str]
) -> NDArray[np.object_]:
    """Return an object array of cells with one long text per run; the other cells are ``""``.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array of cells.
    positions : ndarray of int, (runs,)
        Flat positions in C order.
    texts : iterable of str, (runs,)
        One text per run; what netCDF cannot hold is escaped.
    """
    cells = np.full(int(np.prod(shape, dtype=np.int64)), "", dtype=object)
    cells[positions] = np.array([*map(clean_text, texts), ""], dtype=object)[:-1]
    return cells.reshape(shape)


def are_whole(values: NDArray[Any]) -> bool:
    """Return whether all are whole numbers that float64 tells from their neighbours."""
    return bool(((values == np.floor(values)) & (np.abs(values) < 2**53)).all())


def as_whole(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as int64 if :func:`are_whole` of them, else as they are."""
    if values.dtype.kind == "i":
        return values
    return values.astype(np.int64) if are_whole(values) else values
