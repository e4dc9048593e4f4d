"""SQLite files: opened from a copy, whatever lies beside them, and whatever they hold."""

import gzip
import os
import sqlite3
import time
from contextlib import closing
from itertools import pairwise

import fsspec
import pytest

from runcube.files import Tree, list_files
from runcube.readers import Limits
from runcube.readers.database import database_files, open_database, tables_in

ROWS = [(f"k{i:06}", float(i)) for i in range(5_000)]
PAGE = 4096


def written(path, rows=ROWS):
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA synchronous=OFF")
        made.execute("CREATE TABLE metrics(key TEXT, value REAL, PRIMARY KEY (key, value))")
        made.executemany("INSERT INTO metrics VALUES (?, ?)", rows)
        made.commit()
    return path


def read(root, name="a.db", columns=("key", "value"), limits=None):
    """Rows of the table "metrics" of a file, and the problems."""
    tree = Tree(list_files(root))
    files = database_files(tree, tree.files[name])
    with open_database(tree.root, files, limits or Limits()) as database:
        return [*database.rows("metrics", *columns)], database.problems


def in_wal(path, rows=ROWS):
    """Return an open connection whose rows are in the -wal file alone."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("CREATE TABLE metrics(key TEXT, value REAL)")
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO metrics VALUES (?, ?)", rows)
    writer.execute("COMMIT")
    return writer


def snapshot(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def test_rows_come_in_the_order_of_the_table_whatever_an_index_says(tmp_path):
    written(tmp_path / "a.db", ROWS[::-1])
    assert read(tmp_path) == (ROWS[::-1], [])


def test_of_files_of_other_names_not_even_the_beginning_is_read(tmp_path):
    data = written(tmp_path / "a.sqlite3").read_bytes()
    for name in ("b.db.gz", "model.pt", "a.db-journal"):
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    tree = Tree(list_files(tmp_path))
    looked = []
    tree.head = lambda path, head=tree.head: looked.append(path) or head(path)
    known = {path for path, file in tree.files.items() if "metrics" in tables_in(tree, file)}
    assert known == set(looked) == {"a.sqlite3", "b.db.gz"}


def test_a_column_that_is_not_there_is_none_and_rows_have_numbers(tmp_path):
    written(tmp_path / "a.db", ROWS[:2])
    rows, _ = read(tmp_path, columns=("rowid", "value", "is_nan"))
    assert rows == [(1, 0.0, None), (2, 1.0, None)]


@pytest.mark.parametrize("more", ["rowid, oid, _rowid_", "a, oid, b"])
def test_a_table_without_row_numbers_is_read(tmp_path, more):
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute(f"CREATE TABLE metrics(key PRIMARY KEY, {more}) WITHOUT ROWID")
        made.execute("INSERT INTO metrics VALUES ('b', 1, 2, 3), ('a', 4, 5, 6)")
        made.commit()
    assert read(tmp_path, columns=("key", "oid")) == ([("a", 5), ("b", 2)], [])


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_nothing_is_written_beside_a_database_and_a_writer_never_waits(tmp_path, mode):
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None, timeout=0)) as writer:
        writer.execute(f"PRAGMA journal_mode={mode}")
        writer.execute("CREATE TABLE metrics(key, value)")
        writer.execute("INSERT INTO metrics VALUES ('a', 1)")
        before = snapshot(tmp_path)
        tree = Tree(list_files(tmp_path))
        with open_database(tree.root, database_files(tree, tree.files["a.db"])) as database:
            rows = database.rows("metrics", "key", "value")
            assert next(rows) == ("a", 1)
            assert snapshot(tmp_path) == before
            writer.execute("INSERT INTO metrics VALUES ('b', 2)")
    if mode == "wal":
        before = snapshot(tmp_path)
        assert before.keys() == {"a.db"}
        assert read(tmp_path)[0] == [("a", 1), ("b", 2)]
        assert snapshot(tmp_path) == before


def test_a_wal_beside_a_database_is_read(tmp_path):
    with closing(in_wal(tmp_path / "a.db")):
        assert os.path.getsize(tmp_path / "a.db") <= PAGE
        assert read(tmp_path) == (ROWS, [])


def test_a_wal_that_was_not_copied_along_is_named(tmp_path):
    with closing(in_wal(tmp_path / "a.db")) as writer:
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.execute("INSERT INTO metrics VALUES ('later', 1.0)")
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("a.db", "a.db-shm"):
            (copy / name).write_bytes((tmp_path / name).read_bytes())
    rows, problems = read(copy)
    assert rows == ROWS
    assert [p.kind for p in problems] == ["missing_wal"]


def test_what_a_killed_writer_had_not_committed_is_taken_back(tmp_path):
    written(tmp_path / "work.db")
    with closing(sqlite3.connect(tmp_path / "work.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_spill=1")
        writer.execute("PRAGMA cache_size=1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE metrics SET value = -1.0")
        (tmp_path / "a.db").write_bytes((tmp_path / "work.db").read_bytes())
        journal = (tmp_path / "work.db-journal").read_bytes()
    (tmp_path / "a.db-journal").write_bytes(journal)
    assert (tmp_path / "a.db").read_bytes() != (tmp_path / "work.db").read_bytes()
    before = snapshot(tmp_path)
    assert read(tmp_path) == (ROWS, [])
    assert snapshot(tmp_path) == before


def test_a_journal_that_names_another_file_deletes_nothing(tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    written(tmp_path / "a.db")
    name = str(victim).encode()
    head = bytes.fromhex("d9d505f920a163d7") + bytes(3) + b"\0" + bytes(4)
    head += (os.path.getsize(tmp_path / "a.db") // PAGE).to_bytes(4, "big")
    head += (512).to_bytes(4, "big") + PAGE.to_bytes(4, "big") + bytes(484)
    tail = (2**30 // PAGE + 1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big")
    tail += (sum(name) & 0xFFFFFFFF).to_bytes(4, "big") + bytes.fromhex("d9d505f920a163d7")
    (tmp_path / "a.db-journal").write_bytes(head + tail)
    rows, problems = read(tmp_path)
    assert victim.read_text() == "precious"
    assert rows == ROWS
    assert "several databases" in problems[0].message


def test_a_packed_and_a_remote_database_are_read(tmp_path):
    data = written(tmp_path / "a.db").read_bytes()
    files = fsspec.filesystem("memory")
    files.pipe("/of-database/run/a.db.gz", gzip.compress(data))
    with closing(in_wal(tmp_path / "b.db", ROWS[:3])):
        for name in ("b.db", "b.db-wal"):
            files.pipe(f"/of-database/{name}", (tmp_path / name).read_bytes())
    try:
        assert read("memory://of-database", "run/a.db.gz") == (ROWS, [])
        assert read("memory://of-database", "b.db") == (ROWS[:3], [])
    finally:
        files.rm("/of-database", recursive=True)


def test_rows_around_a_damaged_page_stay_and_what_is_lost_is_named(tmp_path):
    data = bytearray(written(tmp_path / "a.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        (root,) = made.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'metrics'"
        ).fetchone()
    # The third child of the table: a pointer to a cell, then the child in the cell.
    begin = (root - 1) * PAGE
    cell = begin + int.from_bytes(data[begin + 12 + 4 : begin + 12 + 6], "big")
    child = int.from_bytes(data[cell : cell + 4], "big")
    data[(child - 1) * PAGE : child * PAGE] = b"\xff" * PAGE
    (tmp_path / "a.db").write_bytes(data)
    rows, (problem,) = read(tmp_path)
    assert rows == [row for row in ROWS if row in set(rows)]
    assert 0 < len(ROWS) - len(rows) < 300
    assert problem.kind == "bad_line"
    lost = [int(word) for word in problem.message.split() if word.isdecimal()]
    assert lost[1] - lost[0] - 1 == len(ROWS) - len(rows)


@pytest.mark.parametrize("keep", [0, 15, 16, 50, 100, PAGE, 60_000])
def test_a_database_that_is_cut_keeps_its_beginning(tmp_path, keep):
    data = written(tmp_path / "a.db").read_bytes()
    (tmp_path / "a.db").write_bytes(data[:keep])
    rows, problems = read(tmp_path)
    assert rows == ROWS[: len(rows)]
    assert len(rows) > 500 or keep < 60_000
    assert problems


def test_more_bytes_than_the_limit_are_named(tmp_path):
    written(tmp_path / "a.db")
    rows, problems = read(tmp_path, limits=Limits(file_bytes=60_000))
    assert rows == ROWS[: len(rows)]
    assert problems[0].kind == "limit"


def test_no_view_trigger_virtual_table_or_computed_column_is_a_table(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute("CREATE TABLE plain(key, twice AS (key || key), value)")
        made.execute(
            "CREATE VIEW metrics AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT key + 1"
            " FROM n) SELECT key, key AS value FROM n"
        )
        made.execute("CREATE VIRTUAL TABLE virtual USING fts5(key)")
        made.execute("CREATE TRIGGER t AFTER INSERT ON plain BEGIN DELETE FROM plain; END")
        made.commit()
    tree = Tree(list_files(tmp_path))
    found = tables_in(tree, tree.files["a.db"])
    assert found["plain"] == ("key", "value")
    assert not {"metrics", "virtual"} & found.keys()
    assert read(tmp_path) == ([], [])


def test_a_damaged_name_of_a_column_costs_that_column(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute("CREATE TABLE metrics(key TEXT, value REAL)")
        made.execute("INSERT INTO metrics VALUES ('a', 0.5)")
        made.commit()
    data = (tmp_path / "a.db").read_bytes().replace(b"metrics(key TEXT", b"metrics(k\xccy TEXT")
    (tmp_path / "a.db").write_bytes(data)
    assert read(tmp_path, columns=("key", "value")) == ([(None, 0.5)], [])
    # As the list of tables has it; SQLite knows no such name.
    rows, (problem,) = read(tmp_path, columns=("k\\xccy", "value"))
    assert (rows, problem.kind) == ([], "bad_line")


def test_names_of_tables_and_columns_are_quoted(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute('CREATE TABLE "a""`; DROP TABLE b"("c""`d", "select")')
        made.execute('INSERT INTO "a""`; DROP TABLE b" VALUES (1, 2)')
        made.commit()
    tree = Tree(list_files(tmp_path))
    with open_database(tree.root, [tree.files["a.db"]]) as database:
        ((name, columns),) = database.tables.items()
        assert [*database.rows(name, *columns)] == [(1, 2)]


def test_a_tree_of_pages_that_is_a_web_ends_soon(tmp_path):
    """Each inner page names the next one many times: 300 ** 10 rows in eleven pages."""
    data = bytearray(written(tmp_path / "a.db", ROWS[:1]).read_bytes())
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        (root,) = made.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'metrics'"
        ).fetchone()
    leaf = bytes(data[(root - 1) * PAGE : root * PAGE])
    first = len(data) // PAGE + 1
    pages = [root, *range(first, first + 10)]
    for page, child in pairwise(pages):
        cells = 300
        body = bytearray(PAGE)
        start = PAGE - 5 * cells
        body[:12] = (
            b"\x05\0\0"
            + cells.to_bytes(2, "big")
            + start.to_bytes(2, "big")
            + b"\0"
            + child.to_bytes(4, "big")
        )
        for number in range(cells):
            at = start + 5 * number
            body[12 + 2 * number : 14 + 2 * number] = at.to_bytes(2, "big")
            body[at : at + 5] = child.to_bytes(4, "big") + b"\x7f"
        data[(page - 1) * PAGE : page * PAGE] = body
        data += bytes(max(0, page * PAGE - len(data)))
    data += leaf
    data[28:32] = (len(data) // PAGE).to_bytes(4, "big")
    (tmp_path / "a.db").write_bytes(data)
    began = time.monotonic()
    rows, problems = read(tmp_path)
    assert time.monotonic() - began < 20
    assert len(rows) < 500_000
    assert [p.kind for p in problems] == ["limit"]


def test_a_writer_that_goes_on_while_it_is_copied_is_copied_again(tmp_path, monkeypatch):
    from runcube.readers import reading as module

    written(tmp_path / "a.db", ROWS[:1])
    real, left = module.read_bytes, [ROWS[1], ROWS[2]]

    def read_and_write(*args, **options):
        found = real(*args, **options)
        if left:
            with closing(sqlite3.connect(tmp_path / "a.db")) as writer:
                writer.execute("INSERT INTO metrics VALUES (?, ?)", left.pop(0))
                writer.commit()
        return found

    monkeypatch.setattr(module, "read_bytes", read_and_write)
    assert read(tmp_path) == (ROWS[:3], [])
