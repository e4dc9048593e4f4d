"""SQLite files as readers see them: one way to open them, whoever wrote them and wherever they lie.

A database is opened as a private copy, never where it lies: SQLite takes locks, for which a run
that is training would wait, and makes files beside a database even to read it. The copy holds what
its ``-wal`` or ``-journal`` says, which SQLite itself brings in; it may come from a URL, or packed.

Only plain tables are read, with names of columns that are there: no view, trigger, virtual table,
generated column or function of the file runs. The work is bounded by the size of the file.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Problem
from runcube.files import kept_for_load, stat_file, unpacked_path
from runcube.readers.reading import content_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runcube.core import Limits, LogFile
    from runcube.files import Tree

_MAGIC = b"SQLite format 3\0"
# Of all other files, most of which are large, not even the beginning is read.
_NAMES = re.compile(r"\.(?:db|db3|sdb|s3db|sqlite|sqlite3)")
_WAL, _JOURNAL, _SHARED = "-wal", "-journal", "-shm"
# With these bytes a journal ends that names another file, which SQLite may then delete.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")
# A writer may change a database while it is copied: then it is copied again.
_COPIES = 3
# Steps of SQLite's machine: reading a row takes some twenty, and most rows are longer than that.
_STEPS, _STEPS_A_BYTE, _STEPS_AT_ONCE = 1_000_000, 4, 10_000
_LONGEST_CELL, _MOST_ATTACHED = 0, 7  # SQLITE_LIMIT_LENGTH, SQLITE_LIMIT_ATTACHED
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
# SQLite's own messages repeat names of damaged schemas, which need be no UTF-8.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_PLAIN_TABLES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY rowid"
)
_NOTHING = "it holds no table: its -wal file may not have been copied along"
_NO_WAL = "its -wal file was not copied along with its -shm: the rows in that are missing"


def is_database(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an SQLite database."""
    return head.startswith(_MAGIC)


def database_files(tree: Tree, file: LogFile) -> tuple[LogFile, ...]:
    """Return the files that are one database: itself, then its ``-wal`` or ``-journal``.

    A source has all of them: what is committed shows in the ``-wal`` long before it does in the
    database, and so an update notices that a run has gone on. A ``-shm`` without a ``-wal`` is one
    of them as well, since it shows that one is missing.
    """
    base = unpacked_path(file.path)
    beside = {ending: tree.files.get(base + ending) for ending in (_WAL, _JOURNAL, _SHARED)}
    if beside[_WAL] is not None:
        beside[_SHARED] = None
    return (file, *(found for found in beside.values() if found is not None))


def tables_in(tree: Tree, file: LogFile) -> Mapping[str, Sequence[str]]:
    """Return the plain tables of a file with the names of their columns; none if it is no database.

    Parameters
    ----------
    tree : Tree
    file : LogFile
        It is read only if its name is that of a database, and so are its first bytes.
    """
    _, dot, ending = unpacked_path(file.path).rpartition(".")
    if not _NAMES.fullmatch(dot + ending) or not is_database(tree.head(file.path)):
        return {}
    return _tables(tree.root, database_files(tree, file))


# Several readers look at the same file in turn.
@kept_for_load(64)
def _tables(root: str, files: tuple[LogFile, ...]) -> Mapping[str, Sequence[str]]:
    try:
        with open_database(root, files) as database:
            return database.tables
    except OSError:
        return {}


class Database:
    """The plain tables of an open database.

    Attributes
    ----------
    path : str
        Path of the file, for problems.
    tables : dict of str to tuple of str
        Names of the columns of each table, in order; without those that SQLite computes.
    problems : list of Problem
        What is wrong with the file, and with the rows that were read so far.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self._connection = connection
        self.tables: dict[str, tuple[str, ...]] = {}
        try:
            for name, sql in connection.execute(_PLAIN_TABLES).fetchall():
                if not str(sql).upper().startswith("CREATE VIRTUAL"):
                    found = connection.execute(f"PRAGMA table_info({_quoted(name)})")
                    self.tables[name] = tuple(row[1] for row in found)
        except _ERRORS as error:
            self.problems.append(Problem("unreadable", f"no sound database: {error}", path))
        else:
            if not self.tables:
                self.problems.append(Problem("unreadable", _NOTHING, path))

    def rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table in the order in which they were inserted.

        Behind a damaged place reading goes on from the end of the table; what is lost is named.

        Parameters
        ----------
        table : str
            A table that is not there has no rows.
        *columns : str
            Names of columns; ``"rowid"`` is the number of a row. One that is not there is None.

        Yields
        ------
        tuple
            A cell for each column, of any type that SQLite has: None, int, float, str or bytes,
            whatever type is declared. Bytes in texts that are no UTF-8 are escaped.
        """
        if table not in self.tables:
            return
        own = {name.lower() for name in self.tables[table]}
        number = self._number(table, own)
        names = [number, *(_quoted(c) if c.lower() in own else "NULL" for c in columns)]
        for place, column in enumerate(columns, start=1):
            names[place] = number if column == "rowid" else names[place]
        # Not by an index, which may be damaged, and has another order.
        select = f"SELECT {', '.join(names)} FROM {_quoted(table)} NOT INDEXED"
        last = None
        try:
            for row in self._connection.execute(select):
                last = row[0]
                yield row[1:]
        except _ERRORS as error:
            behind = [] if _is_spent(error) else [*self._backwards(select, number, last)]
            yield from (row[1:] for row in reversed(behind))
            self._name(table, error, last, behind[-1][0] if behind else None)

    def _number(self, table: str, columns: Collection[str]) -> str:
        """Return what the number of a row is called; ``NULL`` where rows have none."""
        for name in (n for n in ("rowid", "_rowid_", "oid") if n not in columns):
            with suppress(*_ERRORS):
                self._connection.execute(f"SELECT {name} FROM {_quoted(table)} LIMIT 0")
                return name
        return "NULL"

    def _backwards(self, select: str, number: str, last: int | None) -> Iterator[tuple[Any, ...]]:
        """Yield the rows behind a damaged place, the last one first, down to the next damage."""
        where = "" if last is None else f" WHERE {number} > {int(last)}"
        with suppress(*_ERRORS):
            yield from self._connection.execute(f"{select}{where} ORDER BY {number} DESC")

    def _name(self, table: str, error: Exception, last: Any, behind: Any) -> None:
        if _is_spent(error):
            message = f"{table!r}: reading takes more work than so large a file can need"
            self.problems.append(Problem("limit", f"{message}: the rest is left out", self.path))
            return
        before = "from its beginning" if last is None else f"behind row {last}"
        until = "are lost" if behind is None else f"up to row {behind} are lost"
        message = f"{table!r}: {error}: the rows {before} {until}"
        self.problems.append(Problem("bad_line", message, self.path))


