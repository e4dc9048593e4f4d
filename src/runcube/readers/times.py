"""Times as loggers write them, as text in ISO format."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan
from typing import Any


def utc_seconds(text: Any) -> float:
    """Return seconds since 1970 of a time in ISO format, UTC if it does not say; NaN if none is."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return nan
