"""JSON to values, with what it repeats and what no float64 holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from runcube.readers.config_files.carry import (
    DEEPER,
    NO_FLOAT,
    REPEATED,
    OddText,
    Parsed,
    holds,
    too_long,
)
from runcube.readers.lines import BOM

if TYPE_CHECKING:
    from runcube.core import Limits

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def parse_json(data: bytes, limits: Limits) -> Parsed:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not one JSON value.
    """
    text = data.removeprefix(BOM).decode("utf-8", "surrogateescape").strip(" \t\r\n\0")
    if text.count("[") + text.count("{") > limits.depth:
        text = _without_depths(text, limits.depth)
    parsed = Parsed()

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            for name, count in Counter(name for name, _ in pairs).items():
                if count > 1:
                    parsed.note(made, name, REPEATED)
        return made

    def whole(digits: str) -> int | str:
        return OddText(digits, too_long(limits)) if len(digits) > limits.digits else int(digits)

    def fraction(digits: str) -> float | str:
        if len(digits) > limits.digits:
            return OddText(digits, too_long(limits))
        value = float(digits)
        return value if holds(value, digits) else OddText(digits, NO_FLOAT)

    try:
        parsed.value = json.loads(
            text, object_pairs_hook=mapping, parse_int=whole, parse_float=fraction
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return parsed


def _without_depths(text: str, depth: int) -> str:
    """Return a text in which what is nested deeper than this is replaced by a marker."""
    pieces: list[str] = []
    start = level = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            level += 1
            if level == depth + 1:
                pieces.append(text[start : token.start()])
                start = token.start()
        elif mark in "]}":
            if level == depth + 1:
                pieces.append(json.dumps(DEEPER))
                start = token.end()
            level -= 1
    return "".join([*pieces, text[start:]])
