"""What netCDF can hold of a cube, and the way back: names, attrs, text and dtypes.

A netCDF file shows every variable readably to whoever opens it. What it cannot hold as it is (a
name with a slash, a bool attr, a text of a megabyte) stands there in a readable form, and exactly
in a schema (one JSON attr) or a text blob: ``decode`` puts it back.
"""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.arrays import LONG_TEXT_ENCODING, clean_text
from runcube.model import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

CUBE = ("curve", "logged")
FORMAT = 1
# Characters of a long text that the root shows; the whole stands in the group /text.
SHOWN_TEXT = 1000
_PLAIN_NAME = re.compile(r"[^\W\d][\w.\-]*")
# Attrs that mean something to whoever decodes a netCDF file.
_RESERVED = frozenset(
    "_FillValue missing_value scale_factor add_offset coordinates dtype calendar grid_mapping "
    "_Unsigned bounds cell_measures DIMENSION_LIST REFERENCE_LIST CLASS NAME "
    "runcube_archive".split()
)
_FLOAT_LIMIT = 1 << 63


@dataclass
class Encoded:
    """A cube as netCDF can hold it.

    ``frame`` is everything but ``curve`` and ``logged``; ``encoding`` goes with it; ``cube_attrs``
    are the attrs of those two. ``texts`` maps a variable to the exact texts of its cells, packed,
    in C order, where the frame shows less. ``names`` maps every name and dim to its name in the
    file.
    """

    frame: xr.Dataset
    encoding: dict[str, dict[str, Any]]
    cube_attrs: dict[str, dict[str, Any]]
    schema: dict[str, Any]
    names: dict[str, str]
    texts: dict[str, list[bytes]] = field(default_factory=dict)


def encode(ds: xr.Dataset) -> Encoded:
    """Bring a cube into a form that netCDF can hold.

    Parameters
    ----------
    ds : Dataset
        With ``curve`` and ``logged``, which are not looked into.

    Raises
    ------
    ArchiveError
        If something cannot be kept: an object that is no text, an attr that JSON cannot spell,
        a MultiIndex.
    """
    names = _file_names(dict.fromkeys(map(str, [*ds.variables, *ds.dims])))
    schema: dict[str, Any] = {"format": FORMAT, "variables": {}, "attrs": {}}
    renamed = {name: spelled for name, spelled in names.items() if name != spelled}
    if renamed:
        schema["names"] = {spelled: name for name, spelled in renamed.items()}
    out = Encoded(xr.Dataset(), {}, {}, schema, names)
    frame: dict[str, xr.Variable] = {}
    for key, variable in ds.variables.items():
        name = str(key)
        spelled = names[name]
        attrs, odd = _split_attrs(variable.attrs, name)
        facts: dict[str, Any] = {"dtype": variable.dtype.str} | ({"attrs": odd} if odd else {})
        schema["variables"][spelled] = facts
        if name in CUBE:
            out.cube_attrs[name] = attrs
            continue
        _refuse_multiindex(ds, name)
        values = _encode_values(out, spelled, name, variable, facts)
        dims = [names[str(d)] for d in variable.dims]
        frame[spelled] = xr.Variable(dims, values, attrs)
    attrs, odd = _split_attrs(ds.attrs, "the Dataset")
    schema["attrs"] = odd
    schema["data_vars"] = [names[str(n)] for n in ds.data_vars]
    coords = {n: v for n, v in frame.items() if n not in schema["data_vars"]}
    rest = {n: v for n, v in frame.items() if n in schema["data_vars"]}
    out.frame = xr.Dataset(rest, xr.Coordinates(coords, indexes={}), attrs)
    return out


def _refuse_multiindex(ds: xr.Dataset, name: str) -> None:
    index = ds.xindexes.get(name)
    if index is not None and len(ds.xindexes.get_all_coords(name)) > 1:
        raise ArchiveError(
            f"{name}: part of a MultiIndex, which netCDF cannot hold; reset_index() first"
        )


def _encode_values(
    out: Encoded, spelled: str, name: str, variable: xr.Variable, facts: dict[str, Any]
) -> NDArray[Any]:
    values = variable.values
    if values.dtype.kind not in "OU":
        if values.dtype.kind in "biufMm" and values.ndim:
            out.encoding[spelled] = _compression(values)
        return values
    texts = values.reshape(-1).tolist()
    if odd := next((t for t in texts if not isinstance(t, str)), None):
        raise ArchiveError(f"{name}: holds {odd!r} ({type(odd).__name__}), expected text alone")
    shown = [clean_text(text) for text in texts]
    if values.dtype.kind == "O":
        shown = [_cut(text) for text in shown]
        out.encoding[spelled] = dict(LONG_TEXT_ENCODING)
        facts["text"] = "long"
    if shown != texts:
        out.texts[spelled] = [pack_text(text) for text in texts]
    dtype = object if values.dtype.kind == "O" else np.str_
    made = np.array([*shown, ""], dtype=dtype)[:-1]
    return made.reshape(values.shape)


