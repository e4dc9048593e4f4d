"""How the logs were read, as their headers tell: the texts of all logs, counted by topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runcube.core import RunHeader

_LOGGER = "logger"
_TOPICS = (
    *(_LOGGER, "form", "records", "runs", "configuration"),
    *("x", "splits", "metrics", "left out"),
)
_SAYS_THE_SAME, _READER = "says the same", "reader"
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
        ``records`` that differ in numbers alone are one, with ranges. Of what says the same there
        is one text at most, the last: the arguments that do so of all logs.
    """
    headers = list(headers)
    found: dict[str, dict[str, set[str]]] = {topic: {} for topic in _TOPICS}
    for header in headers:
        for topic, text in header.reading:
            found.setdefault(topic, {}).setdefault(text, set()).add(header.source.path)
    found["records"] = _with_ranges(found["records"])
    found.pop(_SAYS_THE_SAME, None)
    if len(found[_LOGGER]) == 1:
        del found[_LOGGER]
    readers = [*found.pop(_READER, ())]
    if len(readers) == 1 and (said := _said_of_all(headers)) is not None:
        found[_SAYS_THE_SAME] = {f"{readers[0]}({said})": {h.source.path for h in headers}}
    return {
        topic: sorted(((len(logs), text) for text, logs in texts.items()), key=lambda t: -t[0])
        for topic, texts in found.items()
        if texts
    }


def _said_of_all(headers: Iterable[RunHeader]) -> str | None:
    """Return the arguments of a reader that say the same of all logs; None if none do.

    Of each log the first are those that the reader had, and the others change nothing. A log that
    another reader read has none. One without records is read by any.
    """
    own = [
        [text for topic, text in header.reading if topic == _SAYS_THE_SAME]
        for header in headers
        if ("records", "none") not in header.reading
    ]
    if not own or any(texts[:1] != own[0][:1] for texts in own) or not own[0]:
        return None
    return ", ".join(text for text in own[0] if text and all(text in texts for texts in own))


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
