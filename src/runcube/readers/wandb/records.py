"""What the records of a run say: its rows, configuration, summary, console and end.

The numbers of the fields are those of ``wandb_internal.proto``. Records that are of no use here
(system metrics, telemetry, uploaded files, …) are passed over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runcube.core import Problem, Status
from runcube.readers.jsonl import differing_keys
from runcube.readers.leveldb_log import take_messages
from runcube.readers.lines import BadLine, decode_line
from runcube.readers.protobuf import BYTES, fields, inner, signed, text_of, values
from runcube.readers.table import flatten
from runcube.readers.wandb.items import NOTHING, Items, Names, remove_nested, set_nested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runcube.core import Limits

# Fields of a record.
_HISTORY, _SUMMARY, _OUTPUT, _CONFIG, _OUTPUT_RAW, _RUN, _EXIT = 2, 3, 4, 5, 13, 17, 18
# Fields of a history, and of a summary or a configuration.
_ITEM, _STEP = 1, 2
_UPDATE, _REMOVE = 1, 2
_LINE = 3
_EXIT_CODE, _NOT_COMPLETE = 1, 3
# Fields of a run, with the names by which they are facts about it.
_RUN_CONFIG, _RUN_SUMMARY, _TAGS = 4, 5, 10
_FACTS = {
    1: "run_id",
    2: "entity",
    3: "project",
    6: "group",
    7: "job_type",
    8: "name",
    9: "notes",
    12: "sweep_id",
    13: "host",
}
# What W&B keeps for itself in a configuration and in a summary.
PRIVATE = "_wandb"
_CLOCKS = (PRIVATE, "_step", "_runtime", "_timestamp")
_MEDIA = "_type"
# With this a run ends that is interrupted by Ctrl-C.
_INTERRUPTED = 255


class RunRecords:
    """What the files of one run hold, one after the other; later ones go on with the run.

    Parameters
    ----------
    limits : Limits

    Attributes
    ----------
    config : dict
        The configuration as it is at the end.
    facts : dict of str to Any
        Name, project, sweep, … of the run; empty without a record of it.
    console : list of str
        What the run printed, by file.
    problems : list of Problem
        What is wrong with the records.
    status : Status
        How the run ended by its last record; without one it was killed, or is still running.
    """

    def __init__(self, limits: Limits) -> None:
        self.config: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.console: list[str] = []
        self.problems: list[Problem] = []
        self.status = Status.INCOMPLETE
        self._limits = limits
        self._path = ""
        self._rows: list[bytes] = []
        self._printed: list[str] = []
        # The summary so far; its values are undecoded bytes.
        self._summary: dict[str, Any] = {}
        # The last value of each key of the rows, undecoded.
        self._last: dict[str, bytes] = {}
        # What was left out: names with the type of media, the line of the first, and how many.
        self._media: dict[tuple[str, str], list[int]] = {}
        self._changed: dict[str, None] = {}
        self._items = Items(limits.depth)
        self._keys: dict[Names, tuple[str, bytes]] = {}
        self._take: dict[int, Callable[[bytes], None]] = {
            _HISTORY: self._take_history,
            _SUMMARY: self._take_summary,
            _OUTPUT: self._take_output,
            _CONFIG: self._take_config,
            _OUTPUT_RAW: self._take_output,
            _RUN: self._take_run,
            _EXIT: self._take_exit,
        }

    def read(self, path: str, data: bytes) -> bytes:
        """Take the records of one file, and return its rows as JSON lines, one for each history.

        Parameters
        ----------
        path : str
            Path of the file, for problems.
        data : bytes
            What it holds.
        """
        self._path, self._rows, self._printed = path, [], []
        self.status, self._media, self._changed = Status.INCOMPLETE, {}, {}
        unfit = f"no messages, or nested deeper than Limits(depth={self._limits.depth})"
        self.problems += take_messages(data, path, self._take_field, unfit)
        self.console.append("".join(self._printed))
        self.problems += self._left_out()
        return b"".join(self._rows)

    def trailer(self, beside: Mapping[str, Any]) -> bytes:
        """Return a line, at the last step, with what the summary adds to the last values of rows.

        Of a file that was cut the summary beside it knows a later step than its rows.

        Parameters
        ----------
        beside : mapping
            The summary as a file beside the records has it: it counts where they say nothing.
        """
        said = self._decoded_summary(self._summary)
        summary = {k: v for k, v in beside.items() if k not in said} | said
        leaves = flatten(_without_media({k: v for k, v in summary.items() if k not in _CLOCKS}))
        own = {
            f"summary/{name}" if name in self._last else name: value
            for name, value in leaves.items()
            if not self._is_last(name, value)
        }
        if not own:
            return b""
        steps = [self._decoded("_step", self._last.get("_step", b"")), summary.get("_step")]
        step = max((s for s in steps if isinstance(s, int | float)), default=None)
        return json.dumps({"_step": step, **own}).encode() + b"\n"

    def _decoded_summary(self, inside: Mapping[str, Any], above: Names = ()) -> dict[str, Any]:
        return {
            name: self._decoded("/".join((*above, name)), value)
            if isinstance(value, bytes)
            else self._decoded_summary(value, (*above, name))
            for name, value in inside.items()
        }

    def _is_last(self, name: str, value: Any) -> bool:
        """Return whether a value is that of the last row that has the key."""
        if name not in self._last:
            return False
        last = self._decoded(name, self._last[name])
        return bool(last == value or (last != last and value != value))

    def _take_field(self, number: int, message: bytes) -> None:
        if number in self._take:
            self._take[number](message)

    def _take_history(self, message: bytes) -> None:
        items: list[tuple[Names, bytes]] = []
        step = None
        for number, kind, at, end in fields(message):
            if number == _ITEM and kind == BYTES:
                items.append(self._items.read(message[at:end]))
            elif number == _STEP and kind == BYTES:
                inside = values(message[at:end])
                step = next((signed(n) for _, n in inside if isinstance(n, int)), 0)
        row: dict[str, bytes] = {}
        for names, raw in self._but_media(items):
            name, key = self._keys.get(names) or self._key(names)
            if name in row:  # {"a": {"b": 1}, "a/b": 2}
                name, key = self._key((f"{name} (2)",))
            row[name] = key + raw
            self._last[name] = raw
        if step is not None and "_step" not in row:
            row["_step"] = b'"_step":%d' % step
        line = b"{" + b",".join([row[name] for name in sorted(row)]) + b"}"
        self._rows.append(line.replace(b"\n", b" ") + b"\n")
        self.status = Status.INCOMPLETE

    def _key(self, names: Names) -> tuple[str, bytes]:
        name = "/".join(names)
        known = self._keys[names] = name, json.dumps(name).encode() + b":"
        return known

    def _but_media(self, items: list[tuple[Names, bytes]]) -> Iterator[tuple[Names, bytes]]:
        """Yield the items of a row that are no part of an image, a histogram or the like."""
        media = {names[:-1]: raw for names, raw in items if names[-1:] == (_MEDIA,)}
        for names, raw in media.items():
            self._count_media("/".join(names), self._decoded("/".join(names), raw))
        for names, raw in items:
            if not raw or (media and any(names[:size] in media for size in range(len(names)))):
                continue
            if b'"_type"' not in raw:
                yield names, raw
                continue
            value = {names[-1]: self._decoded("/".join(names), raw)}
            kept = _without_media(value, self._count_media, names[:-1])
            if kept:
                yield names, json.dumps(kept[names[-1]]).encode()

    def _count_media(self, name: str, kind: Any) -> None:
        counted = self._media.setdefault((name, str(kind)), [len(self._rows) + 1, 0])
        counted[1] += 1

    def _take_summary(self, message: bytes) -> None:
        for number, value in values(message):
            if isinstance(value, bytes):
                names, raw = self._items.read(value)
                if number == _UPDATE:
                    set_nested(self._summary, names, raw)
                elif number == _REMOVE:
                    remove_nested(self._summary, names)

    def _take_config(self, message: bytes) -> None:
        for number, value in values(message):
            if not isinstance(value, bytes):
                continue
            names, raw = self._items.read(value)
            if names[0] == PRIVATE:
                continue
            if number == _UPDATE:
                new = self._decoded("/".join(names), raw)
                old = set_nested(self.config, names, new)
                changed = [] if old is NOTHING else differing_keys(old, new, prefix=".".join(names))
            else:
                changed = [".".join(names)] if remove_nested(self.config, names) else []
            self._changed |= dict.fromkeys(changed)

    def _take_run(self, message: bytes) -> None:
        for number, value in values(message):
            if number in _FACTS and value:
                self.facts[_FACTS[number]] = text_of(value)
        tags = [text_of(tag) for tag in inner(message, _TAGS)]
        self.facts |= {"tags": tags} if tags else {}
        for config in inner(message, _RUN_CONFIG):
            self._take_config(config)
        for summary in inner(message, _RUN_SUMMARY):
            self._take_summary(summary)

    def _take_output(self, message: bytes) -> None:
        self._printed += map(text_of, inner(message, _LINE))

    def _take_exit(self, message: bytes) -> None:
        found = {number: value for number, value in values(message) if isinstance(value, int)}
        code = found.get(_EXIT_CODE, 0)
        if found.get(_NOT_COMPLETE) or code == _INTERRUPTED:
            self.status = Status.INCOMPLETE
        else:
            self.status = Status.FAILED if code else Status.COMPLETE

    def _decoded(self, name: str, raw: bytes) -> Any:
        """Return a value; what is no JSON is named, and None."""
        try:
            return decode_line(raw, self._limits) if raw else None
        except BadLine as error:
            self.problems.append(Problem("bad_line", f"{name!r}: {error}, left out", self._path))
            return None

    def _left_out(self) -> Iterator[Problem]:
        # What a run logs of its layers is a hundred keys of one type: one problem has them all.
        by_type: dict[str, dict[str, list[int]]] = {}
        for (name, kind), counted in self._media.items():
            by_type.setdefault(kind, {})[name] = counted
        for kind, names in by_type.items():
            line = min(first for first, _ in names.values())
            count = sum(own for _, own in names.values())
            values = f"{count} value{'s' * (count > 1)} of type {kind!r}, left out"
            yield Problem("left_out", f"{', '.join(map(repr, names))}: {values}", self._path, line)
        if self._changed:
            keys = ", ".join(map(repr, self._changed))
            message = f"changed within the run: {keys}; the last value counts"
            yield Problem("config_conflict", message, self._path)


def _without_media(
    value: dict[str, Any], count: Callable[[str, Any], None] | None = None, above: Names = ()
) -> dict[str, Any]:
    """Return an object without the images, tables, … in it; ``count`` is called for each."""
    kept: dict[str, Any] = {}
    for name, below in value.items():
        if not isinstance(below, dict):
            kept[name] = below
        elif _MEDIA in below:
            if count is not None:
                count("/".join((*above, name)), below[_MEDIA])
        elif rest := _without_media(below, count, (*above, name)):
            kept[name] = rest
    return kept
