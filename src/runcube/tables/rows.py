"""What tells the rows of a table apart: labels of hyperparameters, and which of them are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from runcube.core import value_text
from runcube.cube import coordinate_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def row_labels(
    values: xr.DataArray, rows: Sequence[str], names: Mapping[str, str], *, derived: bool
) -> tuple[list[str], list[list[str]]]:
    """Return the keys that rows have, and the labels of each row as text.

    Parameters
    ----------
    values : DataArray
        Of all rows.
    rows : sequence of str
        The dims of rows; ``config`` stands for the hyperparameters along it.
    names : mapping
        What to call labels.
    derived : bool
        Whether what several dims decide, or one, is a key as well.
    """
    keys = [d for d in rows if d != "config"]
    keys += [
        str(n)
        for n, c in values.coords.items()
        if (c.dims == ("config",) or (derived and c.dims and {*c.dims} <= {*rows}))
        and n not in keys
        and "hparam" in c.attrs
        and not _is_number_of(values, str(n))
    ]
    sizes = {d: values.sizes[d] for d in rows}
    columns = []
    for key in keys:
        coord = (
            values[key] if key in values.coords else xr.DataArray(np.arange(sizes[key]), dims=key)
        )
        spread = coord.broadcast_like(xr.DataArray(np.zeros([*sizes.values()]), dims=rows))
        columns.append(np.ravel(spread.transpose(*rows).values).tolist())
    count = int(np.prod([*sizes.values()]))
    return keys, [[_label(column[r], names) for column in columns] for r in range(count)]


def chosen_keys(values: xr.DataArray, keys: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the places of the keys that were asked for.

    Raises
    ------
    UnknownNameError
        If one is no key of the rows.
    """
    what = "tells no rows apart"
    found = [coordinate_name(values, name, "keys", among=keys, what=what) for name in wanted]
    return [keys.index(name) for name in dict.fromkeys(found)]


def needed_keys(keys: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[int], str]:
    """Return the places of the keys that say something of the rows, and what the others are.

    Parameters
    ----------
    keys : sequence of str
        As they are shown.
    rows : sequence of sequence of str
        Labels, (rows, keys).

    Returns
    -------
    places : list of int
        Without the keys that are the same in all rows, and those that another one decides: each
        of its labels has one of theirs. A key that differs in more than half of the rows decides
        nothing, as in a random search.
    words : str
        A sentence for the caption, empty where nothing is left out.

    Examples
    --------
    >>> rows = [["cora", "3", "1", "a"], ["cora", "3", "2", "a"]]
    >>> rows += [["dblp", "7", "1", "a"], ["dblp", "7", "2", "a"]]
    >>> needed_keys(["data", "id", "depth", "tag"], rows)
    ([0, 2], 'Not shown: id, which data decides; the same in all rows: tag = a.')
    """
    columns = [[row[place] for row in rows] for place in range(len(keys))]
    sizes = [len({*column}) for column in columns]
    if len(rows) < 2 or max(sizes, default=1) < 2:
        return [*range(len(keys))], ""
    decided: dict[int, int] = {}
    for place, column in enumerate(columns):
        for other, own in enumerate(columns):
            # Of two that decide each other the first stays.
            is_finer = sizes[other] > sizes[place] or (
                sizes[other] == sizes[place] and other < place
            )
            decides = is_finer and len({*zip(own, column, strict=True)}) == sizes[other]
            if (
                decides
                and other not in decided
                and sizes[place] > 1
                and sizes[other] <= len(rows) / 2
            ):
                decided[place] = other
                break
    words = [
        f"{', '.join(keys[p] for p in decided if decided[p] == owner)}, which {keys[owner]} decides"
        for owner in dict.fromkeys(decided.values())
    ]
    constant = [f"{keys[p]} = {columns[p][0]}" for p in range(len(keys)) if sizes[p] == 1]
    words += [f"the same in all rows: {', '.join(constant)}"] if constant else []
    kept = [p for p in range(len(keys)) if sizes[p] > 1 and p not in decided]
    return kept, f"Not shown: {'; '.join(words)}." if words else ""


def _is_number_of(values: xr.DataArray, name: str) -> bool:
    """Return whether a coordinate holds the numbers of a text label."""
    label = values.coords.get(name.removesuffix("_value"))
    is_own = label is not None and label.attrs.get("hparam") == values[name].attrs["hparam"]
    return name.endswith("_value") and is_own


def _label(value: object, names: Mapping[str, str]) -> str:
    text = value_text(value)
    return names.get(text, names.get(str(value), text))
