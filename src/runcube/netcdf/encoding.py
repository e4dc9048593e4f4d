"""Converting a cube to what netCDF can hold, and back: names, attrs, text and dtypes.

Every variable of the netCDF file is readable with any tool. What netCDF cannot hold unchanged (a
name with a slash, a bool attr, a text of a megabyte) is there in a readable form, and exactly in a
schema (one JSON attr) or a text blob: ``decode`` restores it.
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
# Characters of a long text that the root shows; the whole text is in the group /text.
SHOWN_TEXT = 1000
_PLAIN_NAME = re.compile(r"[^\W\d][\w.\-]*")
_PLAIN_ATTR = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
# The groups of an archive, and the dims of characters that xarray makes.
_TAKEN = re.compile(r"text|logs|string\d+")
_LONGEST_NAME = 200
# Attrs with a meaning to netCDF decoders, as have those with a leading underscore.
_RESERVED = frozenset(
    "least_significant_digit missing_value scale_factor add_offset coordinates dtype calendar "
    "grid_mapping bounds cell_measures DIMENSION_LIST REFERENCE_LIST CLASS NAME "
    "runcube_archive".split()
)
_FLOAT_LIMIT = 1 << 63
# Older versions of xarray decode numbers in these units to timedeltas.
_UNITS_OF_TIMEDELTAS = frozenset(
    "days hours minutes seconds milliseconds microseconds nanoseconds".split()
)
# Up to so many values are stored contiguously: a chunk and its filter would be larger.
_FEW = 1 << 10


@dataclass
class Encoded:
    """A cube as netCDF can hold it, without its values.

    Parameters
    ----------
    frame : Dataset
        Everything but ``curve`` and ``logged``, with names and dims as in the file.
    encoding : dict of str to dict
        Encoding of each variable of ``frame``, by name in the file.
    cube_attrs : dict of str to dict
        Attrs of ``curve`` and ``logged``.
    schema : dict
        What ``decode`` needs, as JSON types: dtypes, original names, other attrs.
    names : dict of str to str
        Name in the file of every variable and dim of the cube.
    texts : dict of str to list of bytes, (cells,)
        Exact texts of the cells of a variable, packed, in C order, by name in the file; only
        of variables whose texts are not exact in ``frame``.
    """

    frame: xr.Dataset
    encoding: dict[str, dict[str, Any]]
    cube_attrs: dict[str, dict[str, Any]]
    schema: dict[str, Any]
    names: dict[str, str]
    texts: dict[str, list[bytes]] = field(default_factory=dict)


def encode(ds: xr.Dataset) -> Encoded:
    """Return a cube in a form that netCDF can hold.

    Parameters
    ----------
    ds : Dataset
        With ``curve`` and ``logged``, whose values are not read.

    Raises
    ------
    ArchiveError
        If something cannot be kept: an object that is no text, an attr that JSON cannot hold,
        a MultiIndex.
    """
    _check_names(ds)
    names = _file_names(dict.fromkeys(map(str, [*ds.variables, *ds.dims])))
    schema: dict[str, Any] = {"format": FORMAT, "variables": {}, "attrs": {}}
    renamed = {name: file_name for name, file_name in names.items() if name != file_name}
    if renamed:
        schema["names"] = {file_name: name for name, file_name in renamed.items()}
    out = Encoded(xr.Dataset(), {}, {}, schema, names)
    frame: dict[str, xr.Variable] = {}
    for key, variable in ds.variables.items():
        name = str(key)
        file_name = names[name]
        if not isinstance(variable.dtype, np.dtype) or variable.dtype.kind == "T":
            raise ArchiveError(f"{name}: values of type {variable.dtype}, which netCDF cannot hold")
        attrs, odd = _split_attrs(variable.attrs, name, variable.dtype.kind)
        facts: dict[str, Any] = {"dtype": variable.dtype.str} | ({"attrs": odd} if odd else {})
        schema["variables"][file_name] = facts
        if name in CUBE:
            out.cube_attrs[name] = attrs
            continue
        _refuse_multiindex(ds, name)
        values = _encode_values(out, file_name, name, variable, facts)
        dims = [names[str(d)] for d in variable.dims]
        frame[file_name] = xr.Variable(dims, values, attrs)
    attrs, odd = _split_attrs(ds.attrs, "the Dataset")
    schema["attrs"] = odd
    schema["data_vars"] = [names[str(n)] for n in ds.data_vars]
    schema["logged_dims"] = [str(d) for d in ds["logged"].dims]
    coords = {n: v for n, v in frame.items() if n not in schema["data_vars"]}
    rest = {n: v for n, v in frame.items() if n in schema["data_vars"]}
    out.frame = xr.Dataset(rest, xr.Coordinates(coords, indexes={}), attrs)
    return out


def _check_names(ds: xr.Dataset) -> None:
    """Raise if a name is no text, or ``logged`` does not match ``curve``."""
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
    """Raise if a variable is part of a MultiIndex."""
    index = ds.xindexes.get(name)
    if index is not None and len(ds.xindexes.get_all_coords(name)) > 1:
        raise ArchiveError(
            f"{name}: part of a MultiIndex, which netCDF cannot hold; reset_index() first"
        )


def _encode_values(
    out: Encoded, file_name: str, name: str, variable: xr.Variable, facts: dict[str, Any]
) -> NDArray[Any]:
    """Return the values of a variable for the file; encoding and texts are added to ``out``."""
    values = variable.values
    if values.dtype.kind not in "OU":
        out.encoding[file_name] = _number_encoding(name, variable)
        return values.astype(f"{values.dtype.kind}8[ns]") if values.dtype.kind in "Mm" else values
    texts = values.reshape(-1).tolist()
    for odd in (text for text in texts if not isinstance(text, str)):
        raise ArchiveError(f"{name}: holds {odd!r} ({type(odd).__name__}), expected text alone")
    shown = [clean_text(text) for text in texts]
    # As characters, not as strings of any length: those neither compress nor load lazily, and HDF5
    # 2.2 crashes where a process has such a file open three times.
    out.encoding[file_name] = {"dtype": "S1", "zlib": len(texts) > _FEW}
    if values.dtype.kind == "O":
        shown = [_cut(text) for text in shown]
        facts["text"] = "long"
    if shown != texts:
        out.texts[file_name] = [pack_text(text) for text in texts]
    dtype = object if values.dtype.kind == "O" else np.str_
    made = np.array([*shown, ""], dtype=dtype)[:-1]
    return made.reshape(values.shape)


def _number_encoding(name: str, variable: xr.Variable) -> dict[str, Any]:
    """Return the encoding of numbers and times.

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
            # NumPy before 2.5 wraps around; later versions raise, also where xarray computes the
            # differences of times.
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
    """Return a text compressed by itself: archives can copy it without decompressing."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1) if text else b""


def unpack_text(packed: bytes) -> str:
    """Return the text that ``pack_text`` compressed."""
    return zlib.decompress(packed).decode("utf-8", "surrogatepass") if packed else ""


def _cut(text: str) -> str:
    """Return the part of a long text that the root shows."""
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"


def decode(
    ds: xr.Dataset, schema: Mapping[str, Any], texts: Mapping[str, Sequence[bytes]]
) -> xr.Dataset:
    """Return the cube that ``encode`` converted; ``curve`` and ``logged`` stay lazy.

    Parameters
    ----------
    ds : Dataset
        The file as xarray opens it.
    schema : mapping
        The JSON of the attr ``runcube_archive``.
    texts : mapping of str to sequence of bytes, (cells,)
        Exact text of each cell, packed, in C order, by name of the variable in the file. Those of
        ``messages``, which is none, become a coordinate.
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
    if "messages" in texts and "messages" not in coords:
        coords = _with_messages(coords, texts["messages"])
    return xr.Dataset(data_vars, coords, _join_attrs(native, schema["attrs"]))


