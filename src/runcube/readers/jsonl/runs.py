"""Columns of a table to runs: constants, curves, messages, problems."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Curves, Problem, RunLog, elapsed_seconds, is_time_like
from runcube.readers.jsonl.column_roles import ALL
from runcube.readers.jsonl.x_columns import Axes
from runcube.readers.lines import is_number_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runcube.core import Request, RunHeader
    from runcube.readers.jsonl.log import Log


def build_runs(log: Log, headers: list[RunHeader], request: Request) -> list[RunLog]:
    """Return one ``RunLog`` for each run of a log.

    Parameters
    ----------
    log : Log
    headers : list of RunHeader, (runs,)
        Those of the runs of the log, in the same order.
    request : Request

    Returns
    -------
    list of RunLog, (runs,)
    """
    return [_RunBuilder(log, run, header, request).build() for run, header in enumerate(headers)]


class _RunBuilder:
    """Makes the ``RunLog`` of one run.

    Parameters
    ----------
    log : Log
    run : int
        Number of the run in the log.
    header : RunHeader
    request : Request

    Attributes
    ----------
    rows : ndarray of int64, (rows,)
        Rows of the run in the table of the log.
    out : RunLog
        What is made.
    columns : dict of str to (ndarray of float64, ndarray of bool), each (rows,)
        Values of each metric column, and where they were logged.
    """

    def __init__(self, log: Log, run: int, header: RunHeader, request: Request) -> None:
        self.log = log
        self.rows = log.runs.rows(run)
        self.request = request
        self.out = RunLog(header, columns=frozenset(log.table.columns))
        self.columns: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}

    def build(self) -> RunLog:
        """Return the finished log."""
        for name in self.log.roles.metrics:
            if name not in self._labels:
                self._numbers(name)
        self._lists()
        axes = Axes(self.log, self.rows)
        parts = self._parts()
        self.out.splits = tuple(parts)
        names: dict[str, None] = {}
        for part in parts.values():
            names.update(dict.fromkeys(part))
        self.out.metrics = tuple(names)
        for split, part in parts.items():
            asked = self.request.splits is None or split in self.request.splits
            self._curves(split, part, axes, self.request.metrics if asked else frozenset())
        if self.request.messages:
            self.out.messages = self._messages()
        self.out.train_time = self._train_time()
        return self.out

    @cached_property
    def _labels(self) -> frozenset[str]:
        """Columns that are configuration of the sweep and never move in this run: its labels.

        A column that moves here keeps its values, whatever it is in other runs.
        """
        return self.request.drop.intersection(self.out.header.constants)

    def _numbers(self, name: str) -> None:
        """Collect the numbers of one metric column in this run, and problems for what is none."""
        column = self.log.table.columns[name]
        values, logged = column.values[self.rows], column.logged[self.rows]
        codes = column.codes[self.rows]
        bad = column.others[self.rows] != 0
        if (codes >= 0).any():
            parsed = [_parse(text, self.log.options.null_is_nan) for text in column.words]
            numbers = np.array([np.nan if p is None else p for p in parsed])
            sound = np.array([p is not None for p in parsed])
            is_text = codes >= 0
            read = is_text & sound[codes]
            values = np.where(read, numbers[codes], values)
            logged = logged | read
            bad = bad | (is_text & ~read)
            self._problem("text_number", name, read, "numbers written as text, read as numbers")
        self._problem("non_numeric", name, bad, "values that are no numbers, left out")
        if logged.any():
            self.columns[name] = (values, logged)

    def _lists(self) -> None:
        """Record a problem for columns of lists, which are neither metrics nor configuration."""
        known = {*self._labels, *self.out.header.config}
        for name, column in self.log.table.columns.items():
            if name in self.log.roles.metrics or name in known or not column.others.any():
                continue
            bad = column.others[self.rows] != 0
            self._problem("non_numeric", name, bad, "values that are no numbers, left out")

    def _problem(self, kind: str, name: str, where: NDArray[np.bool_], what: str) -> None:
        if where.any():
            line = int(self.log.table.lines[self.rows[int(np.argmax(where))]])
            path = self.out.header.source.path
            message = f"{name!r}: {int(where.sum())} {what}"
            self.out.problems.append(Problem(kind, message, path, line))

    def _parts(self) -> dict[str, dict[str, list[tuple[str, NDArray[np.bool_]]]]]:
        """Return split → metric → columns with the rows that count, by first appearance."""
        found: list[tuple[int, str, str, str, NDArray[np.bool_]]] = []
        for name, (_, logged) in self.columns.items():
            split, metric = self.log.roles.metrics[name]
            if split is not None:
                found.append((int(np.argmax(logged)), split, metric, name, logged))
                continue
            for own_split, mask in self._split_rows():
                here = logged & mask
                if here.any():
                    found.append((int(np.argmax(here)), own_split, metric, name, here))
        found.sort(key=lambda item: item[0])
        parts: dict[str, dict[str, list[tuple[str, NDArray[np.bool_]]]]] = {}
        for _, split, metric, name, logged in found:
            parts.setdefault(split, {}).setdefault(metric, []).append((name, logged))
        return parts

    def _split_rows(self) -> list[tuple[str, NDArray[np.bool_]]]:
        column = self.log.table.columns[str(self.log.roles.split)]
        codes = column.codes[self.rows]
        named = [(split, codes == code) for code, split in enumerate(column.words)]
        unnamed = codes < 0
        return [(s, m) for s, m in [*named, (ALL, unnamed)] if m.any()]

    def _curves(
        self,
        split: str,
        part: Mapping[str, list[tuple[str, NDArray[np.bool_]]]],
        axes: Axes,
        wanted: frozenset[str] | None,
    ) -> None:
        """Add the curves of one split; one that is not asked for keeps its x, for the status."""
        every = np.logical_or.reduce([mask for cols in part.values() for _, mask in cols])
        names = tuple(m for m in part if wanted is None or m in wanted)
        at = np.flatnonzero(every)
        values = np.full((len(names), len(at)), np.nan)
        logged = np.zeros((len(names), len(at)), dtype=bool)
        for i, metric in enumerate(names):
            for column, mask in part[metric]:
                here = mask[at]
                values[i, here] = self.columns[column][0][at[here]]
                logged[i] |= here
        keep = logged.any(axis=0)
        for column, mask in (pair for cols in part.values() for pair in cols if not names):
            keep |= mask[at] & self.columns[column][1][at]
        x = {name: v[keep] for name, v in axes.of(split, at).items()}
        x = {name: _whole(v) for name, v in x.items() if not np.isnan(v).all()}
        lines = self.log.table.lines[self.rows[at[keep]]]
        self.out.curves.append(Curves(split, x, names, values[:, keep], logged[:, keep], lines))

    def _messages(self) -> list[str]:
        header = self.out.header
        columns = [
            self.log.table.columns[name]
            for name in self.log.roles.messages
            if name not in self._labels and name not in header.config and not is_time_like(name)
        ]
        if not columns:
            return []
        codes = np.stack([column.codes[self.rows] for column in columns])
        return [
            column.words[code]
            for row in np.flatnonzero((codes >= 0).any(axis=0))
            for column, code in zip(columns, codes[:, row], strict=True)
            if code >= 0
        ]

    def _train_time(self) -> float:
        for columns in self.log.roles.x.values():
            for name in columns:
                scale = elapsed_seconds(name)
                column = self.log.table.columns[name]
                at = self.rows[column.logged[self.rows]]
                if scale is not None and len(at):
                    return float(column.values[at[-1]]) * scale
        return float("nan")


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    """Return int64 where each value is a whole number that float64 tells from its neighbours."""
    if len(values) and np.isfinite(values).all() and (np.abs(values) < 2**53).all():
        whole = values.astype(np.int64)
        if (whole == values).all():
            return whole
    return values


def _parse(text: str, null_is_nan: bool) -> float | None:
    if null_is_nan and text == "null":
        return float("nan")
    return float(text) if is_number_text(text) else None
