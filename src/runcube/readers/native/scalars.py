"""Logged values to float64 columns: what is a number, what is missing, what is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import Problem
from runcube.readers.lines import is_number_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


def flat_items(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the items of nested metrics, the names of inner ones joined with ``/``."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat_items(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


class ScalarColumns:
    """Columns that are filled row by row from dicts; every oddity becomes one problem a column.

    Parameters
    ----------
    rows : int
        Length of the columns.
    path : str
        Path that problems name.
    """

    def __init__(self, rows: int, path: str) -> None:
        self._rows = rows
        self._path = path
        self._values: dict[str, NDArray[np.float64]] = {}
        self._logged: dict[str, NDArray[np.bool_]] = {}
        self._odd: dict[tuple[str, str], tuple[int, Any, int]] = {}

    def put(self, row: int, line: int, name: str, value: Any) -> None:
        """Store one value.

        Parameters
        ----------
        row : int
        line : int
            Line number for the problems, from 1.
        name : str
        value : object
            None is missing; text that reads as a number is that number.
        """
        if name not in self._values:
            self._values[name] = np.full(self._rows, np.nan)
            self._logged[name] = np.zeros(self._rows, dtype=bool)
        if value is None:
            return
        if not isinstance(value, int | float):
            number = _number_of_text(value)
            self._odd_one("non_numeric" if number is None else "text_number", name, line, value)
            if number is None:
                return
            value = number
        try:
            self._values[name][row] = value
        except OverflowError:  # an integer beyond float64
            self._values[name][row] = np.inf if value > 0 else -np.inf
            self._odd_one("non_numeric", name, line, "an integer beyond float64")
        self._logged[name][row] = True

    def put_record(self, row: int, line: int, record: Mapping[str, Any]) -> None:
        """Store one record of metrics, nested or flat."""
        for name, value in flat_items(record):
            self.put(row, line, name, value)

    def _odd_one(self, kind: str, name: str, line: int, value: Any) -> None:
        first, example, count = self._odd.get((kind, name), (line, value, 0))
        self._odd[kind, name] = (first, example, count + 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that hold a value, in order of first appearance."""
        return tuple(name for name, logged in self._logged.items() if logged.any())

    def column(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return values (rows,), NaN where missing, and where they were logged (rows,)."""
        return self._values[name], self._logged[name]

    def stack(self, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return values and where they were logged, of several columns, as ``(names, rows)``."""
        if not names:
            return np.empty((0, self._rows)), np.zeros((0, self._rows), dtype=bool)
        return (
            np.stack([self._values[n] for n in names]),
            np.stack([self._logged[n] for n in names]),
        )

    def problems(self) -> list[Problem]:
        """Return one problem for each column that held text or structures."""
        found = []
        for (kind, name), (line, value, count) in self._odd.items():
            shown = f"{value!r}"[:60]
            read_as = "read as numbers" if kind == "text_number" else "no number"
            message = f"{name}: {count} value{'s' * (count > 1)} {read_as}, the first {shown}"
            found.append(Problem(kind, message, self._path, line))
        return found


def as_axis(values: NDArray[np.float64], logged: NDArray[np.bool_]) -> NDArray[Any]:
    """Return int64 where all rows have a whole number, else float64 with NaN where one lacks it."""
    whole = bool(logged.all()) and bool(np.isfinite(values).all())
    # Beyond 2**53 a float64 no longer tells whole numbers apart.
    if whole and bool((values == np.floor(values)).all()) and bool((np.abs(values) < 2**53).all()):
        return values.astype(np.int64)
    return values


def _number_of_text(value: Any) -> float | None:
    """Return the number that a text reads as; None if it is no text of a number."""
    return float(value) if isinstance(value, str) and is_number_text(value) else None
