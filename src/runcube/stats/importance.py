"""`importance`: how much of what differs between runs each hyperparameter explains."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from runcube.core import PlanError
from runcube.cube import CellRows
from runcube.stats.effects import Design, effects, shuffled_shares
from runcube.stats.labelled import are_labels, seed_of
from runcube.stats.runs import run_values
from runcube.stats.top_share import LEVELS, best, likeness, variance_of_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runcube.stats.labelled import RNG

_ABSENT = "absent"
_SOURCES = {
    "anova": "omega squared of type II sums of squares",
    "ped-anova": "variance of the share among the best (PED-ANOVA, Watanabe et al. 2023)",
}


def importance(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    method: Literal["auto", "anova", "ped-anova"] = "auto",
    epoch: Literal["best", "last", "each"] = "last",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    top: float = 0.2,
    ci: float = 0.95,
    n_resamples: int = 1000,
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
    method : {"auto", "anova", "ped-anova"}
        ``"anova"``: the share of the variance, omega squared, which noise does not raise: it is 0
        on average, and may be below, where a key does nothing. ``"ped-anova"``: how far a key
        decides whether a configuration is among the best (``top``). By default the latter where a
        numeric key has another value in most configurations, as in a random search.
    epoch, diverged
        As for :func:`select`.
    top : float
        Share of the configurations that are the best, for ``"ped-anova"``; at least 5.
    ci : float
        Level of ``ci`` and of ``null``.
    n_resamples : int
        Shuffles for ``null`` and ``p``, and resamples of configurations for ``ci``.
    rng : Generator, int or None
        For reproducible shuffles.

    Returns
    -------
    Dataset
        Along ``key``: ``importance``; ``null``, the quantile ``ci`` of what the same key has with
        its labels shuffled, and ``p``, how often that is as much; ``n_configs``, ``n_runs``.

        By ``"anova"`` along ``pair``, with coordinates ``a`` and ``b``: ``interaction``. Numbers:
        ``seed``, the share of seeds that are labels which all configurations share, and ``noise``,
        that of differences between the runs of one configuration beyond it; NaN where each
        configuration has one run. On a full grid all shares, with that of higher interactions, sum
        to 1. By ``"ped-anova"``: ``ci``, by bootstrap over configurations.

        Attrs name the keys that were left out, since another key or the seed decides them.

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        If the Dataset is no cube, no key varies, or an argument is out of range.

    Notes
    -----
    A key that some runs lack (label ``absent``) is compared within the runs that have it. Shuffling
    keeps the runs of a configuration together; on a full grid it goes on within each combination of
    the other keys. Divide by the sum for the normalised values of the paper.

    References
    ----------
    Watanabe, Bansal and Hutter (2023), PED-ANOVA: Efficiently quantifying hyperparameter importance
    in arbitrary subspaces. Hutter, Hoos and Leyton-Brown (2014), An efficient approach for
    assessing hyperparameter importance.

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
        raise PlanError(f"method={method!r}: expected 'auto', 'anova' or 'ped-anova'")
    for name, share in (("top", top), ("ci", ci)):
        if not 0 < share < 1:
            raise PlanError(f"{name}={share!r}: expected a share between 0 and 1")
    values = run_values(ds, metric, split, mode, epoch, diverged)
    keys, left_out = _keys(ds, np.asarray(np.isfinite(values).any(axis=1)))
    if not keys:
        raise PlanError("importance: no hyperparameter varies")
    seed = seed_of(rng)
    if method == "auto":
        method = "ped-anova" if any(key.is_continuous for key in keys) else "anova"
    if method == "anova":
        labels = "seed" in ds.dims and are_labels(ds, "seed")
        result = _by_anova(keys, values, labels, (ci, n_resamples, seed))
    else:
        result = _by_ped_anova(keys, values, top, (ci, n_resamples, seed))
    result.attrs = {
        "method": method,
        "source": _SOURCES[method],
        "metric": metric,
        "mode": mode,
        "split": split,
        "epoch": epoch,
        "diverged": diverged,
        "ci_level": ci,
        "rng_seed": str(seed),
        "left_out": "; ".join(left_out),
    } | ({"top": top} if method == "ped-anova" else {})
    return result


@dataclass(frozen=True, eq=False)
class _Key:
    """A hyperparameter of each configuration: labels, numbers (NaN for none), and where it is."""

    name: str
    labels: NDArray[Any]
    numbers: NDArray[np.float64]
    is_there: NDArray[np.bool_]

    @property
    def codes(self) -> NDArray[np.intp]:
        return np.unique(self.labels, return_inverse=True)[1].reshape(-1)

    @property
    def is_continuous(self) -> bool:
        numbers = self.numbers[self.is_there]
        count = len(np.unique(numbers[np.isfinite(numbers)]))
        return count > LEVELS and 2 * count > self.is_there.sum()


def _keys(ds: xr.Dataset, held: NDArray[np.bool_]) -> tuple[list[_Key], list[str]]:
    """Return the keys that vary, and which were left out with the reason."""
    cells = CellRows.of(ds)
    found: list[_Key] = []
    left_out = []
    for name in cells.names:
        if "seed" in ds[name].dims:
            left_out.append(f"{name} (differs between the seeds of a configuration)")
            continue
        labels = cells.column(ds, name)[:, 0]
        numbers = np.full(len(labels), np.nan)
        if labels.dtype.kind in "if":
            numbers = labels.astype(np.float64)
        elif f"{name}_value" in ds.coords:
            numbers = cells.column(ds, f"{name}_value")[:, 0].astype(np.float64)
        key = _Key(name, labels, numbers, held & (labels != _ABSENT))
        if len(np.unique(labels[key.is_there])) > 1:
            found.append(key)
    kept: list[_Key] = []
    # The finest first: a key that another one decides says nothing more.
    for key in sorted(found, key=lambda k: -len(np.unique(k.labels[held]))):
        owner = next((k for k in kept if _decides(k, key)), None)
        if owner is None or any(k.is_continuous for k in (key, owner)):
            kept.append(key)
        else:
            left_out.append(f"{key.name} ({owner.name} decides it)")
    return [key for key in found if key in kept], left_out


def _decides(one: _Key, other: _Key) -> bool:
    """Return whether the label of one key leaves that of another no choice, where that is."""
    rows = other.is_there
    both = np.stack([one.codes[rows], other.codes[rows]])
    if not one.is_there[rows].all():
        return False
    return len(np.unique(both, axis=1).T) == len(np.unique(both[0]))


def _by_anova(
    keys: list[_Key], values: NDArray[np.float64], labels: bool, how: tuple[float, int, int]
) -> xr.Dataset:
    ci, n_resamples, seed = how
    there = np.isfinite(values)
    pairs = [*combinations(range(len(keys)), 2)]
    columns = {name: np.full(len(keys), np.nan) for name in ("importance", "null", "p")}
    interaction = np.full(len(pairs), np.nan)
    whole = (np.nan, np.nan)
    for rows in _subsets(keys, np.asarray(there.any(axis=1))):
        inside = [i for i, key in enumerate(keys) if _varies(key, rows)]
        design = _design([keys[i] for i in inside], values, there & rows[:, None], labels)
        found = effects(design)
        own_pairs = [*combinations(inside, 2)]
        for place, pair in enumerate(own_pairs):
            if np.array_equal(keys[pair[0]].is_there & keys[pair[1]].is_there, rows):
                interaction[pairs.index(pair)] = found.pairs[place]
        for place, i in enumerate(inside):
            if not np.array_equal(keys[i].is_there, rows):
                continue
            shuffled = shuffled_shares(design, place, found, n_resamples, seed)
            columns["importance"][i] = found.keys[place]
            _against(columns, i, shuffled, ci)
        if rows.sum() == there.any(axis=1).sum():
            whole = (found.block, found.noise)
    result = _labelled(keys, there, columns)
    names = [key.name for key in keys]
    result["interaction"] = ("pair", interaction)
    result["seed"], result["noise"] = ((), whole[0]), ((), whole[1])
    return result.assign_coords(
        a=("pair", [names[a] for a, _ in pairs]), b=("pair", [names[b] for _, b in pairs])
    )


def _subsets(keys: list[_Key], held: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the sets of configurations that some key or pair of keys is in, all of them first."""
    found = [held, *(key.is_there for key in keys)]
    found += [a.is_there & b.is_there for a, b in combinations(keys, 2)]
    known = {rows.tobytes(): rows for rows in found if rows.any()}
    return list(known.values())


