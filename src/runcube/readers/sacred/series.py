"""The curves of a run: those of ``metrics.json``, and those that projects keep in ``info.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.json_file import LOST, is_damaged
from runcube.readers.lines import spelling
from runcube.readers.sacred.plain import MARK, number, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Behind the name of the list that holds the steps of another one.
_STEPS = "_T"
_PICKLED = "that only unpickling would restore, which is not done: left out"


@dataclass(frozen=True)
class Series:
    """One curve.

    Parameters
    ----------
    name : str
    steps : list, (points,)
        As logged; `LOST` where the file is damaged.
    values : list, (points,)
        As logged, without pickled objects; `LOST` where there is none that can be read.
    times : list, (points,) or (0,)
        When each point was logged, as text; empty if that is not known.
    """

    name: str
    steps: list[Any]
    values: list[Any]
    times: list[Any]


def series_of_metrics(found: Mapping[str, Any], path: str) -> tuple[list[Series], list[Problem]]:
    """Return the curves of ``metrics.json``, and problems for what is none.

    Parameters
    ----------
    found : mapping
        What the file holds, as far as it can be read.
    path : str
        Path that problems name.
    """
    series, problems = [], []
    for name, entry in found.items():
        lists = entry if isinstance(entry, dict) else {}
        steps, values = lists.get("steps"), lists.get("values")
        if not (isinstance(steps, list) and isinstance(values, list)):
            what = f"{name!r}: without its steps and values, left out"
            problems.append(Problem("left_out", what, path))
            continue
        times = lists.get("timestamps")
        made, lost = _series(name, steps, values, times if isinstance(times, list) else [])
        series.append(made)
        problems += [Problem("left_out", what, path) for what in lost]
    return series, problems


def series_of_info(
    found: Mapping[str, Any], known: Iterable[Series], path: str
) -> tuple[list[Series], dict[str, Any], list[Problem]]:
    """Return the curves of ``info.json``: pairs of lists ``name`` and ``name_T``, lists of numbers.

    A list without steps is numbered from 0, as Sacred numbers what is logged without a step. Of a
    list of objects each key is a list, ``name/key``.

    Parameters
    ----------
    found : mapping
        What the file holds, as far as it can be read.
    known : iterable of Series
        The curves of ``metrics.json``: what is there as well is one curve.
    path : str
        Path that problems name.

    Returns
    -------
    series : list of Series
        Those that ``metrics.json`` lacks, or has fewer points of.
    rest : dict
        What is no curve.
    problems : list of Problem
    """
    by_name = {one.name: one for one in known}
    series, rest, problems = [], {}, []
    of_objects = _by_key({name: value for name, value in found.items() if _are_objects(value)})
    found = _by_key(found)
    for name, value in found.items():
        steps = found.get(name + _STEPS)
        values = plain(value)
        if isinstance(steps, list) and isinstance(value, list):
            values = value
        elif _is_steps(name, found):
            continue
        elif _are_numbers(values) or (name in of_objects and _are_numbers([*values, 0])):
            steps = [*range(len(values))]
        elif number(value) is LOST and not is_damaged(value):
            what = f"{name!r}: an object {_PICKLED}"
            problems.append(Problem("left_out", what, path))
            continue
        else:
            rest[name] = values
            continue
        made, lost = _series(name, steps, values, [])
        other = by_name.get(name)
        if other is not None:
            if _agrees(made, other):
                if len(made.values) <= len(other.values):
                    continue
            else:
                made = Series(f"info/{name}", made.steps, made.values, [])
        series.append(made)
        problems += [Problem("left_out", what, path) for what in lost]
    return series, rest, problems


def _by_key(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return lists of objects, such as one for each evaluation, as a list for each of their keys.

    Examples
    --------
    >>> _by_key({"evals": [{"rmse": 4.2}, {"rmse": 3.9, "n": 7}], "best": 3.9})["evals/rmse"]
    [4.2, 3.9]
    """
    lists: dict[str, Any] = {}
    for name, value in found.items():
        keys = dict.fromkeys(k for item in value for k in item) if _are_objects(value) else {}
        # Where a name is taken the list stays whole, and is named as no number.
        if keys and not any(f"{name}/{key}" in found for key in keys):
            lists |= {f"{name}/{key}": [item.get(key, LOST) for item in value] for key in keys}
        else:
            lists[name] = value
    return lists


def _are_objects(value: Any) -> bool:
    """Return whether a value is a list of objects that are not pickled ones."""
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(item, dict) for item in value)
        and not any(key.startswith(MARK) for item in value for key in item)
    )


def _is_steps(name: str, found: Mapping[str, Any]) -> bool:
    """Return whether a list holds the steps of another one."""
    own = name.removesuffix(_STEPS)
    is_list = isinstance(found[name], list)
    return own != name and is_list and isinstance(found.get(own), list)


def _are_numbers(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) > 1
        and all(isinstance(v, int | float) or v is LOST for v in values)
    )


def _series(
    name: str, steps: Sequence[Any], values: Sequence[Any], times: Sequence[Any]
) -> tuple[Series, list[str]]:
    """Return one curve, and what there is to say about points that it lacks.

    Where the lists differ in length, places in them are the same only as far as all are whole.
    """
    lost = []
    count = min(len(steps), len(values))
    if len(steps) != len(values):
        count = min(count, *(_whole(items) for items in (steps, values)))
        what = f"{len(steps)} steps and {len(values)} values: {count} points are read"
        lost.append(f"{name!r}: {what}")
    is_timed = len(times) >= count and not any(time is LOST for time in times[:count])
    read = [number(value) for value in values[:count]]
    if pickled := sum(a is LOST and not is_damaged(b) for a, b in zip(read, values, strict=False)):
        lost.append(f"{name!r}: {pickled} object{'s' * (pickled > 1)} {_PICKLED}")
    own_steps = [number(step) for step in steps[:count]]
    return Series(name, own_steps, read, [*times[:count]] if is_timed else []), lost


def _whole(items: Sequence[Any]) -> int:
    """Return how many items stand before the first that is lost."""
    return next((at for at, item in enumerate(items) if item is LOST), len(items))


def _agrees(one: Series, other: Series) -> bool:
    """Return whether two curves are one, of which either may end earlier."""
    pairs = zip(one.steps, one.values, other.steps, other.values, strict=False)
    return all(
        _same(step, other_step) and _same(value, other_value)
        for step, value, other_step, other_value in pairs
    )


def _same(one: Any, other: Any) -> bool:
    if one is LOST or other is LOST:
        return True
    return bool(one == other) or spelling(one) == spelling(other)
