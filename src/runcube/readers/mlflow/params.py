"""Parameters as MLflow keeps them, as text: what they were before ``str`` made text of them."""

from __future__ import annotations

import ast
import json
from typing import Any

_WORDS = {"True": True, "False": False, "None": None}
_MOST_DIGITS, _LONGEST = 40, 8_000


def typed(text: str) -> Any:
    """Return the value whose ``str`` a text is; a text that is that of none stays.

    So no text is lost: of ``1e-3``, ``007`` or ``0.10`` it is not known what they were.

    Examples
    --------
    >>> [typed(text) for text in ("0.1", "64", "True", "None", "[1, 2]", "{'a': None}")]
    [0.1, 64, True, None, [1, 2], {'a': None}]
    >>> [typed(text) for text in ("1e-3", "007", "nan", "(1, 2)", "adam")]
    ['1e-3', '007', 'nan', '(1, 2)', 'adam']
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in ("[", "{"):
        return _nested(text)
    if text.isascii() and text[-1:].isdigit() and len(text) <= _MOST_DIGITS:
        for kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if str(value) == text:
                return value
    return text


def _nested(text: str) -> Any:
    if len(text) > _LONGEST:
        return text
    try:
        value = ast.literal_eval(text)
        is_same = str(value) == text and json.loads(json.dumps(value)) == value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return text
    return value if is_same else text
