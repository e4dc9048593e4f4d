"""The logs of a lazy cube as columns: small in memory, in a graph and on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runcube.core import LogFile, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Texts:
    """Many short texts in one: as objects each would take some 50 bytes more.

    Parameters
    ----------
    blob : bytes
    ends : ndarray of int64, (texts,)
        Where each ends.
    """

    blob: bytes
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Return texts put together; file names may hold what is no Unicode."""
        coded = [text.encode("utf-8", "surrogatepass") for text in texts]
        return cls(b"".join(coded), np.cumsum([len(c) for c in coded], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = int(self.ends[index - 1]) if index else 0
        return self.blob[start : int(self.ends[index])].decode("utf-8", "surrogatepass")


@dataclass(frozen=True, eq=False)
class LogTable:
    """Logs by number, with their files and readers.

    Parameters
    ----------
    paths : Texts, (logs,)
    readers : ndarray of int32, (logs,)
        Number of the reader of each.
    last : ndarray of int64, (logs,)
        How many files it and the logs before it have.
    names : Texts, (files,)
        Empty for a file that has the path of its log.
    sizes, times : ndarray of int64, (files,)
    """

    paths: Texts
    readers: NDArray[np.int32]
    last: NDArray[np.int64]
    names: Texts
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]

    @classmethod
    def of(cls, sources: Sequence[Source], readers: Sequence[int]) -> LogTable:
        """Return a table of sources and the numbers of their readers."""
        files = [(source.path, file) for source in sources for file in source.files]
        return cls(
            Texts.of(source.path for source in sources),
            np.array(readers, dtype=np.int32),
            np.cumsum([len(source.files) for source in sources], dtype=np.int64),
            Texts.of("" if file.path == path else file.path for path, file in files),
            np.array([file.size for _, file in files], dtype=np.int64),
            np.array([file.mtime_ns for _, file in files], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def source(self, root: str, log: int) -> Source:
        """Return the source of a log."""
        path = self.paths[log]
        span = range(int(self.last[log - 1]) if log else 0, int(self.last[log]))
        return Source(
            root,
            path,
            tuple(
                LogFile(self.names[i] or path, int(self.sizes[i]), int(self.times[i])) for i in span
            ),
        )

    def columns(self) -> list[Any]:
        """Return all that it holds, as bytes and arrays."""
        names = (self.paths.blob, self.paths.ends, self.names.blob, self.names.ends)
        return [*names, self.readers, self.last, self.sizes, self.times]

    @classmethod
    def from_columns(cls, columns: Sequence[Any]) -> LogTable:
        """Return the table of what ``columns`` returned."""
        blob, ends, names, name_ends, readers, last, sizes, times = columns
        return cls(Texts(blob, ends), readers, last, Texts(names, name_ends), sizes, times)
