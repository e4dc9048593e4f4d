"""How the logs were read, as their headers tell: the texts of all logs, counted by topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runcube.core import RunHeader

_TOPICS = ("records", "runs", "configuration", "x", "splits", "metrics", "left out")
_SAYS_THE_SAME = "says the same"
_NUMBERED = re.compile(r"(\d[\d,]*) (.+)", re.DOTALL)


def count_readings(headers: Iterable[RunHeader]) -> dict[str, list[tuple[int, str]]]:
    """Return how logs were read: topic to texts, each with the number of logs that have it.

    Parameters
    ----------
    headers : iterable of RunHeader
        The ``reading`` of those of one log counts once.

    Returns
    -------
    dict of str to list of (int, str)
        Topics in the order in which a log is read, texts from the most frequent on. Texts of
        ``records`` that differ in numbers alone are one, with ranges.
    """
    found: dict[str, dict[str, set[str]]] = {topic: {} for topic in _TOPICS}
    for header in headers:
        for topic, text in header.reading:
            found.setdefault(topic, {}).setdefault(text, set()).add(header.source.path)
    found["records"] = _with_ranges(found["records"])
    found[_SAYS_THE_SAME] = found.pop(_SAYS_THE_SAME, {})  # the last
    return {
        topic: sorted(((len(logs), text) for text, logs in texts.items()), key=lambda t: -t[0])
        for topic, texts in found.items()
        if texts
    }


def _with_ranges(texts: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return texts such as ``1 header, 9 rows`` as one where they differ in numbers alone.

    One row and nine rows are the same words.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for text in texts:
        words = tuple(re.sub(r"^\d[\d,]* (\w+?)s?\b", r"\1", piece) for piece in text.split(", "))
        alike.setdefault(words, []).append(text)
    merged: dict[str, set[str]] = {}
    for same in alike.values():
        pieces = zip(*(text.split(", ") for text in same), strict=True)
        merged[", ".join(map(_range, pieces))] = set().union(*(texts[text] for text in same))
    return merged


def _range(pieces: Sequence[str]) -> str:
    """Return ``9 rows`` and ``1 row`` as ``1 to 9 rows``."""
    numbered = [(int(m[1].replace(",", "")), m[2]) for m in map(_NUMBERED.fullmatch, pieces) if m]
    if not numbered:
        return pieces[0]
    low, (high, words) = min(numbered)[0], max(numbered)
    return f"{low:,} to {high:,} {words}" if low < high else f"{high:,} {words}"
