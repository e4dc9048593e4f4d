"""Work in other processes or in dask, and what happens when a process dies.

``processes`` starts and ends processes, ``recovery`` sends them batches and repeats lost ones,
``scratch`` is where they leave results, ``dask_executor`` runs batches in dask. Nothing here
depends on what the work is. Start in ``recovery``. May import ``core``.
"""

from runcube.parallel.processes import ProcessPool, is_worker, why_unportable
from runcube.parallel.recovery import BatchRunner, Sent, Work
from runcube.parallel.scratch import scratch_directory

__all__ = [
    "BatchRunner",
    "ProcessPool",
    "Sent",
    "Work",
    "is_worker",
    "scratch_directory",
    "why_unportable",
]
