"""What the bytes of a file hold: packed or not, UTF-8 or UTF-16, and no more than a limit."""

from __future__ import annotations

import codecs

from runcube.files.packed import begins_packed, may_be_packed, unpack, unpack_head

_LIMIT = "more than Limits(file_bytes="
# How the text begins that names damage of a file's bytes, or a limit that they exceed.
DAMAGED = ("gzip: ", "xz: ", "zstd: ", "UTF-16: ", _LIMIT)
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BOM_BYTES = 2


def contents(data: bytes, most: int, *, binary: bool = False) -> tuple[bytes, str | None]:
    """Return what a file holds, as UTF-8, and what is wrong with it.

    Parameters
    ----------
    data : bytes
        The file as it is; of one that is longer than ``most``, more than that is enough.
    most : int
        ``Limits.file_bytes``: more is left out, from the last whole line on.
    binary : bool
        Whether it holds no text: then only a packed file is changed.

    Returns
    -------
    held : bytes
    damage : str or None
        None if nothing is wrong.

    Raises
    ------
    OSError
        If the file begins with a format whose library is not installed.
    """
    faults: list[str] = []
    is_cut = len(data) > most
    if binary and not begins_packed(data):
        damage = f"{_LIMIT}{most}): all that is behind is left out"
        return data[:most], damage if is_cut else None
    if not _is_utf_16(data) and may_be_packed(data):
        data, faults, is_longer = unpack(data, most)
        is_cut = is_cut or is_longer
    if _is_utf_16(data):
        data, fault = _as_utf_8(data)
        faults += fault
    if is_cut or len(data) > most:
        data = data[: data.rfind(b"\n", 0, most) + 1]
        faults.append(f"{_LIMIT}{most}): all lines behind are left out")
    return data, "; ".join(faults) or None


def beginning(data: bytes, size: int, *, whole: bool = False) -> bytes | None:
    """Return the first bytes of what a file holds; None if they take more of the file.

    Parameters
    ----------
    data : bytes
        The first bytes of the file as it is.
    size : int
        Bytes wanted of a packed file. Of any other, ``data`` must hold a whole line.
    whole : bool
        Whether ``data`` is the whole file.
    """
    if _is_utf_16(data):
        head = _whole_characters(data)
    elif may_be_packed(data):
        found = unpack_head(data, size, whole=whole)
        return _whole_characters(found) if found is not None and _is_utf_16(found) else found
    else:
        head = data
    return head if whole or b"\n" in head else None


def ending(data: bytes, start: int, first: bytes) -> bytes:
    """Return the last bytes of what a file holds; none of a packed file.

    Parameters
    ----------
    data : bytes
        The last bytes of the file as it is.
    start : int
        Where they begin in the file.
    first : bytes
        The first bytes of the file.
    """
    if _is_utf_16(first):
        return _whole_characters(first[:_BOM_BYTES] + data[start % 2 if start else _BOM_BYTES :])
    return b"" if is_encoded(first) or may_be_packed(data) else data


def is_encoded(data: bytes) -> bool:
    """Return whether a file that begins with these bytes holds others than it shows."""
    return _is_utf_16(data) or begins_packed(data)


def _is_utf_16(data: bytes) -> bool:
    return data[:_BOM_BYTES] in _UTF_16


def _as_utf_8(data: bytes) -> tuple[bytes, list[str]]:
    """Return UTF-16 text as UTF-8, with U+FFFD for what is none, and the faults."""
    encoding, text = _UTF_16[data[:_BOM_BYTES]], memoryview(data)[_BOM_BYTES:]
    try:
        return codecs.decode(text, encoding).encode(), []
    except UnicodeDecodeError as error:
        where = f"{error.reason} at byte {error.start + _BOM_BYTES}"
        return codecs.decode(text, encoding, "replace").encode(), [
            f"UTF-16: {where}: U+FFFD in its place"
        ]


def _whole_characters(data: bytes) -> bytes:
    """Return the whole characters that a beginning of UTF-16 text holds, as UTF-8."""
    decoder = codecs.getincrementaldecoder(_UTF_16[data[:_BOM_BYTES]])("replace")
    return decoder.decode(data[_BOM_BYTES:]).encode()