@contextmanager
def open_database(
    root: str, files: Sequence[LogFile], limits: Limits = DEFAULT_LIMITS
) -> Iterator[Database]:
    """Open a database for reading; what is wrong with it is in its ``problems``, nothing raises.

    Parameters
    ----------
    root : str
        Directory or URL of the sweep, as ``Source.root`` has it.
    files : sequence of LogFile
        The database first; of the others those count that `database_files` returns.
    limits : Limits
        Its ``file_bytes`` are read at most, and cells of up to ``line_bytes``.

    Yields
    ------
    Database

    Raises
    ------
    OSError
        If the file vanished or cannot be read.
    """
    path = files[0].path
    held, problems = _copied(root, [f for f in files if f is files[0] or _ending(f)], limits)
    with TemporaryDirectory(prefix="runcube-", ignore_cleanup_errors=True) as folder:
        own = Path(folder, "db")
        size = sum(Path(f"{own}{e}").write_bytes(data) for e, data in held.items())
        held.clear()
        with closing(_connected(own, size, limits)) as connection:
            yield Database(path, connection, problems)


def _connected(path: Path, size: int, limits: Limits) -> sqlite3.Connection:
    """Return a connection that can read plain tables, and do nothing else."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")
    connection.setlimit(_LONGEST_CELL, min(limits.line_bytes, 10**9))
    connection.setlimit(_MOST_ATTACHED, 0)
    # Of a file that is cut the pages that are there are read only with writable_schema.
    for pragma in ("query_only=1", "trusted_schema=0", "cell_size_check=1", "writable_schema=1"):
        connection.execute(f"PRAGMA {pragma}")
    connection.set_authorizer(_authorize)
    left = (_STEPS + _STEPS_A_BYTE * size) // _STEPS_AT_ONCE

    def is_spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(is_spent, _STEPS_AT_ONCE)
    return connection


def _authorize(action: int, name: str | None, *_: str | None) -> int:
    is_allowed = action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and name == "table_info")
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _is_spent(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def _quoted(name: str) -> str:
    """Return a name as SQL has it: in other quotes one that is not there would be a text."""
    return "`{}`".format(name.replace("`", "``"))


def _ending(file: LogFile) -> str:
    return next((e for e in (_WAL, _JOURNAL, _SHARED) if file.path.endswith(e)), "")


def _copied(
    root: str, files: Sequence[LogFile], limits: Limits
) -> tuple[dict[str, bytes], list[Problem]]:
    """Return the bytes of the files of a database by ending, as they were at one time.

    And what is wrong with them.

    Raises
    ------
    OSError
        If the database vanished or cannot be read.
    """
    main = files[0].path
    for _ in range(_COPIES):
        held: dict[str, bytes] = {}
        problems: list[Problem] = []
        try:
            before = [stat_file(root, file.path) for file in files]
            for file in files:
                ending = "" if file.path == main else _ending(file)
                held[ending] = content_of(root, file.path, limits, problems, binary=True)
            is_one = before == [stat_file(root, file.path) for file in files]
        except FileNotFoundError:
            if len(files) == 1:
                raise
            files = files[:1]  # a writer that ended well has taken it in
            continue
        if is_one:
            break
    else:
        held.setdefault("", b"")
        problems.append(Problem("unreadable", "it was written to while it was read", main))
    whole = len(held[""]) - len(held[""]) % _page_size(held[""])
    if whole < len(held[""]):  # what is missing of a page would be read as zeros
        problems.append(Problem("truncated_tail", "it ends within a page, left out", main))
        held[""] = held[""][:whole]
    if held.pop(_SHARED, None) is not None:
        problems.append(Problem("missing_wal", _NO_WAL, main))
    if held.get(_JOURNAL, b"").endswith(_NAMES_ANOTHER):
        del held[_JOURNAL]
        what = "its -journal is of several databases: what it takes back is not taken back"
        problems.append(Problem("unreadable", what, main))
    return held, problems


def _page_size(data: bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    return 1 << 16 if size == 1 else size or 1
