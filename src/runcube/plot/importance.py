"""`importance` and `marginals`: what each hyperparameter does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError, printable
from runcube.cube import hyperparameters, of_status
from runcube.plot.ends import of_runs, runs_said
from runcube.plot.labels import counted, labels_of, name_of, plain
from runcube.plot.panels import Panels, bare_panels, one_panel
from runcube.plot.style import COLOURS
from runcube.plot.style import theme as in_theme
from runcube.stats import importance as importance_of
from runcube.stats import marginals as marginals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from runcube.stats import RNG

_MOST_LABELS = 12
_MOST_PAIRS = 5
_WHAT = {
    "anova": "share of variance (ω²)",
    "ped-anova": "importance (PED-ANOVA)",
    "forest": "share of variance (forest, fANOVA)",
}


def importance(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    split: str = "val",
    ax: Axes | None = None,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    theme: bool = True,
    method: Literal["auto", "anova", "ped-anova", "forest"] = "auto",
    epoch: Literal["best", "last", "each"] = "last",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    statuses: str | Sequence[str] | None = None,
    top: float = 0.2,
    n_trees: int = 256,
    ci: float = 0.95,
    n_resamples: int | None = None,
    rng: RNG = None,
) -> Axes | Figure:
    """Draw how much of what differs between runs each hyperparameter explains.

    A bar is an importance; the tick beside it is what the same key would have by chance, with its
    labels shuffled, at the level of the interval. A bar that ends before its tick says nothing.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout.
    metric, mode, split, method, epoch, diverged, top, n_trees, ci, n_resamples, rng
        As for :func:`runcube.importance`.
    statuses, ax, names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If there is no such metric or split.
    PlanError
        As :func:`runcube.importance`.

    See Also
    --------
    runcube.importance : what is drawn.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.importance(ds, metric="acc1", mode="max", rng=0, n_resamples=99)
    >>> ax.get_yticklabels()[0].get_text()
    'lr'
    """
    names = names or {}
    ds, ends = _of_runs(ds, statuses, metric, split)
    found = importance_of(
        ds,
        metric=metric,
        mode=mode,
        split=split,
        method=method,
        epoch=epoch,
        diverged=diverged,
        top=top,
        n_trees=n_trees,
        ci=ci,
        n_resamples=n_resamples,
        rng=rng,
    )
    rows = _shares(found, ds, names)
    with in_theme(theme):
        made = one_panel(ax, width, height=0.6 + 0.22 * len(rows))
        own = made.axes[0]
        for at, (_, share, null, (low, high), colour) in enumerate(rows):
            own.barh(at, share if np.isfinite(share) else 0.0, color=colour, height=0.6)
            if np.isfinite(null):
                own.vlines(null, at - 0.4, at + 0.4, color="black", linewidth=1.5)
            if np.isfinite(low) and np.isfinite(high):
                own.hlines(at, low, high, color="0.3", linewidth=1.2)
        own.set_yticks([*range(len(rows))], [text for text, *_ in rows])
        own.set_ylim(len(rows) - 0.4, -0.6)
        own.tick_params(axis="y", length=0)
        own.set_xlabel(_WHAT[found.attrs["method"]])
        return made.finish([], f"{_caption(found, names)} {runs_said(ends)}")


def marginals(
    ds: xr.Dataset,
    *,
    metric: str,
    mode: Literal["max", "min"],
    over: str | Sequence[str] | None = None,
    split: str = "val",
    bins: int | None = None,
    ax: Axes | None = None,
    ci: float = 0.95,
    names: Mapping[str, str] | None = None,
    width: Literal["column", "text", "page"] | float | None = None,
    epoch: Literal["best", "last", "each"] = "last",
    diverged: Literal["worst", "exclude", "fail"] = "worst",
    statuses: str | Sequence[str] | None = None,
    theme: bool = True,
) -> Axes | Figure:
    """Draw what a metric is on average for each label of a hyperparameter.

    Parameters
    ----------
    ds : Dataset
        The cube or a selection of it, in either layout.
    metric, mode, split, ci, epoch, diverged
        As for :func:`runcube.marginals`.
    over : str or sequence of str, optional
        The hyperparameters; by default all that vary.
    bins : int, optional
        As for :func:`runcube.marginals`; by default 8 where a number has more than 12 labels.
    statuses, ax, names, width, theme
        As for :func:`curves`.

    Returns
    -------
    Axes or Figure
        Axes of one hyperparameter, a Figure with a panel for each of several.

    Raises
    ------
    UnknownNameError
        If there is no such hyperparameter, metric or split.
    PlanError
        As :func:`runcube.marginals`, and if no hyperparameter varies.

    See Also
    --------
    runcube.marginals : what is drawn.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> ax = rc.plot.marginals(ds, over="lr", metric="acc1", mode="max")
    >>> ax.get_xlabel()
    'lr'
    """
    names = names or {}
    ds, ends = _of_runs(ds, statuses, metric, split)
    keys = [over] if isinstance(over, str) else over
    keys = _varying(ds) if keys is None else [*keys]
    if not keys:
        raise PlanError("marginals: no hyperparameter varies")
    call: dict[str, Any] = {"metric": metric, "mode": mode, "split": split, "ci": ci}
    call |= {"epoch": epoch, "diverged": diverged}
    found = [marginals_of(ds, over=key, bins=_bins(ds, key, bins), **call) for key in keys]
    with in_theme(theme):
        made: Panels = one_panel(ax, width) if len(keys) == 1 else bare_panels(len(keys), width)
        for at, (own, key) in enumerate(zip(made.axes, keys, strict=False)):
            _marginal(own, found[at], key, names)
            own.set_xlabel(name_of(key, ds[key], names))
            if made.is_leftmost(at):
                own.set_ylabel(" ".join(names.get(word, plain(word)) for word in (split, metric)))
        counts = np.concatenate([own["n_runs"].values for own in found])
        configs = np.concatenate([own["n_configs"].values for own in found])
        text = (
            f"Mean over {counted(configs)} configurations (n = {counted(counts)} runs) of a label."
            f" Bar: {100 * ci:g} % interval for other seeds of the same configurations (Student t,"
            " spread pooled). Small dash: the best configuration. "
            f"{runs_said(ends)}"
        )
        return made.finish([], text)


def _shares(
    found: xr.Dataset, ds: xr.Dataset, names: Mapping[str, str]
) -> list[tuple[str, float, float, tuple[float, float], Any]]:
    """Return text, share, chance, interval and colour of each bar: the keys, then the rest."""
    shares = found["importance"].values
    order = np.argsort(-np.nan_to_num(shares, nan=-np.inf), kind="stable")
    nothing = (np.nan, np.nan)
    rows = []
    for at in order.tolist():
        key = str(found["key"].values[at])
        text = name_of(key, ds.coords.get(key), names)
        bounds = tuple(found["ci"].values[at].tolist()) if "ci" in found else nothing
        rows.append((text, float(shares[at]), float(found["null"].values[at]), bounds, COLOURS[0]))
    if "interaction" in found:
        own = found["interaction"].values
        best = np.argsort(-np.nan_to_num(own, nan=-np.inf), kind="stable")[:_MOST_PAIRS]
        for at in [i for i in best.tolist() if np.isfinite(own[i])]:
            a, b = (str(found[side].values[at]) for side in "ab")
            text = " × ".join(name_of(key, ds.coords.get(key), names) for key in (a, b))
            bounds = tuple(found["interaction_ci"].values[at].tolist())
            rows.append((text, float(own[at]), np.nan, bounds, COLOURS[6]))
        for name, text in (("seed", "seed"), ("noise", "noise between runs")):
            if name in found and np.isfinite(share := float(found[name])):
                rows.append((text, share, np.nan, nothing, "0.7"))
    return rows


def _caption(found: xr.Dataset, names: Mapping[str, str]) -> str:
    attrs = found.attrs
    what = " ".join(names.get(attrs[key], plain(attrs[key])) for key in ("split", "metric"))
    said = [
        f"Of {what}, n = {counted(found['n_runs'].values)} runs of"
        f" {counted(found['n_configs'].values)} configurations.",
        f"Tick: {100 * attrs['ci_level']:g} % quantile with labels shuffled.",
    ]
    if "ci" in found:
        said.append(f"Line: {100 * attrs['ci_level']:g} % interval ({attrs['ci_source']}).")
    if "interaction" in found and found.sizes["pair"] > _MOST_PAIRS:
        said.append(f"The {_MOST_PAIRS} largest of {found.sizes['pair']} interactions.")
    if attrs["left_out"]:
        left_out = printable(attrs["left_out"]).replace("$", r"\$")
        said.append(f"Left out: {left_out}.")
    return " ".join(said)


def _of_runs(
    ds: xr.Dataset, statuses: str | Sequence[str] | None, metric: str, split: str
) -> tuple[xr.Dataset, dict[str, str]]:
    """Return the cube of the runs that count, and of how many with this metric that is."""
    shown = ds
    for dim, label in (("metric", metric), ("split", split)):
        if dim in ds.dims and label in ds[dim].values:  # what is not there is named later
            shown = shown.sel({dim: label})
    _, ends = of_runs(shown, statuses)
    return ds if statuses is None else of_status(ds, statuses), ends


def _varying(ds: xr.Dataset) -> list[str]:
    names = [n for n in hyperparameters(ds) if "seed" not in ds[n].dims]
    return [n for n in names if len(np.unique(ds[n].values)) > 1]


def _bins(ds: xr.Dataset, key: str, bins: int | None) -> int | None:
    if key not in ds.coords or ds[key].dtype.kind not in "if":
        return None
    return bins or (8 if len(np.unique(ds[key].values)) > _MOST_LABELS else None)


def _marginal(ax: Axes, found: xr.Dataset, key: str, names: Mapping[str, str]) -> None:
    labels = labels_of(found[key].values.tolist(), names)
    at = np.arange(len(labels))
    low, high = found["ci"].values.T
    there = np.isfinite(low)
    ax.vlines(at[there], low[there], high[there], color=COLOURS[0], linewidth=1.3)
    ax.plot(at, found["mean"].values, "o-", color=COLOURS[0], markersize=4, linewidth=0.8)
    ax.plot(at, found["best"].values, "_", color="0.3", markersize=8)
    shown = labels[:: max(1, -(-len(labels) // _MOST_LABELS))]
    is_long = sum(map(len, shown)) > 24
    ax.set_xticks(
        *(at[:: max(1, -(-len(labels) // _MOST_LABELS))], shown),
        rotation=45 if is_long else 0,
        ha="right" if is_long else "center",
        rotation_mode="anchor",
    )
    ax.set_xlim(-0.5, len(labels) - 0.5)