def _compression(values: NDArray[Any]) -> dict[str, Any]:
    # Small arrays stay contiguous: a chunk and its filter would be larger than they are.
    return {"zlib": True, "complevel": 1, "shuffle": True} if values.size > 1 << 10 else {}


def pack_text(text: str) -> bytes:
    """Compress a text by itself: it can be copied from archive to archive as it is."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1) if text else b""


def unpack_text(packed: bytes) -> str:
    """Undo ``pack_text``."""
    return zlib.decompress(packed).decode("utf-8", "surrogatepass") if packed else ""


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"


def decode(
    ds: xr.Dataset, schema: Mapping[str, Any], texts: Mapping[str, Sequence[bytes]]
) -> xr.Dataset:
    """Undo ``encode`` on an opened file; ``curve`` and ``logged`` stay as lazy as they are.

    Parameters
    ----------
    ds : Dataset
        As xarray opens the file.
    schema : mapping
        The JSON of the attr ``runcube_archive``.
    texts : mapping
        By name in the file, the exact text of each cell, packed.
    """
    names = schema.get("names", {})
    ds = ds.rename({n: names[n] for n in map(str, [*ds.variables, *ds.dims]) if n in names})
    known = {names.get(n, n): facts for n, facts in schema["variables"].items()}
    blobs = {names.get(n, n): blob for n, blob in texts.items()}
    made: dict[str, xr.Variable] = {}
    for key, variable in ds.variables.items():
        name = str(key)
        facts = known.get(name, {})
        attrs = _join_attrs(variable.attrs, facts.get("attrs", {}))
        if name in CUBE:
            variable.attrs = attrs
        else:
            values = _decode_values(variable, facts, blobs.get(name))
            long = facts.get("text") == "long"
            encoding = dict(LONG_TEXT_ENCODING) if long else {}
            made[name] = xr.Variable(variable.dims, values, attrs, encoding)
    data = {names.get(n, n) for n in schema["data_vars"]}
    ds = ds.assign_coords({n: v for n, v in made.items() if n not in data})
    ds = ds.reset_coords([n for n in data if n in ds.coords])
    ds = ds.assign({n: v for n, v in made.items() if n in data})
    ds.attrs = _join_attrs(ds.attrs, schema["attrs"])
    ds.attrs.pop("runcube_archive", None)
    return ds


def _decode_values(
    variable: xr.Variable, facts: Mapping[str, Any], texts: Sequence[bytes] | None
) -> NDArray[Any]:
    dtype = np.dtype(facts.get("dtype", variable.dtype.str))
    if texts is not None:
        exact = [unpack_text(text) for text in texts]
        return np.array([*exact, ""], dtype=dtype)[:-1].reshape(variable.shape)
    values = variable.values
    return values if values.dtype == dtype else values.astype(dtype)


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """Names that netCDF takes, each once; odd characters are spelled ``_x2F_``."""
    found: dict[str, str] = {}
    for name in names:
        spelled = name
        if not _PLAIN_NAME.fullmatch(name) or unicodedata.normalize("NFC", name) != name:
            spelled = re.sub(r"[^A-Za-z0-9_.\-]", lambda m: f"_x{ord(m[0]):X}_", name) or "_"
            spelled = spelled if spelled[0].isalpha() or spelled[0] == "_" else f"_{spelled}"
        found[name] = spelled
    taken: set[str] = {name for name, spelled in found.items() if name == spelled}
    for name in [name for name, spelled in found.items() if name != spelled]:
        while found[name] in taken:
            found[name] += "_"
        taken.add(found[name])
    return found


def _split_attrs(attrs: Mapping[Any, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attrs that netCDF holds as they are, and those that stand in the schema."""
    native: dict[str, Any] = {}
    odd: dict[str, Any] = {}
    for key, value in attrs.items():
        if not isinstance(key, str):
            raise ArchiveError(f"attr {key!r} of {where}: expected a text as its name")
        if _PLAIN_NAME.fullmatch(key) and key not in _RESERVED and _is_native(key, value):
            native[key] = value
        else:
            odd[key] = _as_json(value, f"attr {key!r} of {where}")
    return native, odd


def _is_native(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return value == clean_text(value) and not (key == "units" and " since " in value)
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int):
        return -_FLOAT_LIMIT <= value < _FLOAT_LIMIT
    return isinstance(value, float | np.integer | np.floating)


def _as_json(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray):
        return {"__ndarray__": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, np.generic):
        value = value.item()
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ArchiveError(f"{where}: {error}; expected text, numbers or what JSON holds") from None
    return value


def _join_attrs(native: Mapping[Any, Any], odd: Mapping[str, Any]) -> dict[Any, Any]:
    attrs = {k: v.item() if isinstance(v, np.generic) else v for k, v in native.items()}
    for key, value in odd.items():
        is_array = isinstance(value, dict) and "__ndarray__" in value
        attrs[key] = np.array(value["__ndarray__"], value["dtype"]) if is_array else value
    return attrs
