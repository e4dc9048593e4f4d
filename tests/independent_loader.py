"""A second loader, of pandas and json alone, for plain layouts whose columns the caller knows.

It guesses nothing: what is x, split, run and configuration is said by a `Layout`. A row that the
json module does not read is left out, and so is what is no number.
"""

import json
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Layout:
    """What the columns of JSON lines are.

    Parameters
    ----------
    x : str
        The axis.
    header, trailer : str or None
        Key of the object of the first and the last line; records with it are no rows.
    columns : tuple of str
        Columns of rows that are configuration, or nothing that is compared.
    run, split : str or None
        Columns that tell runs and splits apart.
    prefixes : tuple of str
        Splits that names of metrics begin with, before ``_`` or ``/``.
    """

    x: str
    header: str | None = None
    trailer: str | None = None
    columns: tuple[str, ...] = ()
    run: str | None = None
    split: str | None = None
    prefixes: tuple[str, ...] = ("train", "val", "test")


def records(file):
    """Objects of the lines that json reads, in order."""
    found = []
    for line in file.read_text(errors="replace").split("\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def values(root, layout, pattern="*.jsonl"):
    """Return {(path, split, metric, x): value} of all logs; ``path#run`` where a column says runs.

    The last value wins where one x is logged again.
    """
    found = {}
    for file in sorted(root.rglob(pattern)):
        found |= _of_file(file, file.relative_to(root).as_posix(), layout)
    return found


def _of_file(file, path, layout):
    rows = [r for r in records(file) if layout.header not in r and layout.trailer not in r]
    rows = [r for r in rows if layout.x in r]
    if not rows:
        return {}
    table = pd.DataFrame([_flat(row) for row in rows])
    ids = [name for name in (layout.x, layout.run, layout.split) if name]
    table = table.drop(columns=[c for c in layout.columns if c in table])
    long = table.melt(id_vars=ids, var_name="metric", ignore_index=False).sort_index(kind="stable")
    found = {}
    for row in long.to_dict("records"):
        value, name = row["value"], row["metric"]
        if isinstance(value, str) or value is None:
            continue
        split, metric = _split_of(name, layout.prefixes)
        split = row[layout.split] if layout.split else split
        run = f"{path}#{row[layout.run]}" if layout.run else path
        found[run, split, metric, row[layout.x]] = float(value)
    # pandas has one NaN for what is not there: only what json saw counts.
    return {at: value for at, value in found.items() if value == value or _said(rows, layout, at)}


def _said(rows, layout, at):
    """Did a row of this x say NaN itself under this name?"""
    _, split, metric, x = at
    for row in rows:
        if row[layout.x] != x or (layout.split and row[layout.split] != split):
            continue
        for name, value in _flat(row).items():
            named = (split, metric) if not layout.split else ("all", metric)
            if _split_of(name, layout.prefixes) == named and isinstance(value, float):
                return True
    return False


def _flat(record, before=""):
    """Nested keys joined with a slash, lists of numbers as one column for each number."""
    found = {}
    for key, value in record.items():
        items = dict(enumerate(value)) if isinstance(value, list) else value
        nested = isinstance(items, dict)
        found |= _flat(items, f"{before}{key}/") if nested else {f"{before}{key}": value}
    return found


def _split_of(name, prefixes):
    for prefix in prefixes:
        if name.startswith((f"{prefix}_", f"{prefix}/")):
            return prefix, name[len(prefix) + 1 :]
    return "all", name