def _varies(key: _Key, rows: NDArray[np.bool_]) -> bool:
    """Return whether all of some configurations have a key, and not all the same label."""
    return bool((key.is_there | ~rows).all()) and len(np.unique(key.labels[rows])) > 1


def _design(
    keys: list[_Key], values: NDArray[np.float64], there: NDArray[np.bool_], labels: bool
) -> Design:
    row, seed = np.nonzero(there)
    codes = np.stack([np.unique(k.labels[row], return_inverse=True)[1] for k in keys], axis=1)
    codes = codes.reshape(len(row), len(keys))
    # A block has each seed once in a configuration.
    places = np.unique(np.column_stack([codes, seed]), axis=0)
    is_block = labels and len(places) == len(row) and len(np.unique(seed)) > 1
    own = np.unique(seed, return_inverse=True)[1].reshape(-1) if is_block else None
    return Design(values[there], codes, own)


def _by_ped_anova(
    keys: list[_Key], values: NDArray[np.float64], top: float, how: tuple[float, int, int]
) -> xr.Dataset:
    ci, n_resamples, seed = how
    there = np.isfinite(values)
    count = there.sum(axis=1)
    scores = np.where(there, values, 0.0).sum(axis=1) / np.where(count, count, 1)
    columns = {
        name: np.full(len(keys), np.nan) for name in ("importance", "null", "p", "low", "high")
    }
    for i, key in enumerate(keys):
        rng = np.random.default_rng([seed, i])
        rows = np.flatnonzero(key.is_there)
        n = len(rows)
        is_best = best(scores[rows], top).astype(np.float64)
        near, points = likeness(key.labels[rows], key.numbers[rows], int(is_best.sum()))
        once = np.ones((n, 1))
        own = variance_of_share(near, points, is_best[:, None], once)[0]
        mixed = rng.permuted(np.tile(is_best[:, None], n_resamples), axis=0)
        shuffled = variance_of_share(near, points, mixed, np.ones_like(mixed))
        counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).T.astype(np.float64)
        drawn = variance_of_share(near, points, _best_again(scores[rows], counts, top), counts)
        columns["importance"][i] = own
        _against(columns, i, shuffled, ci)
        # About the estimate: a resample repeats values, which looks like importance.
        if np.isfinite(drawn).any():
            tails = np.nanquantile(drawn, [0.5 + ci / 2, 0.5 - ci / 2])
            columns["low"][i], columns["high"][i] = np.clip(2 * own - tails, 0, 1)
    bounds = np.stack([columns.pop("low"), columns.pop("high")], axis=1)
    result = _labelled(keys, there, columns)
    result["ci"] = (("key", "ci_bound"), bounds)
    return result.assign_coords(ci_bound=["lower", "upper"])


