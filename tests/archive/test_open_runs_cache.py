"""Archives in the cache: what comes from there is what a fresh opening gives."""

import errno
import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
import xarray as xr
from filelock import FileLock
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from odd_logs import CASES, SWEEPS
from saved_cubes import run
from sweeps import product_configs, write_run, write_sweep

import runcube as rc
from runcube.archive import build, cached
from runcube.archive import cache as cache_of
from runcube.archive.staging import StagingStore
from runcube.core.errors import RuncubeError
from runcube.files import atomic
from runcube.netcdf import reader as netcdf_reader
from runcube.readers.config_files import load
from runcube.readers.native.reader import NativeReader

# What hangs on the moment.
MADE = ("created",)


def told(function, *arguments, **options):
    """Result of a call, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = function(*arguments, **options)
    return found, [str(w.message) for w in caught if w.category is rc.SweepWarning]


def opened(root, cache=False, **options):
    return told(rc.open_runs, root, cache=cache, **options)[0]


def about(ds):
    """All of a cube but its values, as it can be compared: the names of dask hang on the logs."""
    variables = {name: (v.dims, v.dtype, v.attrs, v.chunks) for name, v in ds.variables.items()}
    names = {n: getattr(ds[n].variable._data, "name", None) for n in ("curve", "logged")}
    graphs = {n: list(ds[n].__dask_graph__() or ()) for n in ("curve", "logged")}
    attrs = {name: value for name, value in ds.attrs.items() if name not in MADE}
    return [*ds.variables], [*ds.coords], attrs, variables, names, graphs


def assert_same(one, other):
    assert about(one) == about(other)
    one, other = (ds.assign_attrs(dict.fromkeys(MADE, "")) for ds in (one, other))
    xr.testing.assert_identical(one.drop_vars("curve"), other.drop_vars("curve"))
    xr.testing.assert_identical(one.compute(), other.compute())


def results_of(cache):
    gc.collect()
    return sorted(cache.glob("*.nc"))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch):
    """Cubes that were made of logs, and not just opened."""
    seen = []

    def making(asked, *rest, make=cached._make, **options):
        seen.append(asked.path.name)
        return make(asked, *rest, **options)

    monkeypatch.setattr(cached, "_make", making)
    return seen


# The same


@pytest.mark.parametrize("chunks", ["auto", None])
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{[*o]}" for n, o in CASES])
def test_what_is_kept_is_what_a_fresh_opening_gives(tmp_path, cache, made, name, options, chunks):
    root = tmp_path / "logs"
    root.mkdir()
    SWEEPS[name][0](root)
    try:
        want, said = told(rc.open_runs, root, cache=False, chunks=chunks, **options)
    except RuncubeError as error:
        for _ in range(2):
            with pytest.raises(type(error)):
                opened(root, cache, **options)
        return
    made.clear()
    for _ in range(2):
        found, again = told(rc.open_runs, root, cache=cache, chunks=chunks, **options)
        assert_same(found, want)
        assert again == said
    assert len(made) == 1, "it was not kept"


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_messages_are_kept(logs, cache, made, layout):
    options = {"messages": True, "layout": layout}
    want = opened(logs, **options)
    for _ in range(2):
        assert_same(opened(logs, cache, **options), want)
    assert len(made) == 2


def test_the_engine_takes_what_open_runs_has_kept(logs, cache, made):
    want = opened(logs, cache, chunks=None)
    ds = told(xr.open_dataset, logs, engine="runcube", cache_directory=cache)[0]
    assert len(made) == 1
    xr.testing.assert_identical(ds.compute(), want.compute().assign_attrs(created=ds.created))


def test_a_kept_cube_can_be_changed_without_harm(logs, cache):
    want = opened(logs)
    for _ in range(3):
        ds = opened(logs, cache)
        ds.path.values[...] = ""
        ds.n_problems.values[...] = 7
        ds.attrs.clear()
    assert_same(opened(logs, cache), want)


def test_the_warning_is_given_again_from_where_it_was_called(logs, cache):
    with (logs / "003" / "json_out.jsonl").open("a") as log:
        log.write("{broken\n")
    said = []
    for _ in range(2):
        with pytest.warns(rc.SweepWarning) as caught:
            rc.open_runs(logs, cache=cache)
        said.append([str(w.message) for w in caught])
        assert {w.filename for w in caught} == {__file__}
    assert said[0] == said[1]


# What it hangs on

EDITS = "append", "rewrite", "touch", "delete", "rename", "copy", "add", "empty", "mode", "other"


def edit(root, kind, number):
    """Change something under a directory of logs."""
    logs = sorted(root.rglob("*.jsonl"))
    log = logs[number % len(logs)]
    if kind == "append":
        line = {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": float(number)}}
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
    elif kind == "rewrite":
        # Of the same size.
        log.write_text(log.read_text().replace('"lr": 0.', '"lr": 7.'))
    elif kind == "touch":
        os.utime(log)
    elif kind == "delete" and len(logs) > 1:
        log.unlink()
    elif kind == "rename":
        log.rename(log.with_name(f"renamed{number}.jsonl"))
    elif kind == "copy" and not (root / f"copy{number}").exists():
        shutil.copytree(log.parent, root / f"copy{number}")
    elif kind == "add":
        write_sweep(root / f"more{number}", [{"optim": {"lr": 0.5 + number}}], seeds=(0,))
    elif kind == "empty":
        log.write_text("")
    elif kind == "mode":
        log.chmod(0o600 if log.stat().st_mode & 0o44 else 0o644)
    elif kind == "other":
        (root / f"other{number}.json").write_text('{"what": "no log"}')


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 30)), max_size=5))
def test_after_any_change_it_is_what_a_fresh_opening_gives(tmp_path_factory, steps):
    home = tmp_path_factory.mktemp("edited")
    root, cache = home / "logs", home / "cache"
    write_sweep(root, product_configs(optim__lr=[0.1, 0.2]), seeds=(0, 1))
    for kind, number in [("append", 0), *steps]:
        edit(root, kind, number)
        try:
            want, said = told(rc.open_runs, root, cache=False)
        except RuncubeError as error:
            with pytest.raises(type(error)):
                opened(root, cache)
            continue
        for _ in range(2):
            found, again = told(rc.open_runs, root, cache=cache)
            assert_same(found, want)
            assert again == said


@pytest.mark.parametrize("change", ["text", "gone", "new"])
def test_a_sidecar_is_part_of_a_log(tmp_path, cache, made, change):
    root = tmp_path / "logs"
    root.mkdir()
    SWEEPS["sidecars"][0](root)
    opened(root, cache)
    sidecar = root / "run1" / "hparams.yaml"
    if change == "text":
        sidecar.write_text(sidecar.read_text().replace("lr: 0.1", "lr: 0.7"))
    elif change == "gone":
        sidecar.unlink()
    else:
        (root / "run1" / "config.json").write_text('{"lr": 0.9}')
    made.clear()
    assert_same(opened(root, cache), opened(root))
    assert len(made) == 2


OPTIONS = [
    {},
    {"reader": "native"},
    {"reader": NativeReader()},
    {"reader": NativeReader("mine")},
    {"path_keys": "{run}"},
    {"path_keys": None},
    {"exact_labels": True},
    {"dims": ["lr", "weights"]},
    {"exclude": "weights"},
    {"rename": {"lr": "rate"}},
    {"rename": {"lr": "rate", "weights": "init"}},
    {"relabel": {"lr": {0.1: "low"}}},
    {"relabel": {"lr": {0.1: 2}}},
    {"relabel": {"lr": {0.1: 2.0}}},
    {"seed": None},
    {"seed": "replicate"},
    {"layout": "configs"},
    {"layout": "grid"},
    {"x": "epoch"},
    {"align": "order"},
    {"missing_x": "drop"},
    {"expected": 3},
    {"expected": 2.0},
    {"splits": "val"},
    {"splits": ["train", "val"]},
    {"metrics": ["loss"]},
    {"messages": True},
    {"on_duplicate": "first"},
    {"errors": "raise"},
]


@settings(max_examples=40, deadline=None)
@given(picked=st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=4))
def test_every_argument_counts(tmp_path_factory, picked):
    root = tmp_path_factory.getbasetemp() / "arguments"
    if not root.exists():
        configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
        write_sweep(root, configs, seeds=(0, 1))
    # One cache for all examples: whatever was opened before may be in it.
    cache = root.with_name("arguments.cache")
    options = {}
    for some in picked:
        options |= some
        try:
            want = opened(root, **options)
        except rc.PlanError:  # to leave out what is asked for
            reject()
        for _ in range(2):
            assert_same(opened(root, cache, **options), want)


def test_two_sets_of_arguments_do_not_drive_each_other_out(logs, cache, made):
    several = [{}, {"layout": "configs"}, {"metrics": "loss"}]
    for options in several * 3:
        opened(logs, cache, **options)
    assert len(made) == len(several)


def test_the_root_counts_as_it_is_spelled(logs, cache, monkeypatch):
    opened(logs, cache)
    monkeypatch.chdir(logs.parent)
    for _ in range(2):
        found = opened("logs", cache)
        assert found.source == "logs"
        assert_same(found, opened("logs"))


def test_logs_that_were_moved_are_opened_where_they_are(logs, cache, tmp_path):
    opened(logs, cache)
    logs.rename(tmp_path / "moved")
    assert_same(opened(tmp_path / "moved", cache), opened(tmp_path / "moved"))


def test_another_version_is_another_result(logs, cache, made, monkeypatch):
    opened(logs, cache)
    for name, value in (("version", lambda _: "0.0"), ("_own_code", list), ("FORM", -1)):
        with monkeypatch.context() as other:
            other.setattr(cache_of, name, value)
            made.clear()
            opened(logs, cache)
            assert len(made) == 1, name
    made.clear()
    opened(logs, cache)
    assert made == []


def test_the_commit_the_command_and_the_time_are_those_of_now(logs, cache, monkeypatch, made):
    first = opened(logs, cache)
    monkeypatch.setattr(sys, "orig_argv", ["another", "command"])
    git = logs / ".git"
    git.mkdir()
    for commit in ("a" * 40, "b" * 40, None):
        if commit is None:
            shutil.rmtree(git)
        else:
            (git / "HEAD").write_text(commit + "\n")
        found, want = opened(logs, cache), opened(logs)
        assert found.attrs.get("git_commit") == commit
        assert found.attrs["command"] == "another command" != first.attrs["command"]
        assert found.created >= first.created
        assert_same(found, want)
    assert len(made) == 4, "nothing but the first and the fresh ones was made"


# Root may read and write all: it becomes another, once all that it needs is imported.
AS_ANOTHER = """
    import os, sys, warnings
    import runcube as rc
    warnings.simplefilter("ignore")
    logs, cache = sys.argv[1:]
    rc.open_runs(logs, cache=False).compute()
    if os.geteuid() == 0:
        os.setuid(65534)
    for _ in range(2):
        cubes = [rc.open_runs(logs, cache=where).compute() for where in (cache, False)]
        one, other = (ds.assign_attrs(created="") for ds in cubes)
        print(one.identical(other), *rc.problems(one).kind)
