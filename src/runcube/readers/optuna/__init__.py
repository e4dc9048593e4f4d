"""Optuna's studies, in a journal file or an SQLite database: each trial is a run.

``reader`` is the reader; start there. ``journal`` replays the operations of a journal, ``tables``
reads a database; both return the studies of ``trials``, which also says what of a trial is
configuration and what is a value. May import ``core``, ``files`` and the modules beside this
folder.
"""

from runcube.readers.optuna.reader import OptunaReader

__all__ = ["OptunaReader"]
