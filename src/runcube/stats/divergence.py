"""`divergence`: where along x a run goes astray, and why it is taken to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError, check_choice
from runcube.stats.apart import set_apart
from runcube.stats.labelled import dims_of, values_and_logged, x_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import Data

REASONS = ("", "non-finite", "far from its peers")
# Of fewer values the MAD says little: of 10 normal ones one in 1,000 lies below 6 of it, of 5 ten.
_LEAST = 10
# Times the median of distances is the standard deviation of normal values.
_NORMAL_MEDIAN, _NORMAL_MEAN = 1.482602218505602, 1.2533141373155001


@set_apart("x reason")
def divergence(
    data: Data,
    *,
    mode: Literal["max", "min"],
    k: float = 6.0,
    at_least: float = 0.0,
    over: Hashable | Sequence[Hashable] | None = None,
    dim: str | None = None,
) -> xr.Dataset:
    """Return where each run diverges: at a value that is not finite, or far worse than its peers.

    A value is far from its peers where it is worse than their median by more than ``k`` times their
    MAD, the median of the distances from the median, in standard deviations of normal values. A
    value that is far better is no divergence. A spike counts, though the run may come back.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it, in either layout, lazy or not; or an array, in which NaN is
        missing, and infinities are not finite.
    mode : {"max", "min"}
        Which end is better, for every metric of the selection.
    k : float
        How many MADs are far.
    at_least : float
        How far it is at the least, in the unit of the metric: where peers agree closely, as of an
        accuracy of 100 %, some MADs are next to nothing.
    over : str or sequence of str, optional
        The dims along which runs are peers. By default all but split, metric and x: every run of
        the sweep. ``"seed"`` has the runs of one configuration alone, for which few sweeps have the
        seeds.
    dim : str, optional
        The x-axis.

    Returns
    -------
    Dataset
        On the dims of the data without x: ``x``, the first x at which the run diverges, float64,
        NaN where it never does; ``reason``, ``"non-finite"``, ``"far from its peers"`` or ``""``.

    Raises
    ------
    UnknownNameError
        If the data has no such dim.
    PlanError
        If there is no x-axis, or an argument is out of range.

    See Also
    --------
    diverged : whether a NaN or infinity was logged at all, for each curve of a cube.

    Notes
    -----
    Peers at an x are the runs with a finite value there, the run itself among them. With fewer than
    10 of them nothing is far: of three normal values one in 35 lies more than 6 MADs below, of ten
    one in 1,000. Where more than half have the same value, the MAD is 0, and their mean distance
    takes its place, in standard deviations of normal values too (Iglewicz and Hoaglin). Where half
    of the runs diverge together the MAD is theirs, and none of them is far.

    References
    ----------
    Hampel (1974), The influence curve and its role in robust estimation. Iglewicz and Hoaglin
    (1993), How to detect and handle outliers.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> found = rc.divergence(ds.sel(metric="loss", split="val"), mode="min")
    >>> (found.reason != "").sum(["weights", "weight_decay", "seed"]).values.tolist()
    [0, 0, 0, 29]
    >>> found.sel(weights="None", lr=1.4, weight_decay=0.0, seed=0).x.item()
    0.0
    """
    check_choice("mode", mode, ("max", "min"))
    for name, value, low in (("k", k, 0), ("at_least", at_least, 0)):
        if not value >= low:
            raise PlanError(f"{name}={value!r}: expected a number from {low} on")
    values, logged = values_and_logged(data)
    x = dim or x_of(data, values.dims)
    dims_of(values, x, "dim")
    free = [str(d) for d in values.dims if d not in (x, "split", "metric")]
    peers = free if over is None else dims_of(values, over, "over")
    if not peers or x in peers:
        raise PlanError(f"over={over!r}: expected the dims of runs, such as {free}")
    at, code = xr.apply_ufunc(
        _kernel,
        values,
        logged,
        input_core_dims=[[*peers, x]] * 2,
        output_core_dims=[peers] * 2,
        dask="parallelized",
        output_dtypes=[np.float64, np.int64],
        dask_gufunc_kwargs={"allow_rechunk": True},
        kwargs={
            "x": values[x].values.astype(np.float64),
            "sign": 1.0 if mode == "max" else -1.0,
            "n_peers": len(peers),
            "k": k,
            "at_least": at_least,
        },
    )
    order = [d for d in values.dims if d != x]
    reason = xr.apply_ufunc(
        np.array(REASONS).__getitem__, code, dask="parallelized", output_dtypes=["<U18"]
    )
    result = xr.Dataset({"x": at.transpose(*order), "reason": reason.transpose(*order)})
    result["reason"].attrs = {}
    result["x"].attrs = {n: v for n, v in values[x].attrs.items() if n in ("units", "long_name")}
    result.attrs = {
        "mode": mode,
        "k": k,
        "at_least": at_least,
        "over": ", ".join(peers),
        "least_peers": _LEAST,
        "source": "median and MAD of the peers (Hampel 1974)",
    }
    return result


def _kernel(
    values: NDArray[np.float64],
    logged: NDArray[np.bool_],
    *,
    x: NDArray[np.float64],
    sign: float,
    n_peers: int,
    k: float,
    at_least: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return x and number of the reason of each run, of values (..., *runs, x)."""
    shape = values.shape[:-1]
    flat = (*shape[: len(shape) - n_peers], -1, len(x))
    values, logged = sign * values.reshape(flat), logged.reshape(flat)
    finite = logged & np.isfinite(values)
    values = np.where(finite, values, np.nan)
    count = finite.sum(axis=-2, keepdims=True)
    below = _median(values, count) - values
    distance = np.abs(below)
    spread = _NORMAL_MEDIAN * _median(distance, count)
    mean = np.where(finite, distance, 0.0).sum(axis=-2, keepdims=True) / np.maximum(count, 1)
    spread = np.where(spread > 0, spread, _NORMAL_MEAN * mean)
    is_far = (count >= _LEAST) & (below > k * spread) & (below >= at_least)
    code = np.where(is_far, 2, np.where(logged & ~finite, 1, 0))
    first = (code > 0).argmax(axis=-1)
    reason = np.take_along_axis(code, first[..., None], axis=-1)[..., 0]
    return np.where(reason > 0, x[first], np.nan).reshape(shape), reason.reshape(shape)


def _median(values: NDArray[np.float64], count: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the median of the finite values (..., runs, x) of each x, (..., 1, x)."""
    ordered = np.sort(values, axis=-2)  # NaN comes last
    middle = (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-2] - 1))
    low, high = (np.take_along_axis(ordered, place, axis=-2) for place in middle)
    return np.asarray(0.5 * (low + high))
