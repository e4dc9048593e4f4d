"""What `select` found, in words and as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from runcube.core import Status, counted, value_text
from runcube.cube import laid_out, x_dim
from runcube.tables import decimals_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

_LISTED = 10
_CHOICE = ("is_winner", "may_be_best")


def configuration(found: xr.Dataset) -> dict[str, Any]:
    """Return the winner's whole configuration: full dotted key to value, as JSON has it."""
    config: dict[str, Any] = json.loads(found.attrs["winner_config"])
    return config


def best_json(found: xr.Dataset, ds: xr.Dataset) -> dict[str, Any]:
    """Return what `select` found as one object.

    Parameters
    ----------
    found : Dataset
        As `runcube.select` returns it.
    ds : Dataset
        The cube that it was given.
    """
    asked = {
        name: found.attrs[name]
        for name in ("metric", "mode", "chosen_by_split", "reported_split", "epoch", "diverged")
    }
    numbers = ("value", "plain", "chosen_by", "optimism", "correlation", "n_folds", "n_diverged")
    return {
        **asked,
        **{name: found[name].item() for name in numbers},
        "ci": found["ci"].values.tolist(),
        "ci_level": found.attrs["ci_level"],
        "ci_method": "t over folds",
        "plain_n": found["n_plain"].item(),
        "winner_runs": _runs_by_status(found, ds)[0],
        "chosen_x": {x_dim(ds): found["chosen_x"].item()} if "chosen_x" in found else None,
        "winner": json.loads(found.attrs["winner"]),
        "config": configuration(found),
        "may_be_best": _may_be_best(found, ds),
        "rng": int(found.attrs["rng_seed"]),
    }


def best_text(found: xr.Dataset, ds: xr.Dataset) -> str:
    """Return what `select` found in words.

    Parameters
    ----------
    found, ds : Dataset
        As for `best_json`.
    """
    told = best_json(found, ds)
    level = f"{100 * told['ci_level']:g} %"
    low, high = told["ci"]
    half = (high - low) / 2
    places = decimals_of([told["plain"]], [half])
    value, plain, chosen, low, high = (
        shown(number, half, places)[0] or "unknown"
        for number in (told["value"], told["plain"], told["chosen_by"], low, high)
    )
    metric, report, split = (told[n] for n in ("metric", "reported_split", "chosen_by_split"))
    lines = [f"{metric} of {report}: no cross-fitted value, which needs two seeds or more"]
    if told["n_folds"] > 0:
        lines = [
            f"{metric} of {report}: {value}, {level} interval {low} to {high}"
            f" (t over {told['n_folds']} seeds)",
            "  cross-fitted: all seeds but one choose, that one reports; this is what to report",
        ]
    runs = counted(told["plain_n"], "run")
    lines += [
        f"  {plain}: mean of the winner over {runs}, flattered, as they had a say in its choice",
        f"  {chosen}: its mean on {split}, which chose{_too_good(told['optimism'])}",
    ]
    if told["n_diverged"]:
        lines.append(f"  diverged runs: {told['n_diverged']}, treated as {told['diverged']!r}")
    end = "highest" if told["mode"] == "max" else "lowest"
    at = f", {_labels(told['chosen_x'])}" if told["chosen_x"] else ""
    odd = _odd_runs(told["winner_runs"])
    lines += [f"winner, of the {end} mean on {split}: {_labels(told['winner'])}{at}{odd}"]
    text = yaml.safe_dump(told["config"], sort_keys=False, allow_unicode=True, width=float("inf"))
    lines += [textwrap.indent(text.rstrip("\n"), "  ")]
    others = told["may_be_best"]
    tried = int(found["mean"].notnull().sum()) - 1
    lines += [f"may be the best as well (Hsu, {level}): {len(others)} of {tried} others"]
    for other in others[:_LISTED]:
        mean, odd = other.pop("mean"), _odd_runs(other.pop("runs"))
        lines.append(f"  {_labels(other)}: {shown(mean, half, places)[0]} on {split}{odd}")
    more = len(others) - _LISTED
    return "\n".join([*lines, *([f"  and {more} more; --json lists them"] if more > 0 else [])])


