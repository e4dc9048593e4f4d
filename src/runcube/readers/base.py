"""The ``Reader`` protocol and the registry."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.core import Request, RunHeader, RunLog, Source
    from runcube.files import Tree

ENTRY_POINT_GROUP = "runcube.readers"


@runtime_checkable
class Reader(Protocol):
    """Turns the files of one layout on disk into runs.

    A reader has no state that changes: parse tasks pickle it and call it in other processes.
    It never raises on what a file holds; what is wrong becomes a ``Problem`` of the run.
    """

    @property
    def name(self) -> str:
        """The word for ``reader=``."""
        ...

    def find(self, tree: Tree) -> Iterable[Source]:
        """Yield a source for each log that this reader knows among ``tree.unclaimed()``.

        A source lists every file that its runs need, sidecars included, the log first. Look at
        names and at ``tree.head(path)``, never at whole files, unless nothing less tells.
        """
        ...

    def headers(self, source: Source) -> Sequence[RunHeader]:
        """Give the runs of a source, in file order; parse metrics only where nothing less tells."""
        ...

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse a source: one ``RunLog`` per run and attempt, in file order.

        Each log's header is what ``headers`` gives for that run. A file that vanished or cannot
        be read raises ``OSError``, which the caller turns into a problem of that file.
        """
        ...


_registered: dict[str, Reader] = {}
_entry_points_loaded = False


def register_reader(reader: Reader) -> None:
    """Make a reader known by its name and to ``reader="auto"``.

    Readers registered later are asked earlier, so that a special layout goes before a general one.
    Packages can do without a call: an entry point in the group ``runcube.readers`` that names a
    reader object is registered at the first load.

    Parameters
    ----------
    reader : Reader

    Raises
    ------
    TypeError
        If the object does not follow the protocol.

    Examples
    --------
    >>> import runcube as rc
    >>> rc.register_reader(rc.JsonlReader(name="ours", config="args", run="run_id", x="step"))
    """
    if not isinstance(reader, Reader):
        raise TypeError(
            f"expected a reader with name, find, headers and read, got {type(reader).__name__}"
        )
    _registered.pop(reader.name, None)
    _registered[reader.name] = reader


def registered_readers() -> list[Reader]:
    """All known readers, the most special first."""
    global _entry_points_loaded
    if not _entry_points_loaded:
        _entry_points_loaded = True
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            register_reader(entry.load())
    return list(reversed(_registered.values()))


def resolve_reader(reader: str | Reader) -> list[Reader]:
    """Readers to ask, in order: all for ``"auto"``, one for a name or an object."""
    if isinstance(reader, Reader):
        return [reader]
    known = registered_readers()
    if reader == "auto":
        return known
    for candidate in known:
        if candidate.name == reader:
            return [candidate]
    names = ", ".join(repr(c.name) for c in known)
    raise PlanError(f"reader={reader!r}: no such reader; known: 'auto', {names}")
