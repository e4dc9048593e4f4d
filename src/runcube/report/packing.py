"""Values of curves in a few bytes: 16 bits each on the axis that is drawn, shuffled, deflated.

``unpack.js`` is the way back in the browser, `unpacked` the one in Python.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scale = Literal["linear", "log", "asinh"]
# Codes above are what is no number: -inf, +inf, a logged NaN, nothing logged.
STEPS = 65531
MINUS, PLUS, NAN, MISSING = range(STEPS + 1, STEPS + 5)
# A linear axis whose range is more than this multiple of what most values span is too coarse.
_WIDE = 100.0


@dataclass(frozen=True, eq=False)
class Packed:
    """Curves as the page has them.

    Parameters
    ----------
    codes : str
        16 bits a value, differences along x, (runs, x): bytes shuffled, deflated, as base64.
    bounds : str
        Lowest and highest value of each run on the scale, float64, (2, runs): packed alike.
    scale : {"linear", "log", "asinh"}
        The axis on which values are rounded; asinh is for wide ranges of both signs.
    unit : float
        What asinh divides values by before.
    error : float
        How far a value may be from the logged one: half a step; relative where the scale is log.
    """

    codes: str
    bounds: str
    scale: Scale
    unit: float
    error: float


def packed(values: NDArray[np.float64], logged: NDArray[np.bool_]) -> Packed:
    """Return curves packed.

    Parameters
    ----------
    values : (runs, x) float64
    logged : (runs, x) bool
        Where a value was logged; a NaN there is one that the training wrote.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[0.0, 0.25, 1.0, np.inf]])
    >>> unpacked(packed(values, values == values), 4).round(4)
    array([[0.  , 0.25, 1.  ,  inf]])
    """
    there = np.isfinite(values) & logged
    scale, unit = _scale_of(values[there])
    drawn = np.full(values.shape, np.nan)
    drawn[there] = _forward(values[there], scale, unit)
    low = np.min(drawn, axis=1, initial=np.inf, where=there)
    high = np.max(drawn, axis=1, initial=-np.inf, where=there)
    low, high = (np.where(low <= high, bound, 0.0) for bound in (low, high))
    # Halves, since the range of the largest floats is more than a float holds.
    step = (high / 2 - low / 2) / STEPS
    codes = np.full(values.shape, MISSING, dtype=np.uint16)
    share = (drawn / 2 - low[:, None] / 2) / np.where(step > 0, step, 1.0)[:, None]
    codes[there] = np.clip(np.rint(share[there]), 0, STEPS).astype(np.uint16)
    for code, of in ((NAN, np.isnan(values)), (PLUS, values == np.inf), (MINUS, values == -np.inf)):
        codes[of & logged] = code
    changes = np.diff(codes, axis=1, prepend=np.uint16(0))
    return Packed(
        as_text(changes), as_text(np.stack([low, high])), scale, unit, float(step.max(initial=0.0))
    )


def unpacked(own: Packed, n_x: int) -> NDArray[np.float64]:
    """Return the values of packed curves, (runs, x); NaN where none is."""
    low, high = np.frombuffer(_bytes(own.bounds, 8)).reshape(2, -1)
    changes = np.frombuffer(_bytes(own.codes, 2), dtype=np.uint16).reshape(-1, n_x)
    codes = np.cumsum(changes, axis=1, dtype=np.uint16)
    share = np.minimum(codes, STEPS) / STEPS
    drawn = low[:, None] * (1 - share) + high[:, None] * share
    values = _backward(drawn, own.scale, own.unit)
    for code, value in ((MINUS, -np.inf), (PLUS, np.inf), (NAN, np.nan), (MISSING, np.nan)):
        values[codes == code] = value
    return values


def as_text(values: NDArray[np.generic]) -> str:
    """Return numbers with their bytes shuffled, deflated, as base64."""
    size = values.dtype.itemsize
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    planes = little.reshape(-1).view(np.uint8).reshape(-1, size).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")


def _bytes(text: str, size: int) -> bytes:
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return planes.reshape(size, -1).T.tobytes()


def _is_coarse(values: NDArray[np.float64], most_span: float) -> bool:
    span = values.max() / 2 - values.min() / 2
    return bool(span / _WIDE > max(most_span / 2, np.finfo(float).tiny))


def _scale_of(values: NDArray[np.float64]) -> tuple[Scale, float]:
    """Return the axis on which values are rounded, and the unit of asinh."""
    if not len(values):
        return "linear", 1.0
    if values.min() > 0 and values.max() / _WIDE > values.min():
        return "log", 1.0
    low, high = np.quantile(values / 2, [0.05, 0.95])
    if _is_coarse(values, 2 * min(high - low, np.finfo(float).max / 2)):
        sizes = np.abs(values[values != 0])
        typical = np.quantile(sizes, 0.5, method="lower")  # a mean of two may overflow
        return "asinh", float(max(typical, sizes.max() * 1e-30, np.finfo(float).tiny))
    return "linear", 1.0


def _forward(values: NDArray[np.float64], scale: Scale, unit: float) -> NDArray[np.float64]:
    if scale == "log":
        return np.log10(values)
    return np.arcsinh(values / unit) if scale == "asinh" else values


def _backward(drawn: NDArray[np.float64], scale: Scale, unit: float) -> NDArray[np.float64]:
    most = np.finfo(float).max  # what rounding takes beyond it is still a number
    with np.errstate(over="ignore"):
        if scale == "log":
            return np.minimum(10.0**drawn, most)
        return np.clip(np.sinh(drawn) * unit, -most, most) if scale == "asinh" else drawn
