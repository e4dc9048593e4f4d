"""What is odd about logged values: counted, and named once for each kind and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcube.core import Problem
from runcube.readers.native.records import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 60
_WHAT = {
    "non_numeric": "no number, the first {shown}",
    "huge_number": "beyond float64, read as infinity",
    "text_number": "read as numbers, the first {shown}",
    "clashing_key": "left out: the same record has another value of this name, which is kept",
    "extra_key": "beside a text or a configuration left out, the first {shown}",
}


class Oddities:
    """What is odd about the values of a section: one problem for each kind and key.

    Parameters
    ----------
    path : str
        Path that problems name.

    Attributes
    ----------
    found : dict of (str, str) to (int, object, int)
        First line, example and count of each kind and key.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.found: dict[tuple[str, str], tuple[int, Any, int]] = {}

    def note(self, kind: str, name: str, line: int, value: Any = None, count: int = 1) -> None:
        """Count values.

        Parameters
        ----------
        kind : str
            Kind of the problem.
        name : str
            The key; of a ``limit`` or ``bad_line``, what the problem says of all of them.
        line : int
            Line number of the first, from 1.
        value : object
            An example, of which the first is shown.
        count : int
            Number of values.
        """
        first, example, known = self.found.get((kind, name), (line, value, 0))
        if line < first:
            first, example = line, value
        self.found[kind, name] = (first, example, known + count)

    def problems(self, places: Mapping[str, int]) -> list[Problem]:
        """Return one problem for each kind and key, with its first line and its count.

        Parameters
        ----------
        places : mapping of str to int
            Place of each key in the records.
        """
        found = []
        for (kind, name), (line, value, count) in self.found.items():
            if kind in _WHAT:
                what = _WHAT[kind].format(shown=f"{value!r}"[:_SHOWN])
                message = f"'{shown(name)}': {count} value{'s' * (count > 1)} {what}"
            else:
                message = f"{name}; {count} time{'s' * (count > 1)}, the first {value}"
            # Of a key beside a text, only metrics of other records would tell a place.
            place = -1 if kind == "extra_key" else places.get(name, -1)
            found.append((line, place, message, kind))
        return [Problem(kind, text, self._path, line) for line, _, text, kind in sorted(found)]
