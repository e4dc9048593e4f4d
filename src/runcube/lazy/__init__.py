"""`open_runs`: a cube whose values are read from the logs when they are needed.

``api`` is the face and where to start, ``array`` reads parts of a cube from logs, ``variable`` is
what xarray sees. What logs are like is kept in ``schema_cache``, finished cubes in ``cube_cache``,
values that were read recently in ``value_cache``. May import ``core``, ``files``,
``readers``, ``curves``, ``cube`` and ``pipeline``.
"""

from runcube.lazy.api import open_runs
from runcube.lazy.variable import with_known

__all__ = [
    "open_runs",
    "with_known",
]
