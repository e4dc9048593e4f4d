"""Other processes: how they come up and end, and which readers they cannot have."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from runcube.core import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runcube.pipeline.jobs import Job


def processes(workers: int) -> Executor:
    """Return an executor of processes, which have fsspec's options of this one.

    They are spawned: "fork" would hand on the locks of other threads, and the server of
    "forkserver" has the environment of its beginning, and stays.
    """
    config = sys.modules.get("fsspec.config")
    options = {} if config is None else config.conf
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, _set_up, (options,))


def _set_up(options: dict[str, Any]) -> None:
    """Set up a process: Ctrl-C, which all of a terminal hear, and the end of its parent end it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if options:
        from fsspec.config import conf

        conf.update(options)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _load(pickled: bytes) -> None:
    pickle.loads(pickled)


def unsendable(pool: Executor, jobs: Sequence[Job]) -> dict[str, str]:
    """Return why other processes cannot have a reader, by its name: one of them is asked.

    Raises
    ------
    ExecutorError
        If there is none to be asked.
    """
    try:
        pool.submit(_load, pickle.dumps(None)).result()
    except Exception as error:  # what a start raises depends on the system
        raise ExecutorError(
            f"parallel='processes': no process comes up: {error!r}; each of them imports the "
            "script that runs, whose calls stand under if __name__ == '__main__'; "
            "parallel=False reads the logs in this process"
        ) from error
    why = {}
    for name, reader in {job.reader.name: job.reader for job in jobs}.items():
        try:
            pool.submit(_load, pickle.dumps(reader)).result()
        except Exception as error:  # pickling code of the reader may raise anything
            why[name] = f"{name!r} reads in this process, as others lack it: {error!r}"
    return why
