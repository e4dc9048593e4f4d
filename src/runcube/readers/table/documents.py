"""Records that are not one a line: objects printed over several lines, or one array of them."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.readers.lines import (
    BOM,
    BadLine,
    check_bounds,
    decode_line,
    too_deep,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcube.core import Limits

_BLANK = " \t\r\n\0,"
_BLANKS = re.compile(rb"[ \t\r\n\0]*")
_BEHIND_COMMA = re.compile(r"\}[ \t]*,[ \t]*(?=\{)")
_MOST_UTF_8 = 4  # bytes of a character


def has_documents(data: bytes) -> bool:
    """Return whether a log begins with an array of objects, or with part of an object alone.

    Parameters
    ----------
    data : bytes
        The log, or its beginning.
    """
    start = _behind_blanks(data, len(BOM) if data.startswith(BOM) else 0)
    if data[start : start + 1] == b"[":
        inside = _behind_blanks(data, start + 1)
        return data[inside : inside + 1] == b"{"
    end = data.find(b"\n", start)
    after = _behind_blanks(data, end) if end >= 0 else len(data)
    if data[start : start + 1] != b"{" or data[after : after + 1] not in (b'"', b"}"):
        return False
    try:
        decode_line(data[start:end].strip(b" \t\r\0"))
    except BadLine:
        return True
    return False


def _behind_blanks(data: bytes, at: int) -> int:
    found = _BLANKS.match(data, at)
    return at if found is None else found.end()


def read_documents(
    data: bytes, path: str, limits: Limits = DEFAULT_LIMITS, *, most: int | None = None
) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    """Return the objects of a log that is an array of them, or has each on several lines.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.
    limits : Limits
    most : int, optional
        Objects, and places where there is none, to return; by default all.

    Returns
    -------
    records : list of (int, dict)
        Each with the line on which it begins, from 1; of an array on one line, with its number.
    problems : list of Problem
        A ``bad_line`` for each place where there is no object; the end of a log that is cut is a
        ``truncated_tail``; what is beyond a bound is a ``limit``. What follows is read again from
        the next object that begins as the last one did: on a line of its own, as far from its
        left, or behind a comma.
    """
    records: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    for line, found in islice(_objects(data, limits), most):
        if isinstance(found, BadLine):
            problems.append(Problem(found.kind, str(found), path, line))
        else:
            records.append((line, found))
    return records, problems


def _objects(data: bytes, limits: Limits) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield each object with its line; in place of one, what is wrong there."""
    text = data.removeprefix(BOM).decode("utf-8", "backslashreplace")
    decoder = json.JSONDecoder(parse_int=whole_number(limits))
    is_array = text.lstrip(_BLANK)[:1] == "["
    blanks = _BLANK + "[]" * is_array
    is_one_line = "\n" not in text.strip(blanks)
    at = number = counted = 0
    line = 1
    while True:
        while at < len(text) and text[at] in blanks:
            at += 1
        if at >= len(text):
            return
        number += 1
        line, counted = line + text.count("\n", counted, at), at
        found: dict[str, Any] | BadLine
        try:
            found, end = _decoded(decoder, text, at, limits)
        except BadLine as error:
            found, end = error, _next_object(text, at)
            if end == len(text) and error.kind != "limit":
                found = BadLine(str(error), "truncated_tail")
        yield number if is_one_line else line, found
        at = end


def _decoded(
    decoder: json.JSONDecoder, text: str, at: int, limits: Limits
) -> tuple[dict[str, Any], int]:
    """Return the object that begins at a place, and where it ends.

    Raises
    ------
    BadLine
    """
    try:
        value, end = decoder.raw_decode(text, at)
    except BadLine:
        raise
    except RecursionError as error:
        raise too_deep(limits) from error
    except ValueError as error:
        raise BadLine(f"no object: {error}") from error
    if not isinstance(value, dict):
        raise BadLine("no object: not an object")
    size = end - at
    if size * _MOST_UTF_8 > limits.line_bytes:
        size = len(text[at:end].encode("utf-8", "surrogatepass"))
    check_bounds(size, limits, value)
    return value, end


def _next_object(text: str, at: int) -> int:
    """Return where an object begins that stands as the one at a place does; the end if none.

    On a line of its own, as far from its left; or behind a comma on the same line.
    """
    before = text[text.rfind("\n", 0, at) + 1 : at]
    is_inside = before.strip(_BLANK)
    begins = _BEHIND_COMMA if is_inside else re.compile(rf"\n{re.escape(before)}(?=\{{)")
    found = begins.search(text, at + 1)
    return len(text) if found is None else found.end()
