"""`summarize`: what seeds say of each configuration, with an interval that covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.stats.apart import set_apart
from runcube.stats.bands import LEAST_SUP_T, band
from runcube.stats.grouped import groups_of
from runcube.stats.labelled import applied, dims_of, seed_of, values_and_logged, x_of
from runcube.stats.resamples import EXACT_UP_TO
from runcube.stats.summary import METHODS, Interval, default_method, names_of, summary

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from runcube.stats.labelled import RNG, Data

Method = Literal["t", "scaled", "percentile", "basic", "bca", "studentized", "wilson", "chi2"]
_OF = {"t": ("mean",), "studentized": ("mean",), "wilson": ("mean",), "chi2": ("std",)}
_SOURCES = {
    "t": "Student's t",
    "scaled": "percentile bootstrap scaled about the estimate (Hesterberg 2015)",
    "percentile": "percentile bootstrap (Efron 1979)",
    "basic": "basic bootstrap (Davison and Hinkley 1997)",
    "bca": "bias-corrected and accelerated bootstrap (Efron 1987)",
    "studentized": "bootstrap t (Hall 1988)",
    "wilson": "score interval of a proportion (Wilson 1927)",
    "chi2": "chi-squared, exact for normal data",
}


@set_apart("n n_nonfinite mean std sem median iqm min max quantile quantiles ci ci_bound")
def summarize(
    data: Data,
    *,
    dim: Hashable | Sequence[Hashable] = "seed",
    statistic: Literal["mean", "median", "iqm", "std"] | float = "mean",
    ci: float | None = 0.95,
    method: Method | None = None,
    quantiles: Sequence[float] = (0.25, 0.75),
    n_resamples: int = 10_000,
    simultaneous: bool = False,
    strata: str | None = None,
    cluster: str | None = None,
    nonfinite: Literal["omit", "propagate"] = "omit",
    rng: RNG = None,
) -> xr.Dataset:
    """Return what the seeds say of each configuration, split, metric and x.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it (``ds.sel(metric="acc1", split="val")``), in either layout,
        lazy or not; or an array of floats, in which NaN is a missing value.
    dim : str or sequence of str
        What is reduced.
    statistic : {"mean", "median", "iqm", "std"} or float
        What ``ci`` is an interval of; a number is a quantile. ``"iqm"`` is the mean of the middle
        half, with fractional weights (Agarwal et al. 2021).
    ci : float or None
        Level of the interval; None for none.
    method : str, optional
        ``"t"`` (mean), ``"chi2"`` (std), ``"wilson"`` (mean of zeros and ones),
        ``"studentized"`` (mean, from 5 values on), or, of any statistic, ``"scaled"``,
        ``"percentile"``, ``"basic"``, ``"bca"``. By default ``"t"`` for the mean, ``"chi2"`` for
        the std, and else ``"scaled"``: of these the interval holds what it says where seeds are
        few, while percentile and BCa intervals of 3 to 5 seeds do not.
    quantiles : sequence of float
    n_resamples : int
        For bootstrap intervals of more than 8 values. Up to 8 all resamples are enumerated with
        their probabilities: such an interval is exact and needs no ``rng``.
    simultaneous : bool
        Whether the interval of the mean is a band that holds along the whole curve at once:
        sup-t, or Bonferroni with fewer than 8 seeds.
    strata : str, optional
        One of the dims that are reduced, or a coordinate on them: each of its labels is resampled
        by itself, as where ``dim=["task", "seed"]`` and tasks are not drawn at random.
    cluster : str, optional
        One of the dims that are reduced, or a coordinate on them: what shares a label is drawn
        together, as runs of one seed, or answers to one question (Miller 2024). With ``strata`` or
        ``cluster`` the interval is made of resamples: ``method`` is ``"scaled"``, the default,
        ``"percentile"`` or ``"basic"``.
    nonfinite : {"omit", "propagate"}
        A logged NaN or infinity is left out and counted in ``n_nonfinite``, or makes every
        statistic of its cell NaN.
    rng : Generator, int or None
        For reproducible resamples.

    Returns
    -------
    Dataset
        ``n`` (values used) and ``n_nonfinite``, int64; ``mean``, ``std`` (ddof 1), ``sem``,
        ``median``, ``iqm``, ``min``, ``max``, float64, on the remaining dims of the data;
        ``quantiles`` with a dim ``quantile``; ``ci`` with a dim ``ci_bound`` (lower, upper). NaN
        where there are too few values. Attrs say what was done.

    Raises
    ------
    UnknownNameError
        If the data has no such dim.
    PlanError
        If a Dataset is no cube, or if the arguments contradict each other.

    Notes
    -----
    No interval of three to five seeds is safe against runs that now and then collapse: look at
    ``min`` and ``n_nonfinite``. How often each method holds the truth was measured: see the page on
    statistics over seeds.

    References
    ----------
    Hesterberg (2015), What teachers should know about the bootstrap, The American Statistician.
    Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> best = ds.sel(metric="acc1", split="val", weights="DEFAULT", lr=0.2, weight_decay=0.01)
    >>> last = rc.summarize(rc.final(best))
    >>> int(last.n), last["mean"].round(2).item(), last.ci.round(2).values.tolist()
    (5, ...)
    """
    values, logged = values_and_logged(data)
    dims = dims_of(values, dim, "dim")
    groups = groups_of(data, values, dims, strata, cluster)
    if groups is not None:
        method = _grouped_method(statistic, method)
    interval = _interval(statistic, ci, method, n_resamples, seed_of(rng))
    if simultaneous and (interval is None or interval.method != "t"):
        raise PlanError("simultaneous=True: a band is of the mean, by t")
    levels = tuple(float(level) for level in quantiles)
    names = names_of(levels, interval)
    kwargs: dict[str, Any] = {
        "quantiles": levels,
        "interval": interval,
        "keep_nonfinite": nonfinite == "propagate",
    }
    kwargs["groups"] = groups
    found = applied(summary, values, logged, dims, names, kwargs)
    result = _as_dataset(found, levels, interval)
    if simultaneous:
        assert interval is not None
        result["ci"] = _banded(data, values, logged, dims, interval)
    result.attrs = _attrs(data, dims, interval, simultaneous, nonfinite, n_resamples)
    result.attrs |= {k: v for k, v in (("strata", strata), ("cluster", cluster)) if v is not None}
    return result


def _grouped_method(statistic: str | float, method: Method | None) -> Method:
    if statistic == "std":
        raise PlanError("statistic='std': not with strata or clusters")
    if method not in (None, "scaled", "percentile", "basic"):
        raise PlanError(
            f"method={method!r} knows no strata or clusters:"
            " expected 'scaled', 'percentile' or 'basic'"
        )
    return method or "scaled"


def _interval(
    statistic: str | float, level: float | None, method: str | None, n_resamples: int, seed: int
) -> Interval | None:
    is_name = statistic in ("mean", "median", "iqm", "std")
    is_quantile = not isinstance(statistic, str) and 0 <= statistic <= 1
    if not (is_name or is_quantile):
        raise PlanError(
            f"statistic={statistic!r}: expected 'mean', 'median', 'iqm', 'std' or a quantile"
        )
    if level is None:
        return None
    if not 0 < level < 1:
        raise PlanError(f"ci={level!r}: expected a level such as 0.95, or None")
    method = method or default_method(statistic)
    if method not in METHODS:
        raise PlanError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}")
    if statistic not in _OF.get(method, (statistic,)):
        raise PlanError(f"method={method!r} is of the {_OF[method][0]}, not of {statistic!r}")
    return Interval(statistic, method, float(level), n_resamples, seed)


def _as_dataset(
    found: xr.DataArray, levels: tuple[float, ...], interval: Interval | None
) -> xr.Dataset:
    def take(name: str) -> xr.DataArray:
        return found.sel(_statistic=name, drop=True)

    single = ("n", "n_nonfinite", "mean", "std", "sem", "median", "iqm", "min", "max")
    result = xr.Dataset({name: take(name) for name in single})
    for name in ("n", "n_nonfinite"):
        result[name] = result[name].astype(np.int64)
        result[name].attrs = {}
    if levels:
        names = [f"q{level:g}" for level in levels]
        drawn = found.sel(_statistic=names).rename(_statistic="quantile")
        result["quantiles"] = drawn.assign_coords(quantile=list(levels))
    if interval is not None:
        bounds = found.sel(_statistic=["lower", "upper"])
        result["ci"] = bounds.rename(_statistic="ci_bound")
    return result


def _banded(
    data: Data,
    values: xr.DataArray,
    logged: xr.DataArray,
    dims: Sequence[str],
    interval: Interval,
) -> xr.DataArray:
    x = x_of(data, [d for d in values.dims if d not in dims])

    def on_last_axes(own: Any, held: Any) -> Any:
        flat = (*own.shape[: own.ndim - len(dims)], -1)
        return band(own.reshape(flat), held.reshape(flat), level=interval.level, seed=interval.seed)

    found: xr.DataArray = xr.apply_ufunc(
        on_last_axes,
        values,
        logged,
        input_core_dims=[[x, *dims], [x, *dims]],
        output_core_dims=[[x, "ci_bound"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"ci_bound": 2}, "allow_rechunk": True},
        keep_attrs=True,
    )
    return found.assign_coords(ci_bound=["lower", "upper"])


def _attrs(
    data: Data,
    dims: Sequence[str],
    interval: Interval | None,
    simultaneous: bool,
    nonfinite: str,
    n_resamples: int,
) -> dict[str, Any]:
    kept = dict(data.attrs) if isinstance(data, xr.Dataset) else {}
    said: dict[str, Any] = {"summary_dim": ", ".join(dims), "nonfinite": nonfinite}
    if interval is not None:
        way = _SOURCES[interval.method]
        if interval.is_random:
            way += f"; all resamples up to {EXACT_UP_TO} values, else {n_resamples} drawn"
            said["rng_seed"] = str(interval.seed)
        if simultaneous:
            way = (
                f"simultaneous along the curve: sup-t from {LEAST_SUP_T} seeds on, else Bonferroni"
            )
        said |= {
            "ci_of": str(interval.statistic),
            "ci_level": interval.level,
            "ci_method": interval.method,
            "ci_source": way,
            "ci_is": "simultaneous" if simultaneous else "pointwise",
        }
    return kept | said
