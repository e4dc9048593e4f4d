"""SwanLab's own files: one directory for each start of a run, ``run-<time>-<id>/run-<id>.swanlab``.

The framing is that of W&B; the fields of the records are those of ``swanlab.record.v1``. Version 1
of the files, ``backup.swanlab``, has other records, which are not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source, Status
from runcube.readers.config_files import load_named
from runcube.readers.jsonl import Options, open_log, runs_of_log
from runcube.readers.leveldb_log import take_messages
from runcube.readers.protobuf import double_of, inner, signed, text_of, values
from runcube.readers.reading import HeadersByReading, content_of
from runcube.readers.run_folders import RunFolders
from runcube.readers.table import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import Request, RunLog
    from runcube.files import Tree

# ":SWL", the number 0xE1D6, and the version, which has been 2 since records are protobuf.
_MAGIC = b":SWL\xd6\xe1\x02"
_FOLDERS = RunFolders("swanlab", _MAGIC, ("config.yaml", "swanlab-metadata.json"))
# Fields of a record, of a start, of a scalar or a medium, and of a time.
_START, _FINISH, _COLUMN, _SCALAR, _MEDIUM, _PRINTED = 10, 11, 12, 13, 14, 16
_FACTS = {
    1: "project",
    2: "workspace",
    4: "name",
    5: "description",
    7: "group",
    8: "job_type",
    10: "run_id",
}
_TAGS = 6
_KEY, _STEP, _TIME, _VALUE = 1, 2, 4, 5
_SYSTEM = 2
_ENDS = {1: Status.COMPLETE, 2: Status.FAILED}
_STEPS, _CLOCK = "step", "timestamp"
# What keys of these names are called instead.
_TAKEN = {name: f"scalars/{name}" for name in (_STEPS, _CLOCK)}
_OPTIONS = Options.of_logger(_STEPS, _CLOCK, plain=_TAKEN.values())


@dataclass(frozen=True)
class SwanLabReader(HeadersByReading):
    """Reads the files ``run-*.swanlab`` of SwanLab, with the configuration beside them.

    Directories of one id in the same folder are one run, which was resumed. ``step`` is the x-axis.
    The line of a problem is the number of the row: of the values that one call of ``log`` wrote.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "swanlab"
    limits: Limits = DEFAULT_LIMITS

    # How many rows there are, and which keys, shows at the end of a file.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each run: its files in order of time, then what stands beside them."""
        # SwanLab writes in blocks: of a run that was killed early the file is empty.
        for logs in _FOLDERS.runs(tree, may_be_empty=True).values():
            yield Source(tree.root, logs[0].path, (*logs, *_FOLDERS.beside_logs(tree, logs)))

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a source."""
        records = _Records()
        parts: list[Part] = []
        problems: list[Problem] = []
        for file in _FOLDERS.logs_of(source.files):
            data = content_of(source.root, file.path, self.limits, problems, binary=True)
            parts.append(Part(file.path, records.read(file.path, data)))
        config, named, names = load_named(source, self.limits)
        if records.facts:
            key = "swanlab" if "swanlab" not in config else "swanlab.run"
            config = {**config, key: records.facts}
        log = open_log(parts, replace(_OPTIONS, limits=self.limits))
        runs = runs_of_log(log, source, request, config, named, names)
        for run in runs:
            run.problems += [*records.problems, *problems]
            run.marker = records.status
            run.messages += records.printed if request.messages else []
        return runs


class _Records:
    """What the files of one run hold, one after the other.

    Attributes
    ----------
    facts : dict of str to Any
        Name, project, group, … of the run.
    printed : list of str
        Lines that the run printed, and the error that ended it.
    problems : list of Problem
    status : Status
        How the run ended by its last record; without one it was killed, or is still running.
    """

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.printed: list[str] = []
        self.problems: list[Problem] = []
        self.status = Status.INCOMPLETE
        self._rows: list[dict[str, float]] = []
        self._media: dict[str, tuple[int, int]] = {}
        self._system: set[str] = set()

    def read(self, path: str, data: bytes) -> bytes:
        """Take the records of one file, and return its rows as JSON lines."""
        self._rows, self._media, self.status = [], {}, Status.INCOMPLETE
        self.problems += take_messages(data, path, self._take, "no messages")
        for name, (line, count) in self._media.items():
            what = f"{name!r}: {count} value{'s' * (count > 1)} that are no numbers, left out"
            self.problems.append(Problem("left_out", what, path, line))
        return b"".join(json.dumps(row).encode() + b"\n" for row in self._rows)

    def _take(self, number: int, message: bytes) -> None:
        """Take what one record says."""
        if number == _SCALAR:
            self._take_scalar(message)
        elif number == _MEDIUM:
            name = _text(message, _KEY)
            line, count = self._media.get(name, (len(self._rows) + 1, 0))
            self._media[name] = line, count + 1
        elif number == _COLUMN:
            found = dict(values(message))
            if found.get(1) == _SYSTEM:
                self._system.add(text_of(found.get(3, b"")))
        elif number == _PRINTED:
            self.printed += map(text_of, inner(message, 1))
        elif number == _START:
            own = {_FACTS[n]: text_of(v) for n, v in values(message) if n in _FACTS and v}
            tags = [text_of(tag) for tag in inner(message, _TAGS)]
            self.facts |= own | ({"tags": tags} if tags else {})
        elif number == _FINISH:
            found = dict(values(message))
            state = found.get(1, 0)
            self.status = _ENDS.get(state if isinstance(state, int) else 0, Status.INCOMPLETE)
            self.printed += map(text_of, inner(message, 2))

    def _take_scalar(self, message: bytes) -> None:
        """Add a value to the row of its step, or to a new one."""
        found = dict(values(message))
        name, step, inside = text_of(found.get(_KEY, b"")), found.get(_STEP, 0), found.get(_VALUE)
        if name in self._system or not isinstance(step, int) or not isinstance(inside, bytes):
            return
        name = _TAKEN.get(name, name)
        row = self._rows[-1] if self._rows else {}
        if row.get(_STEPS) != signed(step) or name in row:
            row = {_STEPS: signed(step)}
            if isinstance(at := found.get(_TIME), bytes):
                time = dict(values(at))
                row[_CLOCK] = _number(time.get(1, 0)) + _number(time.get(2, 0)) / 1e9
            self._rows.append(row)
        number = dict(values(inside)).get(1)
        # A field that is 0 is not written.
        row[name] = double_of(number) if isinstance(number, bytes) else 0.0
        self.status = Status.INCOMPLETE


def _text(message: bytes, number: int) -> str:
    return next(map(text_of, inner(message, number)), "")


def _number(value: int | bytes) -> int:
    return signed(value) if isinstance(value, int) else 0
