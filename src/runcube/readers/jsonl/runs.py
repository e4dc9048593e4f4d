"""Columns of a table to runs: curves, messages, train time, and problems for what is none."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Curves, Problem, Roles, RunLog, elapsed_seconds, is_time_like
from runcube.readers.jsonl.advice import mixed_rows
from runcube.readers.jsonl.axes import Axes
from runcube.readers.jsonl.configuration import header_rows
from runcube.readers.jsonl.ending import ending_of
from runcube.readers.jsonl.names import ALL, SPLIT_WORDS
from runcube.readers.jsonl.numbers import Numbers, in_splits, told_apart
from runcube.readers.jsonl.splits import split_rows
from runcube.readers.lines import is_number_text, is_short_list, spelling
from runcube.readers.table import NUMBER, OTHER, TEXT, flatten, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from runcube.core import Request, RunHeader
    from runcube.readers.jsonl.log import Log
    from runcube.readers.jsonl.run_table import Cells


def build_run(log: Log, run: int, header: RunHeader, request: Request) -> RunLog:
    """Return the ``RunLog`` of one run of a log.

    Parameters
    ----------
    log : Log
    run : int
        Number of the run in the log.
    header : RunHeader
    request : Request
        Without roles, the log alone is judged.
    """
    return _RunBuilder(log, run, header, request).build()


class _RunBuilder:
    def __init__(self, log: Log, run: int, header: RunHeader, request: Request) -> None:
        self.log = log
        self.run = run
        self.rows = log.runs.rows[run]
        self.header = header
        self.request = request
        roles = request.roles
        if roles is None:
            roles = Roles(frozenset(header.constants))
        self.roles = roles.within(header.open_roles)
        self.x = log.x_with(self.roles.x | header.own_axes)
        self.whole = self.roles.whole | header.names.whole
        self.problems: list[Problem] = []
        # Rows that are named as damaged, and stand nowhere.
        self.damaged = np.zeros(len(self.rows), dtype=bool)
        # Rows that are on a curve, or damaged.
        self.used = self.damaged
        # Columns of axes that stand on records of their own, for those behind them.
        self.announced: frozenset[str] = frozenset()
        self.numbers: list[Numbers] = []

    def build(self) -> RunLog:
        """Return the finished log."""
        out = RunLog(self.header, roles=self.roles)
        out.train_time = self._train_time
        axis_columns = {name for names in self.x.values() for name in names}
        for name in self.log.numeric:
            if name not in axis_columns:
                self._collect(name)
        self._odd_axes(axis_columns)
        self._contradictions()
        axes = Axes(self.log, self.run, self.x)
        parts = self._parts(axes)
        out.splits = tuple(parts)
        out.metrics = tuple(dict.fromkeys(name for part in parts.values() for name in part))
        used = np.zeros(len(self.rows), dtype=bool)
        for numbers in (one for part in parts.values() for ones in part.values() for one in ones):
            used[span(numbers.at)] = True
        out.marker, out.remarks = ending_of(self.log, self.run, used)
        self.used = used | self.damaged
        self.announced = axes.announce(used)
        for split, part in parts.items():
            asked = self.request.splits is None or split in self.request.splits
            wanted = self.request.metrics if asked else frozenset()
            out.curves.append(self._curves(split, part, axes, wanted))
        self._unused_x()
        self.problems += mixed_rows(self.log, self.run, out.curves)
        out.messages = self._messages()
        out.problems = self.problems
        return out

    def _collect(self, name: str) -> None:
        """Collect the numbers of one column in this run, and problems for what is none."""
        cells = self.log.cells(name, self.run)
        if name in self.roles.labels or name not in self.log.names or cells is None:
            return
        if name == self._elapsed or self._repeats_configuration(name, cells):
            return
        split, metric = self.log.names[name]
        if name in self.whole:
            split, metric = ALL, name
        numbers = cells.kinds == NUMBER
        at, values = cells.at, cells.values
        if not numbers.all():
            read, values = self._read_texts(name, cells)
            vectors = self._vectors(name, cells, split, metric)
            self._problem("text_number", name, cells.at[read], "written as text, read as such")
            bad = ~(numbers | read | vectors)
            self._problem("non_numeric", name, cells.at[bad], "no number, left out")
            at, values = cells.at[numbers | read], values[numbers | read]
        if len(at):
            self.numbers.append(Numbers(split, metric, name, at, values))

    def _read_texts(self, name: str, cells: Cells) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return which cells are texts of numbers, and the values with these read."""
        words = self.log.table.columns[name].words
        parsed = [_parse(word, self.log.options.null_is_nan) for word in words]
        sound = np.array([p is not None for p in parsed], dtype=bool)
        texts = np.flatnonzero(cells.kinds == TEXT)
        codes = cells.values[texts].astype(np.intp)
        mine = texts[sound[codes]]
        read, values = np.zeros(len(cells.at), dtype=bool), cells.values.copy()
        read[mine] = True
        values[mine] = [parsed[int(code)] for code in cells.values[mine]]
        return read, values

    def _vectors(
        self, name: str, cells: Cells, split: str | None, metric: str
    ) -> NDArray[np.bool_]:
        """Collect lists of numbers of one length, a metric for each; return their cells."""
        found = np.zeros(len(cells.at), dtype=bool)
        others = np.flatnonzero(cells.kinds == OTHER)
        items = self.log.table.columns[name].items
        codes = cells.values[others].astype(np.intp)
        lengths = {len(items[c]) for c in set(codes.tolist()) if is_short_list(items[c])}
        if len(lengths) != 1 or (cells.kinds == NUMBER).any():
            return found
        sound = np.array([is_short_list(items[c]) for c in codes])
        found[others[sound]] = True
        matrix = np.array([items[c] for c in codes[sound]], dtype=np.float64)
        for index, column in enumerate(matrix.T):
            at = cells.at[found]
            self.numbers.append(Numbers(split, f"{metric}/{index}", f"{name}/{index}", at, column))
        return found

    def _odd_axes(self, axis_columns: set[str]) -> None:
        """Record what stands in the columns of axes without being a number."""
        for name in [*self.log.columns]:
            if name not in axis_columns and name in self.log.numeric:
                continue
            cells = self.log.cells(name, self.run)
            if cells is None or name in self.roles.labels or self._is_configured(name, cells):
                continue
            kinds = cells.kinds != NUMBER if name in axis_columns else cells.kinds == OTHER
            self._problem("non_numeric", name, cells.at[kinds], "no number, left out")

    def _contradictions(self) -> None:
        """Name columns that are configuration, and say something else than what is known of it."""
        known = flatten(self.header.config)
        for name in sorted(self.roles.labels & known.keys()):
            value = self.header.constants[name]
            cells = self.log.cells(name, self.run)
            if value is not None and spelling(known[name]) != spelling(value) and cells is not None:
                what = f"in the rows, {value!r} where the configuration has {known[name]!r}"
                self._problem("config_conflict", name, cells.at, f"{what}, which counts")

    def _problem(self, kind: str, name: str, at: NDArray[np.int64], what: str) -> None:
        if len(at):
            path, line = self.log.table.place(int(self.rows[at[0]]))
            values = f"{len(at)} value{'s' * (len(at) > 1)}"
            self.problems.append(Problem(kind, f"{name!r}: {values} {what}", path, line))

    @cached_property
    def _configured(self) -> dict[str, list[tuple[str, Any]]]:
        """Keys and values of the configuration, by the last part of the key."""
        found: dict[str, list[tuple[str, Any]]] = {}
        for path, value in flatten(self.header.config).items():
            found.setdefault(path.rpartition("/")[2], []).append((path, value))
        return found

    def _repeats_configuration(self, name: str, cells: Cells) -> bool:
        """Return whether a column stands on rows without x alone, and repeats the configuration."""
        if not self.header.config or not cells.is_one_value:
            return False
        rows = self.rows[cells.at]
        if self.log.own_x:
            is_beside = not self.log.has_x[rows].any()
        else:
            is_beside = bool(np.isin(rows, header_rows(self.log, self.run)).all())
        return is_beside and self._is_configured(name, cells)

    def _is_configured(self, name: str, cells: Cells) -> bool:
        first, slash, rest = name.partition("/")
        inner = rest if slash and first in self.log.whole_kinds else name
        known = self._configured.get(inner.rpartition("/")[2])
        if not known or not cells.is_one_value:
            return False
        value = spelling(self.log.value(name, int(self.rows[cells.at[0]])))
        return any(
            (path == inner or path.endswith("/" + inner)) and value == spelling(there)
            for path, there in known
        )

    def _parts(self, axes: Axes) -> dict[str, dict[str, list[Numbers]]]:
        """Return split → metric → numbers, by first appearance."""
        by_row = self._split_rows()
        found = sorted(in_splits(self.numbers, by_row), key=lambda numbers: int(numbers.at[0]))
        parts: dict[str, dict[str, list[Numbers]]] = {}
        for numbers in told_apart(self._in_one_word(found), axes):
            part = parts.setdefault(str(numbers.split), {})
            part.setdefault(numbers.metric, []).append(numbers)
        return parts

    def _split_rows(self) -> list[tuple[str, NDArray[np.bool_]]]:
        """Return each split with its rows; a damaged word costs its row, named."""
        found = []
        for split, rows, meant in split_rows(self.log, self.run, self.roles.parts):
            if meant is None:
                found.append((split, rows))
                continue
            self.damaged |= rows
            path, line = self.log.table.place(int(self.rows[np.flatnonzero(rows)[0]]))
            message = f"{self.log.split!r} is {split!r}, not {meant!r}: its record is left out"
            self.problems.append(Problem("bad_line", message, path, line))
        return found

    def _in_one_word(self, found: list[Numbers]) -> list[Numbers]:
        """Return numbers whose splits are called as in most runs, and name those that were not."""
        words = dict(self.roles.splits)
        for split in dict.fromkeys(str(n.split) for n in found if n.split in words):
            message = f"{split!r} is the split {words[split]!r}: it means the same"
            self.problems.append(Problem("split_synonym", message, self.header.source.path))
        return [n._replace(split=words.get(str(n.split), n.split)) for n in found]

    def _curves(
        self,
        split: str,
        part: Mapping[str, list[Numbers]],
        axes: Axes,
        wanted: frozenset[str] | None,
    ) -> Curves:
        """Return the curves of one split; one that is not asked for keeps its x, for the status."""
        every = np.zeros(len(self.rows), dtype=bool)
        for numbers in (one for ones in part.values() for one in ones):
            every[span(numbers.at)] = True
        names = tuple(m for m in part if wanted is None or m in wanted)
        # Rows of metrics that are not asked for tell where those without x stand.
        at = np.flatnonzero(every)
        values = np.full((len(names), len(at)), np.nan)
        logged = np.zeros((len(names), len(at)), dtype=bool)
        for i, metric in enumerate(names):
            for numbers in part[metric]:
                is_each = len(numbers.at) == len(at)
                where = slice(None) if is_each else np.searchsorted(at, numbers.at)
                values[i, where] = numbers.values
                logged[i, where] = True
        found = axes.of(split, at)
        x = {name: _whole(v) for name, v in found.items() if not np.isnan(v).all()}
        return Curves(split, x, names, values, logged, self._lines(at))

    def _lines(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return line numbers, counted through all files of the log."""
        table = self.log.table
        lines = table.lines[self.rows[at]]
        if len(table.parts) == 1:
            return lines
        parts = np.searchsorted(table.ends, self.rows[at], side="right")
        before = np.array([part.before for part in table.parts])
        moved: NDArray[np.int64] = lines + (np.array(table.first_lines) - before)[parts]
        return moved

    def _unused_x(self) -> None:
        """Name an x, or a split, of records without any number: they are on no curve."""
        for name in (name for names in self.x.values() for name in names if name != self._elapsed):
            cells = self.log.cells(name, self.run)
            if cells is not None:
                stands = self.used[cells.at]
                if name in self.announced:
                    # It holds for the records up to the next one.
                    counts = np.append(0, np.cumsum(self.used))
                    ends = np.append(cells.at[1:], len(self.used))
                    stands = counts[ends] > counts[cells.at]
                left = cells.at[~stands & (cells.kinds != TEXT)]
                self._problem("no_metric", name, left, "on records without a metric, left out")
        cells, is_split = self._words_beside()
        if cells is not None:
            left = cells.at[is_split]
            what = "on records without a metric, left out"
            self._problem("no_metric", str(self.log.split), left, what)

    def _words_beside(self) -> tuple[Cells | None, NDArray[np.bool_]]:
        """Return the texts in the column of splits on records without a number.

        And which of them are splits: any other (``"starting"``) is a message.
        """
        cells = None if self.log.split is None else self.log.cells(self.log.split, self.run)
        if cells is None:
            return None, np.zeros(0, dtype=bool)
        mine = ~self.used[cells.at] & (cells.kinds == TEXT)
        beside = replace(
            cells, at=cells.at[mine], kinds=cells.kinds[mine], values=cells.values[mine]
        )
        words = self.log.table.columns[str(self.log.split)].words
        known = np.array([word.lower() in SPLIT_WORDS for word in words], dtype=bool)
        return beside, known[beside.values.astype(np.intp)]

    def _messages(self) -> list[str]:
        """Return the texts that are asked for, row by row; clocks are named instead."""
        found: list[tuple[int, str]] = []
        for name in self.log.texts:
            cells = self.log.cells(name, self.run)
            if cells is None or name in self.roles.labels:
                continue
            texts = cells.kinds == TEXT
            if self._is_configured(name, cells) or not texts.any():
                continue
            if is_time_like(name):
                self._problem("clock_text", name, cells.at[texts], "of text that tells the time")
            else:
                found += self._texts(name, cells, texts)
        cells, is_split = self._words_beside()
        if cells is not None:
            found += self._texts(str(self.log.split), cells, ~is_split)
        found.sort(key=lambda pair: pair[0])
        return [text for _, text in found] if self.request.messages else []

    def _texts(self, name: str, cells: Cells, mine: NDArray[np.bool_]) -> Iterator[tuple[int, str]]:
        words = self.log.table.columns[name].words
        for at, code in zip(cells.at[mine].tolist(), cells.values[mine].tolist(), strict=True):
            yield at, words[int(code)]

    @cached_property
    def _elapsed(self) -> str | None:
        """Column whose last value is how long the run took, in seconds."""
        axes = [name for names in self.log.x.values() for name in names]
        for name in [*axes, *self.log.numeric]:
            if elapsed_seconds(name) is None or name in self.log.options.plain:
                continue
            cells = self.log.cells(name, self.run)
            if cells is not None and (name in axes or len(cells.at) == 1) and cells.kinds[-1] == 1:
                return name
        return None

    @property
    def _train_time(self) -> float:
        if self._elapsed is None:
            return float("nan")
        cells = self.log.cells(self._elapsed, self.run)
        scale = elapsed_seconds(self._elapsed)
        return float("nan") if cells is None or scale is None else float(cells.values[-1]) * scale


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