def _with_messages(
    coords: Mapping[str, xr.Variable], texts: Sequence[bytes]
) -> dict[str, xr.Variable]:
    """Return coordinates with the text lines of the runs, where a cube that is loaded has them."""
    cells = np.array([*(clean_text(unpack_text(text)) for text in texts), ""], dtype=object)[:-1]
    status = coords["status"]
    messages = {"messages": xr.Variable(status.dims, cells.reshape(status.shape))}
    at = [*coords].index("split")
    return dict([*coords.items()][:at]) | messages | dict([*coords.items()][at:])


def _decode_values(
    variable: xr.Variable, facts: Mapping[str, Any], texts: Sequence[bytes] | None
) -> NDArray[Any]:
    """Return the original values of a variable, with their dtype."""
    dtype = np.dtype(facts.get("dtype", variable.dtype.str))
    if texts is not None:
        exact = [unpack_text(text) for text in texts]
        return np.array([*exact, ""], dtype=dtype)[:-1].reshape(variable.shape)
    values = variable.values
    return values if values.dtype == dtype else values.astype(dtype)


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """Return unique names that netCDF accepts; other characters become ``_x2F_`` and the like."""
    found: dict[str, str] = {}
    for name in names:
        file_name = name
        plain = _PLAIN_NAME.fullmatch(name) and not _TAKEN.fullmatch(name)
        if not plain or unicodedata.normalize("NFC", name) != name:
            file_name = re.sub(r"[^A-Za-z0-9_.\-]", lambda m: f"_x{ord(m[0]):X}_", name) or "_"
            if not (file_name[0].isalpha() or file_name[0] == "_") or _TAKEN.fullmatch(file_name):
                file_name = f"_{file_name}"
        if len(file_name.encode()) > _LONGEST_NAME:
            file_name = f"long_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
        found[name] = file_name
    taken: set[str] = {name for name, file_name in found.items() if name == file_name}
    for name in [name for name, file_name in found.items() if name != file_name]:
        while found[name] in taken:
            found[name] += "_"
        taken.add(found[name])
    return found


