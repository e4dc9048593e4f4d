"""Where logs are: listings, bytes and hashes, on this machine or behind a URL.

``access`` reads files, ``contents`` and ``packed`` decode them, with ``decompressors``, ``tree``
lists the files under a root, ``hashing`` hashes them; ``access`` and ``tree`` alone distinguish
``local`` from ``remote`` files (these with ``remote_system``, ``prefetch``, ``retry`` and
``timestamps``). ``one_load`` is what a load remembers of files, ``paths`` formats roots for people
and for other processes, ``atomic`` replaces whole files. Start in ``access``. May import ``core``.
"""

from runcube.files.access import (
    TAIL_BYTES,
    damage_problem,
    file_exists,
    is_remote,
    may_read,
    prefetching,
    read_bytes,
    read_ends,
    read_from,
    read_head,
    release_sources,
    stat_file,
)
from runcube.files.atomic import is_netcdf, locked, replace_atomically
from runcube.files.contents import DAMAGED
from runcube.files.globs import FileFilter
from runcube.files.hashing import has_hash, hash_ends, hash_more, hash_prefix
from runcube.files.listing import Listing
from runcube.files.local import archive_path
from runcube.files.one_load import begin_load, failed_reads, kept_for_load
from runcube.files.packed import PACKED_ENDINGS, unpacked_path
from runcube.files.paths import (
    Roots,
    absolute_root,
    as_root,
    display_root,
    folders_above,
    is_of_this_process,
    is_url,
    last_name,
    named_roots,
    portable_root,
    roots_of,
    without_secrets,
)
from runcube.files.tree import Tree, list_files

__all__ = [
    "is_netcdf",
    "DAMAGED",
    "PACKED_ENDINGS",
    "TAIL_BYTES",
    "FileFilter",
    "Listing",
    "Roots",
    "Tree",
    "absolute_root",
    "archive_path",
    "as_root",
    "begin_load",
    "damage_problem",
    "display_root",
    "failed_reads",
    "file_exists",
    "folders_above",
    "has_hash",
    "hash_ends",
    "hash_more",
    "hash_prefix",
    "is_of_this_process",
    "is_remote",
    "is_url",
    "kept_for_load",
    "last_name",
    "list_files",
    "locked",
    "may_read",
    "named_roots",
    "portable_root",
    "prefetching",
    "read_bytes",
    "read_ends",
    "read_from",
    "read_head",
    "release_sources",
    "replace_atomically",
    "roots_of",
    "stat_file",
    "unpacked_path",
    "without_secrets",
]
