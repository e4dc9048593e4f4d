"""The typed road through a native log: all records as columns at once, from the kernel.

It refuses whatever needs a look at single records, so that it is exact: the line by line road of
``exact`` then takes over. Of the values alone it takes all that are numbers, NaN and null too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.core import is_x_like
from runcube.readers.kernel import Kind, decode
from runcube.readers.last_words import remarks_of
from runcube.readers.lines import BOM, is_deep_line
from runcube.readers.native.pattern import FIRST_LINE, NotPlainError, pattern_of
from runcube.readers.native.records import OWN_KEYS, is_config
from runcube.readers.native.texts import is_damaged_marker, kind_of_text, marker_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits, Remarks, Status
    from runcube.readers.kernel import Cells, Decoded

_STATS = "agg_stats"
# Kinds that are numbers to all readers, and those that are no value.
_NUMBERS = sum(1 << kind for kind in (*range(Kind.INT, Kind.NINF + 1), Kind.TRUE, Kind.FALSE))
_NULL = 1 << Kind.NULL
_OTHERS = ~(_NUMBERS | _NULL)
_BIG = 1 << Kind.BIGINT
_NAN = float("nan")


@dataclass(slots=True)
class TypedLog:
    """A whole log as a table: its rows are the records with statistics, split after split.

    Parameters
    ----------
    names : tuple of str, (metrics,)
        Metrics of the log.
    extras : tuple of str, (keys,)
        Keys of the records beside ``agg_stats``.
    splits : dict of str to slice
        The rows of each split, which are in file order.
    lines : ndarray of int64, (rows,)
        Line numbers, from 1.
    values : ndarray of float64, (metrics, rows)
        As logged; NaN where a record lacks the metric.
    logged : ndarray of bool, (metrics, rows)
        Where it was logged: a logged NaN too.
    own : ndarray of float64, (keys, rows)
        Values of ``extras``; NaN where a record lacks the key.
    epochs : dict of str to ndarray of int64, (rows of the split,)
        From the markers, or counted from 0.
    marker_lines : ndarray of int64, (markers,)
        Line numbers of the epoch markers.
    markers : ndarray of int64, (markers,)
        Epochs of the markers.
    count : int
        Records after the configuration, those of text included.
    texts : list of str
        Text lines; empty unless they are asked for.
    times : list of str
        Text lines that hold the training time.
    marker : Status or None
        How the run ended by the texts behind the last record with statistics.
    remarks : Remarks

    Notes
    -----
    Logs of one sweep share ``lines``, ``epochs``, ``marker_lines`` and ``markers``: they are
    read-only.
    """

    names: tuple[str, ...]
    extras: tuple[str, ...]
    splits: dict[str, slice]
    lines: NDArray[np.int64]
    values: NDArray[np.float64]
    logged: NDArray[np.bool_]
    own: NDArray[np.float64]
    epochs: dict[str, NDArray[np.int64]]
    marker_lines: NDArray[np.int64]
    markers: NDArray[np.int64]
    count: int
    texts: list[str]
    times: list[str]
    marker: Status | None
    remarks: Remarks


def read_typed(
    data: bytes, limits: Limits, *, texts: bool = False
) -> tuple[dict[str, Any], TypedLog]:
    """Parse a log that holds nothing unusual: its configuration, and all that follows.

    Parameters
    ----------
    data : bytes
    limits : Limits
    texts : bool
        Keep the text lines.

    Returns
    -------
    config : dict
        As logged.
    typed : TypedLog

    Raises
    ------
    NotPlainError
        If anything but its values is unusual: a bad or blank line, a second configuration, nested
        metrics or texts among them, …
    """
    start = len(BOM) if data.startswith(BOM) else 0
    first = data.find(b"\n", start) + 1
    if b"\0" in data:
        raise NotPlainError("NULs, which are named")
    try:
        config = _config(data[start:first], limits)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotPlainError(str(error)) from error
    return config, read_records(memoryview(data)[first:], limits, texts=texts)


def read_records(
    data: memoryview,
    limits: Limits,
    *,
    names: Sequence[str] | None = None,
    extras: Sequence[str] | None = None,
    texts: bool = False,
) -> TypedLog:
    """Return the records behind the configuration.

    Parameters
    ----------
    data : memoryview
        Lines after the configuration; they are numbered from 2.
    limits : Limits
    names, extras : sequence of str, optional
        The only metrics, and keys beside ``agg_stats``, that there may be; by default any.
    texts : bool
        Keep the text lines.

    Raises
    ------
    NotPlainError
        As :func:`read_typed`.
    """
    decoded = decode([data], (), limits)
    _check_lines(data, decoded)
    stats, own, beside, is_record = _keys(decoded)
    names = _ordered(names, stats)
    extras = _ordered(extras, beside)
    if not all(map(is_x_like, extras)) or len(names) + len(extras) > limits.columns:
        raise NotPlainError("keys beside agg_stats, or too many")
    count = len(decoded.lines)
    splits, titles = _texts(own.get("data_name"), count), _texts(own.get("title"), count)
    values: list[str | None] = _texts(own.get("value"), count, None)
    is_text = np.zeros(count, bool)
    if "value" in own:
        is_text[own["value"].rows] = True
    is_split = np.zeros(count, bool)
    if "data_name" in own:
        is_split[own["data_name"].rows] = "" not in own["data_name"].words
    if (is_text == is_record).any() or (is_record != is_split).any():
        raise NotPlainError("a record that is neither a text nor of a split")
    typed = is_text[own["type"].rows] if "type" in own else is_text[:0]
    if np.count_nonzero(typed) != np.count_nonzero(is_text):
        raise NotPlainError("a text without a type")
    pattern = pattern_of(splits, titles, values)
    others = [text for text in pattern.other_of(values) if text is not None]
    if any(is_damaged_marker(text) for text in {*others} if text[-1:].isdecimal()):
        raise NotPlainError("a text that is a marker but for one character")
    before, behind = {*others[: pattern.before]}, [*others[pattern.before :]]
    rows = pattern.lines - FIRST_LINE
    numbers, logged = _numbers([stats.get(name) for name in names], rows, is_record)
    axes, has_axis = _numbers([beside.get(name) for name in extras], rows, is_record)
    if (np.isnan(axes) & has_axis).any() or any(
        is_text[cells.rows[cells.kinds != Kind.NULL]].any() for cells in beside.values()
    ):
        raise NotPlainError("a number beside a text, or NaN along a curve")
    return TypedLog(
        tuple(names),
        tuple(extras),
        pattern.splits,
        pattern.lines,
        numbers,
        logged,
        axes,
        pattern.epochs,
        pattern.marker_lines,
        pattern.markers,
        count,
        [text for text in pattern.text_of(values) if text] if texts else [],
        [text for text in others if text.startswith("Training time")],
        marker_of(behind),
        remarks_of(map(kind_of_text, before), map(kind_of_text, behind)),
    )


def _config(line: bytes, limits: Limits) -> dict[str, Any]:
    header = msgspec.json.decode(line)
    if len(line) > limits.line_bytes or is_deep_line(line, header, limits.depth + 1):
        raise NotPlainError("a configuration beyond a bound")
    if not is_config(header) or len(header) > 2:
        raise NotPlainError("the first line is no configuration alone")
    config: dict[str, Any] = header["value"]
    return config


def _check_lines(data: memoryview, decoded: Decoded) -> None:
    """Refuse what is not one record on each line, with nothing behind the last one."""
    count = len(decoded.lines)
    if decoded.bad or decoded.left_out or (count and decoded.lines[-1] != count):
        raise NotPlainError("a line that is no record, or beyond a bound")
    last = bytes(data[decoded.offsets[-1] :]) if count else bytes(data)
    if last.find(b"\n") not in (-1, len(last) - 1) or (last and not count):
        raise NotPlainError("blank lines at the end")


def _keys(
    decoded: Decoded,
) -> tuple[dict[str, Cells], dict[str, Cells], dict[str, Cells], NDArray[np.bool_]]:
    """Return the cells of metrics, of the layout and of others, and which rows have metrics."""
    stats: dict[str, Cells] = {}
    own: dict[str, Cells] = {}
    others: dict[str, Cells] = {}
    is_record = np.zeros(len(decoded.lines), bool)
    marked: set[bytes] = set()
    for path, cells in decoded.cells.items():
        if path[0] == _STATS and len(path) < 3:
            # Columns mostly stand on the same rows.
            if (rows := cells.rows.tobytes()) not in marked:
                marked.add(rows)
                is_record[cells.rows] = True
            if len(path) == 2:
                stats[path[1]] = cells
            elif cells.seen != 1 << Kind.EMPTY:
                raise NotPlainError("statistics that are no object")
        elif len(path) == 1:
            (own if path[0] in OWN_KEYS else others)[path[0]] = cells
        else:
            raise NotPlainError("nested keys")
    return stats, own, others, is_record


def _ordered(known: Sequence[str] | None, found: Mapping[str, Cells]) -> Sequence[str]:
    """Return the names of columns of numbers, in the order of the log; only known ones."""
    for cells in found.values():
        if cells.seen & _OTHERS:
            raise NotPlainError("values that are no numbers")
        # What is null first has its place where it is a number first.
        if known is None and cells.seen & _NULL and cells.kinds[0] == Kind.NULL:
            raise NotPlainError("null before the first number")
        if cells.seen & _BIG and np.isinf(cells.values[cells.kinds == Kind.BIGINT]).any():
            raise NotPlainError("numbers beyond float64")
    if known is not None and not found.keys() <= {*known}:
        raise NotPlainError("keys that were not there before")
    return [*found] if known is None else known


def _texts(cells: Cells | None, count: int, missing: Any = "") -> list[Any]:
    """Return the text of each row."""
    found = np.full(count, missing, object)
    if cells is not None:
        if cells.seen != 1 << Kind.STRING:
            raise NotPlainError("a text that is none")
        found[cells.rows] = np.array(cells.words, object)[cells.values.astype(np.intp)]
    listed: list[Any] = found.tolist()
    return listed


def _numbers(
    columns: Sequence[Cells | None], rows: NDArray[np.int64], is_record: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values (columns, rows) on some rows, NaN where one has none, and where it has."""
    values = np.full((len(columns), len(rows)), _NAN)
    logged = np.zeros(values.shape, bool)
    # The cells of a column that all records have.
    cell = np.cumsum(is_record)[rows] - 1
    for i, cells in enumerate(columns):
        if cells is None:
            continue
        if len(cells.rows) == len(rows) and not cells.seen & _NULL:
            cells.values.take(cell, out=values[i])
            logged[i] = True
            continue
        present = cells.kinds != Kind.NULL
        dense = np.full(len(is_record), -1)
        dense[cells.rows[present]] = np.flatnonzero(present)
        own = dense[rows]
        logged[i] = own >= 0
        values[i, logged[i]] = cells.values[own[logged[i]]]
    return values, logged
