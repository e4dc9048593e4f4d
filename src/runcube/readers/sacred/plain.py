"""Values as jsonpickle writes them: numbers, lists and texts are read, nothing is unpickled."""

from __future__ import annotations

from typing import Any

from runcube.readers.json_file import LOST, is_damaged

MARK = "py/"
_SEQUENCES = ("py/tuple", "py/set")
# Before keys that are no text.
_KEY = "json://"


def plain(value: Any) -> Any:
    """Return a value with the objects of NumPy in it as numbers and lists.

    An object that only unpickling would restore stays what it is.

    Examples
    --------
    >>> plain({"lr": {"py/object": "numpy.float64", "dtype": "float64", "value": 0.1}})
    {'lr': 0.1}
    >>> plain({"betas": {"py/tuple": [0.9, 0.99]}, "net": {"py/object": "torch.nn.Linear"}})
    {'betas': [0.9, 0.99], 'net': {'py/object': 'torch.nn.Linear'}}
    """
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("py/object")
    if isinstance(kind, str) and kind.startswith("numpy."):
        held = value.get("value", value.get("values"))
        return plain(held) if isinstance(held, int | float | list) else value
    for sequence in _SEQUENCES:
        if value.keys() == {sequence} and isinstance(value[sequence], list):
            return plain(value[sequence])
    return {key.removeprefix(_KEY): plain(item) for key, item in value.items()}


def number(value: Any) -> Any:
    """Return the value of one point as plain JSON; `LOST` if only unpickling would show it.

    Or if it is damaged.
    """
    found = plain(value)
    is_pickled = isinstance(found, dict) and any(key.startswith(MARK) for key in found)
    return LOST if is_pickled or is_damaged(found) else found
