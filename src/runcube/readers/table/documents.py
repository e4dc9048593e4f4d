"""Records that are not one a line: objects printed over several lines, or one array of them."""

from __future__ import annotations

import json
from typing import Any

from runcube.core import Problem
from runcube.readers.lines import BOM, BadLine, decode_line

_BLANK = " \t\r\n\0,"


def has_documents(data: bytes) -> bool:
    """Return whether a log begins with an array of objects, or with part of an object alone.

    Parameters
    ----------
    data : bytes
        The log, or its beginning.
    """
    start = data.removeprefix(BOM).lstrip(b" \t\r\n\0")[: 1 << 16]
    first, newline, rest = start.partition(b"\n")
    first = first.strip(b" \t\r\0")
    if first[:1] == b"[":
        inside = start[1:].lstrip(b" \t\r\n")
        return inside[:1] == b"{"
    if not newline or first[:1] != b"{" or rest.lstrip(b" \t\r\n")[:1] not in (b'"', b"}"):
        return False
    try:
        decode_line(first)
    except BadLine:
        return True
    return False


def read_documents(
    data: bytes, path: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    """Return the objects of a log that is an array of them, or has each on several lines.

    Parameters
    ----------
    data : bytes
    path : str
        Path that problems name.

    Returns
    -------
    records : list of (int, dict)
        Each with the line on which it begins, from 1.
    problems : list of Problem
        A ``bad_line`` for each place where there is no object; the end of a log that is cut is a
        ``truncated_tail``. What follows on later lines is read again from the next ``{`` that
        begins a line.
    """
    text = data.removeprefix(BOM).decode("utf-8", "backslashreplace")
    decoder = json.JSONDecoder()
    records: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    at, line, counted = 0, 1, 0
    is_array = text.lstrip(_BLANK)[:1] == "["
    while True:
        while at < len(text) and (text[at] in _BLANK or (is_array and text[at] in "[]")):
            at += 1
        if at >= len(text):
            return records, problems
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
            if not isinstance(value, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            end = text.find("\n{", at + 1) + 1 or len(text)
            kind = "truncated_tail" if end == len(text) else "bad_line"
            problems.append(Problem(kind, f"no object: {error}", path, line))
        else:
            records.append((line, value))
        at = end
