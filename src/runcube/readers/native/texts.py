"""Text lines that mean something: the epoch marker, the training time, and the last ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runcube.core import Status
from runcube.readers.last_words import ending_said, kind_of
from runcube.readers.native.epochs import one_byte_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = ">> Start Epoch:"
# Longer numbers are no epochs; they would be no int64 either. Words may follow, after a blank.
MARKER_NUMBER = re.compile(r" *(\d{1,15})(?: \S.*)?", re.DOTALL)
TRAIN_TIME = re.compile(
    r"Training time (?:(\d{1,9}) days?, )?(\d{1,9}):(\d\d):(\d\d(?:\.\d{1,9})?)"
)


def is_damaged_marker(text: str) -> bool:
    """Return whether a text is an epoch marker but for one character before its number."""
    number = text[len(MARKER) :].strip(" ")
    return (
        0 < len(number) < 16 and number.isdecimal() and one_byte_apart(text[: len(MARKER)], MARKER)
    )


def seconds_of(found: re.Match[str]) -> float:
    """Return the seconds of a matched training time."""
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def kind_of_text(text: str) -> str:
    """Return the kind of a text that may be remarkable; ``""`` of the training time, as of none."""
    return "" if TRAIN_TIME.match(text) else kind_of(text)


def marker_of(behind: Sequence[str]) -> Status | None:
    """Return how a run ended by the texts behind its last record, the training time among them."""
    said = ending_said(behind)
    is_closed = said is None and any(map(TRAIN_TIME.match, behind))
    return Status.COMPLETE if is_closed else said