def _too_good(optimism: float) -> str:
    known = np.isfinite(optimism)
    return f"; by bootstrap too good by {max(optimism, 0):.2g} or more" if known else ""


def _labels(labels: Mapping[str, Any]) -> str:
    return (
        " ".join(f"{name}={value_text(value)}" for name, value in labels.items()) or "the only one"
    )


def _odd_runs(runs: Mapping[str, int]) -> str:
    """Return how many runs diverged or did not end, where any did."""
    words = [f"{count} {name}" for name, count in runs.items() if count and name != "n"]
    over = f"mean over {counted(runs['n'], 'run')}"
    return f" ({over}; {', '.join(words)})" if words else ""


def _runs_by_status(found: xr.Dataset, ds: xr.Dataset) -> list[dict[str, int]]:
    """Return of each configuration how many runs count, and how many diverged or did not end.

    The winner is the first, then those that may be the best too, the best means first.
    """
    sizes = found["mean"].sizes
    counts = {"n": found["n"], "diverged": found["n_nonfinite"]}
    over = [dim for dim in ds["status"].dims if dim not in sizes]
    for kind in (Status.INCOMPLETE.value, Status.FAILED.value):
        counts[kind] = (ds["status"] == kind).sum(over)
    columns = {name: laid_out(own.variable, sizes).ravel() for name, own in counts.items()}
    return [{n: int(own[place]) for n, own in columns.items()} for place in _order(found)]


def _order(found: xr.Dataset) -> list[int]:
    """Return the places of the winner, and of those that may be the best too, by their means."""
    mean = found["mean"].values.ravel() * (1 if found.attrs["mode"] == "min" else -1)
    winner = found["is_winner"].values.ravel()
    others = np.flatnonzero(found["may_be_best"].values.ravel() & ~winner)
    return [*np.flatnonzero(winner), *others[np.argsort(mean[others], kind="stable")]]


def _may_be_best(found: xr.Dataset, ds: xr.Dataset) -> list[dict[str, Any]]:
    """Return the other configurations that may be the best, the best means first."""
    sizes = found["mean"].sizes
    named = [str(n) for n, c in found.coords.items() if c.dims and {*c.dims} <= {*sizes}]
    columns = {name: laid_out(found[name].variable, sizes).ravel() for name in [*named, "mean"]}
    frame = pd.DataFrame(columns).iloc[_order(found)[1:]]
    rows = [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy(object).tolist()]
    runs = _runs_by_status(found, ds)[1:]
    return [row | {"runs": own} for row, own in zip(rows, runs, strict=True)]


def agreement(found: Sequence[xr.Dataset], asked: str) -> str:
    """Return which configurations win, or may be the best, in how many parts of a sweep.

    Parameters
    ----------
    found : sequence of Dataset
        What `runcube.select` returned of each part.
    asked : str
        What parts are values of.
    """
    tables = [_choices(own) for own in found]
    every = pd.concat(tables, ignore_index=True)
    part = np.repeat(np.arange(len(tables)), [len(own) for own in tables])
    # What differs between the parts alone is no choice, as the number of a dataset.
    free = [n for n in every if n not in _CHOICE and (every[n].groupby(part).nunique() > 1).any()]
    head = f"all {len(tables)} values of {asked}, each of which chose by itself"
    if not free:
        return f"{head}: there is one configuration"
    sums = every.groupby(free, sort=False)[[*_CHOICE]].sum().reset_index()
    sums = sums.sort_values([*_CHOICE], ascending=False, kind="stable")
    kept = sums[(sums["may_be_best"] == len(tables)) | (sums["is_winner"] > 0)]
    lines = [
        f"  {_labels({str(name): row[name] for name in free})}: winner in {row['is_winner']},"
        f" may be the best in {row['may_be_best']}"
        for row in kept.to_dict("records")
    ]
    return "\n".join([head, *lines])


def _choices(found: xr.Dataset) -> pd.DataFrame:
    """Return the labels of all configurations, and whether each won or may be the best."""
    sizes = found["mean"].sizes
    named = [str(n) for n, c in found.coords.items() if "hparam" in c.attrs and n != "seed"]
    columns = {n: laid_out(found[n].variable, sizes).ravel() for n in (*named, *_CHOICE)}
    return pd.DataFrame(columns)
