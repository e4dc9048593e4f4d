"""What stands where an archive is to be written, and whether it may be replaced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runcube.core import ArchiveError
from runcube.netcdf import NETCDF_LOCK, opened

if TYPE_CHECKING:
    from pathlib import Path


def check_replaced(path: Path, logs: str) -> None:
    """Raise if a new archive would replace one that has what it does not have.

    Parameters
    ----------
    path : Path
        What it would replace, if anything.
    logs : str
        Absolute path of its logs, or their URL.

    Raises
    ------
    ArchiveError
    """
    if not path.exists() or not path.stat().st_size:
        return
    with NETCDF_LOCK, opened(path) as file:
        group = file.groups.get("logs")
        facts = None if group is None else json.loads(group.getncattr("facts"))
    if facts is None:
        why = "was saved from a Dataset"
    elif facts["logs"] != logs:
        why = "is an archive of other logs"
    elif facts["deleted"]:
        why = "has runs whose logs are gone or cannot be read"
    else:
        return
    raise ArchiveError(
        f"{path}: exists and {why}; overwrite=True replaces it, update_archive brings an archive"
        " up to date"
    )
