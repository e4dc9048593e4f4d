"""When the names of logs are read unasked (rule 9): the template, and the keys that it finds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.plan.exclude import is_excluded_name
from runcube.plan.partitions import group, n_groups
from runcube.plan.path_keys import compile_template, keys_from_paths
from runcube.plan.path_template import DATE, find_template
from runcube.plan.values import make_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from runcube.plan.path_template import Field, Template
    from runcube.plan.values import Column

# Dates, times since 1970 and long numbers, and what is hexadecimal and has digits and letters.
_ID = re.compile(
    rf"{DATE}|\d{{9}}|(?<![^\W_])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{{6,}}(?![^\W_])",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class NamesRead:
    """How the names of logs are read.

    Parameters
    ----------
    template : str
        As for ``path_keys``.
    keys : tuple of str
        Its fields that the configuration does not have.
    n_alike : int
        Number of runs that nothing else tells apart.
    """

    template: str
    keys: tuple[str, ...]
    n_alike: int

    def keys_of(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """Return what each path says; nothing of a path of another shape."""
        found = keys_from_paths(paths, self.template)
        return [{key: own[key] for key in self.keys if key in own} for own in found]

    def unread(self, paths: Sequence[str]) -> list[int]:
        """Return the positions of the paths of another shape."""
        pattern = compile_template(self.template)
        return [i for i, path in enumerate(paths) if not pattern.match(path)]


def names_to_read(
    paths: Sequence[str],
    columns: Sequence[Column],
    cells: NDArray[np.int64],
    together: Sequence[Sequence[int]],
) -> NamesRead | None:
    """Return how names are read; None unless they tell apart what the configuration leaves alike.

    All names have one shape, but for one or one in twenty. Every part that varies in it has few
    values, each in several runs: no dates, and nothing like the number or the id of a run. No part
    contradicts the configuration, or decides a dim, whose place it would take. With the names,
    hardly any runs are alike.

    Parameters
    ----------
    paths : sequence of str
        Posix path of each run, (n_runs,).
    columns : sequence of Column
        All keys of the configurations.
    cells : (n_runs, n) int64
        The cell of each run, without the names.
    together : sequence of sequence of int
        Groups of runs that share a cell.
    """
    for template, runs in _candidates(paths, columns):
        if not _is_plain(template, paths, runs):
            continue
        if any(_contradicts(field, columns) for field in template.fields):
            continue
        place = {run: i for i, run in enumerate(runs)}
        groups = [[place[run] for run in group if run in place] for group in together]
        if not template.divides(groups):
            continue
        fields = [make_column("", field.texts).codes for field in template.fields if field.is_new]
        own = cells[runs]
        if any(_decides(codes, place) for codes in fields for place in own.T):
            continue
        left = len(runs) - n_groups(group([*own.T, *fields], len(runs)))
        if left <= _few(len(runs)):
            names = tuple(field.name for field in template.fields if field.is_new)
            return NamesRead(template.text, names, sum(map(len, groups)))
    return None


def _candidates(
    paths: Sequence[str], columns: Sequence[Column]
) -> Iterator[tuple[Template, list[int]]]:
    """Yield templates for all paths, and for all but a few, with the runs that they are for.

    What the last parts of the paths have is left out by the later ones.
    """
    split = [path.split("/") for path in paths]
    shapes = [tuple(_SEPARATORS.sub("", part) for part in parts) for parts in split]
    all_runs = [*range(len(paths))]
    for depth in range(min(map(len, split), default=0), 0, -1):
        usual = Counter(shape[:depth] for shape in shapes).most_common(1)[0][0]
        alike = [run for run, shape in enumerate(shapes) if shape[:depth] == usual]
        n_others = len(paths) - len(alike)
        for runs in (all_runs, alike) if 0 < n_others <= _few(len(paths)) else (all_runs,):
            own = columns if runs is all_runs else [_of_runs(column, runs) for column in columns]
            template = find_template(["/".join(split[run][:depth]) for run in runs], own)
            if template is not None:
                yield template, runs


def _of_runs(column: Column, runs: Sequence[int]) -> Column:
    return make_column(column.key, [column.raw(run) for run in runs])


def _few(n_runs: int) -> int:
    """Return how many runs are too few to decide for the others."""
    return max(1, n_runs // 20) if n_runs > 2 else 0


def _is_plain(template: Template, paths: Sequence[str], runs: Sequence[int]) -> bool:
    """Return whether all fields have few values that recur, and none names hosts, dates or ids.

    Several runs of one log are one name.
    """
    logs = [*{paths[run]: place for place, run in enumerate(runs)}.values()]
    return not any(is_excluded_name(field.word) for field in template.fields) and all(
        _recur([field.texts[place] for place in logs]) for field in template.fields
    )


def _recur(texts: Sequence[str]) -> bool:
    times = Counter(texts)
    several = sum(count > 1 for count in times.values())
    few = 2 * len(times) <= len(texts) and 2 * several >= len(times)
    return few and not any(map(_ID.search, times))


def _decides(codes: NDArray[np.int64], place: NDArray[np.int64]) -> bool:
    """Return whether a dim that varies, (n_runs,), is a function of a field, but for a few runs."""
    most = _few(len(codes))
    varies = _exceptions(np.zeros_like(codes), place) > most
    return varies and _exceptions(codes, place) <= most


def _exceptions(codes: NDArray[np.int64], place: NDArray[np.int64]) -> int:
    """Return how many runs have another place than most with the same code."""
    commonest: dict[int, int] = {}
    for (code, _), count in Counter(zip(codes.tolist(), place.tolist(), strict=True)).items():
        commonest[code] = max(count, commonest.get(code, 0))
    return len(codes) - sum(commonest.values())


def _contradicts(field: Field, columns: Sequence[Column]) -> bool:
    """Return whether a field is called as a key of the configuration that has other values."""
    word = field.word.lower()
    return field.is_new and any(c.key.rpartition(".")[2].lower() == word for c in columns)
