"""`compare`: two settings, with what their seeds can and cannot say about the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.stats.apart import set_apart
from runcube.stats.contrasts import NAMES, Test, contrast
from runcube.stats.labelled import are_labels, dims_of, seed_of, values_and_logged
from runcube.stats.permutations import ENUMERATED

if TYPE_CHECKING:
    from runcube.stats.labelled import RNG, Data

_SOURCES = {
    "t": "Welch's t (Welch 1947)",
    "paired t": "Student's t over pairs",
    "permutation": "permutation of the labels by Welch's t (Janssen 1997)",
    "paired permutation": "sign flips of the pairs",
    "brunner-munzel": "Brunner and Munzel (2000)",
}
_INTERVALS = {
    "ci": ("lower", "upper"),
    "superiority_ci": ("least_superiority", "largest_superiority"),
}
_COUNTS = ("n_a", "n_b", "n_pairs")


@set_apart(
    "n_a n_b n_pairs difference ci ci_bound p p_min hedges_g superiority superiority_ci "
    "cliffs_delta ks ks_p ks_at correlation p_equivalent"
)
def compare(
    a: Data,
    b: Data,
    *,
    dim: str = "seed",
    test: Literal["t", "permutation", "brunner-munzel"] = "t",
    paired: bool | Literal["auto"] = "auto",
    ci: float = 0.95,
    margin: float | None = None,
    n_resamples: int = ENUMERATED,
    rng: RNG = None,
) -> xr.Dataset:
    """Return how two settings differ, and how sure their seeds make it.

    Parameters
    ----------
    a, b : Dataset or DataArray
        Two selections of a cube (``ds.sel(lr=0.1)``, ``ds.sel(lr=0.2)``), or arrays in which NaN is
        missing, with the same other dims. What is not finite is left out.
    dim : str
        The seeds.
    test : {"t", "permutation", "brunner-munzel"}
        ``"t"``: Welch, or Student over pairs. ``"permutation"``: of the labels, or sign flips of
        the pairs, by the absolute t; exact up to 50,000 arrangements. Of different spreads it is
        right in the end, not with few seeds: there ``"t"`` is. ``"brunner-munzel"``: whether one is
        above the other more often than not, whatever the spreads; from some 10 seeds on.
    paired : bool or "auto"
        Whether the seeds of both are pairs. By default where they share labels, unless the labels
        are numbered replicates. ``correlation`` says what pairing gains: near 0, it costs power.
    ci : float
        Level of the intervals.
    margin : float, optional
        Equivalence: the least difference that would matter, in the unit of the values.
    n_resamples : int
        Arrangements to draw where there are more than can be enumerated.
    rng : Generator, int or None
        For reproducible draws.

    Returns
    -------
    Dataset
        On the remaining dims: ``n_a``, ``n_b``, ``n_pairs`` (int64); ``difference`` of the means,
        a - b, with ``ci`` (dim ``ci_bound``) by t; ``p``, and ``p_min``, the smallest p that so
        many seeds can give; with a margin ``p_equivalent``, small where the difference is surely
        within it (two one-sided t tests, Schuirmann 1987); ``hedges_g``; ``superiority``, P(A > B)
        with ties half, with ``superiority_ci``, and ``cliffs_delta``, 2 P - 1, whose interval is 2
        ``superiority_ci`` - 1; ``ks``, ``ks_at`` and ``ks_p`` of Kolmogorov and Smirnov, exact;
        ``correlation`` over pairs. NaN where there are too few values, or different ones without
        any spread.

    Notes
    -----
    ``superiority_ci`` is method 5 of Newcombe (2006), which holds where all values of one side are
    above those of the other too: from some 5 seeds on. It takes both sides for independent: where
    pairs go together, it is wider than it need be.

    Raises
    ------
    UnknownNameError
        If one of them has no such dim.
    PlanError
        If pairs are asked for where no labels are shared, or an argument is out of range.

    References
    ----------
    Colas et al. (2018), How many random seeds? Henderson et al. (2018), Deep reinforcement learning
    that matters. Bouthillier et al. (2021), Accounting for variance in machine learning benchmarks.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> end = rc.final(ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0))
    >>> found = rc.compare(end.sel(lr=0.2), end.sel(lr=0.004))
    >>> int(found.n_pairs), bool(found.p < 0.05)
    (5, True)
    """
    if test not in ("t", "permutation", "brunner-munzel"):
        raise PlanError(f"test={test!r}: expected 't', 'permutation' or 'brunner-munzel'")
    if not 0 < ci < 1:
        raise PlanError(f"ci={ci!r}: expected a level such as 0.95")
    if margin is not None and not 0 < float(margin) < np.inf:
        raise PlanError(f"margin={margin!r}: expected a difference above 0")
    one, other = finite_values(a), finite_values(b)
    for name, values in (("a", one), ("b", other)):
        dims_of(values, dim, f"dim of {name}")
    shared = _pairs(one, other, dim) if paired in (True, "auto") else None
    if paired is True and shared is None:
        raise PlanError("paired=True: both have no seeds in common, or their seeds are replicates")
    if shared is not None:
        one, other = (values.sel({dim: shared}) for values in (one, other))
    seed = seed_of(rng)
    wanted = Test(test, shared is not None, float(ci), n_resamples, seed, margin)
    result = _compared(one, other, dim, wanted)
    way = f"paired {test}" if shared is not None and test != "brunner-munzel" else test
    result.attrs = {
        "summary_dim": dim,
        "nonfinite": "omit",
        "test": way,
        "test_source": _SOURCES[way],
        "ci_level": float(ci),
        "ci_method": _SOURCES["paired t" if shared is not None else "t"],
        "superiority_ci_method": "Newcombe (2006), method 5",
        "rng_seed": str(seed),
    }
    if margin is not None:
        result.attrs |= {"margin": float(margin), "equivalence": "two one-sided t tests"}
    return result


def finite_values(data: Data) -> xr.DataArray:
    """Return the values, NaN where there is none that is finite."""
    values, logged = values_and_logged(data)
    return values.where(logged & np.isfinite(values))


def _pairs(a: xr.DataArray, b: xr.DataArray, dim: str) -> Any:
    """Return the labels that both share; None where labels are no seeds, or fewer than two."""
    if not all(are_labels(v, dim) and v.indexes[dim].is_unique for v in (a, b)):
        return None
    shared = a.indexes[dim].intersection(b.indexes[dim])
    return shared if len(shared) > 1 else None


def _compared(a: xr.DataArray, b: xr.DataArray, dim: str, test: Test) -> xr.Dataset:
    kept = [str(d) for d in a.dims if d != dim]
    # Coordinates of one side only, such as the setting in which both differ, are of neither.
    a = a.drop_vars([name for name in a.coords if not _agrees(a, b, str(name), dim)])
    b = b.drop_vars([name for name in b.coords if name not in a.coords])
    found: xr.DataArray = xr.apply_ufunc(
        contrast,
        a.rename({dim: "_a"}) if not test.paired else a,
        b.rename({dim: "_b"}) if not test.paired else b,
        input_core_dims=[[dim], [dim]] if test.paired else [["_a"], ["_b"]],
        output_core_dims=[["_statistic"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"_statistic": len(NAMES)}, "allow_rechunk": True},
        kwargs={"test": test},
        join="inner",
    )
    found = found.assign_coords(_statistic=list(NAMES)).transpose(*kept, ..., "_statistic")
    result = found.to_dataset("_statistic")
    for name, (lower, upper) in _INTERVALS.items():
        bounds = found.sel(_statistic=[lower, upper]).rename(_statistic="ci_bound")
        result[name] = bounds.assign_coords(ci_bound=["lower", "upper"])
    for name in _COUNTS:
        result[name] = result[name].astype(np.int64)
    unused = [] if test.margin is not None else ["p_equivalent"]
    return result.drop_vars([*unused, *(end for ends in _INTERVALS.values() for end in ends)])


def _agrees(a: xr.DataArray, b: xr.DataArray, name: str, dim: str) -> bool:
    if name in a.dims:
        return True
    if name not in b.coords or dim in a[name].dims:
        return False
    return bool(np.array_equal(a[name].values, b[name].values))
