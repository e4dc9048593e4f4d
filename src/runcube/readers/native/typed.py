"""The typed road through a native log: decode all records at once, floats without a Python loop.

It refuses whatever is unusual, so that it is exact: the line by line road of ``exact``
then takes over. msgspec decodes every record into a struct made for the log's own keys and
refuses others. The statistics are encoded again as MessagePack, where constant keys and floats of
nine bytes make records of one size: NumPy reads that as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.core import is_x_like
from runcube.readers.last_words import remarks_of
from runcube.readers.lines import BOM, count_plain, is_deep_line
from runcube.readers.native.pattern import FIRST_LINE, NotPlainError, Pattern
from runcube.readers.native.records import OWN_KEYS, is_config
from runcube.readers.native.texts import is_damaged_marker, kind_of_text, marker_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits, Remarks, Status

# Lines that are searched for the log's own keys; what first appears later takes the exact road.
_PROBE_LINES = 12
# Patterns kept for each set of keys: the logs of a sweep have few, unless each was cut elsewhere.
_MAX_PATTERNS = 16
_NAN = float("nan")
# No bound on what is read: a type with more fields takes longer to make than it saves.
_MAX_METRICS = 2_000


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
    own: NDArray[np.float64]
    epochs: dict[str, NDArray[np.int64]]
    marker_lines: NDArray[np.int64]
    markers: NDArray[np.int64]
    count: int
    texts: list[str]
    times: list[str]
    marker: Status | None
    remarks: Remarks


class _Layout:
    """Decoder of records with these metrics and further keys, and the table their floats make.

    Metrics that nobody asked for are decoded too: to skip a float costs more than to read it.

    Parameters
    ----------
    names : tuple of str, (metrics,)
    extras : tuple of str, (keys,)
        Keys beside ``agg_stats``.

    Attributes
    ----------
    extras : list of str, (keys,)
        Attributes of a decoded record that hold these keys.
    decode, encode : callable
        Bytes of JSON lines to records; statistics to MessagePack.
    table : dtype
        One encoded record of statistics.
    """

    def __init__(self, names: tuple[str, ...], extras: tuple[str, ...]) -> None:
        fields = [f"m{i}" for i in range(len(names))]
        self.extras = [f"x{i}" for i in range(len(extras))]
        stats = msgspec.defstruct(
            "Stats",
            [(f, float, _NAN) for f in fields],
            rename=dict(zip(fields, names, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        record = msgspec.defstruct(
            "Record",
            [
                ("title", str, ""),
                ("data_name", str, ""),
                ("agg_stats", stats, None),
                ("type", str, ""),
                ("value", str, None),
                *((f, float, _NAN) for f in self.extras),
            ],
            rename=dict(zip(self.extras, extras, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self.decode = msgspec.json.Decoder(record).decode_lines
        self.encode = msgspec.msgpack.Encoder().encode
        self.table = self._table(stats(*map(float, range(len(names)))), names, fields)
        self._patterns: dict[int, Pattern] = {}

    def _table(self, sample: Any, names: tuple[str, ...], fields: list[str]) -> np.dtype[np.void]:
        packed = self.encode(sample)
        offsets, at = [], 1 if len(names) < 16 else 3
        for i, name in enumerate(names):
            at += len(self.encode(name)) + 1
            # 0xcb: a float of eight bytes follows.
            if packed[at - 1] != 0xCB or np.frombuffer(packed, ">f8", 1, at)[0] != i:
                raise NotPlainError("not the MessagePack that was expected")
            offsets.append(at)
            at += 8
        spec = {"names": fields, "formats": [">f8"] * len(fields), "offsets": offsets}
        return np.dtype(spec | {"itemsize": len(packed)})  # type: ignore[call-overload,no-any-return]

    def values(self, stats: Sequence[Any]) -> NDArray[np.float64]:
        """Return the statistics as (metrics, rows); NaN where a record lacks one."""
        packed = self.encode(stats)
        lead = len(packed) - len(stats) * self.table.itemsize
        if lead not in (1, 3, 5):
            raise NotPlainError("a record without agg_stats")
        view = np.frombuffer(packed, self.table, len(stats), lead)
        fields = self.table.names or ()
        out = np.empty((len(fields), len(stats)))
        for i, name in enumerate(fields):
            out[i] = view[name]
        return out

    def pattern(self, splits: list[str], titles: list[str], texts: list[str | None]) -> Pattern:
        """Return which record is what; the logs of one sweep mostly share it."""
        known = self._patterns.get(len(splits))
        if known is not None and known.fits(splits, titles, texts):
            return known
        if len(self._patterns) >= _MAX_PATTERNS:
            self._patterns.clear()
        self._patterns[len(splits)] = found = Pattern(splits, titles, texts)
        return found


@lru_cache(maxsize=256)
def _layout(names: tuple[str, ...], extras: tuple[str, ...]) -> _Layout:
    """Return the decoder of a set of keys.

    Raises
    ------
    NotPlainError
        If no type can be made for them: msgspec takes no names with quotes, backslashes or
        control characters.
    """
    if len(names) + len(extras) > _MAX_METRICS:
        raise NotPlainError("too many metrics for a type")
    try:
        return _Layout(names, extras)
    except (ValueError, TypeError) as error:
        raise NotPlainError(str(error)) from error


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
        If anything about it is unusual: NaN, null, a bad line, a second configuration, a metric
        that first appears late, bytes that are no UTF-8, …
    """
    start = len(BOM) if data.startswith(BOM) else 0
    first = data.find(b"\n", start) + 1
    try:
        config = _config(data[start:first], limits)
        names, extras = _probe(data, first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotPlainError(str(error)) from error
    records = memoryview(data)[first:]
    typed = read_records(records, tuple(names), extras, limits, texts=texts)
    _check_order(typed, names)
    return config, typed


def _check_order(typed: TypedLog, names: dict[str, int]) -> None:
    """Refuse a log in which a metric first appears after the lines that were probed.

    Its place among the others would be another one.
    """
    logged = ~np.isnan(typed.values)
    if not logged.all():
        first = np.where(logged, typed.lines, np.iinfo(np.int64).max).min(axis=1)
        if first.tolist() != list(names.values()):
            raise NotPlainError("metrics in another order than in the records that were probed")


def read_records(
    data: memoryview,
    names: tuple[str, ...],
    extras: tuple[str, ...],
    limits: Limits,
    *,
    texts: bool = False,
) -> TypedLog:
    """Return records that have no other metrics and keys than these.

    Parameters
    ----------
    data : memoryview
        Lines after the configuration; they are numbered from 2.
    names : tuple of str, (metrics,)
    extras : tuple of str, (keys,)
        Keys beside ``agg_stats``.
    limits : Limits
    texts : bool
        Keep the text lines.

    Raises
    ------
    NotPlainError
        As :func:`read_typed`.
    """
    layout = _layout(names, extras)
    lines = count_plain(data, limits)
    if lines is None:
        raise NotPlainError("a line that is no record, or beyond a bound")
    try:
        records: list[Any] = layout.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotPlainError(str(error)) from error
    if len(records) != lines:
        raise NotPlainError("not one record on each line")
    stats = [record.agg_stats for record in records]
    values = [record.value for record in records]
    titles = [record.title for record in records]
    pattern = layout.pattern([record.data_name for record in records], titles, values)
    others = pattern.other_of(values)
    if None in others or stats.count(None) != pattern.text_count:
        raise NotPlainError("a record that is neither a text nor of a split")
    if values.count(None) != len(records) - pattern.text_count:
        raise NotPlainError("a text beside metrics")
    if any(is_damaged_marker(text) for text in {*others} if text[-1:].isdecimal()):
        raise NotPlainError("a text that is a marker but for one character")
    before, behind = {*others[: pattern.before]}, [*others[pattern.before :]]
    members = pattern.members(records) if extras else ()
    own = [[getattr(m, field) for m in members] for field in layout.extras]
    if any(getattr(t, f) == getattr(t, f) for f in layout.extras for t in pattern.text_of(records)):
        raise NotPlainError("a number beside a text")
    return TypedLog(
        names,
        extras,
        pattern.splits,
        pattern.lines,
        layout.values(pattern.members(stats)),
        np.array(own, dtype=np.float64).reshape(len(own), len(members)),
        pattern.epochs,
        pattern.marker_lines,
        pattern.markers,
        len(records),
        [text for text in pattern.text_of(values) if text] if texts else [],
        [text for text in others if text and text.startswith("Training time")],
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


class _Probed(msgspec.Struct):
    agg_stats: dict[str, msgspec.Raw] | None = None


_probed = msgspec.json.Decoder(_Probed).decode
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _probe(data: bytes, start: int) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the metrics with the lines where they first appear, and other keys of the records."""
    names: dict[str, int] = {}
    extras: dict[str, None] = {}
    seen: set[bytes] = set()
    for line in range(FIRST_LINE, FIRST_LINE + _PROBE_LINES):
        end = data.find(b"\n", start)
        if end < 0:
            break
        stats = data.find(b'"agg_stats"', start, end)
        # Records of one split are alike: its first one suffices.
        if stats >= 0 and (lead := data[start:stats]) not in seen:
            seen.add(lead)
            for name in _probed(data[start:end]).agg_stats or ():
                names.setdefault(name, line)
            extras.update(dict.fromkeys(_keys(data[start:end])))
        start = end + 1
    own = tuple(key for key in extras if key not in OWN_KEYS)
    if not all(is_x_like(key) for key in own):
        raise NotPlainError(f"keys beside agg_stats: {own}")
    return names, own
