"""What the cube shows for a column of values: typed labels, decided here and nowhere else."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import clean_text
from runcube.plan.values import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.plan.values import Column

MAX_LABEL = 500
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, eq=False)
class Labels:
    """What the cube shows for a column.

    Parameters
    ----------
    labels : (n_labels,) int64, float64, bool or <U
        Labels in label order.
    index : (n_codes,) int64
        Position in ``labels`` of each code of the column.
    value : (n_labels,) float64, optional
        For text that has numbers in it: the numbers, NaN where a label is no number.
    quoted : tuple of int
        Codes of strings that had to take their JSON form.
    shortened : tuple of int
        Codes whose labels were cut.
    """

    labels: NDArray[Any]
    index: NDArray[np.int64]
    value: NDArray[np.float64] | None = None
    quoted: tuple[int, ...] = ()
    shortened: tuple[int, ...] = ()

    def of(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """Return the labels of the runs with these codes."""
        taken: NDArray[Any] = self.labels[self.index[codes]]
        return taken

    def value_of(self, codes: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Return the numbers of the runs with these codes; None unless labels have a ``value``."""
        return None if self.value is None else self.value[self.index[codes]]


def label_kind(column: Column) -> Literal["int", "float", "bool", "text"]:
    """Return the type that can hold every value of a column as an index label."""
    if column.kinds == {bool}:
        return "bool"
    if column.kinds == {int}:
        fits = all(_INT64.min <= v <= _INT64.max for v in column.values)
        return "int" if fits else "text"
    if column.kinds and column.kinds <= {int, float}:
        return "float" if all(_as_exact_float(v) is not None for v in column.values) else "text"
    return "text"


def make_labels(column: Column) -> Labels:
    """Return typed labels of a column: numbers ascend, text is in order of first appearance."""
    kind = label_kind(column)
    if kind == "text":
        return _text_labels(column)
    dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_}[kind]
    values: NDArray[Any] = np.array(
        [v + 0 if kind == "float" else v for v in column.values], dtype=dtype
    )
    order = np.argsort(values, kind="stable")
    index = np.empty(len(values), dtype=np.int64)
    index[order] = np.arange(len(values))
    return Labels(values[order], index)


def _text_labels(column: Column) -> Labels:
    has_float = float in column.kinds
    texts = [
        clean_text(v) if type(v) is str else value_text(v, as_float=has_float)
        for v in column.values
    ]
    quoted = _colliding(column.values, texts)
    for code in quoted:
        texts[code] = _quote(column.values[code])
    shortened = tuple(code for code, text in enumerate(texts) if len(text) > MAX_LABEL)
    for code in shortened:
        texts[code] = _shorten(texts[code])
    # A JSON value may have the text of a string ('[1]'); such strings were quoted above.
    numbers = np.array([_number(v) for v in column.values], dtype=np.float64)
    has_numbers = any(type(v) in (int, float) for v in column.values)
    return Labels(
        np.array(texts, dtype=np.str_),
        np.arange(len(texts), dtype=np.int64),
        numbers if has_numbers else None,
        quoted,
        shortened,
    )


def _colliding(values: Sequence[Any], texts: Sequence[str]) -> tuple[int, ...]:
    """Return the codes of strings that must be quoted so that no two values share a label."""
    strings = {code: text for code, text in enumerate(texts) if type(values[code]) is str}
    taken = {text for code, text in enumerate(texts) if code not in strings}
    times = Counter(strings.values())  # more than once: one of them had characters escaped
    quoted: set[int] = set()
    while True:
        more = {
            code
            for code, text in strings.items()
            if code not in quoted and (text in taken or (text != values[code] and times[text] > 1))
        }
        if not more:
            return tuple(sorted(quoted))
        quoted |= more
        taken |= {_quote(values[code]) for code in more}


def value_text(value: Any, *, as_float: bool = False) -> str:
    """Return the label of a value on a text axis.

    Examples
    --------
    >>> [value_text(v) for v in (None, True, 1, 0.1, [1, "a"], {}, float("nan"))]
    ['None', 'True', '1', '0.1', '[1,"a"]', '{}', 'NaN']
    >>> value_text(1, as_float=True)
    '1.0'
    """
    kind = type(value)
    if kind is str:
        return str(value)
    if value is ABSENT:
        return "absent"
    if kind is float:
        return "NaN" if value != value else repr(value + 0.0)
    if kind is int and as_float:
        number = _as_exact_float(value)
        return repr(value if number is None else number)
    if isinstance(value, list | tuple | Mapping):
        return clean_text(to_json(value))
    return clean_text(str(value))


def to_json(value: Any) -> str:
    """Return a value as compact JSON; what JSON cannot hold is written as text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=clean_text(text) != text)


def _shorten(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{text[: MAX_LABEL - 20]}… {digest}"


def _as_exact_float(value: float) -> float | None:
    """Return the float that equals a number; None for NaN and for integers that have none."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == value else None


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
