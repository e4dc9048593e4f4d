"""Elapsed time of runs that logged a clock: seconds since their first record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runcube.core import clock_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.core import RunLog

ELAPSED = "elapsed"


def add_elapsed(logs: Sequence[RunLog]) -> None:
    """Add ``elapsed`` (seconds since the first record) to the rows of runs that have a clock.

    Attempts of a run are runs here: a restart begins at 0. A quantity that was logged under this
    name stays.

    Parameters
    ----------
    logs : sequence of RunLog
        Their ``Curves.x`` are changed in place.
    """
    for log in logs:
        names = dict.fromkeys(n for c in log.curves for n in c.x if clock_seconds(n) is not None)
        if not names or any(ELAPSED in curves.x for curves in log.curves):
            continue
        clock = next(iter(names))
        scale = clock_seconds(clock) or 1.0
        times = [c.x[clock].astype(np.float64) for c in log.curves if clock in c.x]
        first = min((float(np.nanmin(t)) for t in times if not np.isnan(t).all()), default=np.nan)
        for curves in log.curves:
            if clock in curves.x:
                curves.x[ELAPSED] = (curves.x[clock] - first) * scale
