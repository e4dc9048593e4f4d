"""Parsed runs made by hand, for tests of what comes after the readers."""

import numpy as np

from runcube.core.model import Curves, LogFile, RunHeader, RunLog, Source


def make_source(path="a/log.jsonl", mtime=0):
    return Source("/root", path, (LogFile(path, 1, mtime),))


def make_curves(x, metrics, split="val", lines=None):
    """``x``: name -> values (None: missing); ``metrics``: name -> values (None: not logged)."""
    count = len(next(iter(metrics.values())))
    axes = {}
    for name, values in x.items():
        missing = None in values
        axes[name] = np.array([np.nan if v is None else v for v in values] if missing else values)
    values = np.array([[np.nan if v is None else v for v in m] for m in metrics.values()], float)
    logged = np.array([[v is not None for v in m] for m in metrics.values()])
    numbers = np.array(lines if lines is not None else range(1, count + 1))
    return Curves(split, axes, tuple(metrics), values, logged, numbers)


def make_log(*curves, path="a/log.jsonl", config=None, mtime=0, **fields):
    header = RunHeader(make_source(path, mtime), config=config or {})
    names = {
        "splits": tuple(c.split for c in curves),
        "metrics": tuple(dict.fromkeys(m for c in curves for m in c.metrics)),
    }
    return RunLog(header, curves=list(curves), **(names | fields))
