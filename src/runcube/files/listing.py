"""The listing of a directory or a URL: its files with sizes and times."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runcube.core import LogFile


@dataclass(slots=True)
class Listing:
    """The files at or under a root, in no order, and what could not be read.

    Parameters
    ----------
    root : str
        A directory or URL.
    files : list of LogFile, (files,)
        Regular files, with paths relative to ``root``.
    unreadable : list of (str, str)
        Paths, and what is wrong with them.
    entries : list of (int, int), (files,)
        What tells the entry of each file from another one, on this machine; empty for a URL. It is
        when it changed (``st_ctime_ns``, nanoseconds), which moves with the permissions as well and
        cannot be set back, and its inode: files of one clock tick may have changed places.
    """

    root: str
    files: list[LogFile] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    entries: list[tuple[int, int]] = field(default_factory=list)

    def digest(self) -> str:
        """Return a hash of the listing: the same as long as nothing under the root has changed."""
        entries = self.entries or [(0, 0)] * len(self.files)
        lines = [
            f"{file.path}\0{file.size}\0{file.mtime_ns}\0{entry}"
            for file, entry in zip(self.files, entries, strict=True)
        ]
        lines += [f"{path}\0{why}" for path, why in self.unreadable]
        text = "\n".join(sorted(lines)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16).hexdigest()
