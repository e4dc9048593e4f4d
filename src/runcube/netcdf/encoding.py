"""What netCDF can hold of a cube, and the way back: names, attrs, text and dtypes.

A netCDF file shows every variable readably to whoever opens it. What it cannot hold as it is (a
name with a slash, a bool attr, a text of a megabyte) stands there in a readable form, and exactly
in a schema (one JSON attr) or a text blob: ``decode`` puts it back.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from runcube.core import LONG_TEXT_ENCODING, ArchiveError, clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

CUBE = ("curve", "logged")
FORMAT = 1
# Characters of a long text that the root shows; the whole stands in the group /text.
SHOWN_TEXT = 1000
_PLAIN_NAME = re.compile(r"[^\W\d][\w.\-]*")
_PLAIN_ATTR = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
# The groups of an archive, and the dims of characters that xarray makes.
_TAKEN = re.compile(r"text|logs|string\d+")
_LONGEST_NAME = 200
# Attrs that mean something to whoever decodes a netCDF file, as do those with a leading underscore.
_RESERVED = frozenset(
    "least_significant_digit missing_value scale_factor add_offset coordinates dtype calendar "
    "grid_mapping bounds cell_measures DIMENSION_LIST REFERENCE_LIST CLASS NAME "
    "runcube_archive".split()
)
_FLOAT_LIMIT = 1 << 63
# Older versions of xarray make timedeltas of numbers in these units.
_UNITS_OF_TIMEDELTAS = frozenset(
    "days hours minutes seconds milliseconds microseconds nanoseconds".split()
)
# So many values stay contiguous: a chunk and its filter would be larger than they are.
_FEW = 1 << 10


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
    _check_names(ds)
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
        if not isinstance(variable.dtype, np.dtype) or variable.dtype.kind == "T":
            raise ArchiveError(f"{name}: values of type {variable.dtype}, which netCDF cannot hold")
        attrs, odd = _split_attrs(variable.attrs, name, variable.dtype.kind)
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
    schema["logged_dims"] = [str(d) for d in ds["logged"].dims]
    coords = {n: v for n, v in frame.items() if n not in schema["data_vars"]}
    rest = {n: v for n, v in frame.items() if n in schema["data_vars"]}
    out.frame = xr.Dataset(rest, xr.Coordinates(coords, indexes={}), attrs)
    return out


def _check_names(ds: xr.Dataset) -> None:
    for name in (*ds.variables, *ds.dims):
        if not isinstance(name, str):
            raise ArchiveError(f"{name!r}: expected a text as the name of a variable or dim")
    curve, logged = ds["curve"], ds["logged"]
    if logged.dtype != bool or set(logged.dims) != set(curve.dims):
        raise ArchiveError(
            f"logged: expected bool on the dims of curve, got {logged.dtype} on {logged.dims}; "
            "where() makes it float: mask ds.curve alone"
        )


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
        out.encoding[spelled] = _number_encoding(name, variable)
        return values.astype(f"{values.dtype.kind}8[ns]") if values.dtype.kind in "Mm" else values
    texts = values.reshape(-1).tolist()
    for odd in (text for text in texts if not isinstance(text, str)):
        raise ArchiveError(f"{name}: holds {odd!r} ({type(odd).__name__}), expected text alone")
    shown = [clean_text(text) for text in texts]
    # As characters, not as strings of any length: those neither compress nor come lazily, and HDF5
    # 2.2 crashes where a process has such a file open three times.
    out.encoding[spelled] = {"dtype": "S1", "zlib": len(texts) > _FEW}
    if values.dtype.kind == "O":
        shown = [_cut(text) for text in shown]
        facts["text"] = "long"
    if shown != texts:
        out.texts[spelled] = [pack_text(text) for text in texts]
    dtype = object if values.dtype.kind == "O" else np.str_
    made = np.array([*shown, ""], dtype=dtype)[:-1]
    return made.reshape(values.shape)


def _number_encoding(name: str, variable: xr.Variable) -> dict[str, Any]:
    """Say how numbers and times are stored.

    Raises
    ------
    ArchiveError
        If netCDF has no such type, or times are out of the range of nanoseconds.
    """
    values = variable.values
    kind = values.dtype.kind
    if kind not in "biufMmS" or (kind == "f" and values.dtype.itemsize not in (4, 8)):
        raise ArchiveError(f"{name}: values of type {values.dtype}, which netCDF cannot hold")
    encoding: dict[str, Any] = {}
    if kind in "Mm":
        try:
            fine = values.astype(f"{kind}8[ns]")
            # NumPy before 2.5 goes round in a circle; later ones raise, also where xarray asks how
            # far apart times are.
            is_kept = ((fine.astype(values.dtype) == values) | np.isnat(values)).all()
            np.diff(np.unique(fine[~np.isnat(fine)]))
        except OverflowError:
            is_kept = False
        if not is_kept:
            raise ArchiveError(f"{name}: times beyond the range of nanoseconds (1678 to 2262)")
        since = " since 1970-01-01" if kind == "M" else ""
        encoding = {"units": f"nanoseconds{since}", "dtype": "int64"}
    if kind != "S" and values.size > _FEW:
        encoding |= {"zlib": True, "complevel": 1, "shuffle": True}
    return encoding


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
    if names:
        ds = ds.rename({n: names[n] for n in map(str, [*ds.variables, *ds.dims]) if n in names})
    known = {names.get(n, n): facts for n, facts in schema["variables"].items()}
    blobs = {names.get(n, n): blob for n, blob in texts.items()}
    made: dict[str, xr.Variable] = {}
    for key, variable in ds.variables.items():
        name = str(key)
        facts = known.get(name, {})
        attrs = _join_attrs(variable.attrs, facts.get("attrs", {}))
        if name in CUBE:
            made[name] = variable
            variable.attrs = attrs
        else:
            values = _decode_values(variable, facts, blobs.get(name))
            long = facts.get("text") == "long"
            encoding = dict(LONG_TEXT_ENCODING) if long else {}
            made[name] = xr.Variable(variable.dims, values, attrs, encoding)
    dims = schema.get("logged_dims") or made["logged"].dims
    if tuple(dims) != made["logged"].dims:
        made["logged"] = made["logged"].transpose(*dims)
    data = {names.get(n, n) for n in schema["data_vars"]}
    data_vars = {n: v for n, v in made.items() if n in data}
    native = {name: value for name, value in ds.attrs.items() if name != "runcube_archive"}
    coords = {n: v for n, v in made.items() if n not in data}
    return xr.Dataset(data_vars, coords, _join_attrs(native, schema["attrs"]))


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
        plain = _PLAIN_NAME.fullmatch(name) and not _TAKEN.fullmatch(name)
        if not plain or unicodedata.normalize("NFC", name) != name:
            spelled = re.sub(r"[^A-Za-z0-9_.\-]", lambda m: f"_x{ord(m[0]):X}_", name) or "_"
            if not (spelled[0].isalpha() or spelled[0] == "_") or _TAKEN.fullmatch(spelled):
                spelled = f"_{spelled}"
        if len(spelled.encode()) > _LONGEST_NAME:
            spelled = f"long_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
        found[name] = spelled
    taken: set[str] = {name for name, spelled in found.items() if name == spelled}
    for name in [name for name, spelled in found.items() if name != spelled]:
        while found[name] in taken:
            found[name] += "_"
        taken.add(found[name])
    return found


def _split_attrs(
    attrs: Mapping[Any, Any], where: str, kind: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attrs that netCDF holds as they are, and those that stand in the schema.

    ``kind`` is the kind of the variable's dtype.
    """
    native: dict[str, Any] = {}
    odd: dict[str, Any] = {}
    for key, value in attrs.items():
        if not isinstance(key, str):
            raise ArchiveError(f"attr {key!r} of {where}: expected a text as its name")
        plain = _PLAIN_ATTR.fullmatch(key) and len(key) <= _LONGEST_NAME
        if plain and key not in _RESERVED and _is_native(key, value, kind):
            native[key] = value
        else:
            odd[key] = _as_json(value, f"attr {key!r} of {where}")
    return native, odd


