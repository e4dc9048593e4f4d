"""Configurations that are logged as a table in Markdown, as CleanRL does."""

from __future__ import annotations

import re
from typing import Any

from runcube.readers.lines import is_number_text

_HEADS = ({"param", "parameter", "key", "name", "hyperparameter"}, {"value"})
_RULE = frozenset(" \t:|-")
_WORDS = {"True": True, "False": False, "None": None}


def config_in_text(text: str) -> dict[str, Any]:
    r"""Return the configuration in a text that is a table of parameters and values; else none.

    Examples
    --------
    >>> config_in_text("|param|value|\n|-|-|\n|lr|0.1|\n|seed|3|\n|env|Pong|")
    {'lr': 0.1, 'seed': 3, 'env': 'Pong'}
    >>> config_in_text("a picture of | value |")
    {}
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 3 or "-" not in lines[1] or not _RULE.issuperset(lines[1]):
        return {}
    head, *rows = ([*map(str.strip, line.strip("|").split("|", 1))] for line in lines if line)
    if len(head) != 2 or any(h.lower() not in known for h, known in zip(head, _HEADS, strict=True)):
        return {}
    if any(len(row) != 2 for row in rows):
        return {}
    return {key.strip("`*"): _value(value.strip("`*")) for key, value in rows[1:]}


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    return float(text) if is_number_text(text) else text
