"""Processes, and dask, as places where work is done, and what happens when one of them dies.

``processes`` starts and ends them, ``recovery`` sends them batches and does again what was lost,
``scratch`` is where they leave results, ``dask_executor`` is another place. What the work is,
nobody here knows. Start in ``recovery``. May import ``core``.
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
