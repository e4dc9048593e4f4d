"""The problems of a load as a table."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import xarray as xr

_LINE = re.compile(r"(?:line (\d+)(?: of (.+?))?: |in (.+?): )?([a-z_]+): (.*)", re.DOTALL)


# What messages of one kind differ in: quoted names, paths, numbers.
_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\S*/\S*|\d[\d.,:]*")


def problems(ds: xr.Dataset | xr.DataTree, *, full: bool = True) -> pd.DataFrame:
    """Return a table of what is wrong with the logs of a cube, or was decided by a policy.

    Parameters
    ----------
    ds : Dataset or DataTree
        A cube, in either layout, whole or selected; or a tree of them, with each problem once.
    full : bool
        Each problem, or with False one row for all of a kind whose messages differ in numbers,
        quoted names and paths alone.

    Returns
    -------
    DataFrame
        A row per problem, skipped files first. Columns, of text unless noted: ``path`` of the file,
        ``run_id`` (``""`` for a log that is in no cell), ``line`` (Int64, from 1; missing where a
        problem has no line), ``kind``, ``message``. With ``full=False`` ``count``, ``kind``, and of
        the first of them ``path``, ``line`` and ``message``, the most frequent first.

    Raises
    ------
    PlanError
        If the Dataset is no cube.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.load_runs("examples/logs")
    >>> rc.problems(ds)[["path", "line", "kind"]]
                           path  line           kind
    0  sweep/010/json_out.jsonl  <NA>  duplicate_run
    >>> rc.problems(ds, full=False)[["count", "kind"]].values.tolist()
    [[1, 'duplicate_run']]
    """
    import pandas as pd
    import xarray as xr

    if isinstance(ds, xr.DataTree):
        cubes = [node.to_dataset() for node in ds.subtree if node.has_data]
        rows = [*dict.fromkeys(row for cube in cubes for row in _rows(cube))]
    else:
        rows = [*_rows(ds)]
    table = pd.DataFrame(rows, columns=["path", "run_id", "line", "kind", "message"])
    table = table.astype({"line": "Int64"})
    return table if full else _grouped(table)


def _grouped(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for all problems of a kind that say the same, the most frequent first."""
    told = table.assign(_same=[_OWN.sub("…", text) for text in table["message"]])
    groups = told.groupby(["kind", "_same"], sort=False)
    first = groups.head(1).reset_index(drop=True)
    count = groups.size().to_numpy()
    first = first.assign(count=count)[["count", "kind", "path", "line", "message"]]
    return first.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def _rows(ds: xr.Dataset) -> Iterator[tuple[str, str, int | None, str, str]]:
    if "problems" not in ds.coords:
        raise PlanError("not a runcube cube: no coordinate 'problems'")
    for item in json.loads(ds.attrs.get("skipped", "[]")):
        yield item["path"], "", None, item["kind"], item["message"]
    texts, paths, names = (ds[n].values.reshape(-1) for n in ("problems", "path", "run_id"))
    for text, path, name in zip(texts, paths, names, strict=True):
        for line in str(text).split("\n") if text else ():
            yield _row(line, str(path), str(name))


def _row(line: str, path: str, run_id: str) -> tuple[str, str, int | None, str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        return path, run_id, None, "more", line
    number, of, beside, kind, message = found.groups()
    return of or beside or path, run_id, int(number) if number else None, kind, message
