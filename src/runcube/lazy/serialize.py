"""Objects as the plain data of MessagePack, exactly, and back; configurations that share values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import xarray as xr

from runcube.cube import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.cube import Index

_BYTES = 1
# Types that are written as they are.
_AS_IT_IS = frozenset((int, float, bool, type(None)))
# dtypes that are nothing but their bytes.
_NUMBERS = "biuf"


def to_bytes(value: Any) -> bytes:
    """Return lists, dicts, text, bytes, numbers, bools and None as bytes.

    Raises
    ------
    TypeError
        If there is anything else in it.
    """
    return msgspec.msgpack.encode(_coded(value))


def from_bytes(data: bytes) -> Any:
    """Return the value of what ``to_bytes`` returned."""
    return _decoded(msgspec.msgpack.decode(data))


def _coded(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value.encode("utf-8", "surrogatepass")
    if kind is list:
        if _AS_IT_IS.issuperset(map(type, value)):
            return value
        return [_coded(item) for item in value]
    if kind is dict:
        return {_coded(key): _coded(item) for key, item in value.items()}
    if kind is bytes:
        return msgspec.msgpack.Ext(_BYTES, value)
    if kind in _AS_IT_IS:
        return value
    raise TypeError(f"{kind.__name__} has no plain form")


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogatepass")
    if isinstance(value, list):
        if _AS_IT_IS.issuperset(map(type, value)):
            return value
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        return {_decoded(key): _decoded(item) for key, item in value.items()}
    return bytes(value.data) if isinstance(value, msgspec.msgpack.Ext) else value


def array_out(array: NDArray[Any]) -> list[Any]:
    """Return an array of numbers, bools or text as plain data; equal texts are written once."""
    about = [array.dtype.str, list(array.shape)]
    if array.dtype.kind in _NUMBERS:
        return [*about, np.ascontiguousarray(array).tobytes()]
    if array.dtype.kind not in "OU":
        raise TypeError(f"an array of {array.dtype} has no plain form")
    seen: dict[str, int] = {}
    codes = [seen.setdefault(text, len(seen)) for text in array.reshape(-1).tolist()]
    return [*about, np.array(codes, dtype=np.int32).tobytes(), list(seen)]


def array_in(stored: Sequence[Any]) -> NDArray[Any]:
    """Return the array of what ``array_out`` returned."""
    dtype, shape, data, *texts = stored
    if not texts:
        return np.frombuffer(data, dtype).reshape(shape).copy()
    known = np.array([*texts[0], ""], dtype=dtype)
    made: NDArray[Any] = known[np.frombuffer(data, np.int32)].reshape(shape)
    return made


def frame_out(frame: xr.Dataset) -> list[Any]:
    """Return a Dataset that has coordinates and attrs, and no data, as plain data."""
    coords = [
        [str(name), [*map(str, v.dims)], array_out(v.values), dict(v.attrs), dict(v.encoding)]
        for name, v in frame.variables.items()
    ]
    return [coords, dict(frame.attrs)]


def frame_in(stored: Sequence[Any]) -> xr.Dataset:
    """Return the Dataset of what ``frame_out`` returned."""
    coords, attrs = stored
    made = {
        name: (dims, array_in(values), about, encoding)
        for name, dims, values, about, encoding in coords
    }
    return xr.Dataset(coords=made, attrs=attrs)


def part_out(part: Part) -> list[Any]:
    """Return where values come from and go, as plain data."""
    ends = [_index_out(i) for i in (part.into, part.at, part.metrics, part.rows)]
    return [part.split, *ends]


def part_in(stored: Sequence[Any]) -> Part:
    """Return the part of what ``part_out`` returned."""
    split, *ends = stored
    into, at, metrics, rows = (_index_in(end) for end in ends)
    return Part(split, into, at, metrics, rows)


def _index_out(index: Index) -> Any:
    if isinstance(index, slice):
        if index.step is not None:
            raise TypeError(f"{index} has no plain form")
        return {"start": index.start, "stop": index.stop}
    return array_out(index)


def _index_in(stored: Any) -> Any:
    if isinstance(stored, dict):
        return slice(stored["start"], stored["stop"])
    return array_in(stored)


# Values that may be of no use any more.
_SPARE = 1 << 10
_SCALARS = (str, int, float, bool, type(None))


class ConfigTable:
    """Values of configurations, each once; the same number always means the same object.

    Parameters
    ----------
    rows : sequence of bytes
        Those of an earlier table.

    Examples
    --------
    >>> table = ConfigTable()
    >>> first = table.add({"lr": 0.1, "model": {"depth": 2, "width": 8}})
    >>> second = table.add({"lr": 0.3, "model": {"depth": 2, "width": 8}})
    >>> again = ConfigTable(table.rows)
    >>> again.get(second)
    {'lr': 0.3, 'model': {'depth': 2, 'width': 8}}
    >>> again.get(first)["model"] is again.get(second)["model"]
    True
    """

    def __init__(self, rows: Sequence[bytes] = ()) -> None:
        self.rows = [*rows]
        self._index = {row: number for number, row in enumerate(self.rows)}
        self._made: dict[int, Any] = {}
        # Encoding a value takes long; what recurs is known as it is.
        self._known: dict[Any, tuple[Any, int]] = {}

    def add(self, config: Mapping[str, Any]) -> list[int]:
        """Return the numbers of a configuration: of its names, and of each value.

        Raises
        ------
        TypeError, OverflowError
            If there is something in it that has no plain form.
        """
        return [self._number(tuple(config)), *map(self._number, config.values())]

    def get(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return a configuration by its numbers."""
        names, *values = map(self._value, numbers)
        return dict(zip(names, values, strict=True))

    def is_worn(self, used: int) -> bool:
        """Return whether most values may be unused, given how many were used at first."""
        return len(self.rows) > 2 * used + _SPARE

    def _number(self, value: Any) -> int:
        kind = type(value)
        if kind is float:
            key: Any = value.hex()  # which tells -0.0 from 0.0
        else:
            key = value if kind in _SCALARS or kind is tuple else id(value)
        known = self._known.get((kind, key))
        if known is None:
            # What goes by its id is held, so that the id stays its own.
            known = self._known[kind, key] = value, self._row(self._encoded(value))
        return known[1]

    def _encoded(self, value: Any) -> bytes:
        if type(value) is dict:
            # Part by part, so that one that is new does not make the others new. No other row is
            # a dict.
            return to_bytes({"": self.add(value)})
        return to_bytes([*value] if type(value) is tuple else value)

    def _row(self, encoded: bytes) -> int:
        number = self._index.setdefault(encoded, len(self.rows))
        if number == len(self.rows):
            self.rows.append(encoded)
        return number

    def _value(self, number: int) -> Any:
        if number not in self._made:
            value = from_bytes(self.rows[number])
            self._made[number] = self.get(value[""]) if type(value) is dict else value
        return self._made[number]
