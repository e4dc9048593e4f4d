"""`select`: the best configuration, with a value that its choice has not flattered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError
from runcube.cube import ABSENT, CellRows, full_key, json_value, x_dim
from runcube.stats.choosing import (
    MAY_BE_BEST,
    Scores,
    cross_fitted,
    may_be_best,
    optimism,
    shrunken,
    weighted_mean,
)
from runcube.stats.intervals import t_interval
from runcube.stats.labelled import seed_of
from runcube.stats.runs import on_cells, scores_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG


def select(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    report: str = "test",
    epoch: Literal["best", "last", "each"] = "best",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    variances: Literal["unequal", "equal"] = "unequal",
    ci: float = 0.95,
    n_resamples: int = 1000,
    rng: RNG = None,
) -> xr.Dataset:
    """Return the best configuration by one split, and what another split says of it, honestly.

    A run that is lucky on the one split is lucky on the other: the test value of the winner of many
    configurations is too good, although the test split had no say. So the value to report is
    *cross-fitted*: for each seed, the others choose configuration and epoch, and this one reports.

    Parameters
    ----------
    ds : Dataset
        The cube, in either layout, lazy or not, with several configurations and seeds.
    metric : str
    mode : {"max", "min"}
        Which end is better.
    split, report : str
        Which split chooses, and which one is reported.
    epoch : {"best", "last", "each"}
        The x at which the configuration's mean over seeds is best; or each run's last value; or
        each run's own best x.
    diverged : {"worst", "exclude", "fail"}
        A run that logged a NaN or infinity counts as the worst value that any run has; or is left
        out, which favours unstable configurations; or rules its configuration out.
    variances : {"unequal", "equal"}
        By which spread ``may_be_best`` is found: each configuration's own, which holds the level
        where some are more variable than others; or one that all share, which makes the set
        smaller where seeds are few, and is right only if they spread alike.
    ci : float
        Level of ``ci`` and of the set that may hold the best.
    n_resamples : int
        For ``optimism``, where there are more than 8 seeds.
    rng : Generator, int or None
        For reproducible resamples.

    Returns
    -------
    Dataset
        Numbers: ``value``, cross-fitted, with ``ci`` by t over the folds; ``plain``, the reported
        mean of the winner of all seeds, over ``n_plain`` runs; ``chosen_by``, its mean on the split
        that chose;
        ``optimism``, by how much that is too good, by bootstrap: a lower bound; ``correlation`` of
        both splits over seeds within configurations; ``n_folds``, ``n_diverged``. Along ``seed``:
        ``fold_value`` and ``fold_is_winner``. On the dims of the configurations: ``mean``, of the
        split that chose, over ``n`` runs, ``n_nonfinite``, runs that diverged, ``shrunken``,
        ``may_be_best``, the set that holds the best one with
        probability ``ci`` (Hsu 1984; Tamhane 1979), and ``is_winner``. Attrs hold the winner's
        labels and configuration as JSON, and every choice.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        If the Dataset is no cube, or no run has a value there.

    References
    ----------
    Tsamardinos et al. (2018), Bootstrapping the out-of-sample predictions for efficient and
    accurate cross-validation. Dodge et al. (2019), Show your work.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> best = rc.select(ds, metric="acc1", mode="max", report="eval", rng=0)
    >>> best.attrs["winner"]
    '{"weights": "DEFAULT", "lr": 0.2, "weight_decay": ...}'
    >>> int(best.n_folds), bool(best.value <= best.plain)
    (5, True)
    """
    x = x_dim(ds)
    if x is None:
        raise PlanError("select: no x-axis is left; pass the cube with its curves")
    cells = CellRows.of(ds)
    scores, lost = scores_of(ds, metric, (split, report), mode, epoch, diverged)
    sign = 1.0 if mode == "max" else -1.0
    seed = seed_of(rng)
    winner, at = scores.choose(np.ones(len(cells.seeds)))
    if winner < 0:
        raise PlanError(f"select: no run has a value of {metric!r} in split {split!r}")
    found = _found(scores, winner, at, sign, (ci, n_resamples, seed))
    own, _ = scores.at_chosen_x(at)
    found |= {"may_be_best": ("cells", may_be_best(own, ci, variances))}
    found |= {"n_diverged": ((), int(lost.sum())), "n_nonfinite": ("cells", lost.sum(axis=1))}
    result = on_cells(found, ds, cells, ["chosen_x"]).assign_coords(ci_bound=["lower", "upper"])
    index = int(at[winner][scores.held[winner]].min())
    if epoch == "best":
        result["chosen_x"] = ((), ds[x].values[index] if ds[x].ndim == 1 else index)
    result.attrs = {
        "metric": metric,
        "mode": mode,
        "chosen_by_split": split,
        "reported_split": report,
        "epoch": epoch,
        "diverged": diverged,
        "variances": variances,
        "may_be_best_source": MAY_BE_BEST[variances],
        "ci_level": ci,
        "rng_seed": str(seed),
        "winner": json.dumps(_labels(ds, cells, winner)),
        "winner_config": json.dumps(_config(ds, cells, winner), default=str),
    }
    return result


def _found(
    scores: Scores,
    winner: int,
    at: NDArray[np.intp],
    sign: float,
    how: tuple[float, int, int],
) -> dict[str, tuple[Any, Any]]:
    ci, n_resamples, seed = how
    own, other = scores.at_chosen_x(at)
    folds, chosen = cross_fitted(scores)
    there = np.isfinite(folds)
    bounds = np.full(2, np.nan)
    if there.sum() > 1:
        bounds = t_interval(sign * folds[there][None], ci)[0]
    once = np.ones(own.shape[1])
    return {
        "value": ((), sign * folds[there].mean() if there.any() else np.nan),
        "ci": ("ci_bound", bounds),
        "plain": ((), sign * weighted_mean(other[winner], once)),
        "n_plain": ((), int(np.isfinite(other[winner]).sum())),
        "chosen_by": ((), sign * weighted_mean(own[winner], once)),
        "optimism": ((), optimism(scores, n_resamples, seed)),
        "correlation": ((), _correlation(own, other)),
        "n_folds": ((), int(there.sum())),
        "fold_value": ("seed", sign * folds),
        "fold_is_winner": ("seed", chosen == winner),
        "mean": ("cells", sign * weighted_mean(own, once)),
        "n": ("cells", np.isfinite(own).sum(axis=1)),
        "shrunken": ("cells", sign * shrunken(own)),
        "is_winner": ("cells", np.arange(len(own)) == winner),
    }


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the correlation over seeds of what is left of two tables without their row means."""
    both = np.isfinite(a) & np.isfinite(b)
    one, other = (np.where(both, values, np.nan) for values in (a, b))
    once = np.ones(a.shape[1])
    one, other = (values - weighted_mean(values, once)[:, None] for values in (one, other))
    square = np.nansum(one**2) * np.nansum(other**2)
    return float(np.nansum(one * other) / np.sqrt(square)) if square > 0 else float("nan")


def _labels(ds: xr.Dataset, cells: CellRows, row: int) -> dict[str, Any]:
    names = [name for name in cells.names if "seed" not in ds[name].dims]
    return {name: cells.column(ds, name)[row, 0].item() for name in names}


def _config(ds: xr.Dataset, cells: CellRows, row: int) -> dict[str, Any]:
    """Return the whole configuration of a row as far as all of its runs agree."""
    config: dict[str, Any] = json.loads(ds.attrs.get("constant_hparams", "{}"))
    held = np.flatnonzero(cells.held[row])
    if "run_config" in ds.variables:
        texts = cells.column(ds, "run_config")[row, held].tolist()
        own = [json.loads(text) for text in texts if text] or [{}]
        config |= {k: v for k, v in own[0].items() if all(v == other.get(k) for other in own)}
    for name, label in _labels(ds, cells, row).items():
        number = f"{name}_value"
        value = cells.column(ds, number)[row, 0].item() if number in ds.coords else None
        config[full_key(ds, name)] = json_value(label, value)
    return {key: value for key, value in config.items() if value is not ABSENT}
