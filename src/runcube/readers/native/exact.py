"""The exact road through a native log: line by line, so that a bad line costs only itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.lines import BadLine, decode_line, salvage, split_lines
from runcube.readers.native.epochs import lost_records

if TYPE_CHECKING:
    from runcube.readers.lines import Line

MARKER = re.compile(r">> Start Epoch: *(\d+)")
TRAIN_TIME = re.compile(r"Training time (?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_SPLIT_NAME = re.compile(rb'"data_name": ?"([^"\\]+)"')
_NUMBER = re.compile(r"[\d.]+")


@dataclass(slots=True)
class SplitRows:
    """Records of one split, in file order.

    Parameters
    ----------
    lines : list of int, (rows,)
        Line numbers, from 1.
    ordinals : list of int, (rows,)
        How many epoch markers precede each record.
    stats : list of dict or None, (rows,)
        Whole records, with ``agg_stats`` and what is beside it. A record that a bad line lost is
        None, so that those after it keep their epochs.
    """

    lines: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    stats: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """What follows one configuration line, up to the next one.

    Parameters
    ----------
    config : dict or None
        The configuration as logged; None if records come before any configuration line.
    rows : dict of str to SplitRows
        Records by split, in order of first appearance.
    markers : list of int, (markers,)
        Epochs of the epoch markers, in file order.
    messages : list of str
        Text lines, if they are kept; markers are among them.
    train_time : float or None
        Seconds, summed over the sessions of a resumed run; None if no line holds it.
    problems : list of Problem
        What is wrong with the lines.
    """

    config: Any = None
    rows: dict[str, SplitRows] = field(default_factory=dict)
    markers: list[int] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    train_time: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def text(self, value: str, keep: bool) -> None:
        """Add one text line: a marker, the training time, or a message.

        Parameters
        ----------
        value : str
        keep : bool
            Whether to keep it among the messages.
        """
        if value.startswith(">> Start") and (found := MARKER.match(value)):
            self.markers.append(int(found[1]))
        elif value.startswith("Training time") and (found := TRAIN_TIME.match(value)):
            # A run that was resumed logs the time of each of its sessions.
            self.train_time = seconds_of(found) + (self.train_time or 0.0)
        if keep and value:
            self.messages.append(value)

    def row(self, split: str, line: int, stats: Any) -> None:
        """Add one record of metrics.

        Parameters
        ----------
        split : str
        line : int
            Line number, from 1.
        stats : dict or None
            The whole record; None if it was lost.
        """
        rows = self.rows.get(split)
        if rows is None:
            rows = self.rows[split] = SplitRows()
        rows.lines.append(line)
        rows.ordinals.append(len(self.markers))
        rows.stats.append(stats)


def seconds_of(found: re.Match[str]) -> float:
    """Return the seconds of a matched training time."""
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def is_config(value: Any) -> bool:
    """Return whether a decoded line is a configuration."""
    return (
        isinstance(value, dict)
        and value.get("type") == "dict_config"
        and isinstance(value.get("value"), dict)
    )


def _split(data_name: Any, title: Any) -> str:
    if data_name:
        return str(data_name)
    return str(title).removeprefix("agg_") if title else "all"


@dataclass(slots=True)
class _Entry:
    """What one line holds.

    Parameters
    ----------
    number : int
        Line number, from 1.
    value : dict or None
        The decoded record; None if it is unreadable.
    shape : str or None
        Its kind (``"split val"``); None if not even that is known.
    problem : Problem, optional
    """

    number: int
    value: Any
    shape: str | None
    problem: Problem | None = None


def read_sections(data: bytes, path: str, *, messages: bool) -> list[Section]:
    """Return the rows, markers and texts of a log.

    A bad line costs that line and shifts nothing after it.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    messages : bool
        Keep the text lines.

    Returns
    -------
    list of Section
        One for each configuration line, in file order; at least one.
    """
    entries = [entry for line in split_lines(data) for entry in _entries(line, path)]
    guesses = lost_records([entry.shape for entry in entries])
    sections = [Section()]
    for index, entry in enumerate(entries):
        if is_config(entry.value) and (sections[-1].config is not None or sections[-1].rows):
            sections.append(Section())
        if entry.problem is not None:
            sections[-1].problems.append(entry.problem)
        if entry.value is not None:
            _take(sections[-1], entry.number, entry.value, messages)
        else:
            shape = entry.shape or guesses.get(index, "")
            if shape.startswith("split "):
                sections[-1].row(shape.removeprefix("split "), entry.number, None)
    return sections


def _entries(line: Line, path: str) -> list[_Entry]:
    try:
        value = decode_line(line.data)
    except BadLine as error:
        return _unreadable(line, path, error)
    shape = _shape(value)
    if shape is None:
        problem = Problem("bad_line", "not a record of this layout", path, line.number)
        return [_Entry(line.number, None, "unknown", problem)]
    return [_Entry(line.number, value, shape)]


def _unreadable(line: Line, path: str, error: BadLine) -> list[_Entry]:
    name = _SPLIT_NAME.search(line.data)
    shape = f"split {name[1].decode(errors='replace')}" if name else None
    whole = salvage(line.data, lambda value: _shape(value) is not None)
    if whole is not None:
        # The name may be of the whole record: then the half one before it is a guess as well.
        message = "half a record before a whole one on the same line; the whole one is kept"
        half = _Entry(line.number, None, None, Problem("bad_line", message, path, line.number))
        return [half, _Entry(line.number, whole, _shape(whole))]
    if line.ended:
        kind, message = "bad_line", f"no JSON: {error}"
    else:
        kind, message = "truncated_tail", f"the log ends in half a line: {error}"
    return [_Entry(line.number, None, shape, Problem(kind, message, path, line.number))]


def _shape(value: Any) -> str | None:
    """Return the kind of a record; None for what is no record of this layout."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("agg_stats"), dict):
        return f"split {_split(value.get('data_name'), value.get('title'))}"
    if not {"type", "value"} <= value.keys():
        return None
    text = value["value"] if isinstance(value["value"], str) else ""
    return f"{value['type']} {_NUMBER.sub('#', text)}"


def _take(section: Section, number: int, value: dict[str, Any], messages: bool) -> None:
    if is_config(value):
        section.config = value["value"]
    elif isinstance(value.get("agg_stats"), dict):
        section.row(_split(value.get("data_name"), value.get("title")), number, value)
    elif isinstance(value["value"], str):
        section.text(value["value"], messages)
    elif messages:
        section.messages.append(json.dumps(value["value"]))