"""


@pytest.fixture
def for_all(logs):
    """A directory that others can enter, which holds the logs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(logs, folder / "logs")
        yield folder


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions as on Unix")
def test_a_file_without_permission_is_noticed(for_all):
    log, cache = for_all / "logs" / "003" / "json_out.jsonl", for_all / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    for mode, said in ((0o644, "True"), (0o000, "True unreadable"), (0o644, "True")):
        log.chmod(mode)
        assert run(AS_ANOTHER, for_all / "logs", cache).splitlines() == [said] * 2


def test_what_a_listing_does_not_show_is_not_kept(logs, cache, made, monkeypatch):
    with monkeypatch.context() as failing:

        def headers(self, source, headers=NativeReader.headers):
            if source.path.startswith("003"):
                raise OSError(5, "Input/output error")
            return headers(self, source)

        failing.setattr(NativeReader, "headers", headers)
        failing.setattr(build, "failed_reads", lambda: 1)
        assert opened(logs, cache).n_problems.size == 12
    assert results_of(cache) == []
    assert_same(opened(logs, cache), opened(logs))


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError])
def test_the_result_of_a_readers_bug_is_not_kept(logs, cache, monkeypatch, kind):
    for step, whole in (("headers", NativeReader.headers), ("read", NativeReader.read)):
        with monkeypatch.context() as failing:

            def broken(self, source, *rest, whole=whole):
                if source.path.startswith("003"):
                    raise kind("bug")
                return whole(self, source, *rest)

            failing.setattr(NativeReader, step, broken)
            failing.delattr(NativeReader, "read_batch")
            opened(logs, cache)
        assert results_of(cache) == []
    assert_same(opened(logs, cache), opened(logs))