def _split_attrs(
    attrs: Mapping[Any, Any], where: str, kind: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attrs that netCDF holds unchanged, and those that go into the schema.

    ``kind`` is the kind of the variable's dtype; ``""`` for the Dataset.
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
    """Return whether an attr comes back unchanged from a netCDF file."""
    if isinstance(value, str):
        # The units of a time define how it is decoded.
        decoded = key == "units" and (
            kind in "Mm" or "since" in value or value in _UNITS_OF_TIMEDELTAS
        )
        return value == clean_text(value) and not decoded
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return False
    if isinstance(value, int):
        return -_FLOAT_LIMIT <= value < _FLOAT_LIMIT
    # np.float64 is a float as well.
    return isinstance(value, float | np.integer | np.float32)


def _as_json(value: Any, where: str) -> Any:
    """Return an attr as JSON types, or raise if JSON cannot hold it."""
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
    """Return whether a value comes back from JSON unchanged."""
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        keys = all(type(key) is str for key in value) and "__ndarray__" not in value
        return keys and all(map(_is_json, value.values()))
    return value is None or type(value) in (bool, int, float, str)


def _join_attrs(native: Mapping[Any, Any], odd: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the original attrs, from those of netCDF and of the schema."""
    attrs = {k: v.item() if isinstance(v, np.generic) else v for k, v in native.items()}
    for key, value in odd.items():
        is_array = isinstance(value, dict) and "__ndarray__" in value
        attrs[key] = _array_of(value) if is_array else value
    return attrs


def _array_of(value: Mapping[str, Any]) -> NDArray[Any]:
    return np.array(value["__ndarray__"], dtype=value["dtype"]).reshape(value["shape"])
