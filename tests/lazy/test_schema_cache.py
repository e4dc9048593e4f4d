"""What logs are like is kept for the next opening."""

import os
import shutil
import stat

import pytest
from lazy_cubes import assert_same, loaded, opened, quietly
from sweeps import write_run

import runcube as rc
from runcube.core.errors import RuncubeError
from runcube.files.tree import list_files
from runcube.lazy import schema_cache


def test_the_second_opening_reads_what_has_changed_and_nothing_else(logs, tmp_path, read, forget):
    cache = tmp_path / "deep" / "schema"
    opened(logs, cache)
    read.clear()
    opened(logs, cache)
    assert read == []
    changed = logs / "003" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 7})
    shutil.rmtree(logs / "004")
    ds = opened(logs, cache)
    assert read == ["003/json_out.jsonl", "new/json_out.jsonl"]
    assert_same(ds, loaded(logs))


def test_messages_are_read_where_they_were_not_kept(logs, tmp_path, read):
    opened(logs, tmp_path / "schema")
    read.clear()
    ds = opened(logs, tmp_path / "schema", messages=True)
    assert len(read) == 12
    assert_same(ds, loaded(logs, messages=True))
    read.clear()
    assert_same(opened(logs, tmp_path / "schema"), loaded(logs))


@pytest.mark.parametrize("damage", [b"", b"runcube cache\nno schema", None], ids=str)
def test_a_cache_that_is_damaged_is_none(logs, tmp_path, damage):
    cache = tmp_path / "schema"
    opened(logs, cache)
    data = cache.read_bytes()
    (result,) = tmp_path.glob("schema.*.cube")
    result.unlink()
    cache.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert_same(opened(logs, cache), loaded(logs))
    assert cache.read_bytes() == data


@pytest.mark.parametrize("kind", ["log", "archive", "notes", "link", "socket"])
def test_nothing_but_a_cache_is_replaced(logs, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "log":
        other = next(logs.rglob("*.jsonl"))
    elif kind == "archive":
        rc.save_archive(loaded(logs), other)
    elif kind == "notes":
        other.write_text("what I want to do next")
    elif kind == "link":
        other.symlink_to(tmp_path / "nowhere")
    else:
        os.mknod(other, stat.S_IFSOCK | 0o600)
    before = os.lstat(other)
    with pytest.raises(rc.PlanError, match="is no cache"):
        opened(logs, other)
    now = os.lstat(other)
    assert (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_of_another_kind_where_the_cache_is_by_itself_is_replaced(
    logs, tmp_path, monkeypatch
):
    monkeypatch.setenv("RUNCUBE_CACHE", str(tmp_path / "home"))
    opened(logs, True)
    (kept,) = (tmp_path / "home").rglob("*.schema")
    data = kept.read_bytes()
    kept.write_bytes(b"of an earlier version")
    for cube in kept.parent.glob("*.cube"):
        cube.unlink()
    assert_same(opened(logs, True), loaded(logs))
    assert kept.read_bytes() == data


def test_a_cache_of_growing_logs_stays_small(logs, tmp_path):
    first, last = (logs / name / "json_out.jsonl" for name in ("001", "003"))
    lines = [line for line in last.read_text().splitlines() if "agg_stats" in line][:2]
    cache = tmp_path / "schema"
    for _ in range(100):
        with first.open("a") as file:
            file.write("\n".join(lines) + "\n")
        opened(logs, cache)
    assert_same(opened(logs, cache), loaded(logs))
    fresh = tmp_path / "fresh"
    assert_same(opened(logs, fresh), loaded(logs))
    arrays = [
        len(schema_cache.SchemaCache(made, list_files(logs))._table.rows) for made in (cache, fresh)
    ]
    assert arrays[0] <= 2 * arrays[1] + 64


def test_a_cache_that_cannot_be_written_is_done_without(logs, tmp_path):
    (tmp_path / "file").write_text("")
    assert_same(opened(logs, tmp_path / "file" / "schema"), loaded(logs))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "logs"]


def test_the_cache_is_where_the_environment_says(logs, tmp_path, monkeypatch):
    for name, home in (("XDG_CACHE_HOME", "xdg"), ("RUNCUBE_CACHE", "ours")):
        monkeypatch.setenv("RUNCUBE_CACHE", "")
        monkeypatch.setenv(name, str(tmp_path / home))
        quietly(rc.open_runs, logs)
        assert len(list((tmp_path / home / "runcube").glob("*.schema"))) == 1
    before = sorted(tmp_path.rglob("*"))
    opened(logs)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunks": "big"}, "expected 'auto', a number"),
        ({"chunks": True}, "expected 'auto', a number"),
        ({"chunks": 0}, "-1 is the whole dim"),
        ({"chunks": {"seed": -2}}, "-1 is the whole dim"),
        ({"chunks": {"sed": 1}}, "no dim 'sed'"),
        ({"cache": "."}, "is a directory"),
        ({"cache": None}, "expected True, False or a file"),
        ({"parallel": 4}, "expected 'auto', False"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_from_a_right_one(logs, options, said):
    with pytest.raises(RuncubeError, match=said):
        rc.open_runs(logs, **({"cache": False} | options))
