"""Archives: logs to one netCDF file, its updates, merges and checks; lazy cubes in the cache.

``api`` has the public functions; start there. ``build`` goes from logs to a file, which ``writer``
fills. ``cached`` is ``open_runs``, an archive in the cache, where ``cache`` says what it is named
after and when it goes (``temporary``: with its process). A log has its home (``homes``) in an
existing archive (``existing``, with what its ``cells`` hold), or among what was just read
(``staging``); ``sources`` asks both,
``merge_sources`` several archives for ``merge``. ``placed`` says where values are in their cell;
``older`` keeps what must not be replaced, ``kept`` the runs of logs that are gone, ``unplaced``
names what archives of before left out. May import ``core``, ``files``, ``plan``, ``readers``,
``curves``, ``cube``, ``netcdf`` and ``pipeline``.
"""

from runcube.archive.api import archive_runs, open_archive, save_archive, update_archive
from runcube.archive.cached import open_cube, open_runs
from runcube.archive.merge import merge_archives
from runcube.archive.verify import verify_archive

__all__ = [
    "archive_runs",
    "merge_archives",
    "open_archive",
    "open_cube",
    "open_runs",
    "save_archive",
    "update_archive",
    "verify_archive",
]