def _best_again(
    scores: NDArray[np.float64], counts: NDArray[np.float64], top: float
) -> NDArray[np.float64]:
    """Return which configurations are the best of each resample, (configurations, resamples)."""
    order = np.argsort(-scores, kind="stable")
    wanted = min(len(scores), max(5, round(top * len(scores))))
    before = counts[order].cumsum(axis=0) - counts[order]
    found = np.empty_like(counts)
    found[order] = before < wanted
    return found


def _against(
    columns: dict[str, NDArray[np.float64]], i: int, shuffled: NDArray[np.float64], ci: float
) -> None:
    own = columns["importance"][i]
    if np.isfinite(own) and np.isfinite(shuffled).all():
        columns["null"][i] = np.quantile(shuffled, ci)
        columns["p"][i] = ((shuffled >= own - 1e-12).sum() + 1) / (len(shuffled) + 1)


def _labelled(
    keys: list[_Key], there: NDArray[np.bool_], columns: dict[str, NDArray[np.float64]]
) -> xr.Dataset:
    result = xr.Dataset({name: ("key", values) for name, values in columns.items()})
    result["n_configs"] = ("key", np.array([int(key.is_there.sum()) for key in keys]))
    result["n_runs"] = ("key", np.array([int(there[key.is_there].sum()) for key in keys]))
    return result.assign_coords(key=[key.name for key in keys])
