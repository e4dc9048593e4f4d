"""Text lines that mean something: the epoch marker, the training time, and the last ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runcube.core import Status
from runcube.readers.last_words import ending_said, kind_of
from runcube.readers.native.epochs import UNREADABLE, one_byte_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = ">> Start Epoch:"
# The epoch of a text that is no marker.
NO_MARKER = -2
# Longer numbers are no epochs; they would be no int64 either. Words may follow, after a blank.
MARKER_NUMBER = re.compile(r" *(\d{1,15})(?: \S.*)?", re.DOTALL)
TRAIN_TIME = re.compile(
    r"Training time (?:(\d{1,9}) days?, )?(\d{1,9}):(\d\d):(\d\d(?:\.\d{1,9})?)"
)


def marker_number(text: str) -> int:
    """Return the epoch of a marker, also of one that differs from it in one character.

    ``UNREADABLE`` of a marker without a number, ``NO_MARKER`` of another text.
    """
    number = text[len(MARKER) :].strip(" ")
    is_number = 0 < len(number) < 16 and number.isdecimal()
    if text.startswith(MARKER):
        found = None if is_number else MARKER_NUMBER.fullmatch(text, len(MARKER))
        return int(number) if is_number else int(found[1]) if found else UNREADABLE
    is_damaged = is_number and one_byte_apart(text[: len(MARKER)], MARKER)
    return int(number) if is_damaged else NO_MARKER


def seconds_of(found: re.Match[str]) -> float:
    """Return the seconds of a matched training time."""
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def kind_of_text(text: str) -> str:
    """Return the kind of a text that may be remarkable; ``""`` of the training time, as of none."""
    return "" if TRAIN_TIME.match(text) else kind_of(text)


def marker_of(behind: Sequence[str]) -> Status | None:
    """Return how a run ended by the texts behind its last record, the training time among them."""
    said = ending_said(text for text in behind if not TRAIN_TIME.fullmatch(text))
    is_closed = said is None and any(map(TRAIN_TIME.match, behind))
    return Status.COMPLETE if is_closed else said
