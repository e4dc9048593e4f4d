"""`compare_all`: the settings along a dim, each against the others or against one of them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.cube import x_dim
from runcube.stats.compare import compare
from runcube.stats.contrasts import ENUMERATED
from runcube.stats.labelled import seed_of, values_and_logged
from runcube.stats.multiple import benjamini_hochberg, holm, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG, Data


def compare_all(
    data: Data,
    *,
    over: str,
    baseline: Any = None,
    dim: str = "seed",
    test: Literal["t", "permutation", "brunner-munzel"] = "t",
    paired: bool | Literal["auto"] = "auto",
    ci: float = 0.95,
    x: str | None = None,
    n_resamples: int = ENUMERATED,
    rng: RNG = None,
) -> xr.Dataset:
    """Return all comparisons of the settings along a dim, with p-values adjusted for their number.

    The family is all comparisons of the call, of every metric, split and other setting in it, but
    one point of x at a time: choose the point before looking, as with :func:`final`.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it, or an array in which NaN is missing.
    over : str
        The dim of the settings; ``"config"`` in the configs layout.
    baseline : label, optional
        Compare each other setting with this one, instead of each pair.
    dim, test, paired, ci, n_resamples, rng
        As for :func:`compare`.
    x : str, optional
        The dim along which each point is a family of its own: of a cube its x-axis, of an array
        none by default.

    Returns
    -------
    Dataset
        As of :func:`compare`, with a dim ``pair`` whose coordinates ``a`` and ``b`` are the labels;
        ``p_holm`` (Holm 1979), ``p_bh`` (Benjamini and Hochberg 1995), and ``verdict``: "a is
        higher", "b is higher", "undecided", "cannot be significant with 3 seeds", "too few seeds
        for a test". It goes by ``p_holm`` at the level 1 - ``ci``.

    Raises
    ------
    UnknownNameError
        If there is no such dim or label.
    PlanError
        As :func:`compare`, and if there is nothing to compare.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> last = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0, epoch=[19])
    >>> found = rc.compare_all(last, over="lr", baseline=0.2).isel(epoch=0)
    >>> found.a.values, [str(word) for word in found.verdict.values]
    (array([0.004, 0.028, 1.4  ]), ['b is higher', 'b is higher', 'b is higher'])
    """
    values, _ = values_and_logged(data)
    if over not in values.dims:
        raise UnknownNameError(f"over={over!r}: no such dim{nearest(over, map(str, values.dims))}")
    labels = values[over].values.tolist() if over in values.coords else [*range(values.sizes[over])]
    places = _pairs(labels, over, baseline)
    seed = seed_of(rng)
    found = [
        compare(
            *(data.isel({over: place}) for place in pair),
            dim=dim,
            test=test,
            paired=paired,
            ci=ci,
            n_resamples=n_resamples,
            rng=seed,
        )
        for pair in places
    ]
    coords = {
        name: ("pair", np.array([labels[pair[side]] for pair in places]))
        for side, name in enumerate("ab")
    }
    result = xr.concat(found, dim="pair", coords="minimal", compat="override", join="override")
    result = result.assign_coords(coords)
    axis = x_dim(data) if x is None and isinstance(data, xr.Dataset) else x
    along = [d for d in result["p"].dims if d == axis]
    result["p_holm"] = _over_family(holm, result["p"], along)
    result["p_bh"] = _over_family(benjamini_hochberg, result["p"], along)
    result["verdict"] = _verdict(result, along, 1 - ci)
    result.attrs = found[0].attrs | {"over": over, "p_adjusted_for": _size(result["p"], along)}
    return result


def _pairs(labels: Sequence[Any], over: str, baseline: Any) -> list[tuple[int, int]]:
    if baseline is None:
        pairs = [*combinations(range(len(labels)), 2)]
    elif baseline in labels:
        base = labels.index(baseline)
        pairs = [(place, base) for place in range(len(labels)) if place != base]
    else:
        known = [repr(label) for label in labels]
        raise UnknownNameError(
            f"baseline={baseline!r}: not in {over}{nearest(repr(baseline), known)}"
        )
    if not pairs:
        raise PlanError(f"over={over!r}: there is one label, and nothing to compare it with")
    return pairs


def _over_family(
    adjust: Callable[[Any], NDArray[np.float64]], p: xr.DataArray, x: Sequence[Any]
) -> xr.DataArray:
    """Return adjusted p-values: those of one point of x are a family."""

    def on_family(own: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = own.reshape(*own.shape[: len(x)], -1)
        return adjust(flat).reshape(own.shape)

    family = [d for d in p.dims if d not in x]
    found: xr.DataArray = xr.apply_ufunc(
        on_family,
        p,
        input_core_dims=[family],
        output_core_dims=[family],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"allow_rechunk": True},
    )
    return found.transpose(*p.dims)


def _verdict(result: xr.Dataset, x: Sequence[Any], alpha: float) -> xr.DataArray:
    # Holm's first step: the smallest p has to bear all tests.
    least = result["p_min"] * result["p"].notnull().sum([d for d in result["p"].dims if d not in x])
    seeds = np.minimum(result["n_a"], result["n_b"])
    found: xr.DataArray = xr.apply_ufunc(
        verdicts,
        result["p_holm"],
        least.broadcast_like(result["p"]).transpose(*result["p"].dims),
        result["difference"],
        seeds,
        kwargs={"alpha": alpha},
        dask="parallelized",
        output_dtypes=[object],
    )
    return found


def _size(p: xr.DataArray, x: Sequence[Any]) -> int:
    return int(np.prod([p.sizes[d] for d in p.dims if d not in x]))
