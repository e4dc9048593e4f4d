"""`importance`: how much of what differs between runs each hyperparameter explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.stats.explained import How, all_terms, by_anova, by_forest, by_ped_anova
from runcube.stats.labelled import are_labels, seed_of
from runcube.stats.runs import run_values
from runcube.stats.varied import Key, subsets_of, varied_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats.explained import Explain, Term
    from runcube.stats.labelled import RNG

_SOURCES = {
    "anova": "omega squared of type II sums of squares",
    "ped-anova": "variance of the share among the best (PED-ANOVA, Watanabe et al. 2023)",
    "forest": "functional ANOVA of a random forest (Hutter et al. 2014)",
}
_INTERVALS = {
    "anova": "noncentrality of F (Steiger 2004)",
    "ped-anova": "bootstrap standard error over configurations",
    "forest": "infinitesimal jackknife over configurations (Wager et al. 2014)",
}
_RESAMPLES = {"anova": 1000, "ped-anova": 1000, "forest": 99}


def importance(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    method: Literal["auto", "anova", "ped-anova", "forest"] = "auto",
    epoch: Literal["best", "last", "each"] = "last",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    top: float = 0.2,
    n_trees: int = 256,
    ci: float = 0.95,
    n_resamples: int | None = None,
    rng: RNG = None,
) -> xr.Dataset:
    """Return how much of what differs between runs each hyperparameter explains.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout, lazy or not.
    metric : str
    mode : {"max", "min"}
        Which end is better.
    split : str
    method : {"auto", "anova", "ped-anova", "forest"}
        ``"anova"``: the share of the variance, omega squared, which noise does not raise: it is 0
        on average, and may be below, where a key does nothing. ``"ped-anova"``: how far a key
        decides whether a configuration is among the best (``top``). ``"forest"``: the share of
        the variance of a random forest, for searches in which all values count and not only the
        best; needs ``runcube[forest]``. By default ``"anova"``, or ``"ped-anova"`` where a numeric
        key has another value in most configurations, as in a random search.
    epoch, diverged
        As for :func:`select`.
    top : float
        Share of the configurations that are the best, for ``"ped-anova"``; at least 5.
    n_trees : int
        Trees of the forest, for ``"forest"``.
    ci : float
        Level of the intervals and of ``null``.
    n_resamples : int, optional
        Shuffles for ``null`` and ``p``, and for ``"ped-anova"`` resamples of configurations: by
        default 1000. For ``"forest"`` 99: each shuffle of each key grows a forest of its own.
    rng : Generator, int or None
        For reproducible shuffles, resamples and trees.

    Returns
    -------
    Dataset
        Along ``key``: ``importance``; ``ci`` with a dim ``ci_bound`` (lower, upper); ``null``, the
        quantile ``ci`` of what the same key has with its labels shuffled, and ``p``, how often that
        is as much; ``n_configs``, ``n_runs``. Along ``pair``, with coordinates ``a`` and ``b``:
        ``interaction``, what both explain together beyond each alone; ``interaction_ci``,
        ``interaction_null`` and ``interaction_p`` (NaN by ``"anova"``: see where ``interaction_ci``
        begins).

        Numbers by ``"anova"``: ``seed``, the share of seeds that are labels which all
        configurations share, and ``noise``, that of differences between the runs of one
        configuration beyond it; NaN where each configuration has one run. On a full grid all
        shares, with that of higher interactions, sum to 1. By ``"forest"``: ``r2``, how well it
        predicts configurations that its trees have not seen; where that is near 0 its shares say
        nothing.

        Attrs name the keys that were left out, since another key or the seed decides them.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        If the Dataset is no cube, no key varies, an argument is out of range, or scikit-learn is
        not installed.

    Notes
    -----
    A key that some runs lack (label ``absent``) is compared within the runs that have it. Shuffling
    keeps the runs of a configuration together; on a full grid it goes on within each combination of
    the other keys. Divide by the sum for the normalised values of the papers.

    Intervals by ``"anova"`` are of what other seeds would give for the same configurations, the
    others of what other configurations of the same search would. A forest's takes keys for
    independent, each label as probable as it is frequent, and is exact over the leaves of its
    trees. It calls noise importance, and its interval is about that: look at ``null``, which is of
    forests of 16 trees, a little wider than one of many. Of a pair the key is shuffled that
    explains less.

    References
    ----------
    Watanabe, Bansal and Hutter (2023), PED-ANOVA: Efficiently quantifying hyperparameter importance
    in arbitrary subspaces. Hutter, Hoos and Leyton-Brown (2014), An efficient approach for
    assessing hyperparameter importance. Steiger (2004), Beyond the F test. Wager, Hastie and Efron
    (2014), Confidence intervals for random forests.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> found = rc.importance(rc.balanced(ds), metric="acc1", mode="max", rng=0, n_resamples=99)
    >>> found.importance.idxmax().item()
    'lr'
    """
    if method not in ("auto", *_SOURCES):
        raise PlanError(f"method={method!r}: expected 'auto', 'anova', 'ped-anova' or 'forest'")
    for name, share in (("top", top), ("ci", ci)):
        if not 0 < share < 1:
            raise PlanError(f"{name}={share!r}: expected a share between 0 and 1")
    for name, number in (("n_trees", n_trees), ("n_resamples", n_resamples)):
        if number is not None and number < 1:
            raise PlanError(f"{name}={number!r}: expected 1 or more")
    values = run_values(ds, metric, split, mode, epoch, diverged)
    there = np.isfinite(values)
    keys, left_out = varied_keys(ds, np.asarray(there.any(axis=1)))
    if not keys:
        raise PlanError("importance: no hyperparameter varies")
    if method == "auto":
        method = "ped-anova" if any(key.is_continuous for key in keys) else "anova"
    how = How(ci, _RESAMPLES[method] if n_resamples is None else n_resamples, seed_of(rng))
    count = there.sum(axis=1)
    scores = np.where(there, values, 0.0).sum(axis=1) / np.where(count, count, 1)
    if method == "anova":
        explain = by_anova(values, "seed" in ds.dims and are_labels(ds, "seed"), how)
    elif method == "forest":
        explain = by_forest(scores, n_trees, how)
    else:
        explain = by_ped_anova(scores, top, how)
    result = _placed(keys, there, explain, how)
    result.attrs = {
        "method": method,
        "source": _SOURCES[method],
        "metric": metric,
        "mode": mode,
        "split": split,
        "epoch": epoch,
        "diverged": diverged,
        "ci_level": ci,
        "ci_source": _INTERVALS[method],
        "n_resamples": how.n_resamples,
        "rng_seed": str(how.seed),
        "left_out": "; ".join(left_out),
    }
    if method != "anova":
        result.attrs |= {"top": top} if method == "ped-anova" else {"n_trees": n_trees}
    return result


def _placed(keys: list[Key], there: NDArray[np.bool_], explain: Explain, how: How) -> xr.Dataset:
    """Return what keys and pairs explain, each within the configurations that have them."""
    terms = all_terms(len(keys))
    held = np.asarray(there.any(axis=1))
    columns = {name: np.full(len(terms), np.nan) for name in ("share", "null", "p")}
    ci = np.full((len(terms), 2), np.nan)
    whole: dict[str, float] = {}
    for rows in subsets_of(keys, held):
        inside = [i for i, key in enumerate(keys) if key.varies(rows)]
        own = [
            number
            for number, term in enumerate(terms)
            if {*term} <= {*inside}
            and np.array_equal(np.all([keys[i].is_there for i in term], axis=0), rows)
        ]
        is_whole = np.array_equal(rows, held)
        if not (own or is_whole):
            continue
        wanted = [tuple(inside.index(i) for i in terms[number]) for number in own]
        found = explain([keys[i] for i in inside], rows, wanted)
        whole = found.whole if is_whole else whole
        columns["share"][own], ci[own] = found.share, found.ci
        for number, shuffled in zip(own, found.shuffled, strict=True):
            _against(columns, number, shuffled, how.ci)
    return _labelled(keys, there, terms, columns | {"ci": ci}, whole)


def _labelled(
    keys: list[Key],
    there: NDArray[np.bool_],
    terms: list[Term],
    columns: dict[str, NDArray[np.float64]],
    whole: dict[str, float],
) -> xr.Dataset:
    result = xr.Dataset()
    names, count = [key.name for key in keys], len(keys)
    for name, values in columns.items():
        plain = {"share": "importance"}.get(name, name)
        crossed = {"share": "interaction"}.get(name, f"interaction_{name}")
        bound = ("ci_bound",) if name == "ci" else ()
        result[plain] = (("key", *bound), values[:count])
        result[crossed] = (("pair", *bound), values[count:])
    result["n_configs"] = ("key", np.array([int(key.is_there.sum()) for key in keys]))
    result["n_runs"] = ("key", np.array([int(there[key.is_there].sum()) for key in keys]))
    for name, value in whole.items():
        result[name] = ((), value)
    pairs = terms[count:]
    return result.assign_coords(
        key=names,
        a=("pair", [names[a] for a, _ in pairs]),
        b=("pair", [names[b] for _, b in pairs]),
        ci_bound=["lower", "upper"],
    )


def _against(
    columns: dict[str, NDArray[np.float64]], i: int, shuffled: NDArray[np.float64], ci: float
) -> None:
    own = columns["share"][i]
    if len(shuffled) and np.isfinite(own) and np.isfinite(shuffled).all():
        columns["null"][i] = np.quantile(shuffled, ci)
        columns["p"][i] = ((shuffled >= own - 1e-12).sum() + 1) / (len(shuffled) + 1)
