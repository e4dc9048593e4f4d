"""Any JSON lines: one or several runs a file, whose columns are known by what they hold.

``source`` takes a log to headers and runs; start there. ``run_table`` is a decoded log as runs
(``run_rows``), ``log`` adds what runs along them (``x_columns`` by name, ``rising`` by what they
hold) and ``names`` the splits and metrics in names of columns. ``configuration`` makes the header
of a run (``trailer``), ``runs`` its curves (``numbers``) on ``axes``, ``advice`` says what is
likely wrong.
``reader`` finds the files by ``claims``, and joins those of one log (``parts``). Ray's layout,
W&B's and the newer native one use ``source`` as well. May import ``core``, ``files``,
``readers.table`` and the modules beside this folder.
"""

from runcube.readers.jsonl.log import Log
from runcube.readers.jsonl.names import SPLIT_WORDS, is_seed_column, meaning, split_and_metric
from runcube.readers.jsonl.options import Options
from runcube.readers.jsonl.parts import split_in_path
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.jsonl.source import (
    Decoded,
    differing_keys,
    log_of_points,
    open_log,
    read_log,
    runs_of_log,
)
from runcube.readers.jsonl.x_columns import axis_of

__all__ = [
    "SPLIT_WORDS",
    "Decoded",
    "JsonlReader",
    "Log",
    "Options",
    "axis_of",
    "differing_keys",
    "is_seed_column",
    "log_of_points",
    "meaning",
    "open_log",
    "read_log",
    "runs_of_log",
    "split_and_metric",
    "split_in_path",
]
