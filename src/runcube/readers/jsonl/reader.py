"""Generic JSONL: one record per line, one or several runs per file."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from runcube.core import DEFAULT_LIMITS, Limits, PlanError, Source, nearest
from runcube.files import PACKED_ENDINGS, read_head
from runcube.readers.config_files import SIDECARS, find_sidecars, is_sidecar_name
from runcube.readers.jsonl.advice import unknown_names
from runcube.readers.jsonl.claims import (
    begins_training,
    is_lone,
    is_object,
    looks_like_training,
    whole_lines,
)
from runcube.readers.jsonl.names import RUN_KEYS
from runcube.readers.jsonl.options import Options
from runcube.readers.jsonl.parts import group_parts, rotated_base
from runcube.readers.jsonl.reading import arguments
from runcube.readers.jsonl.source import Decoded, open_log, read_log
from runcube.readers.jsonl.training_loops import smoothing
from runcube.readers.reading import HeadersByReading
from runcube.readers.table import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree
    from runcube.readers.jsonl.log import Log

_ENDINGS = tuple(
    ending + packed
    for packed in PACKED_ENDINGS
    for ending in (".jsonl", ".ndjson", ".json", ".log", ".txt")
)
# No bound on what is read, but how far a file is searched for what shows that it is a log.
LONG_HEAD_BYTES = 1 << 20
_SIDECAR_ENDINGS = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class JsonlReader(HeadersByReading):
    """Reads JSONL logs: records that are flat or nested, one or several runs per file.

    Every argument may be left out: then a guess is made from names and values of the columns.
    Nested keys are joined with ``/``.

    Parameters
    ----------
    config : str or sequence of str, optional
        Where the configuration is: the key of an object (in the first record or on every line),
        the name of a JSON or YAML file in the same folder, or a sequence of such keys and of
        columns.
    run : str or False, optional
        The column that distinguishes the runs of one file. False: a file is one run.
    x : str, optional
        The column that every log must have as its x-axis, in its own unit. Other columns that run
        along the curve are kept beside it.
    split : str or False, optional
        A column whose values are the splits, or a regular expression with the groups ``split``
        and ``metric`` that is matched on the whole name of a metric. False: no splits.
    metrics : sequence of str, optional
        The only columns that are metrics (by their name with or without the split).
    header, trailer : str, optional
        The key of the record that holds the configuration before the rows, or the results behind
        them.
    limits : Limits
        Bounds on what one log may cost.
    name : str, default "jsonl"
        Name for ``reader=`` once the reader is registered.

    Raises
    ------
    PlanError
        If ``split`` is a regular expression with groups other than these two, or none at all.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import runcube as rc
    >>> reader = rc.JsonlReader(
    ...     config="args", run="run_id", x="step", split=r"(?P<split>train|val)_(?P<metric>.+)"
    ... )
    >>> with tempfile.TemporaryDirectory() as logs:
    ...     with open(Path(logs) / "sweep.jsonl", "w") as file:
    ...         for lr in (0.1, 0.2):
    ...             for step in range(3):
    ...                 record = {"run_id": f"lr{lr}", "args": {"lr": lr, "seed": 0}, "step": step}
    ...                 print(json.dumps(record | {"val_loss": lr + step}), file=file)
    ...     ds = rc.load_runs(logs, reader=reader, layout="grid")
    >>> ds.curve.sel(split="val", metric="loss", seed=0).values
    array([[0.1, 1.1, 2.1],
           [0.2, 1.2, 2.2]])
    """

    config: str | Sequence[str] | None = None
    run: str | Literal[False] | None = None
    x: str | None = None
    split: str | Literal[False] | None = None
    metrics: Sequence[str] | None = None
    header: str | None = None
    trailer: str | None = None
    limits: Limits = DEFAULT_LIMITS
    name: str = "jsonl"

    # What is configuration, x or a run shows at the end of a log: headers need all of it.
    whole_headers = True

    def __post_init__(self) -> None:
        for field in ("config", "metrics"):
            value = getattr(self, field)
            if value is not None and not isinstance(value, str):
                object.__setattr__(self, field, tuple(value))
        if isinstance(self.split, str) and "(?P<" in self.split:
            _check_pattern(self.split)

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each file whose first lines look like a training log.

        Parameters
        ----------
        tree : Tree
            The files under the root.

        Yields
        ------
        Source
            The log, and its configuration file if it has one; in natural path order.
        """
        claimed, silent = self._claimed(tree, by_name=False)
        if not claimed and (self.x or self._named):
            # Nothing looks like a log by itself: what has the names that were given is one.
            claimed, silent = self._claimed(tree, by_name=True)
        for parts in self._joined(tree, claimed, silent):
            yield self._source(tree, parts)

    def _joined(
        self, tree: Tree, claimed: list[LogFile], silent: list[LogFile]
    ) -> list[list[LogFile]]:
        """Return the files of each log among those of `_claimed`."""
        # What is called like the logs is one: of a run that wrote nothing, or nothing telling.
        names = {file.path.rpartition("/")[2] for file in claimed}
        alike = [file for file in silent if file.path.rpartition("/")[2] in names]
        return group_parts(tree, [*claimed, *alike])

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse a source.

        Parameters
        ----------
        source : Source
        request : Request
            Splits and metrics that are wanted, and whether messages are.

        Returns
        -------
        sequence of RunLog, (runs,)
            One for each run, in order of first appearance.

        Raises
        ------
        OSError
            If the log cannot be read.
        """
        log, runs = read_log(source, self._options(), request, self._decode)
        if len(log.table):
            runs[0].problems += unknown_names(log, source.path)
            said = [("says the same", text) for text in (self._given, *arguments(log, runs))]
            said.append(("reader", type(self).__name__))
            did = smoothing(log.table.columns)
            said += [("values", did)] if did is not None else []
            for run in runs:
                run.header = replace(run.header, reading=(*run.header.reading, *said))
        return runs

    @property
    def _given(self) -> str:
        """The arguments of this reader that are not left out."""
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        del values["name"]
        return ", ".join(
            f"{name}={own!r}" for name, (own, default) in values.items() if own != default
        )

    def unknown_x(self, tree: Tree) -> str | None:
        """Return that no log has the column ``x``, with the nearest names that they have.

        None where nothing is a log without it either.
        """
        if self.x is None:
            return None
        files = [f for f in tree.unclaimed() if self._may_be_log(f.path)]
        logs = (self._beginning(file, tree.head(file.path), self._alone) for file in files)
        found = [log for log in logs if log is not None and self._is_log(log)]
        names = {name: None for log in found for name in log.table.columns}
        if not names:
            return None
        return f"x={self.x!r}: nothing in the logs has this name{nearest(self.x, names)}"

    @property
    def _named(self) -> set[str]:
        """Columns and keys of objects that the arguments name, but for x."""
        options = self._options()
        own = {options.run, *(options.config or ()), *(options.metrics or ())}
        return {name for name in own if isinstance(name, str)}

    @property
    def _alone(self) -> Options:
        """Options that leave to the file itself whether it is a log."""
        return Options(run=False if self.run is False else None, limits=self.limits)

    def _options(self) -> Options:
        config = (self.config,) if isinstance(self.config, str) else self.config
        file = next((c for c in config or () if c.endswith(_SIDECAR_ENDINGS)), None)
        keys = tuple(c for c in config or () if c != file)
        metrics = (self.metrics,) if isinstance(self.metrics, str) else self.metrics
        return Options(
            config=keys or None,
            run=self.run,
            x=self.x,
            split=self.split,
            metrics=None if metrics is None else tuple(metrics),
            header=self.header,
            trailer=self.trailer,
            config_file=file,
            limits=self.limits,
        )

    def _source(self, tree: Tree, parts: list[LogFile]) -> Source:
        options = self._options()
        names: tuple[str, ...] = SIDECARS
        if self.config is not None:
            names = () if options.config_file is None else (options.config_file,)
        path = parts[0].path
        beside = find_sidecars(tree, path.rpartition("/")[0], names)
        return Source(tree.root, path, (*parts, *beside))

    def _claimed(self, tree: Tree, *, by_name: bool) -> tuple[list[LogFile], list[LogFile]]:
        """Return the files that are logs, and those that are if others of their name are.

        With ``by_name`` the arguments help to find them.
        """
        claimed: list[LogFile] = []
        silent: list[LogFile] = []
        for file in tree.unclaimed():
            if not self._may_be_log(file.path):
                continue
            head = tree.head(file.path)
            if self._claims(file, head, by_name) or self._claims_longer(tree, file, head, by_name):
                # One object in a .json is a summary, unless its siblings are logs.
                lone = is_lone(file, head) and not by_name
                (silent if lone else claimed).append(file)
            elif self._tells_nothing(file, head):
                silent.append(file)
        return claimed, silent

    def _tells_nothing(self, file: LogFile, head: bytes) -> bool:
        """Return whether the first lines of a file do not rule out that it is a log."""
        if self.x is None:
            return True
        log = self._beginning(file, head, self._alone)
        return log is None or self.x in log.table.columns

    def _claims_longer(self, tree: Tree, file: LogFile, head: bytes, by_name: bool) -> bool:
        """Return whether a longer head shows a log, as of runs that take turns, one row each.

        Or one whose header is so long that no row with the x that was asked for is in the head.
        """
        if len(head) >= file.size:
            return False
        if self.x is None and not any(b'"%s"' % k.encode() in head for k in RUN_KEYS):
            return False
        try:
            return self._claims(file, read_head(tree.root, file.path, LONG_HEAD_BYTES), by_name)
        except OSError:
            return False

    def _claims(self, file: LogFile, head: bytes, by_name: bool) -> bool:
        if not by_name and self.x is None and self._begins_a_log(whole_lines(head, file.size)):
            return True
        log = self._beginning(file, head, self._options() if by_name else self._alone)
        if log is None or (self.x is not None and self.x not in log.table.columns):
            return False
        held = log.table.columns.keys() | log.table.objects.keys()
        if by_name and (self.x is not None or not held.isdisjoint(self._named)):
            return True
        return self._is_log(log)

    def _decode(self, data: bytes, path: str, limits: Limits) -> Decoded:
        """Return what a file holds as JSON lines."""
        del path, limits
        return Decoded(data)

    def _beginning(self, file: LogFile, head: bytes, options: Options) -> Log | None:
        """Return what the first lines of a file hold; None if that is no records."""
        lines = whole_lines(head, file.size)
        if not lines or not is_object(lines):
            return None
        log = open_log([Part(file.path, lines)], options)
        return log if len(log.table) else None

    def _may_be_log(self, path: str) -> bool:
        """Return whether a file of this name may be a log, as far as its name says."""
        base = rotated_base(path)
        name = (base[0] if base else path).lower()
        return name.endswith(_ENDINGS) and not is_sidecar_name(path)

    def _begins_a_log(self, lines: bytes) -> bool:
        """Return whether the first records of a file show at once that it is a log."""
        return begins_training(lines, self.limits)

    def _is_log(self, log: Log) -> bool:
        """Return whether what the first lines of a file hold looks like a log."""
        return looks_like_training(log)


def _check_pattern(split: str) -> None:
    try:
        groups = set(re.compile(split).groupindex)
    except re.error as error:
        raise PlanError(f"split={split!r}: no regular expression: {error}") from error
    if groups != {"split", "metric"}:
        found = ", ".join(sorted(groups))
        raise PlanError(f"split={split!r}: expected the groups split and metric, got {found}")
