"""Configurations of many runs as numbers of their values, which the runs of a sweep share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.plainform import from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Values that may be of no use any more.
_SPARE = 1 << 10
_SCALARS = (str, int, float, bool, type(None))


class ConfigTable:
    """Values of configurations, each once; the same number always gives the same object.

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
        # Spelling a value takes long; what is met again and again is known as it is.
        self._known: dict[Any, tuple[Any, int]] = {}

    def add(self, config: Mapping[str, Any]) -> list[int]:
        """Give the numbers of a configuration: of its names, and of each value.

        Raises
        ------
        TypeError, OverflowError
            If there is something in it that has no plain form.
        """
        return [self._number(tuple(config)), *map(self._number, config.values())]

    def get(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Bring a configuration back."""
        names, *values = map(self._value, numbers)
        return dict(zip(names, values, strict=True))

    def is_worn(self, used: int) -> bool:
        """Whether most values may be of no use, when at first so many were used."""
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
            known = self._known[kind, key] = value, self._row(self._spelled(value))
        return known[1]

    def _spelled(self, value: Any) -> bytes:
        if type(value) is dict:
            # Part by part, so that one that is new does not make the others new. No other row is
            # a dict.
            return to_bytes({"": self.add(value)})
        return to_bytes([*value] if type(value) is tuple else value)

    def _row(self, spelled: bytes) -> int:
        number = self._index.setdefault(spelled, len(self.rows))
        if number == len(self.rows):
            self.rows.append(spelled)
        return number

    def _value(self, number: int) -> Any:
        if number not in self._made:
            value = from_bytes(self.rows[number])
            self._made[number] = self.get(value[""]) if type(value) is dict else value
        return self._made[number]
