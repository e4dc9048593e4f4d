"""`marginals`: the mean of the configurations that share a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube import CellRows, coordinate_name
from runcube.stats.apart import other_names
from runcube.stats.choosing import weighted_mean
from runcube.stats.runs import run_values

if TYPE_CHECKING:
    from numpy.typing import NDArray


def marginals(
    ds: xr.Dataset,
    *,
    over: str,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    bins: int | None = None,
    epoch: Literal["best", "last", "each"] = "last",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    ci: float = 0.95,
) -> xr.Dataset:
    """Return what a metric is on average for each label of a hyperparameter.

    Each configuration counts once, by its mean over seeds. Where the grid is not full, labels
    differ in the configurations that they have, and so perhaps in the other hyperparameters.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout, lazy or not.
    over : str
        The hyperparameter.
    metric : str
    mode : {"max", "min"}
        Which end is better: for ``best``, and for runs that diverged.
    split : str
    bins : int, optional
        Join the values of a number into so many bins, equally full.
    epoch, diverged
        As for :func:`select`.
    ci : float
        Level of the interval.

    Returns
    -------
    Dataset
        Along ``over``, whose labels of bins are their medians: ``mean``; ``ci`` with a dim
        ``ci_bound``, of what other seeds would give for the same configurations, by t with the
        spread between seeds pooled over all configurations (NaN without a second seed); ``std``
        between the means of configurations (ddof 1); ``best``, that of the best one;
        ``n_configs``, ``n_runs``.

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter, metric or split.
    PlanError
        If the Dataset is no cube, or an argument is out of range.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> found = rc.marginals(ds, over="lr", metric="acc1", mode="max")
    >>> found["mean"].idxmax().item(), found.n_configs.values.tolist()
    (0.2, [6, 6, 6, 6])
    """
    if not 0 < ci < 1:
        raise PlanError(f"ci={ci!r}: expected a level such as 0.95")
    values = run_values(ds, metric, split, mode, epoch, diverged)
    values = values if mode == "max" else -values
    cells = CellRows.of(ds)
    over = coordinate_name(ds, over, "over", among=cells.names, what="no such hyperparameter")
    if "seed" in ds[over].dims:
        raise PlanError(f"over={over!r}: it differs between the seeds of a configuration")
    rows = np.isfinite(values).any(axis=1)
    labels, group = np.unique(cells.column(ds, over)[rows, 0], return_inverse=True)
    group = group.reshape(-1)
    if bins is not None:
        if labels.dtype.kind not in "if" or bins < 1:
            raise PlanError(f"bins={bins!r}: expected a number of bins of a key of numbers")
        labels, group = binned(labels[group].astype(np.float64), bins)
    found = _of_groups(values[rows], group, len(labels), mode, ci)
    dim = other_names([over], [*found, "ci_bound"]).get(over, over)
    result = xr.Dataset(
        {name: ((dim, "ci_bound") if name == "ci" else dim, own) for name, own in found.items()}
    )
    result = result.assign_coords(
        {dim: (dim, labels, ds[over].attrs), "ci_bound": ["lower", "upper"]}
    )
    result.attrs = {
        "metric": metric,
        "mode": mode,
        "split": split,
        "epoch": epoch,
        "diverged": diverged,
        "ci_level": ci,
    }
    return result


def binned(numbers: NDArray[np.float64], bins: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the median of each bin and the bin of each number; equal ones stay together.

    Parameters
    ----------
    numbers : (n,) float64
    bins : int
        How many, equally full as far as equal numbers allow.
    """
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.unique(np.searchsorted(edges, numbers), return_inverse=True)[1].reshape(-1)
    medians = [np.median(numbers[group == i]) for i in range(group.max() + 1)]
    return np.array(medians), group


def _of_groups(
    values: NDArray[np.float64], group: NDArray[np.intp], count: int, mode: str, ci: float
) -> dict[str, NDArray[np.generic]]:
    """Return the statistics of each group of configurations (configurations, seeds)."""
    from scipy import stats

    n = np.isfinite(values).sum(axis=1)
    means = weighted_mean(values, np.ones(values.shape[1]))
    df = int((n - 1).sum())
    noise = np.nansum((values - means[:, None]) ** 2) / df if df else np.nan
    half = stats.t.ppf(0.5 + ci / 2, df) if df else np.nan
    inside = [group == i for i in range(count)]
    mean = np.array([means[rows].mean() for rows in inside])
    error = np.array([np.sqrt(noise * (1 / n[rows]).sum()) / rows.sum() for rows in inside])
    best = np.max if mode == "max" else np.min
    return {
        "mean": mean,
        "ci": np.stack([mean - half * error, mean + half * error], axis=1),
        "std": np.array([means[r].std(ddof=1) if r.sum() > 1 else np.nan for r in inside]),
        "best": np.array([best(means[rows]) for rows in inside]),
        "n_configs": np.array([int(rows.sum()) for rows in inside]),
        "n_runs": np.array([int(n[rows].sum()) for rows in inside]),
    }
