"""The bytes of an event file to columns of its scalars.

Records of one length mostly have one layout: the same bytes but for time, step, tag and value. Of
the first of them the layout is found field by field, and all others that have it are decoded as one
table. What is alone is decoded alone. Both roads find the same; only their speed differs.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runcube.core import Problem, clean_text
from runcube.readers.protobuf import NotProtobufError
from runcube.readers.tensorboard.event import Event, read_event
from runcube.readers.tensorboard.framing import (
    TRAILER,
    by_length,
    checksum,
    checksums,
    frames,
    stored,
)
from runcube.readers.tensorboard.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.tensorboard.framing import Frames

# Fewer records of one layout are decoded one by one.
_FEW = 8
_MOST_LAYOUTS = 64
# Longer records are alone; of those that hold nothing of use the checksum is not computed.
_LONGEST = 4096
_CHUNK = 1 << 14


class Session(NamedTuple):
    """What the plugin for hyperparameters says in one record.

    Parameters
    ----------
    number : int
        Number of the record.
    event : Event
    """

    number: int
    event: Event


@dataclass(slots=True)
class FileEvents:
    """What one event file holds.

    Parameters
    ----------
    tags : list of str, (tags,)
    numbers : ndarray of int64, (values,)
        Number of the record of each value in the file, from 1; rising.
    walls : ndarray of float64, (values,)
        When it was written, in seconds since 1970.
    steps : ndarray of int64, (values,)
    codes : ndarray of int64, (values,)
        Its tag, as an index of ``tags``.
    values : ndarray of float64, (values,)
        As logged: float32 is widened exactly.
    records : int
        Number of the last record.
    began, ended : float
        Time of the first and of the last record; NaN without one.
    texts : list of (int, str, str)
        Record, tag and text.
    sessions : list of Session
    problems : list of Problem
    """

    tags: list[str]
    numbers: NDArray[np.int64]
    walls: NDArray[np.float64]
    steps: NDArray[np.int64]
    codes: NDArray[np.int64]
    values: NDArray[np.float64]
    records: int = 0
    began: float = math.nan
    ended: float = math.nan
    texts: list[tuple[int, str, str]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def hparams(self) -> dict[str, Any] | None:
        """The hyperparameters of the last session that has any; None without one."""
        found = [s.event.hparams for s in self.sessions if s.event.hparams is not None]
        return found[-1] if found else None

    @property
    def is_of_add_hparams(self) -> bool:
        """Whether a session ends with the record behind its hyperparameters: it took no time.

        So ``add_hparams`` writes it, whatever became of the run.
        """
        begin = [s.number for s in self.sessions if s.event.hparams is not None]
        end = {s.number for s in self.sessions if s.event.ends_session}
        return bool(begin) and begin[-1] + 1 in end


def read_events(data: bytes, path: str, limits: Limits, *, is_whole: bool = True) -> FileEvents:
    """Return what an event file holds.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
        Of tags beyond ``columns`` the values are left out.
    is_whole : bool
        Whether ``data`` is the whole file, or its beginning.
    """
    return _FileReader(data, frames(data), path, limits).read(is_whole)


class _FileReader:
    def __init__(self, data: bytes, found: Frames, path: str, limits: Limits) -> None:
        self.data = data
        self.raw = np.frombuffer(data, dtype=np.uint8)
        self.frames = found
        self.path = path
        self.limits = limits
        self.pieces: list[tuple[NDArray[Any], ...]] = []
        # Of each record that is decoded alone, its values: number, place, time, step, tag, value.
        self.alone: list[tuple[float, ...]] = []
        self.codes: dict[bytes, int] = {}
        self.damaged = [*found.damaged]
        # Records with values of tags beyond the limit.
        self.beyond: list[int] = []
        self.left: Counter[str] = Counter()
        self.left_from: dict[str, int] = {}
        self.texts: list[tuple[int, str, str]] = []
        self.sessions: list[Session] = []

    def read(self, is_whole: bool) -> FileEvents:
        for length, records in by_length(self.frames.lengths):
            if length <= _LONGEST and len(records) >= _FEW:
                for low in range(0, len(records), _CHUNK):
                    self._read_alike(length, records[low : low + _CHUNK])
            else:
                for record in records.tolist():
                    self._read_one(record)
        out = self._sorted()
        out.texts = sorted(self.texts, key=lambda text: text[0])
        out.sessions = sorted(self.sessions, key=lambda session: session.number)
        out.records = int(self.frames.numbers[-1]) if len(self.frames.numbers) else 0
        out.began, out.ended = self._wall(0), self._wall(-1)
        out.problems = self._problems(is_whole)
        return out

    def _wall(self, record: int) -> float:
        """Return the time of a record; NaN if it has none."""
        try:
            start = int(self.frames.starts[record])
            stop = start + int(self.frames.lengths[record])
            wall = read_event(self.data, start, stop).wall
        except (IndexError, NotProtobufError):
            return math.nan
        return wall if math.isfinite(wall) else math.nan

    def _read_alike(self, length: int, records: NDArray[np.int64]) -> None:
        """Read records of one length, those of one layout together."""
        starts = self.frames.starts[records]
        rows = self.raw[starts[:, None] + np.arange(length + TRAILER)]
        sound = checksums(rows[:, :length]) == stored(rows[:, length:])
        self.damaged += self.frames.numbers[records[~sound]].tolist()
        left = np.flatnonzero(sound)
        for _ in range(_MOST_LAYOUTS):
            if len(left) < _FEW:
                break
            first = int(records[left[0]])
            layout = self._layout(first, length)
            if layout is None:
                self._read_one(first)
                left = left[1:]
                continue
            alike = layout.holds(rows, left)
            self._take(layout, rows[left[alike]], records[left[alike]])
            left = left[~alike]
        for record in records[left].tolist():
            self._read_one(record)

    def _layout(self, record: int, length: int) -> Layout | None:
        """Return the layout of a record; None if it holds more than plain scalars."""
        start = int(self.frames.starts[record])
        try:
            event = read_event(self.data, start, start + length)
        except NotProtobufError:
            return None
        is_plain = event.scalars and event.wall_at >= 0 and not event.texts and not event.left
        if not is_plain or event.hparams is not None or event.ends_session:
            return None
        if any(scalar.at < 0 for scalar in event.scalars):
            return None
        return Layout.of(event, start, self.raw[start : start + length])

    def _take(self, layout: Layout, rows: NDArray[np.uint8], records: NDArray[np.int64]) -> None:
        """Add the values of records of one layout."""
        numbers = self.frames.numbers[records]
        walls, steps = layout.walls(rows), layout.steps(rows)
        for place, scalar in enumerate(layout.scalars):
            codes = self._codes_of(np.ascontiguousarray(rows[:, scalar.tag]))
            values = layout.floats(rows, scalar.at, scalar.kind)
            self.pieces.append((numbers, np.full(len(rows), place), walls, steps, codes, values))

    def _codes_of(self, words: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the code (records,) of each tag, whose bytes are (records, length)."""
        count, length = words.shape
        if not length:
            return np.full(count, self._code(b""))
        # A hash by which equal tags are found; that they are equal is checked.
        weights = np.random.default_rng(0).integers(1, 1 << 62, length, dtype=np.uint64)
        hashes = (words * weights).sum(axis=1, dtype=np.uint64)
        _, firsts, own = np.unique(hashes, return_index=True, return_inverse=True)
        if not (words == words[firsts[own]]).all():
            _, firsts, own = np.unique(
                words.view(f"V{length}")[:, 0], return_index=True, return_inverse=True
            )
        known = np.array([self._code(words[first].tobytes()) for first in firsts])
        return np.asarray(known[own], dtype=np.int64)

    def _code(self, tag: bytes) -> int:
        return self.codes.setdefault(tag, len(self.codes))

    def _read_one(self, record: int) -> None:
        """Read one record alone."""
        start, length = int(self.frames.starts[record]), int(self.frames.lengths[record])
        number = int(self.frames.numbers[record])
        try:
            event = read_event(self.data, start, start + length)
        except NotProtobufError:
            self.damaged.append(number)
            return
        is_of_use = event.scalars or event.texts or event.hparams is not None or event.ends_session
        if (is_of_use or length <= _LONGEST) and not self._is_sound(start, length):
            self.damaged.append(number)
            return
        for place, scalar in enumerate(event.scalars):
            code = self._code(self.data[scalar.tag])
            self.alone.append((number, place, event.wall, event.step, code, scalar.value))
        self.texts += [(number, tag, text) for tag, text in event.texts]
        if event.hparams is not None or event.ends_session:
            self.sessions.append(Session(number, event))
        for kind in event.left:
            self.left[kind] += 1
            self.left_from[kind] = min(number, self.left_from.get(kind, number))

    def _is_sound(self, start: int, length: int) -> bool:
        end = start + length
        found = int.from_bytes(self.data[end : end + TRAILER], "little")
        return checksum(self.data[start:end]) == found

    def _sorted(self) -> FileEvents:
        """Return all values in the order of their records, the tags by first appearance."""
        kinds = (np.int64, np.int64, np.float64, np.int64, np.int64, np.float64)
        alone = [
            np.array([row[i] for row in self.alone], dtype=kind) for i, kind in enumerate(kinds)
        ]
        numbers, places, walls, steps, codes, values = (
            np.concatenate(parts) for parts in zip(alone, *self.pieces, strict=True)
        )
        order = np.lexsort((places, numbers))
        found, firsts, own = np.unique(codes[order], return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(firsts))
        words = [*self.codes]
        by_code = {int(r): words[code] for r, code in zip(rank, found.tolist(), strict=True)}
        tags = [_tag(by_code[i]) for i in range(len(found))]
        out = FileEvents(tags, numbers[order], walls[order], steps[order], rank[own], values[order])
        if len(tags) > self.limits.columns:
            most = self.limits.columns
            keep = out.codes < most
            self.beyond = out.numbers[~keep].tolist()
            out.tags = tags[:most]
            for name in ("numbers", "walls", "steps", "codes", "values"):
                setattr(out, name, getattr(out, name)[keep])
        return out

    def _problems(self, is_whole: bool) -> list[Problem]:
        found = []
        if self.damaged:
            numbers = sorted(self.damaged)
            one = len(numbers) == 1
            what = "1 record is damaged and" if one else f"{len(numbers)} records are damaged and"
            message = f"{what} left out: {_shown(numbers)}"
            found.append(Problem("bad_line", message, self.path, numbers[0]))
        if self.frames.cut is not None and is_whole:
            message = "the file ends within a record, which is left out"
            found.append(Problem("truncated_tail", message, self.path, self.frames.cut))
        if self.beyond:
            most = f"Limits(columns={self.limits.columns})"
            message = f"{_counted(len(self.beyond), 'value')} of tags beyond {most} left out"
            found.append(Problem("limit", message, self.path, int(self.beyond[0])))
        if self.left:
            order = sorted(self.left, key=lambda kind: self.left_from[kind])
            kinds = ", ".join(_counted(self.left[kind], kind) for kind in order)
            first = self.left_from[order[0]]
            found.append(Problem("left_out", f"{kinds}: no scalars, left out", self.path, first))
        return found


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _shown(numbers: Sequence[int]) -> str:
    more = f", … {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return ", ".join(map(str, numbers[:8])) + more


def _tag(tag: bytes) -> str:
    return clean_text(tag.decode("utf-8", "backslashreplace"))
