"""Whether a file is a training log, from its first lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.files import PACKED_ENDINGS
from runcube.readers.jsonl.names import RUN_KEYS, is_measure, split_in
from runcube.readers.jsonl.x_columns import axis_of, is_count
from runcube.readers.lines import BOM
from runcube.readers.table import NUMBER, first_records, has_documents, holds_record

if TYPE_CHECKING:
    from runcube.core import Limits, LogFile
    from runcube.readers.jsonl.log import Log

# Texts that differ on more of the rows than this are what a model wrote, not what it logged.
_FREE_TEXT = 0.5


def whole_lines(head: bytes, size: int) -> bytes:
    """Return a head up to its last complete line; the file's own end completes a line too."""
    if len(head) >= size:
        return head
    end = head.rfind(b"\n") + 1
    return head[:end] if end else head


def is_lone(file: LogFile, head: bytes) -> bool:
    """Return whether a file is one JSON object: a summary, unless its siblings are logs."""
    endings = tuple(".json" + packed for packed in PACKED_ENDINGS)
    is_one_line = b"\n" not in head.strip() and not has_documents(head)
    return file.path.lower().endswith(endings) and is_one_line


def is_object(data: bytes) -> bool:
    """Return whether one of the lines of a head ends with a whole record."""
    if has_documents(data):
        return True
    return any(map(holds_record, data.removeprefix(BOM).split(b"\n")))


def begins_training(data: bytes, limits: Limits) -> bool:
    """Return whether the first records show at once that `looks_like_training` is so.

    A count goes on from one record to the next, beside a number that is no axis, before any name
    of a run: then both records are of one run, however the log goes on.

    Parameters
    ----------
    data : bytes
        The first lines of a file.
    limits : Limits
    """
    counts: dict[str, float] = {}
    objects: dict[str, Any] = {}
    for record in first_records(data, limits) if data.lstrip()[:1] == b"{" else ():
        if not record.keys().isdisjoint(RUN_KEYS):
            return False
        before, said = counts, objects
        counts = {k: v for k, v in record.items() if type(v) in (int, float) and is_count(k)}
        objects = {k: v for k, v in record.items() if isinstance(v, dict)}
        goes_on = any(value >= before.get(key, np.inf) for key, value in counts.items())
        if goes_on and objects == said and any(_is_fraction(*item) for item in record.items()):
            return True
    return False


def _is_fraction(name: str, value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer() and axis_of(name) is None


def looks_like_training(log: Log) -> bool:
    """Return whether anything runs along x or has a split, in runs longer than a summary."""
    table = log.table
    metrics = [name for name in log.numeric if name not in log.own_x]
    if not metrics:
        # The head may hold nothing but a long configuration.
        return bool(table.objects)
    if len(log.runs.keys) > 1 and max(map(len, log.runs.rows)) < 2:
        return False
    if log.x or log.split is not None:
        return True
    if any(split_in(name) is not None for name in metrics):
        return True
    if not log.texts and any(map(is_measure, metrics)):
        return True
    is_shown = bool(log.own_x or table.objects)
    return is_shown and _has_measures(log, metrics) and not _has_free_text(log)


def _has_measures(log: Log, metrics: list[str]) -> bool:
    """Return whether any metric is a fraction: labels and ids of examples are whole numbers."""
    for name in metrics:
        column = log.table.columns[name]
        numbers = column.values[column.kinds == NUMBER]
        if (numbers != np.floor(numbers)).any():
            return True
    return False


def _has_free_text(log: Log) -> bool:
    return any(
        len(log.table.columns[name].words) > _FREE_TEXT * len(log.table) > 1 for name in log.texts
    )
