"""One number for each run of a sweep: what choosing, ranking and importance go by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import PlanError, UnknownNameError, nearest
from runcube.cube import CellRows, x_dim
from runcube.stats.apart import other_names
from runcube.stats.choosing import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def scores_of(
    ds: xr.Dataset, metric: str, splits: Sequence[str], mode: str, epoch: str, diverged: str
) -> tuple[Scores, NDArray[np.bool_]]:
    """Return the curves of all runs, larger is better, and which runs diverged.

    Parameters
    ----------
    ds : Dataset
        A cube; where its x-axis was selected away, each run has one value.
    metric : str
    splits : sequence of str
        The split that chooses, and the one that is reported: the last one.
    mode : {"max", "min"}
    epoch : {"best", "last", "each"}
    diverged : {"worst", "exclude", "fail"}

    Returns
    -------
    scores : Scores
    lost : (configurations, seeds) bool
        Whether a run logged a NaN or infinity in any of these splits.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        If the Dataset is no cube, or an argument is another word.
    """
    x = x_dim(ds)
    _check(ds, metric, mode, splits, epoch, diverged)
    cells = CellRows.of(ds)
    sign = 1.0 if mode == "max" else -1.0
    values = [_laid_out(ds["curve"], metric, split, cells, x) for split in splits]
    held = [_laid_out(ds["logged"], metric, split, cells, x) for split in splits]
    lost = np.zeros(values[0].shape[:2], dtype=bool)
    for own, there in zip(values, held, strict=True):
        lost |= (there & ~np.isfinite(own)).any(axis=2)
    settled = [
        _settled(sign * own, there, lost, diverged) for own, there in zip(values, held, strict=True)
    ]
    return Scores(settled[0], settled[-1], epoch), lost


def run_values(
    ds: xr.Dataset, metric: str, split: str, mode: str, epoch: str, diverged: str
) -> NDArray[np.float64]:
    """Return one value of each run, larger is better, (configurations, seeds); NaN for none.

    Parameters
    ----------
    ds, metric, split, mode, epoch, diverged
        As for :func:`scores_of`.

    Raises
    ------
    PlanError
        As :func:`scores_of`, and if no run has a value.
    """
    scores, _ = scores_of(ds, metric, [split], mode, epoch, diverged)
    _, at = scores.choose(np.ones(scores.chosen_by.shape[1]))
    values, _ = scores.at_chosen_x(at)
    if not np.isfinite(values).any():
        raise PlanError(f"no run has a value of {metric!r} in split {split!r}")
    return values


def on_cells(
    found: dict[str, tuple[Any, Any]], ds: xr.Dataset, cells: CellRows, also: Sequence[str] = ()
) -> xr.Dataset:
    """Return variables with the labels of the cube.

    A hyperparameter that is called as one of the variables gets an underscore.

    Parameters
    ----------
    found : dict
        Name to dims and values; the dim ``"cells"`` stands for those of the configurations.
    ds : Dataset
    cells : CellRows
    also : sequence of str
        Further names that the result will have.
    """
    other = other_names([*ds.dims, *ds.coords], [*found, "ci_bound", *also])
    dims, sizes = [other.get(d, d) for d in cells.dims[:-1]], cells.sizes[:-1]
    variables: dict[str, tuple[Any, Any]] = {}
    for name, (on, values) in found.items():
        own = (on,) if isinstance(on, str) else tuple(on)
        if own[:1] == ("cells",):
            variables[name] = ((*dims, *own[1:]), np.reshape(values, (*sizes, *values.shape[1:])))
        else:
            variables[name] = (own, values)
    result = xr.Dataset(variables)
    wanted = {*cells.dims, "seed"}
    coords = {n: c for n, c in ds.coords.items() if {*c.dims} <= wanted and "hparam" in c.attrs}
    return result.assign_coords(
        {
            other.get(str(n), n): (tuple(other.get(str(d), d) for d in c.dims), c.values, c.attrs)
            for n, c in coords.items()
            if "seed" not in c.dims or n == "seed"
        }
    )


def _check(
    ds: xr.Dataset,
    metric: str,
    mode: str,
    splits: Sequence[str],
    epoch: str,
    diverged: str,
) -> None:
    for name, value, known in (
        ("mode", mode, ("max", "min")),
        ("epoch", epoch, ("best", "last", "each")),
        ("diverged", diverged, ("worst", "exclude", "fail")),
    ):
        if value not in known:
            raise PlanError(f"{name}={value!r}: expected {' or '.join(map(repr, known))}")
    for dim, names in (("metric", [metric]), ("split", splits)):
        labels = np.atleast_1d(ds[dim].values).tolist() if dim in ds.coords else []
        for name in names:
            if name not in labels:
                raise UnknownNameError(f"{dim}={name!r}: not in the cube{nearest(name, labels)}")


def _laid_out(
    variable: xr.DataArray, metric: str, split: str, cells: CellRows, x: str | None
) -> NDArray[Any]:
    """Return one metric and split as (configurations, seeds, x)."""
    for dim, label in (("metric", metric), ("split", split)):
        if dim in variable.dims:
            variable = variable.sel({dim: label})
    if "seed" not in variable.dims:
        variable = variable.expand_dims("seed")
    if x is None:
        x = "_x"
        variable = variable.expand_dims(x)
    values = variable.transpose(*cells.dims, x).values
    return values.reshape(-1, len(cells.seeds), values.shape[-1])


def _settled(
    values: NDArray[np.float64], held: NDArray[np.bool_], lost: NDArray[np.bool_], diverged: str
) -> NDArray[np.float64]:
    """Return values, larger is better, with what the policy makes of runs that diverged."""
    finite = held & np.isfinite(values)
    settled = np.where(finite, values, np.nan)
    if diverged == "worst":
        worst = settled[finite].min() if finite.any() else np.nan
        # Whatever it logged before: a run that diverged is as bad as the worst, throughout.
        settled[lost] = np.where(held[lost], worst, np.nan)
    elif diverged == "exclude":
        settled[lost] = np.nan
    else:
        settled[lost.any(axis=1)] = np.nan
    return settled
