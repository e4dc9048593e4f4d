"""`compare_all`: the settings along a dim, each against the others or against one of them."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.cube import coordinate_name, x_dim
from runcube.stats.apart import set_apart
from runcube.stats.compare import compare, finite_values
from runcube.stats.labelled import seed_of
from runcube.stats.multiple import (
    benjamini_hochberg,
    holm,
    verdicts,
    verdicts_of_superiority,
    with_equivalence,
)
from runcube.stats.permutations import ENUMERATED, max_t
from runcube.stats.simultaneous import dunnett, games_howell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG, Data

# The p-value that the verdict goes by, and what it rests on.
_ADJUSTED = {
    "holm": ("p_holm", "Holm (1979)"),
    "bh": ("p_bh", "Benjamini and Hochberg (1995)"),
    "dunnett": ("p_dunnett", "Dunnett (1955): equal spreads"),
    "games-howell": ("p_games_howell", "Games and Howell (1976): any spreads"),
    "max-t": ("p_max_t", "single-step max |t| (Westfall and Young 1993)"),
}
_RULES = {
    "p": "adjusted p",
    "bouthillier": "P(A > B): above 1/2, perhaps above 3/4 (Bouthillier et al. 2021)",
}


@set_apart(
    "n_a n_b n_pairs difference ci ci_bound p p_min hedges_g superiority superiority_ci "
    "cliffs_delta ks ks_p ks_at correlation p_equivalent a b pair verdict p_holm p_bh "
    "p_equivalent_holm p_dunnett p_games_howell p_max_t"
)
def compare_all(
    data: Data,
    *,
    over: str,
    baseline: Any = None,
    dim: str = "seed",
    test: Literal["t", "permutation", "brunner-munzel"] = "t",
    paired: bool | Literal["auto"] = "auto",
    ci: float = 0.95,
    adjust: Literal["holm", "bh", "dunnett", "games-howell", "max-t"] = "holm",
    rule: Literal["p", "bouthillier"] = "p",
    margin: float | None = None,
    x: str | None = None,
    n_resamples: int = ENUMERATED,
    rng: RNG = None,
) -> xr.Dataset:
    """Return all comparisons of the settings along a dim, with p-values adjusted for their number.

    The family is all comparisons of the call, of every metric, split and other setting in it, but
    one point of x at a time: choose the point before looking, as with :func:`final`, or take
    ``adjust="max-t"``, whose family is the whole curve as well.

    Parameters
    ----------
    data : Dataset or DataArray
        The cube or a selection of it, or an array in which NaN is missing.
    over : str
        The dim of the settings; ``"config"`` in the configs layout.
    baseline : label, optional
        Compare each other setting with this one, instead of each pair.
    dim, test, paired, ci, margin, n_resamples, rng
        As for :func:`compare`.
    adjust : {"holm", "bh", "dunnett", "games-howell", "max-t"}
        What ``verdict`` goes by. ``"dunnett"``: against a baseline, where all settings have the
        *same spread*, normal values. ``"games-howell"``: all pairs, of any spreads, normal values.
        Both take seeds for independent, are made for ``test="t"``, and make ``ci`` hold for all
        comparisons at once; several metrics or splits are allowed for by Bonferroni. ``"max-t"``:
        with ``test="permutation"``, for all comparisons, metrics, splits and points of x at once,
        by the largest absolute t of arrangements that all of them share.
    rule : {"p", "bouthillier"}
        ``"bouthillier"``: ``verdict`` goes by ``superiority_ci``, one comparison at a time: "a is
        higher" if P(A > B) is surely above 1/2 and perhaps above 3/4, else "not meaningfully".
    x : str, optional
        The dim along which each point is a family of its own: of a cube its x-axis, of an array
        none by default.

    Returns
    -------
    Dataset
        As of :func:`compare`, with a dim ``pair`` whose coordinates ``a`` and ``b`` are the labels;
        ``p_holm`` (Holm 1979), ``p_bh`` (Benjamini and Hochberg 1995), and where it is asked for
        ``p_dunnett`` (Dunnett 1955), ``p_games_howell`` (Games and Howell 1976) or ``p_max_t``
        (single-step, Westfall and Young 1993), whose smallest value then is ``p_min``;
        ``p_equivalent_holm`` with a margin; and ``verdict``: "a is higher", "b is higher",
        "undecided", "cannot be significant with 3 seeds", "too few seeds for a test", "no spread
        between seeds, no test", "equivalent within the margin". It goes by the adjusted p at the
        level 1 - ``ci``.

    Raises
    ------
    UnknownNameError
        If there is no such dim or label.
    PlanError
        As :func:`compare`, if there is nothing to compare, and if the correction is made for
        another test.

    Notes
    -----
    Max-t exchanges whole runs between the two settings of each comparison, never between others:
    p of each alone is exact where both settings are the same, whatever the others are, and of one
    comparison along curves so is that of all points at once. Where several comparisons share a
    setting, the shared arrangement keeps about how their t go together. Where only means are the
    same, and spreads are not, it rejects too often with few seeds.

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
    >>> found = rc.compare_all(last, over="lr", adjust="games-howell").isel(epoch=0)
    >>> found.p_games_howell.round(3).values.tolist()
    [0.001, 0.0, 0.158, 0.007, 0.128, 0.12]
    """
    _check(adjust, rule, test, baseline, paired)
    values = finite_values(data)
    over = coordinate_name(values, over, "over", among=values.dims)
    labels = values[over].values.tolist() if over in values.coords else [*range(values.sizes[over])]
    places = _pairs(labels, over, baseline)
    seed = seed_of(rng)
    found = [
        compare(
            *(data.isel({over: place}) for place in pair),
            dim=dim,
            test=test,
            paired=False if adjust in ("dunnett", "games-howell") else paired,
            ci=ci,
            margin=margin,
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
    along = [d for d in result["p"].dims if d == axis and adjust != "max-t"]
    result["p_holm"] = _over_family(holm, result["p"], along)
    result["p_bh"] = _over_family(benjamini_hochberg, result["p"], along)
    if margin is not None:
        result["p_equivalent_holm"] = _over_family(holm, result["p_equivalent"], along)
    result.attrs = found[0].attrs | {
        "over": over,
        "p_adjusted_for": _size(result["p"], along),
        "adjust": adjust,
        "adjust_source": _ADJUSTED[adjust][1],
        "verdict_rule": _RULES[rule],
    }
    if adjust in ("dunnett", "games-howell", "max-t"):
        # The kernels take (settings, seeds, x, cells).
        kernel = _kernel(result, places, n_resamples, seed)
        _add_joint(result, values.transpose(*along, over, dim, ...).variable, len(along), kernel)
    result["verdict"] = _verdict(result, along)
    return result


def _check(adjust: str, rule: str, test: str, baseline: Any, paired: Any) -> None:
    for name, value, known in (("adjust", adjust, _ADJUSTED), ("rule", rule, _RULES)):
        if value not in known:
            raise PlanError(f"{name}={value!r}: expected {' or '.join(map(repr, known))}")
    wanted = {"max-t": "permutation", "dunnett": "t", "games-howell": "t"}.get(adjust, test)
    if test != wanted:
        raise PlanError(f"adjust={adjust!r} is made for test={wanted!r}, not {test!r}")
    if adjust == "dunnett" and baseline is None:
        raise PlanError("adjust='dunnett' compares with one setting: baseline= says which")
    if adjust == "games-howell" and baseline is not None:
        raise PlanError("adjust='games-howell' compares all pairs: no baseline=, or 'dunnett'")
    if adjust in ("dunnett", "games-howell") and paired is True:
        raise PlanError(f"adjust={adjust!r} takes seeds for independent: not with paired=True")


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


def _kernel(
    result: xr.Dataset, places: Sequence[tuple[int, int]], n_resamples: int, seed: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return what adjusts values (settings, seeds, x, cells) as (pairs, x, cells, statistics)."""
    if result.attrs["adjust"] != "max-t":
        way = dunnett if result.attrs["adjust"] == "dunnett" else games_howell
        return partial(way, pairs=places, level=result.attrs["ci_level"])
    paired = result.attrs["test"].startswith("paired")

    def along_curves(values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = values.reshape(*values.shape[:2], -1)
        found = max_t(flat, places, paired=paired, n_resamples=n_resamples, seed=seed)
        return found.reshape(len(places), *values.shape[2:], -1)

    return along_curves


def _add_joint(
    result: xr.Dataset,
    values: xr.Variable,
    n_x: int,
    kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    """Add adjusted p-values, and in place of those of one comparison what holds for all."""
    core = values.dims[n_x:]
    rest = core[2:]

    def on_family(own: NDArray[np.float64]) -> NDArray[np.float64]:
        before, after = own.shape[:n_x], own.shape[n_x + 2 :]
        flat = own.reshape(int(np.prod(before)), *own.shape[n_x : n_x + 2], int(np.prod(after)))
        found = np.moveaxis(kernel(np.moveaxis(flat, 0, 2)), 0, 1)
        return found.reshape(*before, found.shape[1], *after, found.shape[-1])

    adjust = result.attrs["adjust"]
    count = 2 if adjust == "max-t" else 3
    found = xr.apply_ufunc(
        on_family,
        values,
        input_core_dims=[core],
        output_core_dims=[["pair", *rest, "ci_bound"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={
            "output_sizes": {"pair": result.sizes["pair"], "ci_bound": count},
            "allow_rechunk": True,
        },
    ).transpose(*result["p"].dims, "ci_bound")
    name, source = _ADJUSTED[adjust]
    result[name] = found[..., 0]
    if adjust == "max-t":
        result["p_min"] = found[..., 1]
    else:
        result["ci"] = result["ci"].copy(data=found[..., 1:].transpose(*result["ci"].dims).data)
        result.attrs["ci_method"] = f"{source}, of all comparisons at once"


def _verdict(result: xr.Dataset, x: Sequence[Any]) -> xr.DataArray:
    alpha = 1 - result.attrs["ci_level"]
    least, dims = result["p_min"], result["p"].dims
    if result.attrs["adjust"] == "holm":
        # Holm's first step: the smallest p has to bear all tests.
        least = least * result["p"].notnull().sum([d for d in dims if d not in x])
    if result.attrs["verdict_rule"] == _RULES["p"]:
        found = _in_words(
            verdicts,
            result[_ADJUSTED[result.attrs["adjust"]][0]],
            least.broadcast_like(result["p"]).transpose(*dims),
            result["difference"],
            result[["n_a", "n_b"]].to_dataarray().min("variable"),
            alpha=alpha,
        )
    else:
        bounds = result["superiority_ci"].transpose(*dims, "ci_bound")
        found = _in_words(verdicts_of_superiority, bounds, core=["ci_bound"])
    if "p_equivalent_holm" in result:
        found = _in_words(with_equivalence, found, result["p_equivalent_holm"], alpha=alpha)
    return found


def _in_words(
    kernel: Callable[..., NDArray[np.object_]],
    *arrays: xr.DataArray,
    core: Sequence[str] = (),
    **kwargs: Any,
) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(
        kernel,
        *arrays,
        input_core_dims=[list(core)] * len(arrays),
        kwargs=kwargs,
        dask="parallelized",
        output_dtypes=[object],
        dask_gufunc_kwargs={"allow_rechunk": True},
    )
    return found


def _size(p: xr.DataArray, x: Sequence[Any]) -> int:
    return int(np.prod([p.sizes[d] for d in p.dims if d not in x]))
