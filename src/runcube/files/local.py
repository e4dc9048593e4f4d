"""Files on this machine: the listing of a directory, and how one is opened."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from runcube.core import ArchiveError, LogFile
from runcube.files.listing import Listing
from runcube.files.paths import as_root, display_root, is_url, missing_path_hint, roots_of

if TYPE_CHECKING:
    from io import FileIO

# A listing that descends into these finds JSON of other tools, never a training log.
PRUNED = frozenset({".git", "__pycache__", ".ipynb_checkpoints", "node_modules", ".venv"})


def archive_path(path: str | Path) -> Path:
    """Return the path of an archive, which is a file on this machine.

    Raises
    ------
    ArchiveError
        If it is a URL, or several paths.
    """
    root = as_root(path)
    if len(roots_of(root)) > 1:
        raise ArchiveError(f"{display_root(root)}: expected the path of one archive")
    if is_url(root):
        raise ArchiveError(
            f"{display_root(root)}: archives are files on this machine; give the path of one, "
            "copied from there or to be copied to it"
        )
    return Path(root)


class LocalStore:
    """A directory on this machine (see ``RemoteStore``): it reads ahead by itself.

    Parameters
    ----------
    root : str
        The directory.
    """

    __slots__ = ("root",)

    def __init__(self, root: str) -> None:
        self.root = root

    def open(self, path: str) -> FileIO:
        """Open a file for reading."""
        return open(f"{self.root}/{path}", "rb", buffering=0)

    def whole(self, path: str, most: int) -> bytes:
        """Return all bytes of a file; of a longer one, its first ``most`` or more."""
        with self.open(path) as raw:
            size = os.fstat(raw.fileno()).st_size
            # Memory for all that is asked for is taken at once. One byte more shows the end.
            data = raw.read(min(size, most) + 1)
            if len(data) == size or len(data) > most:
                return data
            # It changes, or is longer than what the system returns at once.
            with BufferedReader(raw) as rest:
                return data + rest.read(most - len(data) if size > most else -1)

    def look(self, path: str) -> LogFile:
        """Return the size and time of a file now."""
        stat = os.stat(f"{self.root}/{path}")
        return LogFile(path, stat.st_size, stat.st_mtime_ns)

    def has(self, path: str) -> bool:
        """Return whether a file exists."""
        return os.path.exists(f"{self.root}/{path}")


def list_local(path: str, seen: set[tuple[int, int]]) -> Listing:
    """Return the regular files at or under a path; symbolic links are followed.

    Parameters
    ----------
    path : str
    seen : set of (int, int)
        Directories and single files that were listed before, and are not listed again, by device
        and inode; those that are listed now are added.

    Raises
    ------
    FileNotFoundError
        If ``path`` does not exist.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file or directory{missing_path_hint(path)}")
    if os.path.isfile(path):
        stat = os.stat(path)
        folder, name = os.path.split(path)
        found = Listing(folder or ".")
        if (stat.st_dev, stat.st_ino) not in seen and _identity(folder or ".") not in seen:
            seen.add((stat.st_dev, stat.st_ino))
            found.files.append(LogFile(name, stat.st_size, stat.st_mtime_ns))
            found.entries.append((stat.st_ctime_ns, stat.st_ino))
        return found
    walk = _Walk(path, seen)
    walk.into(path, "")
    return walk.found


class _Walk:
    """A listing that follows links to directories, each directory once.

    Attributes
    ----------
    found : Listing
        What was found so far.
    """

    def __init__(self, root: str, seen: set[tuple[int, int]]) -> None:
        self.found = Listing(root)
        self._seen = seen

    def into(self, folder: str, prefix: str) -> None:
        """Add the files under a folder, whose paths begin with ``prefix``."""
        try:
            identity = _identity(folder)
            if identity in self._seen:
                return
            self._seen.add(identity)
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError as error:
            self.found.unreadable.append((prefix.rstrip("/"), _reason(error)))
            return
        # Links last: a directory is listed by its own name rather than by a link to it.
        for entry in sorted(entries, key=os.DirEntry.is_symlink):
            try:
                self._take(entry, prefix + entry.name)
            except OSError as error:
                self.found.unreadable.append((prefix + entry.name, _reason(error)))

    def _take(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_dir():
            if entry.name not in PRUNED:
                self.into(entry.path, path + "/")
        elif entry.is_file():
            stat = entry.stat()
            self.found.files.append(LogFile(path, stat.st_size, stat.st_mtime_ns))
            self.found.entries.append((stat.st_ctime_ns, stat.st_ino))
        elif entry.is_symlink():
            self.found.unreadable.append((path, "a link to nothing"))


def _identity(path: str) -> tuple[int, int]:
    """Return what a file or directory has in common with no other: its device and inode."""
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
