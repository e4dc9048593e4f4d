"""What a log says beside its values: how the run ended by its own word, and by which kinds of text.

An exception, as Python writes it, is told by its form; an interruption by what raises one.
"""

from __future__ import annotations

import builtins
import re
from functools import lru_cache
from signal import Signals
from typing import TYPE_CHECKING

from runcube.core import Remarks, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

# How ``RunLogger`` begins the text of the exception that ended a run.
FAILED = ">> Failed:"
_TRACEBACK = "Traceback (most recent call last)"
# Clocks, levels and names that loggers write before a text: ``[rank0]:``, ``ERROR:root:``.
_NAME = re.compile(
    r"(?>\[[^\]]*\]|[A-Z]{4,8}:[\w.]+:|[A-Z]{4,8}\b|[\W\d_])*+"
    r"((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\Z|:\s*(.*))"
)
_ERROR = re.compile(r"\w*[a-zA-Z0-9](?:Error|Exception)")
_NUMBER = re.compile(r"[+-]?[\d.]+(?:e[+-]?\d+)?", re.IGNORECASE)
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"})
_SIGNAL = re.compile(rf"\b(?:{'|'.join(sorted({s.name for s in Signals} - _CRASHES))})\b")
_EXCEPTIONS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and not issubclass(kind, Warning)
}
# Those that are no ``Exception``: somebody asked the run to end.
_INTERRUPTIONS = re.compile(
    rf"\b(?:{'|'.join(n for n, kind in _EXCEPTIONS.items() if not issubclass(kind, Exception))})\b"
)
# No text that speaks of these shows that a run is done, however many runs end with it.
_TROUBLE = re.compile(
    r"error|exception|fail|abort|kill|cancel|terminated|interrupt|preempt|crash|out of memory"
    r"|traceback|diverg|\bnan\b",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
# What is longer is no single sentence of a logger.
_LONGEST_LINE = 500
_LONGEST_KIND = 80
# A log with more kinds of text than this has none that would show anything.
_MOST_KINDS = 100
_TOO_MANY = Remarks(frozenset({"…"}))


def ending_said(texts: Iterable[str]) -> Status | None:
    """Return how a run ended by the texts behind its last value: failure goes before all else.

    Parameters
    ----------
    texts : iterable of str
        Texts of any number of lines, in file order.

    Returns
    -------
    Status or None
        ``FAILED`` for an exception, ``INCOMPLETE`` for an interruption; None if they tell of none.
    """
    lines = [line for text in texts for line in text.splitlines()]
    said = strongest(*map(_said, lines))
    # A traceback alone does not tell what ended it.
    is_raised = said is None and any(_TRACEBACK in line for line in lines)
    return Status.FAILED if is_raised else said


def strongest(*words: Status | None) -> Status | None:
    """Return that of several words on how one run ended which counts; None of none."""
    ranks = (Status.FAILED, Status.INCOMPLETE, Status.COMPLETE)
    return next((rank for rank in ranks if rank in words), None)


def _said(line: str) -> Status | None:
    if _is_interruption(line):
        return Status.INCOMPLETE
    return Status.FAILED if line.startswith(FAILED) or _is_exception(line) else None


def _is_interruption(line: str) -> bool:
    return bool(_INTERRUPTIONS.search(line) or _SIGNAL.search(line))


def _is_exception(line: str) -> bool:
    """Return whether a line has the form of the last one of a traceback."""
    found = _NAME.match(line[:_LONGEST_LINE].strip())
    if found is None:
        return False
    name = found[1].rpartition(".")[2]
    is_number = found[2] is not None and _NUMBER.fullmatch(found[2].strip()) is not None
    # ``MeanSquaredError: 0.3`` is a metric.
    return name in _EXCEPTIONS or (not is_number and _ERROR.fullmatch(name) is not None)


def remarks_of(before: Iterable[str], behind: Iterable[str]) -> Remarks:
    """Return the kinds of what stands before the last value of a log, and behind it.

    Parameters
    ----------
    before, behind : iterable of str
        Kinds, as ``kind_of`` returns them of a text; ``""`` is none.
    """
    first, last = frozenset(before) - {""}, frozenset(behind) - {""}
    return Remarks(first, last) if len(first | last) <= _MOST_KINDS else _TOO_MANY


def joined_remarks(before: Remarks, more: Remarks, *, has_values: bool) -> Remarks:
    """Return the remarks of a log that has grown.

    Parameters
    ----------
    before, more : Remarks
        Those of the log as it was, and of what was appended.
    has_values : bool
        Whether there is a value in what was appended.
    """
    if _TOO_MANY in (before, more):
        return _TOO_MANY
    if has_values:
        return remarks_of(before.before | before.behind | more.before, more.behind)
    return remarks_of(before.before, before.behind | more.before | more.behind)


def kind_of(text: str, key: str = "") -> str:
    """Return the kind of a text, in quotes: its first line without digits.

    ``""`` if it speaks of trouble, or says nothing.

    Parameters
    ----------
    text : str
    key : str
        Key under which the text is logged; a word may say something under its key alone.
    """
    shape = _shape(text[:_LONGEST_LINE])
    return f"'{key}={shape}'" if key and shape else shape and f"'{shape}'"


@lru_cache(4096)
def _shape(text: str) -> str:
    if _TROUBLE.search(text):
        return ""
    return _DIGITS.sub("#", text.strip().partition("\n")[0])[:_LONGEST_KIND]
