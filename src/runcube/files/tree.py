"""The files under a root, as readers see them: the listing, and which files are claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runcube.core import natural_key
from runcube.files.access import read_ends, settle
from runcube.files.globs import FileFilter
from runcube.files.local import list_local
from runcube.files.one_load import begin_load
from runcube.files.paths import as_root, is_url, last_name, roots_of
from runcube.files.several import list_several

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile
    from runcube.files.listing import Listing
    from runcube.files.paths import Roots


class Tree:
    """The files under a root, in natural path order, and which of them a reader has claimed.

    Parameters
    ----------
    listing : Listing
        The files, in any order.
    wanted : FileFilter, optional
        Which of them are asked for, and which are left out.

    Attributes
    ----------
    root : str
        The directory or URL of the sweep.
    name : str
        Name of that directory; ``""`` if it has none.
    files : dict of str to LogFile
        Every file by its posix path relative to ``root``, in natural path order.
    unreadable : list of (str, str)
        Paths that could not be read, and why.
    aside : dict of str to list of str
        What readers set aside, with the paths.
    """

    def __init__(self, listing: Listing, wanted: FileFilter | None = None) -> None:
        self.root = listing.root
        self.name = last_name(listing.root)
        wanted = wanted or FileFilter(listing.root)
        there = [file for file in listing.files if not wanted.is_ignored(file.path)]
        files = sorted(there, key=lambda file: natural_key(file.path))
        self.files = {file.path: file for file in files}
        self.unreadable = [item for item in listing.unreadable if not wanted.is_ignored(item[0])]
        # What is beside the logs that are asked for is there for whoever looks for it.
        self._claimed = {file.path for file in files if not wanted.may_be_log(file.path)}
        self._with_log: set[str] = set()
        self.aside: dict[str, list[str]] = {}
        self._children: dict[str, dict[str, LogFile]] = {}
        for file in files:
            folder, _, name = file.path.rpartition("/")
            self._children.setdefault(folder, {})[name] = file

    def unclaimed(self) -> Iterator[LogFile]:
        """Return an iterator of the files that no reader has claimed yet, in natural path order."""
        return (file for path, file in self.files.items() if path not in self._claimed)

    def claim(self, files: tuple[LogFile, ...]) -> None:
        """Mark the files of a log, the log first, as claimed: no other reader is offered them."""
        self._claimed.update(file.path for file in files)
        self._with_log.update(file.path.rpartition("/")[0] for file in files[:1])

    def set_aside(self, what: str, files: Sequence[LogFile]) -> None:
        """Mark files as claimed that go with the logs of a reader and that it does not read.

        Parameters
        ----------
        what : str
            What they are, for the problem that names them once: ``"artifacts of MLflow runs"``.
        files : sequence of LogFile
        """
        if files:
            self._claimed.update(file.path for file in files)
            self.aside.setdefault(what, []).extend(file.path for file in files)

    def has_log(self, folder: str) -> bool:
        """Return whether a reader has claimed a log directly inside a folder."""
        return folder in self._with_log

    def settle(self) -> None:
        """Prepare to read the beginnings of the files that are unclaimed now, and of no others."""
        settle(self.root, [file.path for file in self.unclaimed()])

    def folder(self, path: str) -> dict[str, LogFile]:
        """Return the files directly inside a folder (``""``: the root), by name."""
        return self._children.get(path, {})

    def head(self, path: str) -> bytes:
        """Return the first bytes of a file; none if it cannot be read."""
        try:
            return read_ends(self.root, self.files[path])[0]
        except OSError:
            return b""


def list_files(path: Roots) -> Listing:
    """Return the regular files at or under a path or URL, or several; links are followed.

    Raises
    ------
    FileNotFoundError
        If a path does not exist.
    StoreError
        If no installed library reads such URLs.
    """
    begin_load()
    root = as_root(path)
    return list_several(roots_of(root), _listing)


def _listing(root: str, seen: set[tuple[int, int]]) -> Listing:
    if is_url(root):
        from runcube.files.remote import list_remote

        return list_remote(root)
    return list_local(root, seen)