def _is_native(key: str, value: Any, kind: str) -> bool:
    if isinstance(value, str):
        # The units of a time say how it is stored.
        decoded = key == "units" and (
            kind in "Mm" or "since" in value or value in _UNITS_OF_TIMEDELTAS
        )
        return value == clean_text(value) and not decoded
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return False
    if isinstance(value, int):
        return -_FLOAT_LIMIT <= value < _FLOAT_LIMIT
    # float64 is a float.
    return isinstance(value, float | np.integer | np.float32)


def _as_json(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        return {
            "__ndarray__": value.ravel().tolist(),
            "dtype": value.dtype.str,
            "shape": value.shape,
        }
    if isinstance(value, np.bool_):
        return bool(value)
    if not _is_json(value):
        raise ArchiveError(
            f"{where}: {value!r} ({type(value).__name__}) cannot be kept; expected text, numbers, "
            "numeric arrays, or lists and dicts (with text keys) of them"
        )
    return value


def _is_json(value: Any) -> bool:
    """Whether JSON gives back just this value."""
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        keys = all(type(key) is str for key in value) and "__ndarray__" not in value
        return keys and all(map(_is_json, value.values()))
    return value is None or type(value) in (bool, int, float, str)


def _join_attrs(native: Mapping[Any, Any], odd: Mapping[str, Any]) -> dict[Any, Any]:
    attrs = {k: v.item() if isinstance(v, np.generic) else v for k, v in native.items()}
    for key, value in odd.items():
        is_array = isinstance(value, dict) and "__ndarray__" in value
        attrs[key] = _array_of(value) if is_array else value
    return attrs


def _array_of(value: Mapping[str, Any]) -> NDArray[Any]:
    return np.array(value["__ndarray__"], dtype=value["dtype"]).reshape(value["shape"])
