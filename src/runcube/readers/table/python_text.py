"""Records as Python prints dicts: ``{'loss': 0.1, 'grad_norm': nan}``."""

from __future__ import annotations

import ast
import math
import warnings
from threading import Lock
from typing import Any

from runcube.core import DEFAULT_LIMITS
from runcube.readers.lines import is_deep, is_number

# A longer line is no record that a program has printed.
_MOST_BYTES = 1 << 16
_FILTERS = Lock()
_NAMES = {"nan": math.nan, "inf": math.inf}


def python_record(data: bytes) -> dict[str, Any] | None:
    """Return the dict that a text is the ``repr`` of; None for any other text. Nothing is run.

    A number in a wrapper (``np.float64(0.1)``, ``tensor(0.1)``) is that number; what is no literal
    stays text.

    Examples
    --------
    >>> python_record(b"{'loss': np.float64(0.5), 'epoch': 1, 'best': None, 'grad_norm': nan}")
    {'loss': 0.5, 'epoch': 1, 'best': None, 'grad_norm': nan}
    >>> python_record(b"{'at': datetime.date(2026, 1, 2), 'lrs': (0.1, -0.2)}")
    {'at': 'datetime.date(2026, 1, 2)', 'lrs': [0.1, -0.2]}
    """
    if data[:1] != b"{" or data[-1:] != b"}" or len(data) > _MOST_BYTES:
        return None
    try:
        # The filters are those of all threads.
        with _FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            node = ast.parse(data.decode("utf-8"), mode="eval").body
        value = _value(node)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    is_sound = isinstance(value, dict) and value and not is_deep(value, DEFAULT_LIMITS.depth)
    return value if is_sound else None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return node.value
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {str(_value(key)): _value(value) for key, value in pairs if key is not None}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner) if is_number(found := _value(inner)):
            return -found
        case ast.Call(args=[only]) if is_number(found := _value(only)):
            return found
    return ast.unparse(node)
