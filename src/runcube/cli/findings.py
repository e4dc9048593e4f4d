"""What `select` and `compare_all` found, in words, as tables, and as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from runcube.core import value_text
from runcube.cube import diverged, laid_out, x_dim
from runcube.tables import decimals_of, places_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

_LISTED = 10
_NUMBERS = ("difference", "lower", "upper", "p", "p_min", "p_holm", "p_bh", "hedges_g")


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
        "plain_n": _runs_of_winner(found, ds),
        "chosen_x": {x_dim(ds): found["chosen_x"].item()} if "chosen_x" in found else None,
        "winner": json.loads(found.attrs["winner"]),
        "config": configuration(found),
        "may_be_best": _may_be_best(found),
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
    n = told["plain_n"]
    runs = "its runs" if n is None else f"{n} run{'' if n == 1 else 's'}"
    lines += [
        f"  {plain}: mean of the winner over {runs}, flattered, as they had a say in its choice",
        f"  {chosen}: its mean on {split}, which chose{_too_good(told['optimism'])}",
    ]
    if told["n_diverged"]:
        lines.append(f"  diverged runs: {told['n_diverged']}, treated as {told['diverged']!r}")
    end = "highest" if told["mode"] == "max" else "lowest"
    at = f", {_labels(told['chosen_x'])}" if told["chosen_x"] else ""
    lines += [f"winner, of the {end} mean on {split}: {_labels(told['winner'])}{at}"]
    text = yaml.safe_dump(told["config"], sort_keys=False, allow_unicode=True, width=float("inf"))
    lines += [textwrap.indent(text.rstrip("\n"), "  ")]
    others = told["may_be_best"]
    tried = int(found["mean"].notnull().sum()) - 1
    lines += [f"may be the best as well (Hsu, {level}): {len(others)} of {tried} others"]
    for other in others[:_LISTED]:
        mean = other.pop("mean")
        lines.append(f"  {_labels(other)}: {shown(mean, half, places)[0]} on {split}")
    more = len(others) - _LISTED
    return "\n".join([*lines, *([f"  and {more} more; --json lists them"] if more > 0 else [])])


def _too_good(optimism: float) -> str:
    known = np.isfinite(optimism)
    return f"; by bootstrap too good by {max(optimism, 0):.2g} or more" if known else ""


def _labels(labels: Mapping[str, Any]) -> str:
    return (
        " ".join(f"{name}={value_text(value)}" for name, value in labels.items()) or "the only one"
    )


def _runs_of_winner(found: xr.Dataset, ds: xr.Dataset) -> int | None:
    """Return over how many runs the plain mean is; None where each run has an x of its own."""
    if "chosen_x" not in found:
        return None
    x = x_dim(ds)
    curves = ds[["logged", "curve"]].sel(metric=found.attrs["metric"])
    there = curves["logged"].sel(split=found.attrs["reported_split"])
    there = there.isel({x: int(np.argmax(ds[x].values == found["chosen_x"].item()))})
    if found.attrs["diverged"] == "exclude":
        splits = [found.attrs["chosen_by_split"], found.attrs["reported_split"]]
        there = there & ~diverged(ds).sel(metric=found.attrs["metric"], split=splits).any("split")
    return int((there & found["is_winner"]).sum())


def _may_be_best(found: xr.Dataset) -> list[dict[str, Any]]:
    """Return the other configurations that may be the best, the best means first."""
    sizes = {str(dim): size for dim, size in found["mean"].sizes.items()}
    named = [str(n) for n, c in found.coords.items() if c.dims and {*c.dims} <= {*sizes}]
    columns = {name: laid_out(found[name].variable, sizes).ravel() for name in [*named, "mean"]}
    kept = (found["may_be_best"] & ~found["is_winner"]).values.ravel()
    frame = pd.DataFrame(columns)[kept]
    frame = frame.sort_values("mean", ascending=found.attrs["mode"] == "min", kind="stable")
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy(object).tolist()]


def differences_json(found: xr.Dataset, about: Mapping[str, Any]) -> pd.DataFrame:
    """Return the comparisons as numbers, with what they are of and how they were made.

    Parameters
    ----------
    found : Dataset
        As `runcube.compare_all` returns it.
    about : mapping of str to object
        Further columns.
    """
    ways = ("over", "ci_level", "ci_method", "test", "adjust", "p_adjusted_for")
    return _numbers(found).assign(**about, **{name: found.attrs[name] for name in ways})


def differences(found: xr.Dataset) -> pd.DataFrame:
    """Return the comparisons as they are shown, rounded as their intervals allow.

    Parameters
    ----------
    found : Dataset
        As `runcube.compare_all` returns it.
    """
    numbers = _numbers(found)
    half = (numbers["upper"] - numbers["lower"]) / 2
    places = places_of(numbers["difference"].tolist(), half.tolist())
    difference, lower, upper = (
        [shown(*row)[0] for row in zip(numbers[name], half, places, strict=True)]
        for name in ("difference", "lower", "upper")
    )
    labels = numbers.loc[:, :"n_a"].iloc[:, :-1]
    is_paired = found.attrs["test"].startswith("paired")
    level = f"{100 * found.attrs['ci_level']:g} % interval"
    spans = [f"{a} to {b}" if a else "-" for a, b in zip(lower, upper, strict=True)]
    counts = {"pairs": numbers["n_pairs"]}
    if not is_paired:
        counts = {"n a": numbers["n_a"], "n b": numbers["n_b"]}
    p = {name: [float(f"{v:.2g}") for v in numbers[name]] for name in ("p", _adjusted(found))}
    return labels.assign(
        **counts, **{"a - b": difference, level: spans}, **p, verdict=numbers["verdict"]
    )


def _numbers(found: xr.Dataset) -> pd.DataFrame:
    """Return a row for each comparison of which both sides have runs."""
    sizes = {str(dim): size for dim, size in found["p"].sizes.items()}
    found = found.assign({b: found["ci"].sel(ci_bound=b, drop=True) for b in ("lower", "upper")})
    names = ["a", "b", *(dim for dim in sizes if dim != "pair"), "n_a", "n_b", "n_pairs"]
    names += [*dict.fromkeys([*_NUMBERS, _adjusted(found)]), "superiority", "verdict"]
    frame = pd.DataFrame({n: laid_out(found[n].variable, sizes).ravel() for n in names})
    return frame[(frame["n_a"] > 0) & (frame["n_b"] > 0)].reset_index(drop=True)


def ways(found: xr.Dataset, over: str) -> str:
    """Return how differences, intervals and p were made.

    Parameters
    ----------
    found : Dataset
        As `runcube.compare_all` returns it.
    over : str
        What a and b are settings of.
    """
    attrs = found.attrs
    return (
        f"a and b: {over}; interval by {attrs['ci_method']}; p by {attrs['test_source']}; "
        f"{_adjusted(found)} and verdict: {attrs['adjust_source']}, "
        f"for {int(found['p'].notnull().sum())} comparisons"
    )


def _adjusted(found: xr.Dataset) -> str:
    return f"p_{found.attrs['adjust'].replace('-', '_')}"
