"""The typed road through a native log: decode all records at once, floats without a Python loop.

It refuses whatever is unusual, so that it is exact: the line by line road of ``native_lines``
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

from runcube.readers.epochs import epochs_by_marker
from runcube.readers.lines import BOM
from runcube.xnames import is_x_like

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN_KEYS = frozenset({"type", "value", "title", "data_name", "agg_stats"})
# How far to look for the log's own keys; what first appears later takes the exact road.
_PROBE_LINES = 12
_NAN = float("nan")
_NEWLINE = ord("\n")
# Records follow the configuration, which is on line 1.
_FIRST_LINE = 2
_MARKER = ">> Start Epoch:"


class NotPlainError(ValueError):
    """The bytes are not what this road knows."""


@dataclass(slots=True)
class TypedLog:
    """A whole log as a table of its records, split after split, with its texts.

    ``splits`` maps each split to its records, in file order; ``lines`` (records,) are line
    numbers; ``names`` are all metrics of the log, ``columns`` those asked for; ``values``
    (columns, records) is NaN where a record lacks one; ``own`` (keys, records) holds the keys
    beside ``agg_stats`` that ``extras`` names; ``epochs`` (records of the split,) come from the
    markers or are counted. Logs of one sweep share ``lines`` and ``epochs``: they are read-only.
    """

    config: dict[str, Any]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    extras: tuple[str, ...]
    splits: dict[str, slice]
    lines: NDArray[np.int64]
    values: NDArray[np.float64]
    own: NDArray[np.float64]
    epochs: dict[str, NDArray[np.int64]]
    texts: list[str]
    times: list[str]


class _Layout:
    """Decoder of records with these metrics and further keys, and the table its floats make.

    Of the metrics only the wanted ones are decoded to floats.
    """

    def __init__(
        self, names: tuple[str, ...], extras: tuple[str, ...], wanted: tuple[str, ...]
    ) -> None:
        fields = [f"m{i}" for i in range(len(names))]
        self.fields = [f for f, name in zip(fields, names, strict=True) if name in wanted]
        self.extras = [f"x{i}" for i in range(len(extras))]
        stats = msgspec.defstruct(
            "Stats",
            [
                (f, float, _NAN) if f in self.fields else (f, msgspec.Raw, msgspec.Raw())
                for f in fields
            ],
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
        self.table: np.dtype[np.void] | None = None
        if wanted == names:
            self.table = self._table(stats(*map(float, range(len(names)))), names, fields)

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

    def values(self, stats: list[Any]) -> NDArray[np.float64]:
        """Columns (wanted, rows) of the statistics; NaN where a record lacks one."""
        out = np.empty((len(self.fields), len(stats)))
        if self.table is None:
            if None in stats:
                raise NotPlainError("a record without agg_stats")
            for i, name in enumerate(self.fields):
                out[i] = [getattr(record, name) for record in stats]
            return out
        packed = self.encode(stats)
        lead = len(packed) - len(stats) * self.table.itemsize
        if lead not in (1, 3, 5):
            raise NotPlainError("a record without agg_stats")
        view = np.frombuffer(packed, self.table, len(stats), lead)
        for i, name in enumerate(self.fields):
            out[i] = view[name]
        return out


_layout = lru_cache(maxsize=256)(_Layout)


def read_typed(
    data: bytes, *, texts: bool = False, metrics: frozenset[str] | None = None
) -> TypedLog:
    """Parse a log that holds nothing unusual.

    Parameters
    ----------
    data : bytes
    texts : bool
        Keep the text lines.
    metrics : frozenset of str, optional
        Decode only these.

    Raises
    ------
    NotPlainError
        If anything about it is unusual: NaN, null, a bad line, a second configuration, a metric
        that first appears late, bytes that are no UTF-8, …
    """
    start = len(BOM) if data.startswith(BOM) else 0
    first = data.find(b"\n", start) + 1
    try:
        config = _config(data[start:first])
        names, extras = _probe(data, first)
        columns = tuple(name for name in names if metrics is None or name in metrics)
        layout = _layout(names, extras, columns)
        records: list[Any] = layout.decode(memoryview(data)[first:])
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotPlainError(str(error)) from error
    # Blank lines, or several records on a line: the exact road numbers and names them.
    newlines = np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    if len(records) + 1 != newlines + (data[-1:] != b"\n"):
        raise NotPlainError("not one record on each line")
    split_names = tuple([record.data_name for record in records])
    rows = _sort(split_names)
    texts_found = [records[i].value for i in rows.texts]
    odd = [records[i].agg_stats for i in rows.texts]
    if None in texts_found or odd.count(None) < len(odd):
        raise NotPlainError("a record that is neither a text nor of a split")
    markers = tuple([t if t and t.startswith(_MARKER) else "" for t in texts_found])
    others = [t for t, marker in zip(texts_found, markers, strict=True) if t and not marker]
    members = [records[i] for i in rows.order]
    own = [np.array([getattr(m, f) for m in members], dtype=np.float64) for f in layout.extras]
    return TypedLog(
        config,
        names,
        columns,
        extras,
        rows.splits,
        rows.lines,
        layout.values([member.agg_stats for member in members]),
        np.array(own).reshape(len(own), len(members)),
        _epochs(split_names, markers),
        [text for text in texts_found if text] if texts else [],
        [text for text in others if text.startswith("Training time")],
    )


def _config(line: bytes) -> dict[str, Any]:
    header = msgspec.json.decode(line)
    if type(header) is dict and header.get("type") == "dict_config":
        value = header.get("value")
        if isinstance(value, dict):
            return value
    raise NotPlainError("the first line is no configuration")


@dataclass(frozen=True)
class _Rows:
    """Where the records stand: those of each split together, their lines, and the text rows."""

    splits: dict[str, slice]
    order: list[int]
    lines: NDArray[np.int64]
    texts: list[int]


# The logs of one sweep have one pattern, so that this is worked out once for all of them.
@lru_cache(maxsize=64)
def _sort(names: tuple[str, ...]) -> _Rows:
    """Bring the records of one split together; ``""`` is no split but a text."""
    where: dict[str, list[int]] = {"": []}
    for row, name in enumerate(names):
        where.setdefault(name, []).append(row)
    texts = where.pop("")
    splits: dict[str, slice] = {}
    order: list[int] = []
    for name, rows in where.items():
        splits[name] = slice(len(order), len(order) + len(rows))
        order += rows
    return _Rows(splits, order, _read_only(np.array(order, dtype=np.int64) + _FIRST_LINE), texts)


@lru_cache(maxsize=64)
def _epochs(names: tuple[str, ...], texts: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Epochs of each split's records; ``texts`` are the text rows, ``""`` where no marker is."""
    rows = _sort(names)
    markers: list[int] = []
    lines: list[int] = []
    for row, text in zip(rows.texts, texts, strict=True):
        if text:
            epoch = text[len(_MARKER) :].strip()
            if not epoch.isdecimal():
                raise NotPlainError("a marker with more than its number")
            markers.append(int(epoch))
            lines.append(row + _FIRST_LINE)
    epochs = {}
    for split, at in rows.splits.items():
        if markers:
            ordinals = np.searchsorted(np.array(lines, dtype=np.int64), rows.lines[at])
            epochs[split] = _read_only(epochs_by_marker(ordinals, markers))
        else:
            epochs[split] = _read_only(np.arange(at.stop - at.start, dtype=np.int64))
    return epochs


def _read_only(array: NDArray[np.int64]) -> NDArray[np.int64]:
    array.flags.writeable = False
    return array


class _Probed(msgspec.Struct):
    agg_stats: dict[str, msgspec.Raw] | None = None


_probed = msgspec.json.Decoder(_Probed).decode
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _probe(data: bytes, start: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the metrics, and other keys of the records, in order of first appearance."""
    names: dict[str, None] = {}
    extras: dict[str, None] = {}
    seen: set[bytes] = set()
    for _ in range(_PROBE_LINES):
        end = data.find(b"\n", start)
        if end < 0:
            break
        stats = data.find(b'"agg_stats"', start, end)
        # Records of one split are alike: its first one tells.
        if stats >= 0 and (lead := data[start:stats]) not in seen:
            seen.add(lead)
            names.update(dict.fromkeys(_probed(data[start:end]).agg_stats or ()))
            extras.update(dict.fromkeys(_keys(data[start:end])))
        start = end + 1
    own = tuple(key for key in extras if key not in OWN_KEYS)
    if not all(is_x_like(key) for key in own):
        raise NotPlainError(f"keys beside agg_stats: {own}")
    return tuple(names), own