class Undescribed:
    """A reader that is no dataclass."""

    name = "undescribed"

    def __init__(self):
        self.own = NativeReader()

    def find(self, tree):
        return self.own.find(tree)

    def headers(self, source):
        return self.own.headers(source)

    def read(self, source, request):
        return self.own.read(source, request)


@dataclass(frozen=True)
class Described(NativeReader):
    option: object = None


def test_a_reader_whose_options_are_not_known_leaves_no_result(logs, cache):
    opened(logs, cache, reader=Described(option=threading.Lock()))
    assert results_of(cache) == []
    for reader in (Described(option=(1, "a")), Undescribed()):
        opened(logs, cache, reader=reader)
    assert len(results_of(cache)) == 2


def test_other_options_of_a_reader_are_another_result(logs, cache, made):
    for option in (1, 2, "1", (1,)) * 2:
        opened(logs, cache, reader=Described(option=option))
    assert len(made) == 4


# Caches that are no good


@pytest.mark.parametrize(
    "bad", [b"", b"\x89HDF\r\n\x1a\n", b"what I want to do next", 1000, 0.5, 0.9], ids=str
)
def test_a_damaged_archive_is_none(logs, cache, bad):
    want = opened(logs)
    assert_same(opened(logs, cache), want)
    (kept,) = results_of(cache)
    good = kept.read_bytes()
    if not isinstance(bad, bytes):
        bad = good[: bad if bad > 1 else int(bad * len(good))]
    kept.write_bytes(bad)
    for _ in range(2):
        assert_same(opened(logs, cache), want)


