"""Tables of comma-separated values as logs: a run a file, or several that a column tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runcube.core import is_time_like
from runcube.files import PACKED_ENDINGS, read_head
from runcube.readers.config_files import is_sidecar_name
from runcube.readers.csv.records import as_records
from runcube.readers.csv.tables import Table, joined, logs_among
from runcube.readers.jsonl import JsonlReader, open_log, split_and_metric
from runcube.readers.table import NUMBER, Part

if TYPE_CHECKING:
    from runcube.core import Limits, LogFile
    from runcube.files import Tree
    from runcube.readers.jsonl import Decoded, Log, Options

_ENDINGS = tuple(ending + packed for packed in PACKED_ENDINGS for ending in (".csv", ".tsv"))
# Spinning Up and its kin write a table that is called a text.
_NAMES = ("progress.txt",)
# How far a table is read for its line of names.
_LONG_NAMES = 1 << 20
# Where x falls on more of the rows, it is a result: the epoch that was best.
_FALLS = 0.25


@dataclass(frozen=True)
class CsvReader(JsonlReader):
    r"""Reads CSV logs: a line of names, and a row for each record.

    What `JsonlReader` finds out about columns, this one does too, and every argument means the
    same; names of columns are as they stand in the table. Separators (comma, semicolon, tab),
    decimal commas and lines of names between the rows are found out. An empty cell, ``NA``,
    ``None``, ``null`` and ``-`` are missing; ``nan`` is a value. Rows that share an x and hold
    different columns are one.

    By itself a table is a log only if a column that counts by its name (``epoch``, ``step``,
    ``timesteps``, …) rises along its rows; ``x=`` names any other. A table of results, one row a
    run, is named (``not_read``).

    The other parameters, and what they raise, are those of `JsonlReader`: ``config``, ``run``,
    ``x``, ``split``, ``metrics``, ``header``, ``trailer`` and ``limits``.

    Parameters
    ----------
    name : str, default "csv"
        Name for ``reader=`` once the reader is registered.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import runcube as rc
    >>> with tempfile.TemporaryDirectory() as logs:
    ...     for lr in ("0.1", "0.2"):
    ...         run = Path(logs) / f"lr={lr}"
    ...         run.mkdir()
    ...         _ = (run / "log.csv").write_text(f"it,val_loss,val_acc\n1,{lr},90\n2,0.05,95\n")
    ...     ds = rc.load_runs(logs, reader=rc.CsvReader(x="it"))
    >>> ds.curve.sel(split="val", metric="loss").squeeze().values
    array([[0.1 , 0.05],
           [0.2 , 0.05]])
    """

    name: str = "csv"

    def _joined(
        self, tree: Tree, claimed: list[LogFile], silent: list[LogFile]
    ) -> list[list[LogFile]]:
        """Return the tables of each log.

        Of tables in one folder that hold different quantities one is the log; those of one metric
        each, and those of the splits of a run, are one log together.
        """
        tables = [Table(file, self._metrics(tree, file)) for file in claimed]
        return joined(super()._joined(tree, logs_among(tables), silent), tables)

    def _metrics(self, tree: Tree, file: LogFile) -> frozenset[str]:
        log = self._beginning(file, tree.head(file.path), self._options())
        if log is None:
            return frozenset()
        return frozenset(split_and_metric(n)[1] for n in log.numeric if n not in log.own_x)

    def _may_be_log(self, path: str) -> bool:
        name = path.lower().rpartition("/")[2]
        return (name.endswith(_ENDINGS) or name in _NAMES) and not is_sidecar_name(path)

    def _decode(self, data: bytes, path: str, limits: Limits) -> Decoded:
        return as_records(data, path, limits)

    def _beginning(self, file: LogFile, head: bytes, options: Options) -> Log | None:
        end = len(head) if len(head) >= file.size else head.rfind(b"\n") + 1
        decoded = as_records(head[:end], file.path, options.limits)
        log = open_log([Part(file.path, decoded.data)], options)
        return log if log.columns else None

    def _claims_longer(self, tree: Tree, file: LogFile, head: bytes, by_name: bool) -> bool:
        """Return whether a longer head shows a log, where names alone fill the first one."""
        if len(head) >= file.size or head.count(b"\n") > 2:
            return False
        try:
            return self._claims(file, read_head(tree.root, file.path, _LONG_NAMES), by_name)
        except OSError:
            return False

    def _tells_nothing(self, file: LogFile, head: bytes) -> bool:
        return self._beginning(file, head, self._alone) is None

    def _begins_a_log(self, lines: bytes) -> bool:
        del lines  # no records
        return False

    def _is_log(self, log: Log) -> bool:
        """Return whether a table has metrics, and an x along its rows by name."""
        if self.x is not None or not log.numeric:
            return bool(log.numeric)
        # Rows of any table may be numbered: only a name says that what is counted is training.
        return any(_rises(log, name) for name in log.x_columns if not is_time_like(name))


def _rises(log: Log, name: str) -> bool:
    """Return whether a column runs along the rows of a run: it moves, mostly upwards."""
    for run in range(len(log.runs.keys)):
        cells = log.cells(name, run)
        steps = np.empty(0) if cells is None else np.diff(cells.values[cells.kinds == NUMBER])
        if len(steps) and not (steps == 0).all():
            return int((steps < 0).sum()) <= _FALLS * len(steps)
        if cells is not None and len(log.runs.keys) == 1 and len(log.table) == 1:
            return True  # a run of one row
    return False
