"""What `compare_all` found, as tables, in words, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from runcube.core import PlanError, UnknownNameError, value_text
from runcube.cube import coordinate_name, laid_out
from runcube.stats import values_and_logged
from runcube.tables import MARKS, count_runs, legend, marked, places_of, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

_NUMBERS = ("difference", "lower", "upper", "p", "p_min", "p_holm", "p_bh", "hedges_g")
_COUNTED = tuple(f"{name}_counted" for name in MARKS.values() if name != "n_diverged")


def with_runs(found: xr.Dataset, values: xr.DataArray, over: str) -> xr.Dataset:
    """Return comparisons with how many runs of both sides diverged or did not end.

    Parameters
    ----------
    found : Dataset
        As `runcube.compare_all` returns it.
    values : DataArray
        What it was given.
    over : str
        The dim of what is compared.
    """
    values = values.rename({over: "_over"})
    counts = count_runs(*values_and_logged(values), "seed")
    return found.assign(
        {
            f"{name}_{side}": _as_in(
                found, counts[name].sel(_over=found[side]).drop_vars("_over")
            ).variable
            for name in (*MARKS.values(), *_COUNTED)
            for side in "ab"
        }
    )


def _as_in(found: xr.Dataset, own: xr.DataArray) -> xr.DataArray:
    """Return an array with the names that the dims have where a comparison needs theirs."""
    dims = [d for d in own.dims if d not in found.dims]
    return own.rename({d: coordinate_name(found, d, "dim", among=found.dims) for d in dims})


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
    marks = [_marks(row) for row in numbers.to_dict("records")]
    counts = {"pairs": numbers["n_pairs"]}
    if not is_paired:
        counts = {"n a": numbers["n_a"], "n b": numbers["n_b"]}
    p = {name: [float(f"{v:.2g}") for v in numbers[name]] for name in ("p", _adjusted(found))}
    odd = {"odd runs": marks} if any(marks) else {}
    return labels.assign(
        **counts, **odd, **{"a - b": difference, level: spans}, **p, verdict=numbers["verdict"]
    )


def _marks(row: Mapping[Hashable, Any]) -> str:
    """Return how many runs of each side of a comparison diverged or did not end."""
    sides = ((side, {m: row[f"{n}_{side}"] for m, n in MARKS.items()}) for side in "ab")
    return ", ".join(f"{side} {text}" for side, own in sides if (text := marked(own)))


def within(found: xr.Dataset, own: xr.DataArray) -> pd.Series[Any]:
    """Return the value of a hyperparameter of each comparison that is shown.

    Parameters
    ----------
    found : Dataset
        As `runcube.compare_all` returns it.
    own : DataArray
        The hyperparameter.

    Raises
    ------
    PlanError
        If settings that are compared, or runs of one, differ in it.
    """
    try:
        own = _as_in(found, own)
    except UnknownNameError:
        raise PlanError(f"--within {own.name}: what is compared differs in it") from None
    column = pd.Series(laid_out(own.variable, found["p"].sizes).ravel())
    return column[_is_shown(found)].reset_index(drop=True)


def joint(frame: pd.DataFrame, column: pd.Series[Any], asked: str) -> str:
    """Return what comparisons in several parts say together, a line for each two settings.

    Verdicts are counted: their p is adjusted for the comparisons of all parts. Differences are not
    averaged, as those of two datasets may have nothing to do with each other.

    Parameters
    ----------
    frame : DataFrame
        As `differences` returns it.
    column : Series
        The part of each row.
    asked : str
        What parts are values of.
    """
    lines = [f"all {column.nunique()} values of {asked}: verdicts, p adjusted for all of them"]
    for (a, b), rows in frame.groupby(["a", "b"], sort=False):
        counts = rows["verdict"].value_counts()
        said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items())
        lines.append(f"  a={value_text(a)} b={value_text(b)}: {said} of {len(rows)}")
    return "\n".join(lines)


def _numbers(found: xr.Dataset) -> pd.DataFrame:
    """Return a row for each comparison of which both sides have runs."""
    sizes = {str(dim): size for dim, size in found["p"].sizes.items()}
    found = found.assign({b: found["ci"].sel(ci_bound=b, drop=True) for b in ("lower", "upper")})
    names = ["a", "b", *(dim for dim in sizes if dim != "pair"), "n_a", "n_b", "n_pairs"]
    names += [*dict.fromkeys([*_NUMBERS, _adjusted(found)]), "superiority", "verdict"]
    names += [f"{name}_{side}" for side in "ab" for name in MARKS.values()]
    frame = pd.DataFrame({n: laid_out(found[n].variable, sizes).ravel() for n in names})
    return frame[_is_shown(found)].reset_index(drop=True)


def _is_shown(found: xr.Dataset) -> NDArray[np.bool_]:
    both = (found["n_a"] > 0) & (found["n_b"] > 0)
    shown_ones: NDArray[np.bool_] = both.transpose(*found["p"].dims).values.ravel()
    return shown_ones


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
    total = {
        name: int((found[f"{name}_a"] + found[f"{name}_b"]).sum())
        for name in (*MARKS.values(), *_COUNTED)
    }
    odd = f"; odd runs, {words}" if (words := legend(total)) else ""
    return (
        f"a and b: {over}; interval by {attrs['ci_method']}; p by {attrs['test_source']}; "
        f"{_adjusted(found)} and verdict: {attrs['adjust_source']}, "
        f"for {int(found['p'].notnull().sum())} comparisons{odd}"
    )


def _adjusted(found: xr.Dataset) -> str:
    return f"p_{found.attrs['adjust'].replace('-', '_')}"
