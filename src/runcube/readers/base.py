"""The protocol `Reader` and the registry of readers."""

from __future__ import annotations

from importlib.metadata import entry_points
from threading import RLock
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

from runcube.core import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runcube.core import Request, RunHeader, RunLog, Source
    from runcube.files import Tree

ENTRY_POINT_GROUP = "runcube.readers"


@runtime_checkable
class Reader(Protocol):
    r"""Turns the files of one layout on disk into runs.

    Any object with ``name``, ``find``, ``headers`` and ``read`` is a reader. It has no state that
    changes: with ``parallel=`` several threads use it at the same time, or it is pickled and used
    in other processes. It does not raise on what a file
    holds: what is wrong becomes a ``Problem`` of the run. If ``headers`` or ``read`` raises all the
    same, that costs the file (a problem of kind ``reader_error``), not the load; of ``find`` what
    it would have found from there on. Archives and the
    cache use what they keep of a log only for a reader of the same class, code and options.

    Attributes
    ----------
    name : str
        Name for ``reader=``, and for the attrs of a cube.

    Notes
    -----
    Three methods are optional: the protocol does not require them, and ``isinstance`` does not
    check them. Each makes loads or updates faster; the results are the same without.

    ``read_batch(sources: Sequence[Source], request: Request) -> Sequence[Sequence[RunLog]]``
        Return what ``read`` returns for each of several sources, in order: two or more that follow
        each other, some 8 MB in all. Where it raises, or returns another number of items, each of
        the sources is read by ``read`` instead, so that an error costs only its file; if it costs
        none, the first log has a problem of kind ``reader_error`` that names what went wrong.
    ``remembered(headers: Sequence[RunHeader]) -> Sequence[RunHeader]``
        Return what the method ``headers`` would return for an unchanged file, without reading it.
        ``headers`` are those of the logs that ``read`` returned for the file, or those that this
        method returned earlier; empty if nothing is known, or the file has changed. An empty
        result means "in doubt": the file then goes through ``find`` as a new one does.
        ``update_archive`` and ``open_runs`` call it for each file, before ``find``, and only on
        the reader that is asked first; ``open_runs`` also calls it after ``read``, to decide
        whether the header is worth keeping. Only a reader may have it for which a log is one file,
        and whether the log is its own depends on that file alone.
    ``read_more(source: Source, request: Request, before: RunLog) -> RunLog | None``
        Return the log of a file that has grown, reading only what was appended. ``source`` is the
        file as it is now, ``request`` that of the first reading, ``before`` the log as it was
        read then, with its values and the ``resume`` that ``read`` set, without its messages.
        The result is the whole log, but its ``messages`` are the new ones alone. If it is None, or
        an ``OSError`` is raised, the file is read from its beginning. ``update_archive`` calls it
        instead of ``read`` for a source with one log, if that log has a ``resume``, the archive
        holds all its values, and neither end of the bytes before ``resume.offset`` has changed.

    Examples
    --------
    A reader of CSV files whose first line is a comment with the configuration as JSON:

    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import runcube as rc
    >>> from runcube.readers import Curves, RunHeader, RunLog, Source, read_bytes
    >>> class CsvReader:
    ...     name = "our-csv"
    ...
    ...     def find(self, tree):
    ...         for file in list(tree.unclaimed()):
    ...             if file.path.endswith(".csv") and tree.head(file.path).startswith(b"# {"):
    ...                 yield Source(tree.root, file.path, (file,))
    ...
    ...     def headers(self, source):
    ...         first = read_bytes(source.root, source.path)[0].partition(b"\n")[0]
    ...         return [RunHeader(source, config=json.loads(first[1:]))]
    ...
    ...     def read(self, source, request):
    ...         lines = read_bytes(source.root, source.path)[0].decode().splitlines()
    ...         rows = np.array([line.split(",") for line in lines[1:]], dtype=np.float64)
    ...         x, values = {"epoch": rows[:, 0].astype(np.int64)}, rows[:, 1:].T
    ...         logged, numbers = np.ones(values.shape, dtype=bool), np.arange(2, len(lines) + 1)
    ...         curves = Curves("train", x, ("loss",), values, logged, numbers)
    ...         header = self.headers(source)[0]
    ...         return [RunLog(header, [curves], splits=("train",), metrics=("loss",))]
    >>> isinstance(CsvReader(), rc.Reader)
    True
    >>> with tempfile.TemporaryDirectory() as logs:
    ...     for seed in range(2):
    ...         text = f'# {{"lr": 0.1, "seed": {seed}}}\n1,0.9\n2,0.{7 - seed}\n'
    ...         _ = (Path(logs) / f"{seed}.csv").write_text(text)
    ...     ds = rc.load_runs(logs, reader=CsvReader())
    >>> ds.curve.sel(metric="loss", split="train", epoch=2).values
    array([[0.7, 0.6]])
    """

    @property
    def name(self) -> str:
        """Name for ``reader=``; the registry holds one reader of each name."""
        ...

    def find(self, tree: Tree) -> Iterable[Source]:
        """Yield a source for each log that this reader knows among ``tree.unclaimed()``.

        Look at names and at ``tree.head(path)``; read whole files only where these do not suffice.

        Parameters
        ----------
        tree : Tree
            The files under the root. Those that were yielded are claimed, and offered to no other
            reader.

        Yields
        ------
        Source
            Every file that the runs of the log need, the log first, then its sidecars.
        """
        ...

    def headers(self, source: Source) -> Sequence[RunHeader]:
        """Return what is known of the runs of a source before their metrics are parsed.

        Parameters
        ----------
        source : Source
            One that ``find`` yielded.

        Returns
        -------
        sequence of RunHeader, (runs,)
            One for each run, in file order. Parse metrics only where the configuration cannot be
            known without them.

        Raises
        ------
        OSError
            If a file vanished or cannot be read; the caller makes it a problem of that file.
        """
        ...

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse a source.

        Parameters
        ----------
        source : Source
            One that ``find`` yielded.
        request : Request
            Splits and metrics that are wanted, and whether messages are. More may be returned: it
            is left out later. A split that is not wanted still needs curves with its x (and no
            metrics), since the status of a run depends on every split.

        Returns
        -------
        sequence of RunLog, (logs,)
            One for each run and attempt, in file order. The header of each is what ``headers``
            returns for that run.

        Raises
        ------
        OSError
            If a file vanished or cannot be read; the caller makes it a problem of that file.
        """
        ...


_registered: dict[str, Reader] = {}
# What entry points raised that cannot be loaded, by what is told of it; None: none was loaded yet.
_broken: dict[str, Exception] | None = None
# A module of an entry point may itself ask for the readers that are known by then.
_LOADING = RLock()


def is_reader(reader: object) -> TypeGuard[Reader]:
    """Return whether an object follows the protocol of readers; a class does not."""
    return isinstance(reader, Reader) and not isinstance(reader, type)


def register_reader(reader: Reader) -> None:
    """Make a reader known by its name and to ``reader="auto"``.

    Readers registered later are asked earlier, so that a special layout goes before a general one.
    A package needs no call: an entry point in the group ``runcube.readers`` that names a reader
    object is registered at the first load. One that cannot be is a problem of kind
    ``reader_error``.

    Parameters
    ----------
    reader : Reader
        An object, not a class. It replaces a registered reader of the same name.

    Raises
    ------
    TypeError
        If the object does not follow the protocol: it needs ``name``, ``find``, ``headers`` and
        ``read``.

    Examples
    --------
    >>> import runcube as rc
    >>> from runcube.readers import registered_readers
    >>> rc.register_reader(rc.JsonlReader(name="ours", config="args", run="run_id", x="step"))
    >>> registered_readers()[0].name
    'ours'
    """
    if not is_reader(reader):
        what = f"the class {reader.__name__}" if isinstance(reader, type) else type(reader).__name__
        raise TypeError(f"expected a reader with name, find, headers and read, got {what}")
    _registered.pop(reader.name, None)
    _registered[reader.name] = reader


def registered_readers() -> list[Reader]:
    """Return all known readers, the most special first.

    The first call also registers the readers that installed packages name as entry points.
    """
    broken_entry_points()
    return list(reversed(_registered.values()))


def broken_entry_points() -> dict[str, Exception]:
    """Return what entry points raised that cannot be loaded, by what a user is told of it.

    The first call registers the readers of all others, and other threads wait for it.
    """
    global _broken
    with _LOADING:
        if _broken is None:
            _broken = {}
            for entry in entry_points(group=ENTRY_POINT_GROUP):
                try:
                    register_reader(entry.load())
                except Exception as error:  # a package is of anybody's making
                    where = f"the entry point {entry.name!r} of {ENTRY_POINT_GROUP}"
                    _broken[f"{where} cannot be loaded: {type(error).__name__}: {error}"] = error
        return _broken


def resolve_reader(reader: str | Reader) -> list[Reader]:
    """Return the readers to ask, in order.

    Parameters
    ----------
    reader : str or Reader
        ``"auto"`` for all known readers, the name of one, or a reader itself.

    Returns
    -------
    list of Reader

    Raises
    ------
    PlanError
        If no known reader has the name; the message lists the names.
    """
    if is_reader(reader):
        return [reader]
    if isinstance(reader, type):
        name = reader.__name__
        raise PlanError(f"reader={name}: a class; expected an object, as in reader={name}()")
    known = registered_readers()
    if isinstance(reader, str) and reader == "auto":
        return known
    for candidate in known:
        if isinstance(reader, str) and candidate.name == reader:
            return [candidate]
    names = ", ".join(repr(c.name) for c in known)
    lost = "".join(f"; {told}" for told in broken_entry_points())
    raise PlanError(f"reader={reader!r}: no such reader; known: 'auto', {names}{lost}")
