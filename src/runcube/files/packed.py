"""Packed data, unpacked: gzip, xz and Zstandard, part behind part, with plain text between them.

A part is known by its first bytes, not by the name of the file. Damage costs the part that it is
in, from the damaged byte on: what precedes it there, and all parts before and behind, are kept.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from runcube.files.decompressors import decompressor, errors, has_zstd, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What the name of a log may end with, behind its own ending: not packed, or packed.
PACKED_ENDINGS = ("", ".gz", ".xz", ".zst")


def unpacked_path(path: str) -> str:
    """Return a path without the endings of packed files."""
    for ending in filter(None, PACKED_ENDINGS):
        path = path.removesuffix(ending)
    return path


_MAGIC = {"gzip": b"\x1f\x8b\x08", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
_BEGINNINGS = tuple(_MAGIC.values())
# A frame of zstd may hold what is not data but of other programs.
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
# What to search for, how far behind the beginning of a part it is, and the format of the part.
# These four bytes are in no JSON text, and some of them in magic bytes of which one is damaged.
_TELLTALES = (
    *((b"\x1f", 0, "gzip"), (b"\x08", 2, "gzip")),
    *((b"\xfd", 0, "xz"), (b"\xfd", 3, "zstd"), (b"\x18", 3, "zstd")),
)
_WHOLE_MAGIC = (*((magic, 0, name) for name, magic in _MAGIC.items()), (b"\x2a\x4d\x18", 1, "zstd"))
# Bytes that are unpacked at a time: 3 of them can become 128 kB.
_STEP = 1 << 10
# The memory that an xz file may ask for in any case; its strongest preset asks for 65 MiB.
_XZ_BYTES = 1 << 31
# Bytes in and out that looking behind damage may cost in any case.
_WORK = 1 << 28
_LOOK = 64  # in so many bytes it shows whether a file goes on with text behind a packed part
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# UTF-8 without control characters, from its end on: what precedes the text is unknown.
_TEXT_REVERSED = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]++|[\x80-\xbf][\xc2-\xdf]|[\x80-\xbf]{2}[\xe0-\xef]"
    rb"|[\x80-\xbf]{3}[\xf0-\xf4])*+"
)
_PADDING = re.compile(rb"\0*")
_CUT = "the stream ends before its end marker"
_NAMED = 3


class _Part(NamedTuple):
    """A place in a file where packed data begins.

    ``magic`` is what it begins with, mended unless ``exact``.
    """

    start: int
    format: str
    magic: bytes
    exact: bool


class _FullError(Exception):
    """As much as is wanted was unpacked."""


class _UnsureError(Exception):
    """What a file begins with does not tell; its rest may."""


class _SpentError(Exception):
    """The work that looking behind damage may cost is done."""


def may_be_packed(data: bytes) -> bool:
    """Return whether data may hold a packed part; False for any JSON text, quickly."""
    if b"\x1f" in data or b"\x08" in data or b"\xfd" in data or b"\x18" in data:
        return True
    # Nothing of gzip is left without these, and of the others all but one of the magic bytes.
    return data[1:6] == _MAGIC["xz"][1:] or data[:3] == _MAGIC["zstd"][:3]


def begins_packed(data: bytes) -> bool:
    """Return whether data begins with the magic bytes of a packed part."""
    return data.startswith(_BEGINNINGS) or _SKIPPABLE.match(data) is not None


def unpack(data: bytes, most: int) -> tuple[bytes, list[str], bool]:
    """Return data with its packed parts unpacked.

    Parameters
    ----------
    data : bytes
        A whole file.
    most : int
        Bytes to return at most, in whole lines; no more are kept in memory meanwhile.

    Returns
    -------
    unpacked : bytes
    faults : list of str
        What is wrong with parts of it, each beginning with the name of the format.
    is_cut : bool
        Whether there was more than ``most``.

    Raises
    ------
    OSError
        If it begins with a format whose library is not installed.
    """
    work = _Unpacking(data, most)
    is_cut = False
    try:
        work.run()
    except _FullError:
        is_cut = True
        # In place: a copy would take as much memory again.
        work.out.truncate(work.out.getvalue().rfind(b"\n") + 1)
    more = len(work.faults) - _NAMED
    named = [*work.faults[:_NAMED], f"{more:,} more damaged parts"] if more > 0 else work.faults
    return work.out.getvalue(), named, is_cut


def unpack_head(data: bytes, size: int, *, whole: bool) -> bytes | None:
    """Return the first ``size`` bytes that a file holds, unpacked; None if more of it is needed.

    Parameters
    ----------
    data : bytes
        The first bytes of the file, as they are.
    size : int
        Bytes to return.
    whole : bool
        Whether ``data`` is the whole file.
    """
    work = _Unpacking(data, size, cautious=not whole)
    with suppress(_FullError, _UnsureError):
        work.run()
    return work.out.getvalue() if whole or work.out.tell() >= size else None


class _Unpacking:
    """A file on its way from packed to plain.

    Parameters
    ----------
    data : bytes
        The file, or its beginning.
    most : int
        Bytes after which to stop.
    cautious : bool
        Whether ``data`` is only a beginning: then stop where its rest might decide.
    """

    def __init__(self, data: bytes, most: int, *, cautious: bool = False) -> None:
        self.out = BytesIO()
        self.faults: list[str] = []
        self._data = data
        self._view = memoryview(data)
        self._most = most
        self._cautious = cautious
        self._last = b""
        self._format = ""
        self._found: dict[bytes, tuple[int, int]] = {}
        # Linear in the size of the file, or in what it may become.
        self._budget = max(_WORK, 16 * len(data), most // 8)

    def run(self) -> None:
        """Unpack everything into ``out``."""
        at = 0
        while at < len(self._data):
            part = self._next(at)
            stop = len(self._data) if part is None else part.start
            if at < stop:
                self._plain(at, stop)
            if part is None:
                break
            if at < stop:
                self._end_line()
                if not self._format:
                    message = f"{part.format}: begins at byte {stop}, behind plain text: unpacked"
                    self.faults.append(message)
            self._format = part.format
            at = self._member(part)

    def _next(self, at: int) -> _Part | None:
        """Return the next part from ``at`` on; one whose magic bytes are damaged if it is sound."""
        for part in self._starts(at, _TELLTALES):
            if part.exact or self._is_sound(part):
                return part
        return None

    def _next_behind(self, damaged: _Part, end: int) -> _Part | None:
        """Return the next part behind a damaged one that seems to end at ``end``.

        It may seem to reach into the next one, or end too early: what begins before ``end`` is a
        part if it is sound.
        """
        for part in self._starts(damaged.start + 1, _WHOLE_MAGIC):
            if part.start >= end or self._is_sound(part):
                return part
        return None

    def _starts(self, at: int, wanted: Sequence[tuple[bytes, int, str]]) -> Iterator[_Part]:
        """Yield the places from ``at`` on where a packed part may begin."""
        first = at
        if at == 0 and wanted is _TELLTALES:
            yield from filter(None, (_part_at(self._data, 0, name) for name in _MAGIC))
        while at < len(self._data):
            at, name = min((self._find(text, at + off) - off, name) for text, off, name in wanted)
            part = _part_at(self._data, at, name) if at < len(self._data) else None
            if part is not None and self._is_likely(part, first):
                yield part
            at += 1

    def _is_likely(self, part: _Part, first: int) -> bool:
        if part.format == "zstd":
            return part.start == 0 or has_zstd()
        if part.format == "xz" or (part.exact and part.start == first):
            return True
        # Three bits of the next byte are never set in gzip: most chance matches end here.
        return not any(flags & 0xE0 for flags in self._data[part.start + 3 : part.start + 4])

    def _find(self, text: bytes, at: int) -> int:
        """Return where a text is next, searching no byte twice; beyond the end if nowhere."""
        begin, place = self._found.get(text, (0, -1))
        if not begin <= at <= place:
            place = self._data.find(text, at)
            place = 2 * len(self._data) + len(text) if place < 0 else place
            self._found[text] = at, place
        return place

    def _is_sound(self, part: _Part) -> bool:
        """Return whether a part is undamaged as far as its format can tell."""

        def spend(piece: bytes) -> None:
            self._budget -= len(piece)
            if self._budget < 0:
                raise _SpentError

        try:
            spend(b"")
            end, fault = self._unpack(part, len(self._data), spend)
        except _SpentError:
            spent = f"{part.format}: damage takes more work than Limits(file_bytes={self._most})"
            self.faults += [] if spent in self.faults else [spent]
            return False
        if fault == _CUT and self._cautious:
            raise _UnsureError
        self._budget -= end - part.start
        return fault is None

    def _member(self, part: _Part) -> int:
        """Unpack a part, and any plain text behind it if it is damaged; return where that ends."""
        before = self.out.tell(), self._last
        end, fault = self._unpack(part, len(self._data), self._take)
        if fault is None:
            if not part.exact:
                self._name(part, "damaged first bytes")
            return end
        if self._cautious:
            raise _UnsureError
        end = self._unpack_again(part, len(self._data), before, slow=end - _STEP)
        behind = self._next_behind(part, end)
        stop = len(self._data) if behind is None else behind.start
        if stop < end:
            end = self._unpack_again(part, stop, before, slow=stop)
        text = self._text_behind(part.start, stop)
        if text < end and self._ends_with(self._view[text:stop]):
            text = stop  # gzip stores some data as it is
        elif text < end:
            self._unpack_again(part, text, before, slow=text)
        self._name(part, fault)
        if text < len(self._data):
            self._end_line()
        self._take(self._view[text:stop])
        return stop

    def _unpack_again(self, part: _Part, stop: int, before: tuple[int, bytes], slow: int) -> int:
        """Unpack a damaged part anew, the bytes from ``slow`` on one by one; return its end."""
        mark, self._last = before
        self.out.seek(mark)
        self.out.truncate()
        return self._unpack(part, stop, self._take, slow)[0]

    def _unpack(
        self, part: _Part, stop: int, take: Callable[[bytes], None], slow: int | None = None
    ) -> tuple[int, str | None]:
        """Unpack a part that ends at ``stop`` or before.

        Returns
        -------
        end : int
            Where the part ends, or the bytes end with which its damage showed.
        fault : str or None
            What is wrong with it.
        """
        at, piece = part.start, memoryview(part.magic)
        try:
            opened = decompressor(part.format, max(_XZ_BYTES, self._most))
            while True:
                take(opened.decompress(piece))
                at += len(piece)
                if opened.eof:
                    return at - len(opened.unused_data), None
                if at >= stop:
                    return stop, _CUT
                step = _STEP if slow is None or at < slow else 1
                piece = self._view[at : min(at + step, stop)]
        except errors() as error:
            return min(at + len(piece), stop), reason(error, max(_XZ_BYTES, self._most))

    def _plain(self, at: int, stop: int) -> None:
        """Take what is in no packed part: text, or padding or damage behind a part."""
        if self._format:
            at = max(at, _end_of_padding(self._data, at, stop))
            if self._cautious and stop - at < _LOOK and stop == len(self._data):
                raise _UnsureError
            if not _begins_as_text(self._data[at : min(at + _LOOK, stop)]):
                text = self._text_behind(at, stop)
                lost = f"{text - at:,} bytes from byte {at} on are neither packed nor text"
                self.faults.append(f"{self._format}: {lost}")
                at = text
            if at < stop:
                self._end_line()
        self._take(self._view[at:stop])

    def _text_behind(self, start: int, stop: int) -> int:
        """Return where plain text begins behind damaged bytes; ``stop`` if there is none."""
        text = _TEXT_REVERSED.match(self._data[start:stop][::-1])
        first = stop - (0 if text is None else text.end())
        line = self._data.find(b"\n", first, stop)
        # Some of the damaged bytes may look like text, too.
        if line < 0 or self._data.find(b"{", first, stop) < 0:
            return stop
        record = self._data.find(b"{", first, line)
        return first if record < 0 else record

    def _name(self, part: _Part, fault: str) -> None:
        where = f", in the part from byte {part.start} on" if part.start else ""
        self.faults.append(f"{part.format}: {fault}{where}")

    def _ends_with(self, text: memoryview) -> bool:
        """Return whether a text was unpacked last, and more text before it."""
        end = bytes(self.out.getbuffer()[-len(text) - _LOOK :])
        return end.endswith(text) and not _CONTROL.search(end, 0, len(end) - len(text))

    def _end_line(self) -> None:
        """End a line: what follows does not continue it."""
        if self._last not in (b"", b"\n"):
            self._take(b"\n")

    def _take(self, piece: bytes | memoryview) -> None:
        room = self._most - self.out.tell()
        if len(piece) > room:
            self.out.write(memoryview(piece)[:room])
            raise _FullError
        if piece:
            self.out.write(piece)
            self._last = bytes(piece[-1:])


def _part_at(data: bytes, start: int, name: str) -> _Part | None:
    """Return the part of a format that begins at a place, if all magic bytes but one are there."""
    magic = _MAGIC[name]
    found = data[start : start + len(magic)]
    if name == "zstd" and _SKIPPABLE.match(found):
        return _Part(start, name, found, exact=True)
    wrong = sum(a != b for a, b in zip(found, magic, strict=False)) + len(magic) - len(found)
    return _Part(start, name, magic, exact=not wrong) if wrong < 2 else None


def _begins_as_text(data: bytes) -> bool:
    """Return whether data is UTF-8 without control characters; its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(data) is None


def _end_of_padding(data: bytes, at: int, stop: int) -> int:
    match = _PADDING.match(data, at, stop)
    return at if match is None else match.end()
