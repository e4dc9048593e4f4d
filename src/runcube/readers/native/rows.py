"""What each row of decoded logs is: a record of a split, a text, a marker of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runcube.readers.kernel import Kind
from runcube.readers.lines import decode_line
from runcube.readers.native.records import beside, split_of
from runcube.readers.native.texts import (
    MARKER,
    NO_MARKER,
    TRAIN_TIME,
    kind_of_text,
    marker_number,
    seconds_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Cells, Decoded

METRICS, TEXT, CONFIG, FOREIGN = range(4)
_STATS = "agg_stats"
_MISSING, _ODD = 0, 1


def kinds_of(decoded: Decoded) -> NDArray[np.int8]:
    """Return what each row (rows,) is: ``METRICS``, ``TEXT``, ``CONFIG`` or ``FOREIGN``."""
    count = len(decoded.lines)
    kinds = np.full(count, FOREIGN, np.int8)
    has = {key: np.zeros(count, bool) for key in ("type", "value")}
    is_object, is_record = np.zeros(count, bool), np.zeros(count, bool)
    for path, cells in decoded.cells.items():
        inside = cells.rows if len(path) > 1 else cells.rows[cells.kinds == Kind.EMPTY]
        if path[0] == _STATS:
            is_record[inside] = True
        elif path[0] in has:
            has[path[0]][cells.rows] = True
            if path[0] == "value":
                is_object[inside] = True
    kinds[has["type"] & has["value"]] = TEXT
    kinds[is_record] = METRICS
    if is_object.any():
        kinds[is_object & (words_of(decoded, "type") == "dict_config")] = CONFIG
    return kinds


def words_of(decoded: Decoded, key: str) -> NDArray[Any]:
    """Return the text of a top-level key for each row (rows,); None where it has none."""
    found = np.full(len(decoded.lines), None, object)
    cells = decoded.cells.get((key,))
    if cells is not None and cells.words:
        at = cells.kinds == Kind.STRING
        found[cells.rows[at]] = np.array(cells.words, object)[cells.values[at].astype(np.intp)]
    return found


@dataclass(frozen=True, slots=True)
class Name:
    """What a record of metrics is called.

    Parameters
    ----------
    split : str
    title : str
        As logged; ``""`` without one.
    is_odd : bool
        Whether the title is of another split, which makes it a value.
    """

    split: str
    title: str = ""
    is_odd: bool = False


class Rows:
    """The rows of decoded logs.

    Parameters
    ----------
    buffers : sequence of bytes or memoryview, (files,)
        What was decoded.
    decoded : Decoded
    kinds : ndarray of int8, (rows,)
        As of `kinds_of`.
    limits : Limits

    Attributes
    ----------
    names : list of Name
        Distinct names of records.
    codes : ndarray of int64, (rows,)
        Index of ``names``; -1 of what is no record of metrics.
    beside : dict of str to list of (int, object)
        Values that only a look at single records shows: rows and values by name.
    words : list of str
        Distinct texts.
    said : ndarray of int64, (rows,)
        Index of ``words``; -1 of what is no text.
    damaged : list of int
        Words that are markers but for one character.
    markers : ndarray of int64, (rows,)
        Epoch of each marker, ``UNREADABLE`` of one without a number, ``NO_MARKER`` of all else.
    """

    def __init__(
        self,
        buffers: Sequence[bytes | memoryview],
        decoded: Decoded,
        kinds: NDArray[np.int8],
        limits: Limits,
    ) -> None:
        self._buffers = buffers
        self.decoded = decoded
        self.kinds = kinds
        self._limits = limits
        self.names: list[Name] = []
        self.beside: dict[str, list[tuple[int, Any]]] = {}
        self.codes = np.full(len(kinds), -1)
        self._name_records(np.flatnonzero(kinds == METRICS))
        self.said = np.full(len(kinds), -1)
        self.words: list[str] = []
        cells = decoded.cells.get(("value",))
        if cells is not None and cells.words:
            at = (cells.kinds == Kind.STRING) & (kinds[cells.rows] == TEXT)
            self.words = cells.words
            self.said[cells.rows[at]] = cells.values[at].astype(np.int64)
        numbers = [marker_number(word) for word in self.words]
        self._others = [code for code, number in enumerate(numbers) if number == NO_MARKER]
        self.damaged = [
            code
            for code, (word, number) in enumerate(zip(self.words, numbers, strict=True))
            if number != NO_MARKER and not word.startswith(MARKER)
        ]
        self.markers = np.array([*numbers, NO_MARKER], np.int64)[self.said]

    def record(self, row: int) -> dict[str, Any]:
        """Return the whole record of a row, decoded again."""
        decoded = self.decoded
        file = int(np.searchsorted(decoded.ends, row, side="right"))
        stop = int(decoded.offsets[row + 1]) if row + 1 < decoded.ends[file] else None
        line = bytes(self._buffers[file][int(decoded.offsets[row]) : stop]).partition(b"\n")[0]
        return dict(decode_line(line.strip(b" \t\r\0"), self._limits, deep=True))

    @cached_property
    def remarks(self) -> dict[int, str]:
        """The kind of each word that is no marker, as far as it is remarkable."""
        return {code: kind_of_text(self.words[code]) for code in self._others}

    @cached_property
    def seconds(self) -> dict[int, float]:
        """The training time of each word that tells one."""
        found = ((code, TRAIN_TIME.match(self.words[code])) for code in self._others)
        return {code: seconds_of(match) for code, match in found if match}

    def _name_records(self, rows: NDArray[np.int64]) -> None:
        """Set names and codes of the records of metrics."""
        names, name_words = self._texts("data_name")
        titles, title_words = self._texts("title")
        pairs = names[rows] * (len(title_words) + 2) + titles[rows]
        codes, distinct = pd.factorize(pairs)
        self.codes[rows] = codes
        for pair in distinct.tolist():
            own, title = (
                words[code - 2] if code > _ODD else ""
                for code, words in zip(
                    divmod(pair, len(title_words) + 2), (name_words, title_words), strict=True
                )
            )
            split = own or title.removeprefix("agg_") or "all"
            is_odd = bool(own and title and title not in (own, f"agg_{own}"))
            self.names.append(Name(split, title, is_odd))
        known: dict[Name, int] = {}
        for row in rows[(names[rows] == _ODD) | (titles[rows] == _ODD)].tolist():
            record = self.record(row)
            name = Name(split_of(record), str(record.get("title") or ""))
            self.codes[row] = known.setdefault(name, len(self.names))
            if self.codes[row] == len(self.names):
                self.names.append(name)
            for key, value in beside(record).items():
                if key in ("title", "data_name"):
                    self.beside.setdefault(key, []).append((row, value))
        odd = np.array([name.is_odd for name in self.names], bool)
        for row in rows[odd[self.codes[rows]]].tolist() if odd.any() else ():
            title = self.names[self.codes[row]].title
            self.beside.setdefault("title", []).append((row, title))

    def _texts(self, key: str) -> tuple[NDArray[np.int64], list[str]]:
        """Return the text of a key for each row, as 2 and more, and the texts."""
        found = np.full(len(self.kinds), _MISSING)
        words: list[str] = []
        for path, cells in self.decoded.cells.items():
            if path[0] == key:
                found[cells.rows] = _codes(cells) if len(path) == 1 else _ODD
                words = cells.words if len(path) == 1 else words
        # One with keys inside that are beyond the bound has no cell.
        for path, row in self.decoded.left_out.items():
            if path[0] == key:
                found[row:][found[row:] == _MISSING] = _ODD
        return found, words


def _codes(cells: Cells) -> NDArray[np.int64]:
    is_text = cells.kinds == Kind.STRING
    codes = np.where(cells.kinds == Kind.NULL, _MISSING, _ODD)
    codes[is_text] = cells.values[is_text].astype(np.int64) + 2
    return codes