def test_an_earlier_archive_that_is_damaged_is_done_without(logs, cache):
    opened(logs, cache)
    (kept,) = results_of(cache)
    kept.write_bytes(kept.read_bytes()[:5000])
    edit(logs, "append", 3)
    assert_same(opened(logs, cache), opened(logs))


@pytest.mark.parametrize("chunks", ["auto", None])
def test_damaged_values_are_an_error_and_never_wrong(tmp_path, cache, chunks):
    logs = write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 0.2]), (0, 1), epochs=300)
    want = opened(logs)
    ds = opened(logs, cache)
    ds.close()
    (kept,) = results_of(cache)
    good = kept.read_bytes()
    with h5py.File(kept) as file:
        chunk = file["curve"].id.get_chunk_info(0)
        assert chunk.filter_mask == 1, "full chunks are stored as they are"
    at = chunk.byte_offset + chunk.size // 2
    stat = kept.stat()
    kept.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    os.utime(kept, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    damaged = opened(logs, cache, chunks=chunks)
    with pytest.raises(RuntimeError, match="HDF error"):
        damaged.curve.compute()
    assert_same(opened(logs, False), want)


def test_no_archive_is_kept_without_a_cache(logs, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNCUBE_CACHE", str(tmp_path / "home"))
    opened(logs, False)
    assert not (tmp_path / "home").exists()
    opened(logs, True)
    assert len(results_of(tmp_path / "home" / "runcube")) == 1


def test_the_cache_is_where_the_environment_says(logs, tmp_path, monkeypatch):
    for name, home in (("XDG_CACHE_HOME", "xdg"), ("RUNCUBE_CACHE", "ours")):
        monkeypatch.setenv("RUNCUBE_CACHE", "")
        monkeypatch.setenv(name, str(tmp_path / home))
        opened(logs, True)
        assert len(results_of(tmp_path / home / "runcube")) == 1
        assert (tmp_path / home / "runcube").stat().st_mode & 0o077 == 0


def test_a_cache_below_a_file_is_done_without(logs, tmp_path):
    (tmp_path / "file").write_text("")
    assert_same(opened(logs, tmp_path / "file" / "cache"), opened(logs))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "logs"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions as on Unix")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_cache_that_cannot_be_written_is_done_without(for_all, is_there):
    (locked := for_all / "locked").mkdir()
    if is_there:
        (locked / "cache").mkdir()
        (locked / "cache").chmod(0o555)
    locked.chmod(0o555)
    assert run(AS_ANOTHER, for_all / "logs", locked / "cache").splitlines() == ["True"] * 2
    assert [*locked.rglob("*")] == [locked / "cache"] * is_there
    locked.chmod(0o755)  # to be removed


def test_a_cache_of_others_that_can_only_be_read_is_read(logs, cache, made, monkeypatch):
    opened(logs, cache)
    del made[:]
    monkeypatch.setattr(os, "access", lambda *_: False)
    opened(logs, cache)
    assert made == []


def test_nothing_is_written_beside_the_logs(logs, cache):
    before = sorted(logs.rglob("*"))
    opened(logs, cache)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert sorted(logs.rglob("*")) == before
    assert [p.suffix for p in cache.iterdir()] == [".nc"] * 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunks": "big"}, "expected 'auto', a number"),
        ({"chunks": True}, "expected 'auto', a number"),
        ({"chunks": 0}, "-1 is the whole dim"),
        ({"chunks": {"seed": -2}}, "-1 is the whole dim"),
        ({"chunks": {"sed": 1}}, "no dim 'sed'"),
        ({"cache": __file__}, "is a file; expected a directory, .*/archive'"),
        ({"cache": "s3://bucket/cache"}, "a directory on this machine"),
        ({"cache": None}, "expected True, False or a directory"),
        ({"parallel": 4}, "expected 'auto', False"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_from_a_right_one(logs, options, said):
    with pytest.raises(RuncubeError, match=said):
        rc.open_runs(logs, **({"cache": False} | options))


@pytest.mark.parametrize("full", ["staging", "archive"])
def test_a_full_disk_is_an_error_that_names_the_remedy(logs, cache, monkeypatch, full):
    no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failing(*_arguments, **_options):
        raise no_room

    owner, name = (StagingStore, "put") if full == "staging" else (build.Writer, "write")
    with monkeypatch.context() as filling:
        filling.setattr(owner, name, failing)
        with pytest.raises(rc.ArchiveError, match=r"no room .*cache= .*load_runs"):
            opened(logs, cache)
    assert [*cache.iterdir()] == []
    assert_same(opened(logs, cache), opened(logs))


def test_a_disk_that_fills_up_anywhere_is_an_error_that_names_the_remedy(tmp_path):
    logs = write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 0.2]), (0, 1), epochs=400)
    (disk := tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no disk of a small size can be mounted here")
    try:
        kept = opened(logs, disk)
        (file,) = disk.glob("*.nc")
        need = file.stat().st_size
        del kept
        failed = []
        for size in range(16, 4 * need // 1024, 16):
            for path in disk.iterdir():
                path.unlink()
            resize = ["mount", "-o", f"remount,size={size}k", disk]
            subprocess.run(resize, check=True)
            try:
                opened(logs, disk)
                break
            except rc.ArchiveError as error:
                failed.append((str(error), [*disk.iterdir()]))
        assert [left for _, left in failed if left] == []
        remedy = "cache= takes another directory, load_runs needs none"
        assert [said for said, _ in failed if "no room" not in said or remedy not in said] == []
        assert len(failed) > 3
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# What goes


def aged(path, days):
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def test_what_was_superseded_goes_after_a_day(logs, cache):
    for number in range(3):
        edit(logs, "append", number)
        opened(logs, cache)
    assert len(results_of(cache)) == 3
    for path in results_of(cache):
        aged(path, 1.1)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert len(results_of(cache)) == 1


def test_what_was_opened_within_a_day_stays(logs, cache):
    opened(logs, cache)
    (kept,) = results_of(cache)
    aged(kept, 1.1)
    before = kept.stat().st_mtime_ns
    opened(logs, cache)
    assert kept.stat().st_mtime_ns == before
    edit(logs, "append", 3)
    opened(logs, cache)
    assert len(results_of(cache)) == 2


def test_what_nobody_opens_goes_after_a_month(logs, cache):
    for options in ({}, {"metrics": "loss"}, {"metrics": "acc1"}):
        opened(logs, cache, **options)
    first, second, _ = sorted(results_of(cache), key=lambda p: p.stat().st_mtime_ns)
    aged(first, 31)
    aged(second, 29)
    (other := cache / "mine.nc").write_text("no archive of runcube")
    aged(other, 400)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert not first.exists()
    assert second.exists()
    assert other.exists()


def test_a_cache_that_is_too_large_loses_what_was_opened_longest_ago(logs, cache, monkeypatch):
    for number in range(4):
        opened(logs, cache, expected=number + 1)
    made = sorted(results_of(cache), key=lambda p: p.stat().st_mtime_ns)
    for path, days in zip(made, (5, 4, 3, 0), strict=True):
        aged(path, days)
    monkeypatch.setattr(cache_of, "MOST_BYTES", 3.5 * made[0].stat().st_size)
    opened(logs, cache, expected=9)
    assert [path.exists() for path in made] == [False, True, True, True]


def test_what_is_open_here_stays(logs, cache):
    ds = opened(logs, cache)
    (kept,) = results_of(cache)
    aged(kept, 3)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert kept.exists()
    del ds
    gc.collect()
    aged(kept, 3)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert not kept.exists()


def test_what_killed_openings_left_goes_after_a_day(logs, cache):
    opened(logs, cache)
    (kept,) = results_of(cache)
    left = [cache / f".{kept.name[:-4]}0.nc.{end}" for end in ("spool", "journal", "lock")]
    for path in left:
        path.touch()
        aged(path, 2)
    (other := cache / ".mine").touch()
    aged(other, 400)
    edit(logs, "append", 3)
    opened(logs, cache)
    assert not any(path.exists() for path in left)
    assert other.exists()


def test_a_hidden_directory_is_updated_too(tmp_path, cache, read):
    logs = write_sweep(tmp_path / ".logs", product_configs(lr=[0.1, 0.2]), (0, 1))
    opened(logs, cache)
    read.clear()
    edit(logs, "append", 1)
    opened(logs, cache)
    assert len(read) == 1


# What goes wrong while logs are read


def test_what_failed_once_is_in_no_other_cube(tmp_path, cache, monkeypatch):
    root = tmp_path / "logs"
    root.mkdir()
    SWEEPS["sidecars"][0](root)
    want = opened(root)
    with monkeypatch.context() as failing:

        def reading(where, path, *rest, read=load.read_bytes, **options):
            if path.endswith("run1/hparams.yaml"):
                raise OSError(5, "Input/output error")
            return read(where, path, *rest, **options)

        failing.setattr(load, "read_bytes", reading)
        failing.setattr(build, "failed_reads", lambda: 1)
        bad = opened(root, cache)
    good = opened(root, cache)
    assert good.curve.data.name != bad.curve.data.name
    assert_same(good, want)
    del bad, good
    assert_same(opened(root, cache), want)


def test_a_log_that_was_away_while_logs_were_read_comes_back(logs, cache, monkeypatch):
    want = opened(logs)
    with monkeypatch.context() as away:

        def listing(root, list_files=cached.list_files):
            found = list_files(root)
            if (logs / "003").exists():
                (logs / "003").rename(logs.parent / "003")
            return found

        away.setattr(cached, "list_files", listing)
        fewer = opened(logs, cache)
    (logs.parent / "003").rename(logs / "003")
    assert_same(opened(logs, cache), opened(logs))
    assert int(fewer.logged.sum()) < int(want.logged.sum())


def test_the_archive_of_a_session_older_than_its_code_is_not_kept(logs, cache, monkeypatch):
    monkeypatch.setattr(cache_of, "_BEGAN", 0)
    ds = opened(logs, cache)
    assert len(results_of(cache)) == 1
    del ds
    assert results_of(cache) == []


# Where it is


def test_a_cache_among_the_logs_is_known_through_links(logs, tmp_path, made):
    (tmp_path / "link").symlink_to(logs)
    for _ in range(2):
        opened(tmp_path / "link", logs / ".cache")
    for _ in range(2):
        opened(logs, tmp_path / "link" / ".cache")
    assert len(made) == 2


def test_without_a_home_a_temporary_directory_will_do(logs, monkeypatch):
    def nobody(path):
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    want = opened(logs)
    for name in ("RUNCUBE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(cache_of.Path, "expanduser", nobody)
    assert_same(opened(logs, True), want)


def test_a_file_system_without_locks_will_do(logs, cache, monkeypatch):
    def acquire(*_arguments, **_options):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    assert_same(opened(logs, cache), opened(logs))


def test_the_device_of_a_disk_may_have_another_number_elsewhere(logs, cache, monkeypatch):
    ds = opened(logs, cache)
    sent = pickle.dumps(ds)
    want = opened(logs).compute()
    ds.close()

    def stat(path, stat=os.stat):
        found = {name: getattr(stat(path), name) for name in ("st_ino", "st_size", "st_mtime_ns")}
        return SimpleNamespace(st_dev=stat(path).st_dev + 1, **found)

    monkeypatch.setattr(netcdf_reader, "os", SimpleNamespace(stat=stat))
    xr.testing.assert_identical(pickle.loads(sent).curve.compute(), want.curve)


# Others at the same time


def test_who_waits_for_long_is_told_for_which_file(logs, cache, monkeypatch):
    opened(logs, cache)
    (made,) = results_of(cache)
    made.unlink()
    held, said, told_of = threading.Event(), threading.Event(), []

    def hold():
        with FileLock(made.with_name(f".{made.name}.lock")):
            held.set()
            assert said.wait(60)

    def show(message, category, filename, *_):
        told_of.append((str(message), category, filename))
        said.set()

    monkeypatch.setattr(atomic, "PATIENCE", 0.05)
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", rc.SweepWarning)
        monkeypatch.setattr(warnings, "showwarning", show)
        rc.open_runs(logs, cache=cache)
    other.join()
    ((message, category, filename),) = told_of
    assert str(made) in message
    assert "waiting for another process" in message
    assert (category, filename) == (UserWarning, __file__)


def test_who_opens_at_the_same_time_waits_and_reads_nothing(logs, cache):
    code = f"""
import warnings, sys
import runcube as rc
from runcube.archive import cached
warnings.simplefilter("ignore")
made, archive = [], cached.archive_logs
cached.archive_logs = lambda *a: made.append(1) or archive(*a)
sys.stdin.readline()
ds = rc.open_runs({str(logs)!r}, cache={str(cache)!r})
print(len(made), float(ds.curve.sum()))
"""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    run = [sys.executable, "-c", code]
    processes = [subprocess.Popen(run, **options) for _ in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate()[0].split() for process in processes]
    assert sorted(made for made, _ in told) == ["0", "0", "0", "1"]
    assert len({total for _, total in told}) == 1
    assert len(results_of(cache)) == 1


def test_threads_open_and_compute_at_the_same_time(logs, cache):
    code = f"""
import warnings
from concurrent.futures import ThreadPoolExecutor
import runcube as rc
warnings.simplefilter("ignore")

def total(number):
    kept = {str(cache)!r} if number % 2 else False
    return float(rc.open_runs({str(logs)!r}, cache=kept).curve.sum())

with ThreadPoolExecutor(4) as pool:
    print(len({{*pool.map(total, range(60))}}))
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_who_was_killed_leaves_nothing_that_hinders(logs, cache):
    code = f"""
import os, warnings
import runcube as rc
from runcube.archive import writer
warnings.simplefilter("ignore")
writer.Writer.write = lambda *a, **o: os.kill(os.getpid(), 9)
rc.open_runs({str(logs)!r}, cache={str(cache)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert_same(opened(logs, cache), opened(logs))
    assert [p.suffix for p in cache.iterdir()] == [".nc"]


# What is opened


OPENED = """
    import sys, warnings
    import runcube as rc, xarray, netCDF4, dask.array
    warnings.simplefilter("ignore", rc.SweepWarning)
    rc.open_runs({logs!r}, cache=False, layout="configs")
    seen = []
    sys.addaudithook(lambda event, args: event == "open" and seen.append(str(args[0])))
    rc.open_runs({logs!r}, cache={cache!r})
    print(len({{path for path in seen if path.startswith({logs!r})}}))
"""


def opened_files(logs, cache):
    """How many logs a new process opens."""
    code = textwrap.dedent(OPENED.format(logs=str(logs), cache=str(cache)))
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout)


def test_no_file_is_opened_where_nothing_has_changed(logs, cache):
    assert opened_files(logs, cache) >= 12
    assert opened_files(logs, cache) == 0


def test_only_what_has_changed_is_opened(logs, cache):
    opened(logs, cache)
    changed, *_, gone = sorted(logs.rglob("*.jsonl"))
    with changed.open("a") as log:
        log.write("\n")
    gone.unlink()
    shutil.copytree(changed.parent, logs / "again")
    assert opened_files(logs, cache) == 2
    assert_same(opened(logs, cache), opened(logs))


def write_twins(root, *lrs):
    """Write runs whose logs have the same size and time, as after unpacking an archive."""
    for name, lr in zip("ab", lrs, strict=True):
        write_run(root / name, {"lr": lr, "seed": 0}, value=lambda *_, lr=lr: lr)
        os.utime(root / name / "json_out.jsonl", (1_700_000_000,) * 2)
        time.sleep(0.02)  # a tick of the clock of the file system


def by_lr(ds):
    return ds.curve.max(["seed", "split", "metric", "epoch"]).to_series().to_dict()


@pytest.mark.parametrize("name", [".cache", "deep/cache", "000/cache"])
def test_a_cache_among_the_logs_is_no_change_of_them(logs, made, name):
    want = opened(logs)
    assert_same(opened(logs, logs / name), want)
    del made[:]
    assert_same(opened(logs, logs / name), want)
    assert_same(opened(logs, os.path.relpath(logs / name)), want)
    assert made == []


def test_one_cache_for_two_sweeps_takes_one_for_the_other_never(tmp_path):
    for root, lrs in (("one", (0.1, 0.2)), ("two", (0.3, 0.4))):
        write_twins(tmp_path / root, *lrs)
        ds = opened(tmp_path / root, tmp_path / "cache")
        assert by_lr(ds) == {lr: lr for lr in lrs}


@pytest.mark.parametrize("opens", ["open_runs", "load_runs"])
def test_logs_that_changed_places_are_not_taken_for_each_other(tmp_path, opens):
    root, cache = tmp_path / "logs", {"cache": tmp_path / "cache"} if opens == "open_runs" else {}
    write_twins(root, 0.1, 0.2)
    assert by_lr(getattr(rc, opens)(root, **cache)) == {0.1: 0.1, 0.2: 0.2}
    for before, after in ("at", "ba", "tb"):
        (root / before).rename(root / after)
    ds = getattr(rc, opens)(root, **cache)
    assert by_lr(ds) == {0.1: 0.1, 0.2: 0.2}
    assert ds.path.sel(lr=0.1).item().startswith("b/")


def test_the_second_opening_reads_what_has_changed_and_nothing_else(logs, tmp_path, read):
    cache = tmp_path / "deep" / "cache"
    opened(logs, cache)
    read.clear()
    opened(logs, cache, messages=True)
    assert read == [], "archives hold the messages"
    changed = logs / "003" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 7})
    shutil.rmtree(logs / "004")
    ds = opened(logs, cache)
    assert read == ["003/json_out.jsonl", "new/json_out.jsonl"]
    assert_same(ds, opened(logs))
