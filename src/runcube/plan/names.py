"""Short names of hyperparameters, and the key that belongs to a name."""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from runcube.core import UnknownNameError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OWN = frozenset(
    "curve logged seed split metric run_id path status train_time n_problems problems run_config"
    " messages config point seed_value sweep logger".split()
)
_X = frozenset("epoch step iteration iter global_step training_iteration".split())
_SELECTION = frozenset("method drop tolerance indexers missing_dims".split())
_MAX_SEGMENTS = 200  # of a short name; beyond, only the whole key is one
_MAX_BYTES = 120  # netCDF names end at 256 bytes, and `_value` is appended to some


@lru_cache(maxsize=1)
def reserved() -> frozenset[str]:
    """Return the names that a hyperparameter cannot have without getting in the user's way."""
    import xarray as xr

    public = {n for cls in (xr.Dataset, xr.DataArray) for n in dir(cls) if not n.startswith("_")}
    return _OWN | _X | _SELECTION | public | frozenset(keyword.kwlist)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the name of each key: its shortest unambiguous dotted suffix, as an identifier.

    A suffix that is reserved, or no identifier, is lengthened by one segment; at the root ``_``
    is appended.

    Examples
    --------
    >>> short_names(["optim.lr", "optim.method", "lambda"])
    {'optim.lr': 'lr', 'optim.method': 'optim_method', 'lambda': 'lambda_'}
    >>> list(short_names(["train.batch_size", "val.batch_size"]).values())
    ['train_batch_size', 'val_batch_size']
    """
    suffixes = {key: _suffixes(key) for key in keys}
    count = Counter(name for names in suffixes.values() for name in set(names))
    names: dict[str, str] = {}
    for key in keys:
        free = (s for s in suffixes[key] if count[s] == 1 and not _in_the_way(s))
        names[key] = next(free, "")
    taken = set(names.values())
    for key in keys:
        if not names[key]:
            names[key] = _at_root(suffixes[key][-1], taken)
            taken.add(names[key])
    return _clear_of_values(names, suffixes, count)


def _clear_of_values(
    names: dict[str, str], suffixes: Mapping[str, Sequence[str]], count: Mapping[str, int]
) -> dict[str, str]:
    """Return names of which none is the ``<name>_value`` that another key may need."""
    taken = set(names.values())
    for key, name in names.items():
        stem = name.removesuffix("_value")
        if stem == name or stem not in taken:
            continue
        longer = [
            s
            for s in suffixes[key]
            if count[s] == 1
            and len(s) > len(name)
            and not _in_the_way(s)
            and s.removesuffix("_value") not in taken
        ]
        names[key] = longer[0] if longer else _at_root(name + "_", taken)
        taken.add(names[key])
    return names


def _suffixes(key: str) -> list[str]:
    parts = key.split(".")
    depths = [*range(1, min(len(parts), _MAX_SEGMENTS)), len(parts)]
    return [_identifier("_".join(parts[-depth:])) for depth in depths]


def _identifier(text: str) -> str:
    """Return a text as letters, digits and ``_``, in NFKC, as Python reads identifiers.

    It may start with a digit.
    """
    text = re.sub(r"\W", "_", unicodedata.normalize("NFKC", text))
    text = "".join(c if ("_" + c).isidentifier() else "_" for c in text)
    if len(text.encode()) > _MAX_BYTES:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        text = text.encode()[: _MAX_BYTES - 9].decode(errors="ignore") + "_" + digest
    return text


def _at_root(name: str, taken: Iterable[str]) -> str:
    if not name.isidentifier() and not keyword.iskeyword(name):
        name = "_" + name
    while name in taken or _in_the_way(name):
        name += "_"
    return name


def _in_the_way(name: str) -> bool:
    return not name.isidentifier() or name in reserved()


def invalid_reason(name: str) -> str | None:
    """Return why a user's name cannot be the name of a hyperparameter; None where it can."""
    if keyword.iskeyword(name):
        return "is a Python keyword"
    if not name.isidentifier():
        return "is not an identifier"
    return "is reserved" if name in reserved() else None


def resolve(name: str, names: Mapping[str, str], argument: str) -> str:
    """Return the full key that a user means by the key, its short name or an unambiguous suffix.

    Parameters
    ----------
    name : str
        What the user wrote.
    names : mapping
        Full key to short name, of all keys.
    argument : str
        The argument in which the user wrote it, for the error.

    Raises
    ------
    UnknownNameError
        If nothing matches; it names what comes nearest.
    """
    if name in names:
        return name
    found = [key for key, short in names.items() if short == name]
    found = found or [key for key in names if key.endswith("." + name)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(repr(key) for key in found[:5])
        raise UnknownNameError(f"{argument}: {name!r} is ambiguous, it could be {listed}")
    raise UnknownNameError(
        f"{argument}: no hyperparameter {name!r}{nearest(name, [*names, *names.values()])}"
    )
