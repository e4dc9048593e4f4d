"""The kernels of ``final``: what they choose along the last axis of NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def last_of(logged: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the place of the last True along the last axis, -1 without one."""
    if not logged.shape[-1]:
        return np.full(logged.shape[:-1], -1)
    at = logged.shape[-1] - 1 - logged[..., ::-1].argmax(axis=-1)
    return np.where(logged.any(axis=-1), at, -1)


def best_of(
    values: NDArray[Any], logged: NDArray[np.bool_], mode: str, at: tuple[int, ...] = ()
) -> NDArray[np.intp]:
    """Return the place of the first best finite value along the last axis, -1 without one.

    With ``at``, of the curve that stands there on the axes before the last.
    """
    curve: tuple[Any, ...] = (..., *at, slice(None))
    values, logged = values[curve], logged[curve]
    usable = logged & np.isfinite(values)
    if not usable.shape[-1]:
        return np.full(usable.shape[:-1], -1)
    good = np.where(usable, values if mode == "max" else -values, -np.inf)
    return np.where(usable.any(axis=-1), good.argmax(axis=-1), -1)


def mean_of_last(
    values: NDArray[Any], logged: NDArray[np.bool_], last: int
) -> NDArray[np.floating]:
    """Return the mean of the last True places along the last axis, NaN without one."""
    after = np.cumsum(logged[..., ::-1], axis=-1)[..., ::-1]
    chosen = logged & (after <= last)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf
        total = np.where(chosen, values, 0).sum(axis=-1, dtype=float)
    count = chosen.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def take(values: NDArray[Any], at: NDArray[np.intp]) -> NDArray[Any]:
    """Return the value at each place along the last axis, NaN at -1."""
    shape = np.broadcast_shapes(values.shape[:-1], at.shape)
    if not values.shape[-1]:
        return np.full(shape, np.nan)
    values = np.broadcast_to(values, (*shape, values.shape[-1]))
    at = np.broadcast_to(at, shape)
    taken = np.take_along_axis(values, np.maximum(at, 0)[..., None], axis=-1)[..., 0]
    return np.where(at >= 0, taken, np.nan)
